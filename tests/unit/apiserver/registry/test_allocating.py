"""Addresses and node ports: never given twice, free again when their Service is gone."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from kubepy.api import resources
from kubepy.api.errors import Invalid
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.registry.allocating import AddressAllocator, PortAllocator
from kubepy.apiserver.server import ApiServer

SERVICES = resources.named("services")


def on_server(test: Callable[[ApiServer], Awaitable[None]]) -> None:
    async def run() -> None:
        async with in_process() as server:
            await test(server)

    uvloop.run(run())


def service(name: str, **spec: object) -> dict[str, object]:
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [{"port": 80}], **spec}}


def test_a_small_range_is_given_out_to_its_end() -> None:
    async def test(server: ApiServer) -> None:
        server.ranges.addresses = AddressAllocator("10.0.0.0/29")
        made = await asyncio.gather(*(server.client.create(SERVICES, service(f"s{n}")) for n in range(6)))
        assert len({one["spec"]["clusterIP"] for one in made}) == 6
        with pytest.raises(Invalid, match="range is full"):
            await server.client.create(SERVICES, service("more"))
        await server.client.delete(SERVICES, "s0", "default")
        again = await server.client.create(SERVICES, service("more"))
        assert again["spec"]["clusterIP"] == made[0]["spec"]["clusterIP"]

    on_server(test)


def test_a_refused_service_holds_nothing() -> None:
    async def test(server: ApiServer) -> None:
        with pytest.raises(Invalid):
            await server.client.create(SERVICES, service("Bad_Name", clusterIP="10.96.0.50"))
        await server.client.create(SERVICES, service("good", clusterIP="10.96.0.50"), dry_run=True)
        await server.client.create(SERVICES, service("good", clusterIP="10.96.0.50"))

    on_server(test)


def test_node_ports_are_given_kept_and_freed() -> None:
    async def test(server: ApiServer) -> None:
        server.ranges.ports = PortAllocator(30000, 30001)
        one = await server.client.create(SERVICES, service("one", type="NodePort"))
        two = await server.client.create(SERVICES, service("two", type="NodePort"))
        ports = {obj["spec"]["ports"][0]["nodePort"] for obj in (one, two)}
        assert ports == {30000, 30001}
        with pytest.raises(Invalid, match="range is full"):
            await server.client.create(SERVICES, service("three", type="NodePort"))
        same = await server.client.patch(SERVICES, "one", {"metadata": {"labels": {"a": "b"}}}, "default")
        assert same["spec"]["ports"] == one["spec"]["ports"]
        plain = await server.client.patch(SERVICES, "one", {"spec": {"type": "ClusterIP"}}, "default")
        assert "nodePort" not in plain["spec"]["ports"][0]
        three = await server.client.create(SERVICES, service("three", type="NodePort"))
        assert three["spec"]["ports"][0]["nodePort"] == one["spec"]["ports"][0]["nodePort"]

    on_server(test)
