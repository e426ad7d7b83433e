"""A server under load and at its limits, in a process of its own: floods, outages of etcd, deadlines, its end."""

import asyncio
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import aiohttp
import uvloop

from tests.api.processes import ADMIN, FLOODER, NODE, ApiProcess, api_process
from tests.conftest import Etcd, new_etcd

MAPS = "/api/v1/namespaces/default/configmaps"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_FLOODERS = 200


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(90):
            await test()

    uvloop.run(bounded())


def config_map(name: str, size: int = 10) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"x": "y" * size}}


def lease(name: str) -> dict[str, Any]:
    head = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}}
    return {**head, "spec": {"leaseDurationSeconds": 40}}


async def post(session: aiohttp.ClientSession, path: str, body: object) -> Any:
    async with session.post(path, json=body) as answer:
        assert answer.status == 201, await answer.text()
        return await answer.json()


@asynccontextmanager
async def flood(api: ApiProcess) -> AsyncIterator[None]:
    """Two hundred connections of one user that list without end, from a process of their own."""
    script = Path(__file__).with_name("flood.py")
    arguments = (api.url, str(api.folder / "ca.crt"), FLOODER, MAPS, str(_FLOODERS))
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"all served\n"
        yield
    finally:
        process.kill()
        await process.wait()


async def times(ask: Callable[[int], Awaitable[None]], count: int) -> list[float]:
    """How long each of `count` requests took, one after the other."""
    found = []
    for number in range(count):
        began = perf_counter()
        await ask(number)
        found.append(perf_counter() - began)
    return found


def test_a_flood_of_lists_does_not_starve_heartbeats(tmp_path: Path) -> None:
    """A kubelet's renewals are served long before what the flooding user asks for; without fairness, no sooner."""

    async def test() -> None:
        async with api_process(tmp_path) as api, api.session(ADMIN) as admin, api.session(NODE) as node:
            await asyncio.gather(*(post(admin, MAPS, config_map(f"m{i}", 5000)) for i in range(200)))
            held = await post(admin, LEASES, lease("n1"))

            async def renew(number: int) -> None:
                held["spec"]["holderIdentity"] = f"beat-{number}"
                async with node.put(f"{LEASES}/n1", json=held) as answer:
                    assert answer.status == 200, await answer.text()
                    held["metadata"] = (await answer.json())["metadata"]

            async with flood(api), api.session(FLOODER) as flooder:

                async def read(number: int) -> None:
                    async with flooder.get(f"{MAPS}/m{number}") as answer:
                        assert answer.status in (200, 429)

                beats, reads = await asyncio.gather(times(renew, 12), times(read, 4))
            assert 3 * median(beats) < median(reads), (beats, reads)

    run(test)


def test_flow_control_shows_what_it_does(tmp_path: Path) -> None:
    async def test() -> None:
        async with api_process(tmp_path) as api, api.session(ADMIN) as admin, api.session(FLOODER) as user:
            async with user.get(MAPS) as answer:
                uid = answer.headers["X-Kubernetes-Pf-Flowschema-Uid"]
                assert answer.headers["X-Kubernetes-Pf-Prioritylevel-Uid"]
            schemas = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"
            async with admin.get(f"{schemas}/global-default") as answer:
                assert (await answer.json())["metadata"]["uid"] == uid
            dump = "/debug/api_priority_and_fairness/dump_"
            async with admin.get(f"{dump}priority_levels") as answer:
                lines = (await answer.text()).splitlines()
                assert lines[0].split(", ")[0] == "PriorityLevelName"
                assert {line.split(",")[0] for line in lines[1:]} >= {"exempt", "catch-all", "node-high"}
            for name, columns in (("queues", 9), ("requests", 10), ("requests?includeRequestDetails=1", 18)):
                async with admin.get(dump + name) as answer:
                    assert len((await answer.text()).splitlines()[0].split(",")) == columns
            async with admin.get("/metrics") as answer:
                text = await answer.text()
            flow = 'flow_schema="global-default",priority_level="global-default"'
            assert f"apiserver_flowcontrol_dispatched_requests_total{{{flow}}} 1.0" in text
            pods = 'group="",resource="configmaps",scope="namespace",subresource="",verb="LIST",version="v1"'
            assert f'apiserver_request_total{{code="200",component="apiserver",dry_run="",{pods}}} 1.0' in text
            assert 'apiserver_current_inflight_requests{request_kind="readOnly"} 1.0' in text
            assert 'apiserver_resource_objects{group="",resource="namespaces"} 4.0' in text
            assert 'apiserver_flowcontrol_nominal_limit_seats{priority_level="node-high"} 98.0' in text

    run(test)


def test_without_fairness_the_plain_limit_holds(tmp_path: Path) -> None:
    async def test() -> None:
        flags = (
            "--enable-priority-and-fairness=false",
            "--max-mutating-requests-inflight=1",
            "--shutdown-delay-duration=0s",
        )
        async with api_process(tmp_path, *flags) as api, api.session(NODE) as node:
            # A body that does not come keeps the one seat for writes; the next one is turned away.
            _, half = await half_sent(api)
            while True:
                async with node.post(MAPS, json=config_map("late")) as answer:
                    if answer.status == 429:
                        assert answer.headers["Retry-After"] == "1"
                        assert await answer.text() == "Too many requests, please try again later.\n"
                        break
                    assert answer.status in (201, 409)
            half.close()
            async with node.get(MAPS) as answer:
                assert answer.status == 200

    run(test)


