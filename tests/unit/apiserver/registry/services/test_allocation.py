"""What Services are given by a server: never twice, free again when their Service is gone or changes its type."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import uvloop

from kubepy.api import resources
from kubepy.api.errors import InternalError, Invalid, Timeout
from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.registry import creating
from kubepy.apiserver.server import ApiServer
from kubepy.storage.base import Store, Unavailable
from kubepy.storage.embedded import EmbeddedStore
from kubepy.storage.etcd import EtcdStore
from tests.conftest import Etcd, new_etcd

SERVICES = resources.named("services")
ADDRESSES = resources.named("ipaddresses", "networking.k8s.io")
RANGES = resources.named("servicecidrs", "networking.k8s.io")
DUAL = ("10.0.0.0/24", "fd00::/112")


def on_server(test: Callable[[ApiServer], Awaitable[None]], **config: Any) -> None:
    async def run() -> None:
        wanted = replace(ApiServerConfig(), storage_backend="embedded", **config)
        async with asyncio.timeout(30), in_process(config=wanted) as server:
            await test(server)

    uvloop.run(run())


def service(name: str, **spec: object) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [{"port": 80}], **spec}}


async def make(server: ApiServer, name: str, **spec: object) -> dict[str, Any]:
    """The spec as it was stored."""
    return dict((await server.client.create(SERVICES, service(name, **spec)))["spec"])


async def change(server: ApiServer, name: str, **spec: object) -> dict[str, Any]:
    return dict((await server.client.patch(SERVICES, name, {"spec": spec}, "default"))["spec"])


async def taken(server: ApiServer) -> dict[str, str]:
    """Address to Service, as the IPAddress objects say; the API's own Service aside."""
    await server.lookup.fresh(ADDRESSES)
    found = {one["metadata"]["name"]: one["spec"]["parentRef"] for one in server.lookup.list(ADDRESSES)}
    return {name: parent["name"] for name, parent in found.items() if parent["name"] != "kubernetes"}


def test_a_small_range_is_given_out_to_its_end() -> None:
    async def test(server: ApiServer) -> None:
        made = await asyncio.gather(*(make(server, f"s{n}") for n in range(5)))  # the sixth is the API's own
        assert {spec["clusterIP"] for spec in made} == {f"10.0.0.{n}" for n in range(2, 7)}
        with pytest.raises(InternalError, match="failed to allocate a serviceIP: range is full"):
            await make(server, "more")
        await server.client.delete(SERVICES, "s0", "default")
        assert (await make(server, "more"))["clusterIP"] == made[0]["clusterIP"]

    on_server(test, service_cluster_ip_range=("10.0.0.0/29",))


def test_a_refused_service_and_a_dry_run_hold_nothing() -> None:
    async def test(server: ApiServer) -> None:
        with pytest.raises(Invalid):
            await make(server, "Bad_Name", clusterIP="10.0.0.50")
        dry = await server.client.create(SERVICES, service("good", type="NodePort"), dry_run=True)
        assert dry["spec"]["clusterIP"] == "10.0.0.0"
        assert dry["spec"]["ports"][0]["nodePort"] == 32769
        assert await taken(server) == {}
        assert list((await server.pools.ports.read()).ports()) == []
        await make(server, "good", clusterIP="10.0.0.50")
        assert await taken(server) == {"10.0.0.50": "good"}

    on_server(test, service_cluster_ip_range=("10.0.0.0/24",))


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.0.0.1", "provided IP is already allocated"),
        ("10.0.1.1", "the provided network does not match the current range"),
        ("10.0.0.255", "the provided IP (10.0.0.255) is not in the valid range. The range of valid IPs is 10.0.0.0/24"),
    ],
)
def test_an_address_that_cannot_be_had_is_refused(address: str, why: str) -> None:
    async def test(server: ApiServer) -> None:
        with pytest.raises(Invalid) as refused:
            await make(server, "s", clusterIP=address)
        assert f'spec.clusterIPs: Invalid value: ["{address}"]: failed to allocate IP {address}: {why}' in str(
            refused.value
        )

    on_server(test, service_cluster_ip_range=("10.0.0.0/24",))


