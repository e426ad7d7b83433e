"""Removes pods that nobody will: finished ones over the limit, and those whose node is gone.

Pure decision: `plan_garbage`. Source: pkg/controller/podgc/gc_controller.go.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from kubepy.api import errors, resources
from kubepy.api.meta import Object, is_deleting
from kubepy.api.pods import is_terminal
from kubepy.controllers.controller import Context, Controller, wait_synced
from kubepy.lib import log
from kubepy.lib.clock import rfc3339

_log = log.get(__name__)
_PODS = resources.named("pods")
_NODES = resources.named("nodes")
_EVERY_S = 20.0
_QUARANTINE_S = 40.0


@dataclass(frozen=True, slots=True)
class Garbage:
    """Pods to remove: `lost` ran on a node that is gone, `unplaced` never ran, `finished` are over the limit."""

    lost: list[Object]
    unplaced: list[Object]
    finished: list[Object]


def plan_garbage(pods: Iterable[Object], gone_nodes: set[str], finished_limit: int) -> Garbage:
    """What to remove of `pods`; `gone_nodes` are nodes known to exist no more."""
    lost, unplaced, finished = [], [], []
    for pod in pods:
        node = pod["spec"].get("nodeName")
        if node in gone_nodes:
            lost.append(pod)
        elif not node and is_deleting(pod):
            unplaced.append(pod)
        elif is_terminal(pod) and not is_deleting(pod):
            finished.append(pod)
    finished.sort(key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))
    over = max(0, len(finished) - finished_limit) if finished_limit > 0 else 0
    return Garbage(lost, unplaced, finished[:over])


class PodGarbageCollector(Controller):
    """Looks at all pods every 20 s, which is cheap: they are in the cache."""

    name = "pod-garbage-collector"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._limit = int(str(context.settings.get("terminated-pod-gc-threshold", 12500)))
        self._pods = self.watch(_PODS)
        self._nodes = self.watch(_NODES)
        self._missing_since: dict[str, float] = {}

    async def run(self) -> None:
        await wait_synced(self._watched)
        while True:
            try:
                await self.collect()
            except (errors.ApiError, ConnectionError) as error:
                _log.warning("pods not collected", error=str(error))
            await asyncio.sleep(_EVERY_S)

    async def collect(self) -> None:
        """One look: removes what is garbage now."""
        garbage = plan_garbage(self._pods.items(), await self._gone_nodes(), self._limit)
        for pod in garbage.lost:
            await self._fail(pod)
        for pod in (*garbage.lost, *garbage.unplaced, *garbage.finished):
            meta = pod["metadata"]
            try:
                await self.client.delete(_PODS, meta["name"], meta["namespace"], grace_period_s=0, uid=meta["uid"])
            except (errors.NotFound, errors.Conflict):
                continue
            _log.info("pod collected", pod=f"{meta['namespace']}/{meta['name']}")

    async def _gone_nodes(self) -> set[str]:
        """Nodes that pods name and that have been missing for a while; the server is asked before it is believed."""
        now = self.context.clock.monotonic()
        named = {pod["spec"].get("nodeName") for pod in self._pods.items()} - {None}
        missing = {str(name) for name in named if self._nodes.get(str(name)) is None}
        self._missing_since = {name: self._missing_since.get(name, now) for name in missing}
        gone = set()
        for name, since in self._missing_since.items():
            if now - since >= _QUARANTINE_S and not await self._exists(name):
                gone.add(name)
        return gone

    async def _exists(self, node: str) -> bool:
        try:
            await self.client.get(_NODES, node)
        except errors.NotFound:
            return False
        return True

    async def _fail(self, pod: Object) -> None:
        """Says what became of the pod before it is removed, for owners that count failures."""
        if is_terminal(pod):
            return
        target = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByPodGC",
            "message": "PodGC: node no longer exists",
            "lastTransitionTime": rfc3339(self.context.clock.now()),
        }
        meta = pod["metadata"]
        patch = {"metadata": {"uid": meta["uid"]}, "status": {"phase": "Failed", "conditions": [target]}}
        try:
            await self.client.patch(
                _PODS, meta["name"], patch, meta["namespace"], kind="strategic", subresource="status"
            )
        except (errors.NotFound, errors.Conflict):
            return
