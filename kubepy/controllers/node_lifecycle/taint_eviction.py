"""Deletes pods from nodes with a NoExecute taint that they do not tolerate, or no longer.

Pure decision: `eviction_delay_s`. Source: pkg/controller/tainteviction/taint_eviction.go.
"""

from collections.abc import Sequence
from datetime import datetime

from kubepy.api import errors, resources
from kubepy.api.meta import Object, is_deleting, key_of
from kubepy.api.taints import is_tolerated
from kubepy.controllers.controller import Context, Controller
from kubepy.controllers.indexers import index_by_node
from kubepy.lib.clock import parse_rfc3339, rfc3339

_NODES = resources.named("nodes")
_PODS = resources.named("pods")
_REASON = "DeletionByTaintManager"


def eviction_delay_s(taints: Sequence[Object], tolerations: Sequence[Object], now: datetime) -> float | None:
    """Seconds until the pod must go (0: at once), or None: it may stay."""
    delays: list[float] = []
    for taint in taints:
        matching = [toleration for toleration in tolerations if is_tolerated(taint, [toleration])]
        if not matching:
            return 0.0
        limits = [t["tolerationSeconds"] for t in matching if t.get("tolerationSeconds") is not None]
        if limits:
            since = parse_rfc3339(taint["timeAdded"]) if taint.get("timeAdded") else now
            delays.append(max(0.0, min(limits) - (now - since).total_seconds()))
    return min(delays, default=None)


class TaintEvictionController(Controller):
    """Works pods, whenever they or their node's taints change."""

    name = "taint-eviction"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._recorder = context.recorder("taint-eviction-controller")
        self._nodes = self.watch(_NODES)
        self._pods = self.watch(_PODS)
        self._pods.add_indexer("node", index_by_node)
        self._nodes.add_handler(on_add=self._node_seen, on_update=self._node_changed)
        self._pods.add_handler(on_add=self._pod_seen, on_update=self._pod_changed)

    def _node_seen(self, node: Object) -> None:
        if _no_execute(node):
            for pod in self._pods.by_index("node", node["metadata"]["name"]):
                self.queue.add(key_of(pod))

    def _node_changed(self, old: Object, new: Object) -> None:
        if _no_execute(old) != _no_execute(new):
            self._node_seen(new)

    def _pod_seen(self, pod: Object) -> None:
        if pod["spec"].get("nodeName"):
            self.queue.add(key_of(pod))

    def _pod_changed(self, old: Object, new: Object) -> None:
        if (old["spec"].get("nodeName"), old["spec"].get("tolerations")) != (
            new["spec"].get("nodeName"),
            new["spec"].get("tolerations"),
        ):
            self._pod_seen(new)

    async def sync(self, key: str) -> None:
        pod = self._pods.get(key)
        if pod is None or is_deleting(pod):
            return
        node = self._nodes.get(pod["spec"].get("nodeName", ""))
        taints = _no_execute(node) if node else []
        if not taints:
            return
        now = self.context.clock.now()
        delay_s = eviction_delay_s(taints, pod["spec"].get("tolerations") or [], now)
        if delay_s is None:
            return
        if delay_s > 0:
            self.queue.add_after(key, delay_s)
            return
        await self._evict(pod, now)

    async def _evict(self, pod: Object, now: datetime) -> None:
        meta = pod["metadata"]
        self._recorder.event(pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {key_of(pod)}")
        conditions = [c for c in (pod.get("status") or {}).get("conditions") or [] if c["type"] != "DisruptionTarget"]
        target = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": _REASON,
            "message": "Taint manager: deleting due to NoExecute taint",
            "lastTransitionTime": rfc3339(now),
        }
        body = {**pod, "status": {**(pod.get("status") or {}), "conditions": [*conditions, target]}}
        try:
            await self.client.update(_PODS, body, subresource="status")
            await self.client.delete(_PODS, meta["name"], meta["namespace"], uid=meta["uid"])
        except errors.NotFound:
            return


def _no_execute(node: Object) -> list[Object]:
    return [t for t in (node.get("spec") or {}).get("taints") or [] if t["effect"] == "NoExecute"]
