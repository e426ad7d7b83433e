"""The order in which pods are tried, and what brings failed ones back."""

import asyncio
from datetime import UTC, datetime

from kubepy.scheduler.queue import SchedulingQueue
from tests.unit.scheduler.test_placing import pod

FIT = frozenset({"NodeResourcesFit"})


class Watch:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time, UTC)

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


async def names(queue: SchedulingQueue, count: int) -> list[str]:
    return [(await queue.take()).info.uid for _ in range(count)]


def test_higher_priority_first_then_the_longest_waiting() -> None:
    async def scenario() -> list[str]:
        queue = SchedulingQueue(Watch())
        for uid, priority in (("old", 0), ("urgent", 10), ("new", 0)):
            queue.put(pod(uid, priority=priority))
        return await names(queue, 3)

    assert asyncio.run(scenario()) == ["urgent", "old", "new"]


async def ready(queue: SchedulingQueue) -> list[str]:
    """What can be taken at once."""
    found = []
    while True:
        try:
            async with asyncio.timeout(0.01):
                found.append((await queue.take()).info.uid)
        except TimeoutError:
            return found


def test_a_failed_pod_waits_for_news_that_concerns_it() -> None:
    async def scenario() -> list[list[str]]:
        clock = Watch()
        queue = SchedulingQueue(clock)
        queue.put(pod("a"))
        queue.failed((await queue.take()).info, FIT)
        clock.time += 60
        quiet = await ready(queue)
        queue.tell("volume-changed")
        other = await ready(queue)
        queue.tell("pod-gone")
        return [quiet, other, await ready(queue)]

    assert asyncio.run(scenario()) == [[], [], ["a"]]


def test_news_while_a_pod_is_tried_are_not_lost() -> None:
    async def scenario() -> list[str]:
        clock = Watch()
        queue = SchedulingQueue(clock)
        queue.put(pod("a"))
        waiting = await queue.take()
        queue.tell("node-added")
        queue.failed(waiting.info, FIT)
        clock.time += 1.1
        return await ready(queue)

    assert asyncio.run(scenario()) == ["a"]


def test_the_backoff_doubles_and_ends_at_ten_seconds() -> None:
    async def scenario() -> list[float]:
        clock = Watch()
        queue = SchedulingQueue(clock)
        queue.put(pod("a"))
        waits = []
        for _ in range(6):
            waiting = await queue.take()
            queue.failed(waiting.info, frozenset())
            waits.append(waiting.backoff_until() - clock.time)
            clock.time += waits[-1]
        return waits

    assert asyncio.run(scenario()) == [1, 2, 4, 8, 10, 10]


def test_after_five_minutes_a_pod_is_tried_without_news() -> None:
    async def scenario() -> list[str]:
        clock = Watch()
        queue = SchedulingQueue(clock)
        queue.put(pod("a"))
        queue.failed((await queue.take()).info, FIT)
        clock.time += 301
        return await ready(queue)

    assert asyncio.run(scenario()) == ["a"]


def test_a_pod_that_is_dropped_is_not_tried() -> None:
    async def scenario() -> list[str]:
        queue = SchedulingQueue(Watch())
        queue.put(pod("a"))
        queue.put(pod("b"))
        queue.drop("a")
        return await ready(queue)

    assert asyncio.run(scenario()) == ["b"]


def test_a_pod_whose_spec_changed_is_tried_again() -> None:
    async def scenario() -> list[str]:
        clock = Watch()
        queue = SchedulingQueue(clock)
        queue.put(pod("a", cpu="8"))
        queue.failed((await queue.take()).info, FIT)
        clock.time += 2
        queue.put(pod("a", cpu="1"))
        return await ready(queue)

    assert asyncio.run(scenario()) == ["a"]
