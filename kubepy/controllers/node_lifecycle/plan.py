"""Decide what a node's silence means: its conditions, its taints, and how fast a zone may be evicted.

Invariant: a node is judged by how long *this* process has seen no sign of it, so clocks need not agree; when a
whole zone goes silent at once the fault is taken to be ours, and evictions stop.
Pure. Source: pkg/controller/nodelifecycle/node_lifecycle_controller.go.
"""

from collections.abc import Sequence
from datetime import datetime

from kubepy.api.meta import Object, condition_of
from kubepy.lib.clock import rfc3339

UNREACHABLE = "node.kubernetes.io/unreachable"
NOT_READY = "node.kubernetes.io/not-ready"
_UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_BY_CONDITION = {
    ("Ready", "False"): NOT_READY,
    ("Ready", "Unknown"): UNREACHABLE,
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure",
    ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
    ("NetworkUnavailable", "True"): "node.kubernetes.io/network-unavailable",
}
_OURS = {*_BY_CONDITION.values(), _UNSCHEDULABLE}
_SILENT_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


def silent_conditions(node: Object, now: datetime) -> list[Object]:
    """The conditions of a node that is not heard of: all that a kubelet tells are Unknown."""
    conditions = []
    told = {condition["type"]: condition for condition in (node.get("status") or {}).get("conditions") or []}
    for kind in _SILENT_CONDITIONS:
        old = told.pop(kind, None)
        if old is not None and old["status"] == "Unknown":
            conditions.append(old)
            continue
        never = old is None
        text = "Kubelet never posted node status." if never else "Kubelet stopped posting node status."
        conditions.append(
            {
                "type": kind,
                "status": "Unknown",
                "reason": "NodeStatusNeverUpdated" if never else "NodeStatusUnknown",
                "message": text,
                "lastHeartbeatTime": (old or {}).get("lastHeartbeatTime") or node["metadata"]["creationTimestamp"],
                "lastTransitionTime": rfc3339(now),
            }
        )
    return [*told.values(), *conditions]


def ready_status(node: Object) -> str:
    """True, False or Unknown."""
    condition = condition_of(node, "Ready")
    return str(condition["status"]) if condition else "Unknown"


def plan_taints(node: Object, now: datetime, *, evict: bool) -> list[Object]:
    """The node's taints as its conditions ask for; taints that are not ours stay as they are.

    NoSchedule follows every condition. NoExecute, which moves pods, follows readiness, and is only put on
    when `evict` says that the zone's rate allows it; it is taken off at once.
    """
    spec = node.get("spec") or {}
    effects: dict[tuple[str, str], Object] = {
        (taint["key"], taint["effect"]): taint for taint in spec.get("taints") or []
    }
    wanted = {(key, "NoSchedule") for key in _no_schedule_keys(node)}
    if spec.get("unschedulable"):
        wanted.add((_UNSCHEDULABLE, "NoSchedule"))
    moving = _BY_CONDITION.get(("Ready", ready_status(node)))
    if moving and (evict or is_left(node)):
        wanted.add((moving, "NoExecute"))
    kept = [
        taint
        for (key, effect), taint in effects.items()
        if key not in _OURS or effect not in ("NoSchedule", "NoExecute") or (key, effect) in wanted
    ]
    for key, effect in sorted(wanted - effects.keys()):
        stamp = {"timeAdded": rfc3339(now)} if effect == "NoExecute" else {}
        kept.append({"key": key, "effect": effect, **stamp})
    return kept


def is_left(node: Object) -> bool:
    """Pods are moving away from the node already."""
    taints = (node.get("spec") or {}).get("taints") or []
    return any(taint["key"] in (NOT_READY, UNREACHABLE) and taint["effect"] == "NoExecute" for taint in taints)


def _no_schedule_keys(node: Object) -> set[str]:
    found = set()
    for condition in (node.get("status") or {}).get("conditions") or []:
        if key := _BY_CONDITION.get((condition["type"], condition["status"])):
            found.add(key)
    return found


def zone_of(node: Object) -> str:
    labels = node["metadata"].get("labels") or {}
    return f"{labels.get('topology.kubernetes.io/region', '')}/{labels.get('topology.kubernetes.io/zone', '')}"


def zone_state(nodes: Sequence[Object], unhealthy_share: float) -> str:
    """Normal; PartialDisruption when more than `unhealthy_share` (and over two) are not ready; FullDisruption: all."""
    ready = sum(ready_status(node) == "True" for node in nodes)
    not_ready = len(nodes) - ready
    if ready == 0 and not_ready > 0:
        return "FullDisruption"
    if not_ready > 2 and not_ready / len(nodes) >= unhealthy_share:  # two nodes may always fail
        return "PartialDisruption"
    return "Normal"


def eviction_interval_s(state: str, zone_size: int, *, all_zones_down: bool) -> float | None:
    """Seconds between two nodes of a zone being evicted, or None: none at all."""
    if state == "Normal":
        return 10.0
    if state == "PartialDisruption":
        return 100.0 if zone_size > 50 else None  # upstream's large-cluster threshold
    return None if all_zones_down else 10.0