def test_node_ports_are_given_kept_and_freed() -> None:
    async def test(server: ApiServer) -> None:
        one, two = [await make(server, name, type="NodePort") for name in ("one", "two")]
        assert {spec["ports"][0]["nodePort"] for spec in (one, two)} == {30000, 30001}
        with pytest.raises(InternalError, match="failed to allocate a nodePort: range is full"):
            await make(server, "three", type="NodePort")
        with pytest.raises(Invalid, match="provided port is already allocated"):
            await make(server, "three", type="NodePort", ports=[{"port": 80, "nodePort": 30000}])
        with pytest.raises(Invalid, match="The range of valid ports is 30000-30001"):
            await make(server, "three", type="NodePort", ports=[{"port": 80, "nodePort": 80}])
        assert (await change(server, "one", sessionAffinity="ClientIP"))["ports"] == one["ports"]
        plain = await change(server, "one", type="ClusterIP")
        assert "nodePort" not in plain["ports"][0]
        three = await make(server, "three", type="NodePort")
        assert three["ports"][0]["nodePort"] == one["ports"][0]["nodePort"]
        await server.client.delete(SERVICES, "three", "default")
        await make(server, "four", type="NodePort")

    on_server(test, service_node_port_range=(30000, 30001))


def test_both_protocols_of_a_port_share_a_node_port_and_a_load_balancer_is_checked_on_another() -> None:
    async def test(server: ApiServer) -> None:
        both = [{"name": "t", "port": 53}, {"name": "u", "port": 53, "protocol": "UDP"}]
        spec = await make(server, "dns", type="LoadBalancer", externalTrafficPolicy="Local", ports=both)
        first, second = (port["nodePort"] for port in spec["ports"])
        assert first == second != spec["healthCheckNodePort"]
        cluster = await change(server, "dns", externalTrafficPolicy="Cluster")
        assert "healthCheckNodePort" not in cluster
        assert list((await server.pools.ports.read()).ports()) == [first]
        bare = await make(server, "bare", type="LoadBalancer", allocateLoadBalancerNodePorts=False)
        assert "nodePort" not in bare["ports"][0]
        plain = await change(server, "dns", type="ClusterIP")
        assert not {"allocateLoadBalancerNodePorts", "externalTrafficPolicy"} & plain.keys()
        assert list((await server.pools.ports.read()).ports()) == []

    on_server(test)


def test_a_dual_stack_cluster_gives_two_addresses_where_it_is_asked_for_two() -> None:
    async def test(server: ApiServer) -> None:
        single = await make(server, "single")
        assert (single["ipFamilyPolicy"], single["ipFamilies"]) == ("SingleStack", ["IPv4"])
        six = await make(server, "six", ipFamilies=["IPv6"])
        assert six["clusterIP"].startswith("fd00::")
        dual = await make(server, "dual", ipFamilyPolicy="PreferDualStack")
        assert dual["ipFamilies"] == ["IPv4", "IPv6"]
        assert [":" in one for one in dual["clusterIPs"]] == [False, True]
        assert sorted((await taken(server)).values()) == ["dual", "dual", "single", "six"]
        headless = await make(server, "headless", clusterIP="None")
        assert headless["ipFamilyPolicy"] == "RequireDualStack"
        assert headless["clusterIPs"] == ["None"]

    on_server(test, service_cluster_ip_range=DUAL)


def test_a_service_gets_and_loses_its_second_address() -> None:
    async def test(server: ApiServer) -> None:
        first = (await make(server, "s"))["clusterIP"]
        both = await change(server, "s", ipFamilyPolicy="RequireDualStack")
        assert both["clusterIPs"][0] == first
        assert len(both["clusterIPs"]) == 2
        with pytest.raises(Invalid, match="must be 'SingleStack' to release the secondary cluster IP"):
            await change(server, "s", clusterIPs=[first])
        one = await change(server, "s", ipFamilyPolicy="SingleStack")
        assert (one["clusterIPs"], one["ipFamilies"]) == ([first], ["IPv4"])
        assert await taken(server) == {first: "s"}
        named = await change(server, "s", type="ExternalName", externalName="example.com")
        assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & named.keys()
        assert await taken(server) == {}
        assert (await change(server, "s", type="ClusterIP", externalName=None))["clusterIP"]

    on_server(test, service_cluster_ip_range=DUAL)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"ipFamilyPolicy": "RequireDualStack"},
         'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack '
         "services"),
        ({"ipFamilies": ["IPv6"]}, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'),
        ({"clusterIP": "fd00::5"},
         'spec.clusterIPs[0]: Invalid value: ["fd00::5"]: IPv6 is not configured on this cluster'),
        ({"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4", "IPv6"]},
         'spec.ipFamilyPolicy: Invalid value: "SingleStack": must be \'RequireDualStack\' or \'PreferDualStack\' when '
         "multiple IP families are specified"),
    ],
)  # fmt: skip
def test_families_that_a_single_stack_cluster_lacks_are_refused(spec: dict[str, Any], why: str) -> None:
    async def test(server: ApiServer) -> None:
        with pytest.raises(Invalid) as refused:
            await make(server, "s", **spec)
        assert why in str(refused.value)

    on_server(test)


