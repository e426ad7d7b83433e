"""What counts against a quota, and that its status follows what is there."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from kubepy.api import resources
from kubepy.apiserver.embedded import in_process
from kubepy.client.client import Client
from kubepy.controllers.controller import Context, Informers
from kubepy.controllers.resource_quota import ResourceQuotaController, counted, plan_status
from tests.unit.controllers.builders import NOW

PODS, QUOTAS, MAPS = (resources.named(name) for name in ("pods", "resourcequotas", "configmaps"))
Object = dict[str, Any]


def pod(name: str, cpu: str = "1", **more: Any) -> Object:
    container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}
    spec = {"containers": [container], **more}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def quota(hard: Object, **spec: Any) -> Object:
    meta = {"name": "q", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard, **spec}}


@pytest.mark.parametrize(
    ("found", "used"),
    [
        ([pod("a"), pod("b", "500m")], {"pods": "2", "requests.cpu": "1500m"}),
        ([{**pod("a"), "status": {"phase": "Succeeded"}}], {"pods": "0", "requests.cpu": "0"}),
        ([pod("a", resources={"requests": {"cpu": "3"}})], {"pods": "1", "requests.cpu": "3"}),
        ([pod("a", initContainers=[{"name": "i", "resources": {"requests": {"cpu": "5"}}},
                                   {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}}])],
         {"pods": "1", "requests.cpu": "5"}),
    ],
)  # fmt: skip
def test_pods_count_with_what_they_ask_for(found: list[Object], used: Object) -> None:
    assert counted(quota({"pods": "9", "requests.cpu": "9"}), [(PODS, one) for one in found], NOW) == used


def test_a_pod_whose_grace_is_long_over_counts_for_nothing() -> None:
    lost = pod("a")
    lost["metadata"] |= {"deletionTimestamp": "2025-12-31T00:00:00Z", "deletionGracePeriodSeconds": 30}
    assert counted(quota({"pods": "9", "count/pods": "9"}), [(PODS, lost)], NOW) == {"pods": "0", "count/pods": "1"}


def test_devices_count_by_their_class() -> None:
    requests = [
        {"name": "a", "exactly": {"deviceClassName": "gpu", "count": 2}},
        {"name": "b", "firstAvailable": [{"deviceClassName": "gpu"}, {"deviceClassName": "nic", "count": 3}]},
    ]
    claim = {"metadata": {"name": "c", "namespace": "default"}, "spec": {"devices": {"requests": requests}}}
    names = {f"{name}.deviceclass.resource.k8s.io/devices": "9" for name in ("gpu", "nic")}
    row = resources.named("resourceclaims", "resource.k8s.io")
    assert list(counted(quota(names), [(row, claim)], NOW).values()) == ["3", "3"]


def test_a_status_that_says_the_same_otherwise_is_left_alone() -> None:
    told = quota({"requests.cpu": "2"}) | {"status": {"hard": {"requests.cpu": "2000m"}, "used": {"requests.cpu": "1"}}}
    assert plan_status(told, {"requests.cpu": "1000m"}) is None
    assert plan_status(told, {"requests.cpu": "2"}) is not None


def with_controller(test: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(30), in_process() as server, asyncio.TaskGroup() as group:
            client = server.client
            informers = Informers(client)
            controller = ResourceQuotaController(Context(client=client, informers=informers))
            running = [group.create_task(informers.run()), group.create_task(controller.run())]
            await test(client)
            for task in running:
                task.cancel()

    uvloop.run(run())


async def used_becomes(client: Client, used: Object) -> None:
    """Waits, with a watch, until the quota's status says so."""
    listed = await client.list(QUOTAS, "default")
    if any((one.get("status") or {}).get("used") == used for one in listed["items"]):
        return
    version = listed["metadata"]["resourceVersion"]
    async for _, found in client.watch(QUOTAS, "default", resource_version=version, bookmarks=False):
        if (found.get("status") or {}).get("used") == used:
            return


def test_the_status_follows_creates_ends_and_deletes() -> None:
    async def test(client: Client) -> None:
        await client.create(QUOTAS, quota({"pods": "5", "requests.cpu": "5", "count/configmaps": "5"}))
        await used_becomes(client, {"pods": "0", "requests.cpu": "0", "count/configmaps": "0"})
        await client.create(PODS, pod("a"))
        await client.create(PODS, pod("b"))
        meta = {"name": "m", "namespace": "default"}
        await client.create(MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
        await used_becomes(client, {"pods": "2", "requests.cpu": "2", "count/configmaps": "1"})
        await client.patch(PODS, "a", {"status": {"phase": "Succeeded"}}, "default", subresource="status")
        await used_becomes(client, {"pods": "1", "requests.cpu": "1", "count/configmaps": "1"})
        await client.delete(PODS, "b", "default", grace_period_s=0)
        await client.delete(MAPS, "m", "default")
        await used_becomes(client, {"pods": "0", "requests.cpu": "0", "count/configmaps": "0"})

    with_controller(test)
