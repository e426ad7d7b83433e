"""The pods that wait to be placed: ready ones by priority, failed ones until news or time brings them back.

Three parts, as upstream: *active* pods are tried in turn; those that failed go to *unschedulable* with the rules
that rejected them, and leave it when news arrives that such a rule cares for, through a *backoff* that doubles
from 1 to 10 s; after five minutes they are tried in any case. Source: pkg/scheduler/backend/queue/scheduling_queue.go.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kubepy.api.meta import Object
from kubepy.lib.clock import SYSTEM, Clock
from kubepy.scheduler.podinfo import PodInfo

_FIRST_BACKOFF_S, _MOST_BACKOFF_S = 1.0, 10.0
_GIVE_UP_WAITING_S = 300.0

HEEDS: Mapping[str, frozenset[str]] = {
    "node-added": frozenset({"*"}),
    "node-changed": frozenset(
        {
            "NodeResourcesFit", "TaintToleration", "NodeAffinity", "NodeUnschedulable", "NodeName",
            "PodTopologySpread", "InterPodAffinity", "VolumeBinding", "NodePorts",
        }
    ),
    "pod-gone": frozenset({"NodeResourcesFit", "NodePorts", "PodTopologySpread", "InterPodAffinity"}),
    "pod-placed": frozenset({"PodTopologySpread", "InterPodAffinity"}),
    "volume-changed": frozenset({"VolumeBinding"}),
}  # fmt: skip
"""News, and the rules whose verdict it may change; `*`: any."""


@dataclass(slots=True)
class Waiting:
    """A pod in the queue: since when, how often it was tried, and who rejected it last."""

    info: PodInfo
    since: float
    attempts: int = 0
    rejected_by: frozenset[str] = field(default_factory=frozenset)
    failed_at: float = 0.0
    heard: bool = False
    """News that concerns it came while it was being tried."""

    def backoff_until(self) -> float:
        """When it may be tried again."""
        if not self.attempts:
            return 0.0
        return self.failed_at + min(_FIRST_BACKOFF_S * 2 ** (self.attempts - 1), _MOST_BACKOFF_S)


class SchedulingQueue:
    """Pods by uid, each in exactly one part of the queue, or being tried."""

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._order = itertools.count()
        self._known: dict[str, Waiting] = {}
        self._active: list[tuple[int, float, int, str]] = []
        self._ready: set[str] = set()
        self._backoff: list[tuple[float, int, str]] = []
        self._resting: set[str] = set()
        self._unschedulable: dict[str, Waiting] = {}
        self._trying: set[str] = set()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._known)

    def put(self, info: PodInfo) -> None:
        """A pod that is new, or has changed: it is tried soon."""
        waiting = self._known.get(info.uid)
        if waiting is None:
            waiting = self._known[info.uid] = Waiting(info, self._clock.monotonic())
            self._activate(waiting)
            return
        before, waiting.info = waiting.info, info
        changed = before.pod.get("spec") != info.pod.get("spec") or before.labels != info.labels
        if info.uid in self._unschedulable and changed:
            self._wake_up(waiting)
        elif info.uid in self._trying:
            waiting.heard = True

    def drop(self, uid: str) -> None:
        """A pod that is placed or gone."""
        self._known.pop(uid, None)
        self._ready.discard(uid)
        self._resting.discard(uid)
        self._unschedulable.pop(uid, None)
        self._trying.discard(uid)

    def tell(self, news: str, concerns: Callable[[PodInfo], bool] = lambda _: True) -> None:
        """Something happened that may make pods schedulable; those that it concerns come back."""
        heeded = HEEDS[news]
        for uid in self._trying:
            self._known[uid].heard = True
        for waiting in list(self._unschedulable.values()):
            if ("*" in heeded or waiting.rejected_by & heeded) and concerns(waiting.info):
                self._wake_up(waiting)

    def failed(self, info: PodInfo, rejected_by: frozenset[str]) -> None:
        """A pod that was taken could not be placed: by those rules, or (none) for a fault of the way."""
        waiting = self._known.get(info.uid)
        if waiting is None:
            return  # gone meanwhile
        self._trying.discard(info.uid)
        waiting.attempts += 1
        waiting.failed_at = self._clock.monotonic()
        waiting.rejected_by = rejected_by
        if waiting.heard or not rejected_by:
            self._rest(waiting)
        else:
            self._unschedulable[info.uid] = waiting

    async def take(self) -> Waiting:
        """The next pod to try: highest priority first, then the longest waiting."""
        while True:
            self._move_due()
            while self._active:
                uid = heapq.heappop(self._active)[-1]
                if uid in self._ready:
                    self._ready.discard(uid)
                    self._trying.add(uid)
                    waiting = self._known[uid]
                    waiting.heard = False
                    return waiting
            self._wake.clear()
            try:
                async with asyncio.timeout(self._next_due_s()):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _activate(self, waiting: Waiting) -> None:
        uid = waiting.info.uid
        self._ready.add(uid)
        heapq.heappush(self._active, (-waiting.info.priority, waiting.since, next(self._order), uid))
        self._wake.set()

    def _wake_up(self, waiting: Waiting) -> None:
        self._unschedulable.pop(waiting.info.uid, None)
        self._rest(waiting)

    def _rest(self, waiting: Waiting) -> None:
        due = waiting.backoff_until()
        if due <= self._clock.monotonic():
            self._activate(waiting)
            return
        self._resting.add(waiting.info.uid)
        heapq.heappush(self._backoff, (due, next(self._order), waiting.info.uid))
        self._wake.set()

    def _move_due(self) -> None:
        now = self._clock.monotonic()
        while self._backoff and self._backoff[0][0] <= now:
            uid = heapq.heappop(self._backoff)[-1]
            if uid in self._resting:
                self._resting.discard(uid)
                self._activate(self._known[uid])
        for waiting in list(self._unschedulable.values()):
            if waiting.failed_at + _GIVE_UP_WAITING_S > now:
                break  # in the order in which they failed
            self._wake_up(waiting)

    def _next_due_s(self) -> float | None:
        now = self._clock.monotonic()
        due = [self._backoff[0][0]] if self._backoff else []
        if self._unschedulable:
            due.append(next(iter(self._unschedulable.values())).failed_at + _GIVE_UP_WAITING_S)
        return max(0.0, min(due) - now) if due else None


def is_gated(pod: Object) -> bool:
    """The pod asks not to be placed yet."""
    return bool(pod["spec"].get("schedulingGates"))