def test_a_write_that_nobody_knows_the_end_of_gives_nothing_back() -> None:
    async def test(server: ApiServer) -> None:
        before = await make(server, "s", type="NodePort")
        store, update = server.engine.store, server.engine.store.update

        async def doubtful(key: str, value: bytes, *, revision: int, ttl_s: int = 0) -> int:
            if "/services/specs/" not in key:
                return await update(key, value, revision=revision, ttl_s=ttl_s)
            raise Unavailable("the answer was lost")

        store.update = doubtful  # type: ignore[method-assign]
        with pytest.raises(Timeout):
            await change(server, "s", type="ExternalName", externalName="example.com")
        assert await taken(server) == {before["clusterIP"]: "s"}
        assert list((await server.pools.ports.read()).ports()) == [before["ports"][0]["nodePort"]]

    on_server(test)


def test_another_service_cidr_makes_the_range_longer() -> None:
    async def test(server: ApiServer) -> None:
        for number in range(5):
            await make(server, f"s{number}")
        kind = {"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": "more"}}
        await server.client.create(RANGES, {**kind, "spec": {"cidrs": ["10.9.0.0/28"]}})
        given = (await make(server, "beyond"))["clusterIP"]
        assert given.startswith("10.9.0.")
        free = "10.9.0.3" if given != "10.9.0.3" else "10.9.0.4"
        assert (await make(server, "asked", clusterIP=free))["clusterIP"] == free

    on_server(test, service_cluster_ip_range=("10.0.0.0/29",))


@asynccontextmanager
async def two_servers(one: Store, other: Store, config: ApiServerConfig) -> AsyncIterator[list[ApiServer]]:
    servers = [ApiServer(config, store) for store in (one, other)]
    try:
        for server in servers:
            await server.start()
        await asyncio.gather(*(server.wait_ready() for server in servers))
        yield servers
    finally:
        await asyncio.gather(*(server.stop() for server in servers))
        await one.close()
        if other is not one:
            await other.close()


async def fill_from_both(servers: list[ApiServer], count: int) -> None:
    """Every address and every node port is asked for at once, from both servers; each is given once."""
    jobs = [make(servers[n % 2], f"s{n}", type="NodePort") for n in range(count)]
    made = await asyncio.gather(*jobs)
    assert len({spec["clusterIP"] for spec in made}) == count
    assert len({spec["ports"][0]["nodePort"] for spec in made}) == count
    for server in servers:
        with pytest.raises(InternalError, match="range is full"):
            await make(server, "more", type="NodePort")
    await asyncio.gather(*(servers[n % 2].client.delete(SERVICES, f"s{n}", "default") for n in range(count)))
    assert list((await servers[0].pools.ports.read()).ports()) == []
    assert await taken(servers[1]) == {}


RACING = replace(
    ApiServerConfig(),
    storage_backend="embedded",
    service_cluster_ip_range=("10.0.0.0/26",),
    service_node_port_range=(30000, 30060),
)


def test_two_servers_on_one_store_never_give_the_same_twice() -> None:
    async def run() -> None:
        store = EmbeddedStore(":memory:", synced=False)
        async with asyncio.timeout(30), two_servers(store, store, RACING) as servers:
            await fill_from_both(servers, 61)

    uvloop.run(run())


def test_two_servers_on_one_etcd_never_give_the_same_twice(tmp_path: Any) -> None:
    etcd: Etcd = new_etcd(tmp_path)

    async def run() -> None:
        stores = [EtcdStore([etcd.endpoint]) for _ in range(2)]
        async with asyncio.timeout(30), two_servers(stores[0], stores[1], RACING) as servers:
            await fill_from_both(servers, 61)

    try:
        uvloop.run(run())
    finally:
        etcd.kill()


def test_an_address_is_that_of_the_service_as_it_is_called_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    names = iter(("s-1", "s-2"))
    monkeypatch.setattr(creating, "generate_name", lambda prefix: next(names))

    async def test(server: ApiServer) -> None:
        await make(server, "s-1")
        nameless = service("", type="NodePort")
        nameless["metadata"] = {"generateName": "s-", "namespace": "default"}
        made = await server.client.create(SERVICES, nameless)
        assert made["metadata"]["name"] == "s-2"
        assert (await taken(server))[made["spec"]["clusterIP"]] == "s-2"
        assert len(await taken(server)) == 2
        port = made["spec"]["ports"][0]["nodePort"]
        with pytest.raises(Invalid):
            await make(server, "s-3", type="NodePort", ports=[{"port": 80, "nodePort": port}])

    on_server(test)
