"""Decide which pods a ReplicaSet makes or deletes, and what its status says.

Invariant: pods that serve users are the last to go. Pure: takes the set and its pods, returns the plan;
`controller.py` carries it out. Source: pkg/controller/replicaset, controller_utils.go (ActivePodsWithRanks).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kubepy.api.meta import Object, is_deleting
from kubepy.api.pods import is_ready, is_terminal
from kubepy.lib.clock import parse_rfc3339, rfc3339

MOST_AT_ONCE = 500
"""Pods made or deleted in one sync; upstream's BurstReplicas."""

_PHASE_RANK = {"Pending": 0, "Unknown": 1, "Running": 2}
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


@dataclass(frozen=True, slots=True)
class Plan:
    """Pods to make (a count) and to delete (least wanted first)."""

    create: int
    delete: list[Object]


def active(pods: Sequence[Object]) -> list[Object]:
    """The pods that count: neither finished nor on their way out."""
    return [pod for pod in pods if not is_terminal(pod) and not is_deleting(pod)]


def plan_replicas(desired: int, pods: Sequence[Object], now: datetime) -> Plan:
    """What brings the active `pods` to `desired`, at most MOST_AT_ONCE at a time."""
    short = desired - len(pods)
    if short >= 0:
        return Plan(min(short, MOST_AT_ONCE), [])
    return Plan(0, least_wanted(pods, min(-short, MOST_AT_ONCE), now))


def least_wanted(pods: Sequence[Object], count: int, now: datetime) -> list[Object]:
    """The `count` pods to delete first: unplaced, not ready, cheap, crowded, young."""
    crowd = Counter(pod["spec"].get("nodeName", "") for pod in pods)

    def rank(pod: Object) -> tuple[float, ...]:
        ready_since = _ready_since(pod)
        restarts = sum(c.get("restartCount", 0) for c in pod.get("status", {}).get("containerStatuses") or [])
        created = parse_rfc3339(pod["metadata"]["creationTimestamp"])
        return (
            1 if pod["spec"].get("nodeName") else 0,
            _PHASE_RANK.get(pod.get("status", {}).get("phase", "Pending"), 0),
            1 if is_ready(pod) else 0,
            _cost(pod),
            -crowd[pod["spec"].get("nodeName", "")],
            (now - ready_since).total_seconds() if ready_since else 0.0,
            -restarts,
            (now - created).total_seconds(),
        )

    return sorted(pods, key=rank)[:count]


def _cost(pod: Object) -> int:
    try:
        return int((pod["metadata"].get("annotations") or {}).get(_DELETION_COST, 0))
    except ValueError:
        return 0


def _ready_since(pod: Object) -> datetime | None:
    for condition in pod.get("status", {}).get("conditions") or []:
        if condition["type"] == "Ready" and condition["status"] == "True" and condition.get("lastTransitionTime"):
            return parse_rfc3339(condition["lastTransitionTime"])
    return None


def is_available(pod: Object, min_ready_s: int, now: datetime) -> bool:
    """The pod is ready, and has been for `min_ready_s`."""
    if not is_ready(pod):
        return False
    if not min_ready_s:
        return True
    since = _ready_since(pod)
    return since is not None and since + timedelta(seconds=min_ready_s) <= now


def next_availability_s(pods: Sequence[Object], min_ready_s: int, now: datetime) -> float | None:
    """Seconds until a ready pod becomes available by waiting alone, or None."""
    waits = [
        (since + timedelta(seconds=min_ready_s) - now).total_seconds()
        for pod in pods
        if min_ready_s and is_ready(pod) and (since := _ready_since(pod)) is not None
    ]
    return min((wait for wait in waits if wait > 0), default=None)


def plan_status(owner: Object, pods: Sequence[Object], failure: tuple[str, str] | None, now: datetime) -> Object:
    """The status of a set with those active pods; `failure` is the reason and text of a write that failed."""
    spec = owner["spec"]
    template_labels = (spec.get("template", {}).get("metadata", {}).get("labels") or {}).items()
    min_ready_s = spec.get("minReadySeconds", 0)
    old = owner.get("status") or {}
    status: Object = {
        "replicas": len(pods),
        "fullyLabeledReplicas": sum(template_labels <= (p["metadata"].get("labels") or {}).items() for p in pods),
        "readyReplicas": sum(is_ready(pod) for pod in pods),
        "availableReplicas": sum(is_available(pod, min_ready_s, now) for pod in pods),
        "observedGeneration": owner["metadata"].get("generation", 0),
        "conditions": _conditions(old.get("conditions") or [], failure, now),
    }
    return {name: value for name, value in status.items() if value or name == "replicas"}


def _conditions(old: list[Object], failure: tuple[str, str] | None, now: datetime) -> list[Object]:
    others = [condition for condition in old if condition["type"] != "ReplicaFailure"]
    if failure is None:
        return others
    reason, message = failure
    for condition in old:
        if condition["type"] == "ReplicaFailure" and condition["reason"] == reason:
            return [*others, condition]
    entry = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": rfc3339(now),
    }
    return [*others, entry]