async def half_sent(api: ApiProcess) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which a write's head has been sent, and the beginning of its body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port, ssl=api.tls())
    head = f"POST {MAPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {FLOODER}\r\nContent-Length: 1000\r\n\r\n{{"
    writer.write(head.encode())
    await writer.drain()
    return reader, writer


def etcd_flags(etcd: Etcd) -> tuple[str, ...]:
    return ("--storage-backend=etcd3", f"--etcd-servers={etcd.endpoint}")


def test_while_etcd_is_away_reads_of_the_cache_go_on_and_others_time_out(tmp_path: Path) -> None:
    async def test() -> None:
        etcd = new_etcd(tmp_path)
        assert etcd.process is not None
        try:
            async with api_process(tmp_path, storage=etcd_flags(etcd)) as api, api.session(NODE) as session:
                await post(session, MAPS, config_map("a"))
                etcd.process.send_signal(signal.SIGSTOP)
                async with session.get(f"{MAPS}/a?resourceVersion=0") as answer:
                    assert answer.status == 200
                async with session.get(f"{MAPS}?resourceVersion=0") as answer:
                    assert len((await answer.json())["items"]) == 1
                for method, path, body in (
                    ("GET", f"{MAPS}/a", None),
                    ("GET", MAPS, None),
                    ("POST", MAPS, config_map("b")),
                ):
                    async with session.request(method, f"{path}?timeout=300ms", json=body) as answer:
                        status = await answer.json()
                    assert (answer.status, status["reason"], status["message"]) == (
                        504,
                        "Timeout",
                        "Timeout: request did not complete within the allotted timeout",
                    )
                etcd.process.send_signal(signal.SIGCONT)
                async with session.get(f"{MAPS}/a") as answer:
                    assert answer.status == 200
                async with session.get("/metrics") as answer:
                    created = 'etcd_request_duration_seconds_count{group="",operation="create",resource="configmaps"}'
                    assert created in await answer.text()
        finally:
            etcd.process.send_signal(signal.SIGCONT)
            etcd.kill()

    run(test)


def test_a_body_that_does_not_come_is_waited_for_as_long_as_a_request_may_take(tmp_path: Path) -> None:
    async def test() -> None:
        async with api_process(tmp_path, "--request-timeout=500ms") as api:
            reader, writer = await half_sent(api)
            answer = await reader.read()  # the connection is closed after it
            assert answer.startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
            writer.close()

    run(test)


def test_a_server_that_is_told_to_stop_says_so_first_and_finishes_what_it_does(tmp_path: Path) -> None:
    async def test() -> None:
        async with api_process(tmp_path, "--shutdown-delay-duration=1s") as api, api.session(NODE) as session:
            process = api.process
            assert process is not None
            watch = await session.get(f"{MAPS}?watch=true")
            reader, half = await half_sent(api)
            process.send_signal(signal.SIGTERM)
            while True:
                async with session.get("/readyz") as answer:
                    if answer.status == 500:
                        assert "[-]shutdown failed" in await answer.text()
                        break
            async with session.get("/livez") as answer:
                assert answer.status == 200
            assert await watch.content.read() == b""  # ends, and is not cut off
            half.write(b"}" + b" " * 998)
            assert (await reader.read()).startswith(b"HTTP/1.1 422 ")  # a ConfigMap must have a name
            while process.poll() is None:
                await asyncio.sleep(0.01)  # what is awaited is another process
            assert process.returncode == 0
            half.close()

    run(test)


def test_heads_and_bodies_have_limits(tmp_path: Path) -> None:
    async def test() -> None:
        async with api_process(tmp_path) as api, api.session(NODE) as session:
            for body, kind, status in (
                (b"x" * (3 * 1024 * 1024 + 1), "application/json", 413),
                (b"[" * 100_000, "application/yaml", 400),
                (b"[" * 100_000, "application/json", 400),
                (b'{"a":' * 5000 + b"1" + b"}" * 5000, "application/json", 400),
                (b"a: &a [x,x,x,x,x,x,x,x,x]\n" + bomb(), "application/yaml", 400),
            ):
                async with session.post(MAPS, data=body, headers={"Content-Type": kind}) as answer:
                    assert answer.status == status, await answer.text()
            reader, writer = await asyncio.open_connection("127.0.0.1", api.port, ssl=api.tls())
            with suppress(ConnectionError, ssl.SSLError):
                for number in range(40):
                    writer.write(b"GET / HTTP/1.1\r\n" if not number else b"X-%d: %b\r\n" % (number, b"y" * 50_000))
                    await writer.drain()
                assert (await reader.read()).startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))
            writer.close()
            async with session.get(MAPS) as answer:
                assert answer.status == 200

    run(test)


def bomb() -> bytes:
    """Each line refers nine times to the one before."""
    return b"".join(b"%c: &%c [%b]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9))
