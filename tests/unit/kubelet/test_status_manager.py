"""Statuses reach the API, and stay there."""

import asyncio
from collections.abc import Callable
from typing import Any

from kubepy.api import resources
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.loops import bootstrap
from kubepy.client.client import Client
from kubepy.client.informer import Informer
from kubepy.kubelet.status_manager import StatusManager

PODS = resources.named("pods")
Object = dict[str, Any]


def status(ready: str, **more: str) -> Object:
    condition = {"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z", **more}
    return {"phase": "Running", "conditions": [condition]}


def ready_of(pod: Object | None) -> str | None:
    conditions = ((pod or {}).get("status") or {}).get("conditions") or []
    return next((c["status"] for c in conditions if c["type"] == "Ready"), None)


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.005)


def test_what_another_wrote_over_a_status_is_mended() -> None:
    async def scenario() -> None:
        async with in_process() as server:
            client = Client.direct(server.handler, bootstrap.SYSTEM)
            informer = Informer(client, PODS)
            statuses = StatusManager(client, lambda uid: informer.get("default/p"))
            seen: list[str | None] = []

            def changed(_: Object, new: Object) -> None:
                seen.append(ready_of(new))
                statuses.resend(new["metadata"]["uid"])

            informer.add_handler(on_update=changed)
            following = asyncio.create_task(informer.run())
            await informer.wait_synced()
            body = {
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"},
                "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]},
            }  # fmt: skip
            pod = await client.create(PODS, body)
            await eventually(lambda: informer.get("default/p") is not None)
            statuses.put(pod["metadata"]["uid"], status("True"))
            await eventually(lambda: ready_of(informer.get("default/p")) == "True")
            spoiled = {**(informer.get("default/p") or {}), "status": status("False", reason="NodeNotReady")}
            await client.update(PODS, spoiled, subresource="status")
            await eventually(lambda: seen[-2:] == ["False", "True"])
            await statuses.close()
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    asyncio.run(scenario())
