"""The loops of the API server about Services: the default ServiceCIDR, and repairs against a real store."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import uvloop

from kubepy.api import resources
from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.loops.services import DefaultServiceCidr, Repairs
from kubepy.apiserver.registry.services.addresses import ADDRESSES, RANGES
from kubepy.apiserver.registry.services.ports import KEY
from kubepy.apiserver.server import ApiServer
from kubepy.lib.clock import SYSTEM

SERVICES = resources.named("services")


def on_server(test: Callable[[ApiServer], Awaitable[None]], **config: Any) -> None:
    async def run() -> None:
        wanted = replace(ApiServerConfig(), storage_backend="embedded", **config)
        async with asyncio.timeout(30), in_process(config=wanted) as server:
            await test(server)

    uvloop.run(run())


def repairs(server: ApiServer) -> Repairs:
    return Repairs(server.client, server.lookup, SYSTEM, server.pools.ports)


async def make(server: ApiServer, name: str) -> Any:
    spec = {"type": "NodePort", "ports": [{"port": 80}]}
    meta = {"name": name, "namespace": "default"}
    return await server.client.create(SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})


def test_what_was_lost_beside_a_service_is_made_again_and_a_second_round_writes_nothing() -> None:
    async def test(server: ApiServer) -> None:
        made = (await make(server, "a"))["spec"]
        await server.client.delete(ADDRESSES, made["clusterIP"])
        stored = await server.store.get(KEY)
        await server.store.delete(KEY, revision=stored.revision)
        loop = repairs(server)
        await loop.sync()
        found = await server.client.get(ADDRESSES, made["clusterIP"])
        assert found["spec"]["parentRef"]["name"] == "a"
        assert list((await server.pools.ports.read()).ports()) == [made["ports"][0]["nodePort"]]
        revision = await server.store.revision()
        await loop.sync()
        assert await server.store.revision() == revision

    on_server(test)


def test_another_range_of_node_ports_takes_over_what_is_stored() -> None:
    async def test(server: ApiServer) -> None:
        await server.pools.ports.reserve(30001)
        server.pools.ports.text = "30000-30100"  # as after a start with another flag
        await repairs(server).sync_ports()
        assert (await server.pools.ports.read()).text == "30000-30100"
        await server.pools.ports.reserve(30002)

    on_server(test, service_node_port_range=(30000, 30100))


def test_the_default_service_cidr_is_ready_and_grows_by_a_family() -> None:
    async def test(server: ApiServer) -> None:
        found = await server.client.get(RANGES, "kubernetes")
        assert found["spec"]["cidrs"] == ["10.0.0.0/24"]
        assert [(one["type"], one["status"]) for one in found["status"]["conditions"]] == [("Ready", "True")]
        both = DefaultServiceCidr(server.client, server.lookup, SYSTEM, ["10.0.0.0/24", "fd00::/112"])
        await both.sync()
        assert (await server.client.get(RANGES, "kubernetes"))["spec"]["cidrs"] == ["10.0.0.0/24", "fd00::/112"]
        other = DefaultServiceCidr(server.client, server.lookup, SYSTEM, ["10.1.0.0/24"])
        await other.sync()
        assert (await server.client.get(RANGES, "kubernetes"))["spec"]["cidrs"] == ["10.0.0.0/24", "fd00::/112"]

    on_server(test, service_cluster_ip_range=("10.0.0.0/24",))
