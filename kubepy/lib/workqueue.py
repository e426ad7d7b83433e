"""A queue of keys for level-triggered loops.

Promises, as client-go's workqueue: a key that waits is held once however often it is added; a key is never
with two workers; one that is added while it is worked on comes again after `done`. Failures come back with an
exponential delay per key. Source: k8s.io/client-go/util/workqueue.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from kubepy.lib import log

K = TypeVar("K", bound=Hashable)

_log = log.get(__name__)
_FIRST_RETRY_S = 0.005
_LAST_RETRY_S = 1000.0
_MOST_DOUBLINGS = 18  # 5 ms doubled 18 times is past the last delay


class Retry(Exception):
    """Raised by a sync whose key is not at rest yet although nothing is wrong with it: work on it again, later."""


class WorkQueue(Generic[K]):
    """Keys to be worked on; see the module's promises."""

    def __init__(self) -> None:
        self._ready: deque[K] = deque()
        self._waiting: set[K] = set()
        self._working: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._wanted: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._ready)

    def idle(self) -> bool:
        """Nothing waits, is delayed or is worked on."""
        return not (self._waiting or self._working or self._timers)

    def add(self, key: K) -> None:
        """Wants `key` to be worked on, soon."""
        if key in self._waiting:
            return
        self._waiting.add(key)
        if key not in self._working:
            self._ready.append(key)
            self._wake_one()

    def add_after(self, key: K, seconds: float) -> None:
        """Adds `key` after a delay; of several delays for one key the earliest counts."""
        if seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        pending = self._timers.get(key)
        if pending is not None:
            if pending.when() <= due:
                return
            pending.cancel()
        self._timers[key] = loop.call_at(due, self._due, key)

    def _due(self, key: K) -> None:
        del self._timers[key]
        self.add(key)

    def add_rate_limited(self, key: K) -> None:
        """Adds `key` after a delay that doubles with each failure since the last `forget`."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay_s = min(_FIRST_RETRY_S * 2 ** min(failures, _MOST_DOUBLINGS), _LAST_RETRY_S)
        self.add_after(key, delay_s)

    def failures(self, key: K) -> int:
        """How often `key` was added rate-limited since the last `forget`."""
        return self._failures.get(key, 0)

    def forget(self, key: K) -> None:
        """`key` went well: its next failure starts from the shortest delay."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next key; it is the caller's until `done`."""
        while not self._ready:
            turn = asyncio.get_running_loop().create_future()
            self._wanted.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake_one()  # this worker was called but leaves: call another
                raise
        key = self._ready.popleft()
        self._waiting.discard(key)
        self._working.add(key)
        return key

    def done(self, key: K) -> None:
        """The work on `key` has ended; if it was added meanwhile it is ready again."""
        self._working.discard(key)
        if key in self._waiting:
            self._ready.append(key)
            self._wake_one()

    def close(self) -> None:
        """Drops what is delayed."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _wake_one(self) -> None:
        while self._wanted:
            turn = self._wanted.popleft()
            if not turn.done():
                turn.set_result(None)
                return


async def run_workers(queue: WorkQueue[K], count: int, sync: Callable[[K], Awaitable[None]], *, name: str) -> None:
    """Works the queue with `count` workers until cancelled; a key whose sync fails is retried with backoff."""

    async def work() -> None:
        while True:
            key = await queue.get()
            try:
                await sync(key)
            except asyncio.CancelledError:
                raise
            except Retry:
                queue.add_rate_limited(key)
            except ConnectionError as error:
                _log.warning("sync put off", queue=name, key=key, error=str(error))
                queue.add_rate_limited(key)
            except Exception:
                _log.exception("sync failed", queue=name, key=key)
                queue.add_rate_limited(key)
            else:
                queue.forget(key)
            finally:
                queue.done(key)

    try:
        async with asyncio.TaskGroup() as workers:
            for number in range(count):
                workers.create_task(work(), name=f"{name}-{number}")
    finally:
        queue.close()
