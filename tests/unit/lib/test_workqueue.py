"""A queue of keys: merged, one worker a key, retried with growing delays."""

import asyncio
import itertools

import pytest

from kubepy.lib.workqueue import Retry, WorkQueue, run_workers


def test_a_key_added_twice_is_worked_once() -> None:
    async def scenario() -> list[str]:
        queue: WorkQueue[str] = WorkQueue()
        for key in ("a", "b", "a"):
            queue.add(key)
        return [await queue.get(), await queue.get()]

    assert asyncio.run(scenario()) == ["a", "b"]


def test_a_key_added_while_it_is_worked_on_comes_again_afterwards() -> None:
    async def scenario() -> tuple[int, str]:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        await queue.get()
        queue.add("a")
        waiting = len(queue)
        queue.done("a")
        return waiting, await queue.get()

    assert asyncio.run(scenario()) == (0, "a")


def test_no_key_is_ever_with_two_workers() -> None:
    async def scenario() -> int:
        queue: WorkQueue[int] = WorkQueue()
        busy: set[int] = set()
        most, left = 0, 200

        async def sync(key: int) -> None:
            nonlocal most, left
            assert key not in busy
            busy.add(key)
            most = max(most, len(busy))
            await asyncio.sleep(0)
            busy.discard(key)
            left -= 1
            if left > 0:
                queue.add(left % 5)
            if left <= 0 and queue.idle():
                done.set()

        done = asyncio.Event()
        for key in range(5):
            queue.add(key)
        workers = asyncio.create_task(run_workers(queue, 4, sync, name="test"))
        while left > 0:
            await asyncio.sleep(0)
        workers.cancel()
        await asyncio.gather(workers, return_exceptions=True)
        return most

    assert asyncio.run(scenario()) > 1


def test_a_failing_sync_is_tried_again_until_it_succeeds() -> None:
    async def scenario() -> int:
        queue: WorkQueue[str] = WorkQueue()
        tries, done = 0, asyncio.Event()

        async def sync(key: str) -> None:
            nonlocal tries
            tries += 1
            if tries < 3:
                raise ValueError("not yet")
            done.set()

        queue.add("a")
        workers = asyncio.create_task(run_workers(queue, 2, sync, name="test"))
        await done.wait()
        await asyncio.sleep(0)
        assert queue.failures("a") == 0
        workers.cancel()
        await asyncio.gather(workers, return_exceptions=True)
        return tries

    assert asyncio.run(scenario()) == 3


def test_of_two_delays_for_a_key_the_earlier_counts() -> None:
    async def scenario() -> str:
        queue: WorkQueue[str] = WorkQueue()
        queue.add_after("a", 3600)
        queue.add_after("a", 0.001)
        queue.add_after("a", 7200)
        return await queue.get()

    assert asyncio.run(scenario()) == "a"


def test_a_worker_that_leaves_passes_its_call_on() -> None:
    async def scenario() -> str:
        queue: WorkQueue[str] = WorkQueue()
        first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.add("a")
        first.cancel()
        return await second

    assert asyncio.run(scenario()) == "a"


def test_a_sync_that_asks_for_a_retry_comes_back_after_longer_and_longer_waits() -> None:
    async def scenario() -> list[float]:
        queue: WorkQueue[str] = WorkQueue()
        loop = asyncio.get_running_loop()
        times: list[float] = []
        rest = asyncio.Event()

        async def sync(key: str) -> None:
            times.append(loop.time())
            if len(times) < 5:
                raise Retry
            rest.set()

        queue.add("a")
        workers = asyncio.create_task(run_workers(queue, 1, sync, name="test"))
        await rest.wait()
        await asyncio.sleep(0)
        assert queue.failures("a") == 0
        workers.cancel()
        await asyncio.gather(workers, return_exceptions=True)
        return times

    times = asyncio.run(scenario())
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(wait >= least for wait, least in zip(waits, (0.005, 0.01, 0.02, 0.04), strict=True))


def test_a_retry_is_no_failure_that_the_log_tells(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        queue: WorkQueue[str] = WorkQueue()
        tried = asyncio.Event()

        async def sync(key: str) -> None:
            tried.set()
            raise Retry

        queue.add("a")
        workers = asyncio.create_task(run_workers(queue, 1, sync, name="test"))
        await tried.wait()
        workers.cancel()
        await asyncio.gather(workers, return_exceptions=True)

    asyncio.run(scenario())
    assert not caplog.records
