"""Decide what a Deployment's status says: counts, and whether the rollout lives, makes progress or is done.

Pure. Source: pkg/controller/deployment/progress.go, sync.go (calculateStatus).
"""

from collections.abc import Sequence
from datetime import datetime

from kubepy.api.meta import Object
from kubepy.controllers.deployment import sets as s
from kubepy.controllers.deployment.rolling import desired_of, resolve_surge
from kubepy.lib.clock import parse_rfc3339, rfc3339

_NO_DEADLINE = 2**31 - 1
_TIMED_OUT = "ProgressDeadlineExceeded"
_DONE = "NewReplicaSetAvailable"


def plan_status(
    deployment: Object, new: Object | None, old: Sequence[Object], now: datetime, *, began: bool = False
) -> Object:
    """The status that follows from the sets; times of conditions move only when what they say does.

    `began` tells that the new set was made just now, and the deadline of progress starts with it.
    """
    all_sets = [rs for rs in (new, *old) if rs is not None]
    before = deployment.get("status") or {}
    available = s.total_of(all_sets, "availableReplicas")
    status: Object = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": s.total_of(all_sets, "replicas"),
        "updatedReplicas": s.count(new, "replicas") if new else 0,
        "readyReplicas": s.total_of(all_sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, s.total(all_sets) - available),
        "collisionCount": before.get("collisionCount", 0),
    }
    status = {name: value for name, value in status.items() if value}
    conditions = {condition["type"]: condition for condition in before.get("conditions") or []}
    _, unavailable = resolve_surge(deployment)
    if available >= desired_of(deployment) - unavailable:
        _put(conditions, now, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        text = "Deployment does not have minimum availability."
        _put(conditions, now, "Available", "False", "MinimumReplicasUnavailable", text)
    _judge_progress(deployment, conditions, status, new, now, began=began)
    _copy_failure(conditions, all_sets, new, now)
    status["conditions"] = list(conditions.values())
    return status


def has_deadline(deployment: Object) -> bool:
    """Progress is judged at all."""
    return int(deployment["spec"].get("progressDeadlineSeconds", 600)) != _NO_DEADLINE


def _put(
    conditions: dict[str, Object],
    now: datetime,
    kind: str,
    value: str,
    reason: str,
    message: str,
    *,
    touch: bool = False,
) -> None:
    old = conditions.get(kind)
    if old and old["status"] == value and old["reason"] == reason and not touch:
        return
    since = old["lastTransitionTime"] if old and old["status"] == value else rfc3339(now)
    conditions[kind] = {
        "type": kind,
        "status": value,
        "lastUpdateTime": rfc3339(now),
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }


def is_complete(deployment: Object, status: Object) -> bool:
    """Every pod is of the new template and serves, and the spec was seen."""
    desired = desired_of(deployment)
    return bool(
        status.get("updatedReplicas", 0) == desired
        and status.get("replicas", 0) == desired
        and status.get("availableReplicas", 0) == desired
        and status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    )


def _progressed(before: Object, status: Object) -> bool:
    """Something moved towards the goal since the last status."""
    old_pods = status.get("replicas", 0) - status.get("updatedReplicas", 0)
    old_pods_before = before.get("replicas", 0) - before.get("updatedReplicas", 0)
    return bool(
        status.get("updatedReplicas", 0) > before.get("updatedReplicas", 0)
        or old_pods < old_pods_before
        or status.get("readyReplicas", 0) > before.get("readyReplicas", 0)
        or status.get("availableReplicas", 0) > before.get("availableReplicas", 0)
    )


def _settled(status: Object) -> bool:
    """Only pods of the new template are there: a change of size is no rollout."""
    return bool(status.get("replicas", 0) == status.get("updatedReplicas", 0))


def _judge_progress(
    deployment: Object,
    conditions: dict[str, Object],
    status: Object,
    new: Object | None,
    now: datetime,
    *,
    began: bool,
) -> None:
    if not has_deadline(deployment):
        conditions.pop("Progressing", None)
        return
    old = conditions.get("Progressing")
    if deployment["spec"].get("paused"):
        if old and old["reason"] == _TIMED_OUT:
            return
        _put(conditions, now, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
        return
    if old and old["reason"] == "DeploymentPaused":
        text = "Deployment is resumed"
        _put(conditions, now, "Progressing", "Unknown", "DeploymentResumed", text)
        old = conditions["Progressing"]
    name = new["metadata"]["name"] if new else ""
    told = f'ReplicaSet "{name}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'
    before = deployment.get("status") or {}
    if is_complete(deployment, status):
        _put(conditions, now, "Progressing", "True", _DONE, f"{told} has successfully progressed.")
    elif (
        began
        or old is None
        or (not _settled(status) and (old["reason"] == _DONE or _progressed(before, status)))
        or (old["reason"] != _DONE and _progressed(before, status))
    ):
        _put(conditions, now, "Progressing", "True", "ReplicaSetUpdated", f"{told} is progressing.", touch=True)
    elif is_timed_out(deployment, old, now):
        _put(conditions, now, "Progressing", "False", _TIMED_OUT, f"{told} has timed out progressing.")


def is_timed_out(deployment: Object, progressing: Object | None, now: datetime) -> bool:
    """Nothing has moved for `progressDeadlineSeconds`; a rollout that is done never times out."""
    if progressing is None or progressing["reason"] == _DONE:
        return False
    if progressing["reason"] == _TIMED_OUT:
        return True
    return seconds_left(deployment, progressing, now) <= 0


def seconds_left(deployment: Object, progressing: Object, now: datetime) -> float:
    """Seconds until the deadline of progress."""
    spent = (now - parse_rfc3339(progressing["lastUpdateTime"])).total_seconds()
    return float(deployment["spec"].get("progressDeadlineSeconds", 600)) - spent


def _copy_failure(conditions: dict[str, Object], all_sets: Sequence[Object], new: Object | None, now: datetime) -> None:
    """The failure to make pods that a set tells of is the Deployment's too; the new set's first."""
    conditions.pop("ReplicaFailure", None)
    for rs in [new] if new else all_sets:
        for condition in (rs.get("status") or {}).get("conditions") or []:
            if condition["type"] == "ReplicaFailure":
                _put(conditions, now, "ReplicaFailure", "True", condition["reason"], condition["message"])
                return
