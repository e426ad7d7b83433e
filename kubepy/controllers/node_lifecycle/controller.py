"""Watches the heartbeats of nodes and puts their conditions, taints and pods in order when one falls silent.

Each node's Lease and status are signs of life; their absence is noticed by a timer per node, so that the work is
per heartbeat and not per look. Decisions are in plan.py.
Source: pkg/controller/nodelifecycle/node_lifecycle_controller.go.
"""

from collections import defaultdict
from typing import Any

from kubepy.api import errors, resources
from kubepy.api.meta import Object, condition_of, is_deleting, key_of
from kubepy.controllers.controller import Context, Controller
from kubepy.controllers.indexers import index_by_node
from kubepy.controllers.node_lifecycle import plan
from kubepy.lib import log
from kubepy.lib.clock import rfc3339

_log = log.get(__name__)
_NODES = resources.named("nodes")
_PODS = resources.named("pods")
_LEASES = resources.named("leases", "coordination.k8s.io")
_LEASE_NAMESPACE = "kube-node-lease"
_STARTUP_GRACE_S = 60.0
_UNHEALTHY_SHARE = 0.55


class NodeLifecycleController(Controller):
    """Works nodes, by name."""

    name = "node-lifecycle"
    workers = 4

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._grace_s = float(str(context.settings.get("node-monitor-grace-period", 50.0)))
        self._recorder = context.recorder("node-controller")
        self._nodes = self.watch(_NODES)
        self._pods = self.watch(_PODS)
        self._leases = self.watch(_LEASES)
        self._pods.add_indexer("node", index_by_node)
        self._seen: dict[str, tuple[object, float]] = {}
        self._evicted_at: dict[str, float] = defaultdict(lambda: float("-inf"))
        self.enqueue_from(self._nodes, lambda node: [key_of(node)])
        self._leases.add_handler(on_add=self._lease_seen, on_update=lambda _, new: self._lease_seen(new))

    def _lease_seen(self, lease: Object) -> None:
        if lease["metadata"]["namespace"] == _LEASE_NAMESPACE:
            self._silence_s(lease["metadata"]["name"])

    def _silence_s(self, name: str) -> float:
        """Seconds since the node last showed a sign that differs from the one before."""
        node = self._nodes.get(name)
        lease = self._leases.get(f"{_LEASE_NAMESPACE}/{name}")
        sign = (
            (lease or {}).get("spec", {}).get("renewTime"),
            (condition_of(node, "Ready") or {}).get("lastHeartbeatTime") if node else None,
        )
        now = self.context.clock.monotonic()
        seen = self._seen.get(name)
        if seen is None or seen[0] != sign:
            self._seen[name] = (sign, now)
            if seen is not None and node is not None and plan.ready_status(node) != "True":
                self.queue.add(name)
            return 0.0
        return now - seen[1]

    async def sync(self, key: str) -> None:
        node = self._nodes.get(key)
        if node is None:
            self._seen.pop(key, None)
            return
        if is_deleting(node):
            return
        silence_s = self._silence_s(key)
        grace_s = self._grace_s if condition_of(node, "Ready") else max(self._grace_s, _STARTUP_GRACE_S)
        if silence_s >= grace_s:
            node = await self._mark_silent(node)
        else:
            self.queue.add_after(key, grace_s - silence_s)
        ready = plan.ready_status(node) == "True"
        if not ready and condition_of(node, "Ready"):
            await self._mark_pods_not_ready(key)
        # a node that is left already takes no turn of its zone's: another may wait for it
        await self._taint(node, evict=not ready and not plan.is_left(node) and self._may_evict(node))

    async def _mark_silent(self, node: Object) -> Object:
        conditions = plan.silent_conditions(node, self.context.clock.now())
        if conditions == (node.get("status") or {}).get("conditions"):
            return node
        name = node["metadata"]["name"]
        _log.warning("node is silent", node=name)
        status = {**(node.get("status") or {}), "conditions": conditions}
        node = await self.client.update(_NODES, {**node, "status": status}, subresource="status")
        self._recorder.event(node, "Normal", "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        return node

    async def _mark_pods_not_ready(self, name: str) -> None:
        """Services stop sending traffic there; the pods themselves are left alone."""
        now = rfc3339(self.context.clock.now())
        for pod in self._pods.by_index("node", name):
            conditions = (pod.get("status") or {}).get("conditions") or []
            ready = condition_of(pod, "Ready")
            if ready is None or ready["status"] != "True":
                continue
            changed = [
                {**c, "status": "False", "reason": "NodeNotReady", "lastTransitionTime": now}
                if c["type"] == "Ready"
                else c
                for c in conditions
            ]
            body = {**pod, "status": {**pod["status"], "conditions": changed}}
            try:
                await self.client.update(_PODS, body, subresource="status")
            except (errors.NotFound, errors.Conflict):
                continue  # it changed meanwhile; the node's next sync looks again

    async def _taint(self, node: Object, *, evict: bool) -> None:
        taints = plan.plan_taints(node, self.context.clock.now(), evict=evict)
        if taints != ((node.get("spec") or {}).get("taints") or []):
            meta = node["metadata"]
            patch: dict[str, Any] = {
                "metadata": {"resourceVersion": meta["resourceVersion"]},
                "spec": {"taints": taints or None},
            }
            await self.client.patch(_NODES, meta["name"], patch)

    def _may_evict(self, node: Object) -> bool:
        """The zone's rate allows another node; one that has to wait comes back when it does."""
        zones: dict[str, list[Object]] = defaultdict(list)
        for other in self._nodes.items():
            zones[plan.zone_of(other)].append(other)
        states = {zone: plan.zone_state(nodes, _UNHEALTHY_SHARE) for zone, nodes in zones.items()}
        zone = plan.zone_of(node)
        all_down = all(state == "FullDisruption" for state in states.values())
        # a cluster of one node has no healthy majority to compare with: upstream evicts nothing there either
        interval_s = plan.eviction_interval_s(states[zone], len(zones[zone]), all_zones_down=all_down)
        if interval_s is None:
            self.queue.add_after(node["metadata"]["name"], self._grace_s)
            return False
        now = self.context.clock.monotonic()
        wait_s = self._evicted_at[zone] + interval_s - now
        if wait_s > 0:
            self.queue.add_after(node["metadata"]["name"], wait_s)
            return False
        self._evicted_at[zone] = now
        return True
