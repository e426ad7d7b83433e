"""Decide the ReplicaSet sizes of a Deployment in the middle of a rollout.

Invariant: available pods never fall below desired - unavailable because of us; pods never exceed desired + surge.
Pure: takes the Deployment and its sets, returns sizes; `controller.py` writes them.
Left to others: making the new set and choosing what history to keep (history.py), pods (replicaset/).
Source: pkg/controller/deployment/rolling.go, sync.go (scale), util/deployment_util.go (ResolveFenceposts).
"""

import math
from collections.abc import Sequence
from typing import Any

from kubepy.api.meta import Object
from kubepy.controllers.deployment import sets as s

Sizes = list[tuple[Object, int]]
"""ReplicaSets with the size that each is to have; only those that change."""


def resolve(value: Any, total: int, *, round_up: bool) -> int:
    """A count or a percentage of `total`, as a count."""
    if isinstance(value, str):
        share = int(value.rstrip("%")) * total / 100
        return math.ceil(share) if round_up else math.floor(share)
    return int(value)


def resolve_surge(deployment: Object) -> tuple[int, int]:
    """Pod counts (surge, unavailable) of a rollout; never both zero, or it could not move.

    Percentages round up for surge, down for unavailable. Another strategy than RollingUpdate has neither.
    """
    strategy = deployment["spec"].get("strategy") or {}
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return 0, 0
    rolling = strategy.get("rollingUpdate") or {}
    desired = desired_of(deployment)
    surge = resolve(rolling.get("maxSurge", "25%"), desired, round_up=True)
    unavailable = resolve(rolling.get("maxUnavailable", "25%"), desired, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, desired) if desired else unavailable


def desired_of(deployment: Object) -> int:
    return int(deployment["spec"].get("replicas", 1))


def plan_new_size(deployment: Object, new: Object, all_sets: Sequence[Object]) -> int:
    """How large the new set may be now."""
    desired = desired_of(deployment)
    if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
        return desired
    size = s.replicas(new)
    if size >= desired:
        return desired
    surge, _ = resolve_surge(deployment)
    room = desired + surge - s.total(all_sets)
    return size if room <= 0 else size + min(room, desired - size)


def plan_rolling(deployment: Object, new: Object, old: Sequence[Object]) -> Sizes:
    """The next step of a rolling update: grow the new set if there is room, else shrink old ones."""
    size = plan_new_size(deployment, new, [new, *old])
    if size != s.replicas(new):
        return [(new, size)]
    return plan_old_sizes(deployment, new, old)


def plan_old_sizes(deployment: Object, new: Object, old: Sequence[Object]) -> Sizes:
    """How far old sets may shrink: first their pods that serve nobody, then as many as availability allows."""
    if not s.total(old):
        return []
    desired = desired_of(deployment)
    _, unavailable = resolve_surge(deployment)
    least_available = desired - unavailable
    new_unavailable = s.replicas(new) - s.count(new, "availableReplicas")
    room = s.total([new, *old]) - least_available - new_unavailable
    if room <= 0:
        return []
    sizes = {rs["metadata"]["uid"]: s.replicas(rs) for rs in old}
    ordered = s.oldest_first(old)
    _drop_unhealthy(ordered, sizes, room)
    available = s.count(new, "availableReplicas") + sum(
        min(s.count(rs, "availableReplicas"), sizes[rs["metadata"]["uid"]]) for rs in old
    )
    _drop(ordered, sizes, available - least_available)
    return [(rs, sizes[rs["metadata"]["uid"]]) for rs in ordered if sizes[rs["metadata"]["uid"]] != s.replicas(rs)]


def _drop_unhealthy(ordered: Sequence[Object], sizes: dict[str, int], room: int) -> None:
    for rs in ordered:
        uid = rs["metadata"]["uid"]
        unhealthy = max(0, sizes[uid] - s.count(rs, "availableReplicas"))
        dropped = min(unhealthy, room)
        sizes[uid] -= dropped
        room -= dropped


def _drop(ordered: Sequence[Object], sizes: dict[str, int], room: int) -> None:
    for rs in ordered:
        if room <= 0:
            return
        uid = rs["metadata"]["uid"]
        dropped = min(sizes[uid], room)
        sizes[uid] -= dropped
        room -= dropped


def is_scaling(deployment: Object, all_sets: Sequence[Object]) -> bool:
    """The Deployment's size has changed since its sets were sized."""
    desired = str(desired_of(deployment))
    return any(s.replicas(rs) and s.annotations(rs).get(s.DESIRED, desired) != desired for rs in all_sets)


def plan_scale(deployment: Object, new: Object | None, old: Sequence[Object]) -> Sizes:
    """Sizes after a change of `spec.replicas`, outside a rollout or (in proportion) in the middle of one."""
    desired = desired_of(deployment)
    all_sets = [rs for rs in (new, *old) if rs is not None]
    live = [rs for rs in all_sets if s.replicas(rs)]
    if len(live) <= 1:
        only = live[0] if live else new or max(all_sets, key=s.by_age, default=None)
        return [(only, desired)] if only and s.replicas(only) != desired else []
    if new is not None and _saturated(desired, new):
        return [(rs, 0) for rs in old if s.replicas(rs)]
    if (deployment["spec"].get("strategy") or {}).get("type", "RollingUpdate") != "RollingUpdate":
        return []
    return _plan_proportional(deployment, live)


def _saturated(desired: int, rs: Object) -> bool:
    """The set is all that the Deployment asks for, and serves."""
    said = s.annotations(rs).get(s.DESIRED)
    return s.replicas(rs) == desired == s.count(rs, "availableReplicas") and said == str(desired)


def _plan_proportional(deployment: Object, live: Sequence[Object]) -> Sizes:
    """Shares what is gained or lost among the sets by their sizes; what rounding leaves goes to the largest."""
    desired = desired_of(deployment)
    surge, _ = resolve_surge(deployment)
    allowed = desired + surge if desired else 0
    gap = allowed - s.total(live)
    if not gap:
        return []
    # growing favours the newest of equals, shrinking the oldest
    ordered = sorted(live, key=s.by_age, reverse=gap > 0)
    ordered.sort(key=s.replicas, reverse=True)
    sizes: list[int] = []
    left = gap
    for rs in ordered:
        share = _share(rs, allowed, gap, left)
        sizes.append(s.replicas(rs) + share)
        left -= share
    sizes[0] = max(0, sizes[0] + left)
    return [(rs, size) for rs, size in zip(ordered, sizes, strict=True) if size != s.replicas(rs)]


def _share(rs: Object, allowed: int, gap: int, left: int) -> int:
    try:
        before = int(s.annotations(rs).get(s.MOST, "0"))
    except ValueError:
        before = 0
    before = before or allowed
    share = round(s.replicas(rs) * allowed / before) - s.replicas(rs)
    return max(0, min(share, left)) if gap > 0 else min(0, max(share, left, -s.replicas(rs)))
