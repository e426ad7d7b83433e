"""The names of a cluster, by the specification's examples."""

import asyncio
from typing import Any

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from kubepy.addons.dns.server import DnsServer
from kubepy.addons.dns.zone import Endpoint, Lookups, Zone, address_of_reverse

Object = dict[str, Any]
PORTS = [{"name": "http", "port": 80, "protocol": "TCP"}]
SERVICES = {
    "web": {"clusterIP": "10.96.0.5", "ports": PORTS},
    "db": {"clusterIP": "None", "ports": PORTS},
    "far": {"type": "ExternalName", "externalName": "example.org"},
}
ENDPOINTS = [
    Endpoint(("10.244.0.5",), "db-0", (("http", "TCP", 8080),)),
    Endpoint(("10.244.1.6",), "", (("http", "TCP", 8080),)),
]


def find(namespace: str, name: str) -> Object | None:
    if namespace != "default" or name not in SERVICES:
        return None
    return {"metadata": {"name": name, "namespace": namespace}, "spec": SERVICES[name]}


ZONE = Zone(
    "cluster.local",
    Lookups(
        service=find,
        endpoints=lambda namespace, name: ENDPOINTS if name == "db" else [],
        namespace_exists=lambda name: name == "default",
        service_at=lambda ip: find("default", "web") if ip == "10.96.0.5" else None,
        endpoint_at=lambda ip: [(find("default", "db") or {}, e) for e in ENDPOINTS if ip in e.addresses],
    ),
)


@pytest.mark.parametrize(
    ("name", "kind", "data"),
    [
        ("web.default.svc", "A", ["10.96.0.5"]),
        ("WEB.Default.svc", "A", ["10.96.0.5"]),
        ("web.default.svc", "AAAA", []),
        ("db.default.svc", "A", ["10.244.0.5", "10.244.1.6"]),
        ("db-0.db.default.svc", "A", ["10.244.0.5"]),
        ("10-244-1-6.db.default.svc", "A", ["10.244.1.6"]),
        ("far.default.svc", "A", ["example.org"]),
        ("10-1-2-3.default.pod", "A", ["10.1.2.3"]),
        ("default.svc", "A", []),
        ("svc", "A", []),
        ("dns-version", "TXT", ["1.1.0"]),
    ],
)
def test_names_that_exist(name: str, kind: str, data: list[str]) -> None:
    reply = ZONE.answer(f"{name}.cluster.local.", kind)
    assert reply.exists
    assert [record.data for record in reply.records] == data


@pytest.mark.parametrize(
    "name",
    [
        "none.default.svc",
        "web.other.svc",
        "db-9.db.default.svc",
        "x.web.default.svc",
        "other.svc",
        "10-1-2.default.pod",
    ],
)
def test_names_that_do_not(name: str) -> None:
    assert not ZONE.answer(f"{name}.cluster.local.", "A").exists


def test_a_port_is_found_by_its_name() -> None:
    reply = ZONE.answer("_http._tcp.web.default.svc.cluster.local", "SRV")
    assert [record.data for record in reply.records] == [(0, 100, 80, "web.default.svc.cluster.local")]
    assert [record.data for record in reply.extra] == ["10.96.0.5"]
    assert not ZONE.answer("_http._udp.web.default.svc.cluster.local", "SRV").exists


def test_each_endpoint_of_a_headless_service_has_a_target() -> None:
    reply = ZONE.answer("_http._tcp.db.default.svc.cluster.local", "SRV")
    targets = [record.data[3] for record in reply.records if isinstance(record.data, tuple)]
    assert targets == ["db-0.db.default.svc.cluster.local", "10-244-1-6.db.default.svc.cluster.local"]


def test_addresses_have_names() -> None:
    cluster, pod = ZONE.reverse("10.96.0.5"), ZONE.reverse("10.244.0.5")
    assert cluster is not None
    assert pod is not None
    assert [r.data for r in cluster.records] == ["web.default.svc.cluster.local"]
    assert [r.data for r in pod.records] == ["db-0.db.default.svc.cluster.local"]
    assert ZONE.reverse("192.0.2.1") is None


def test_reverse_names_are_read() -> None:
    assert address_of_reverse("5.0.96.10.in-addr.arpa.") == "10.96.0.5"
    assert address_of_reverse("x.in-addr.arpa") is None


def ask(server_zone: Zone, name: str, kind: str = "A", upstreams: list[str] | None = None) -> DNSRecord:
    """The answer of a real server, over a real socket."""

    async def scenario() -> bytes:
        server = DnsServer(server_zone, upstreams or [])
        port = await server.listen("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        question = DNSRecord.question(name, kind).pack()
        writer.write(len(question).to_bytes(2, "big") + question)
        size = int.from_bytes(await reader.readexactly(2), "big")
        answer = await reader.readexactly(size)
        writer.close()
        await server.close()
        return answer

    return DNSRecord.parse(asyncio.run(scenario()))


def test_the_server_answers_with_authority() -> None:
    reply = ask(ZONE, "web.default.svc.cluster.local")
    assert (reply.header.aa, reply.header.rcode) == (1, RCODE.NOERROR)
    assert [str(rr.rdata) for rr in reply.rr] == ["10.96.0.5"]


def test_the_server_tells_what_is_not_there() -> None:
    reply = ask(ZONE, "none.default.svc.cluster.local")
    assert reply.header.rcode == RCODE.NXDOMAIN
    assert [rr.rtype for rr in reply.auth] == [QTYPE.SOA]


def test_a_name_of_the_world_without_anyone_to_ask_fails() -> None:
    assert ask(ZONE, "example.org").header.rcode == RCODE.SERVFAIL
