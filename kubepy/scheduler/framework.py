"""What a scheduling rule is, and how rules together pick a node.

A filter says which nodes are possible, and why the others are not; a score says which are better, 0 to 100.
Both look at all nodes at once. A rule that another writes is a class with these methods, named in the
configuration. Source: pkg/scheduler/framework/interface.go, schedule_one.go.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

import numpy as np

from kubepy.scheduler.interning import Bools, Floats
from kubepy.scheduler.podinfo import PodInfo
from kubepy.scheduler.snapshot import Snapshot

MOST = 100.0
"""The score of a node that a rule likes best."""


@dataclass(frozen=True, slots=True)
class Filtered:
    """A filter's verdict. `reason` tells why the node of a row is out; None: the same `text` for all."""

    possible: Bools
    text: str = ""
    reason: Callable[[int], Sequence[str]] | None = None


class FilterPlugin(Protocol):
    """A rule that excludes nodes."""

    name: str

    def filter(self, snapshot: Snapshot, pod: PodInfo) -> Filtered | None:
        """The verdict on every row, or None: the rule has nothing to say about this pod."""


class ScorePlugin(Protocol):
    """A rule that prefers nodes."""

    name: str

    def score(self, snapshot: Snapshot, pod: PodInfo, possible: Bools) -> Floats | None:
        """0 to MOST for every row (those not `possible` are not looked at), or None: no preference."""


class Unschedulable(Exception):
    """No node is possible now. `plugins` are the filters that said so: news that concern them may change it."""

    def __init__(self, message: str, plugins: frozenset[str]) -> None:
        super().__init__(message)
        self.message = message
        self.plugins = plugins


@dataclass(slots=True)
class Profile:
    """The rules that pods with `scheduler_name` are placed by; scores count by their weights."""

    scheduler_name: str
    filters: Sequence[FilterPlugin]
    scores: Sequence[tuple[ScorePlugin, float]]
    random: Random = field(default_factory=Random)

    def pick(self, snapshot: Snapshot, pod: PodInfo) -> str:
        """The name of the best node; of equals, any. Raises Unschedulable."""
        possible, rejections = self._filter(snapshot, pod)
        if not possible.any():
            raise _diagnose(snapshot, rejections)
        total = np.zeros(snapshot.rows)
        if int(possible.sum()) > 1:
            for plugin, weight in self.scores:
                scored = plugin.score(snapshot, pod, possible)
                if scored is not None:
                    total += weight * scored
        total[~possible] = -1.0
        best = np.flatnonzero(total >= total.max() - 1e-9)
        return snapshot.names[int(best[self.random.randrange(len(best))])]

    def _filter(self, snapshot: Snapshot, pod: PodInfo) -> tuple[Bools, list[tuple[str, Bools, Filtered]]]:
        possible = snapshot.alive.copy()
        rejections = []
        for plugin in self.filters:
            verdict = plugin.filter(snapshot, pod)
            if verdict is None:
                continue
            rejected = possible & ~verdict.possible
            if rejected.any():
                rejections.append((plugin.name, rejected, verdict))
                possible &= verdict.possible
        return possible, rejections


def _diagnose(snapshot: Snapshot, rejections: Sequence[tuple[str, Bools, Filtered]]) -> Unschedulable:
    """Upstream's sentence: how many nodes were out for which reason."""
    count = len(snapshot)
    if not count:
        return Unschedulable("no nodes available to schedule pods", frozenset({"NodeAffinity"}))
    reasons: Counter[str] = Counter()
    for _, rejected, verdict in rejections:
        if verdict.reason is None:
            reasons[verdict.text] += int(rejected.sum())
        else:
            for row in np.flatnonzero(rejected):
                reasons.update(verdict.reason(int(row)))
    told = ", ".join(sorted(f"{number} {text}" for text, number in reasons.items()))
    plugins = frozenset(name for name, _, _ in rejections)
    return Unschedulable(f"0/{count} nodes are available: {told}.", plugins)


def normalize(raw: Floats, possible: Bools, *, reverse: bool = False) -> Floats:
    """Scores from 0 to MOST, in proportion to the largest among `possible`; reversed: the largest becomes 0."""
    largest = raw[possible].max(initial=0.0)
    if largest <= 0:
        return np.full(len(raw), MOST if reverse else 0.0)
    scaled = raw * (MOST / largest)
    return MOST - scaled if reverse else scaled
