"""When a ServiceCIDR may go, and what is told of one that may not."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
import uvloop

from kubepy.api import resources
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.registry.services.addresses import ADDRESSES, RANGES, render_address
from kubepy.apiserver.server import ApiServer
from kubepy.client.client import Client
from kubepy.controllers.controller import Context, Informers
from kubepy.controllers.service_cidrs import FINALIZER, ServiceCIDRController, can_go
from kubepy.lib.clock import SYSTEM

SERVICES = resources.named("services")
Object = dict[str, Any]


def cidr(name: str, *cidrs: str) -> Object:
    meta = {"name": name}
    kind = {"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR"}
    return {**kind, "metadata": meta, "spec": {"cidrs": list(cidrs)}}


@pytest.mark.parametrize(
    ("others", "addresses", "expected"),
    [
        ([], [], True),
        ([], ["10.0.0.5"], False),
        ([], ["10.9.0.5"], True),
        (["10.0.0.0/16"], ["10.0.0.5"], True),
        (["10.0.0.0/28"], ["10.0.0.5"], True),
        (["10.0.0.0/28"], ["10.0.0.77"], False),
    ],
)
def test_a_range_goes_when_no_address_is_left_without_one(
    others: list[str], addresses: list[str], expected: bool
) -> None:
    found = [render_address(one, "ns", "s") for one in addresses]
    assert can_go(cidr("mine", "10.0.0.0/24"), [cidr("other", *others)], found) is expected


class Later:
    """The system's clock, a minute ahead: no grace is waited for."""

    monotonic, sleep = staticmethod(SYSTEM.monotonic), staticmethod(SYSTEM.sleep)

    def now(self) -> datetime:
        return SYSTEM.now() + timedelta(minutes=1)


async def until(client: Client, done: Any) -> None:
    """Waits until `done` says so of the ServiceCIDR `more` (None when it is gone)."""
    listed = await client.list(RANGES)
    found = next((one for one in listed["items"] if one["metadata"]["name"] == "more"), None)
    if done(found):
        return
    version = listed["metadata"]["resourceVersion"]
    async for kind, one in client.watch(RANGES, resource_version=version, bookmarks=False):
        if one["metadata"]["name"] == "more" and done(None if kind == "DELETED" else one):
            return


def ready(found: Object | None) -> str:
    conditions = ((found or {}).get("status") or {}).get("conditions") or [{}]
    return str(conditions[0].get("status"))


def test_one_in_use_waits_for_its_last_address() -> None:
    async def test(server: ApiServer) -> None:
        client = server.client
        await client.create(RANGES, cidr("more", "10.9.0.0/24"))
        await until(client, lambda found: found and ready(found) == "True" and FINALIZER in str(found["metadata"]))
        spec = {"ports": [{"port": 80}], "clusterIP": "10.9.0.9"}
        meta = {"name": "s", "namespace": "default"}
        await client.create(SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
        assert await client.get(ADDRESSES, "10.9.0.9")
        await client.delete(RANGES, "more")
        await until(client, lambda found: found and ready(found) == "False")
        await client.delete(SERVICES, "s", "default")
        await until(client, lambda found: found is None)

    async def run() -> None:
        async with asyncio.timeout(30), in_process() as server, asyncio.TaskGroup() as group:
            informers = Informers(server.client)
            controller = ServiceCIDRController(Context(client=server.client, informers=informers, clock=Later()))
            running = [group.create_task(informers.run()), group.create_task(controller.run())]
            await test(server)
            for task in running:
                task.cancel()

    uvloop.run(run())
