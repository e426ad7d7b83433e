"""The audit webhook: events go as EventLists to another server, many at once or each while its request waits.

Invariant: a server that is away costs events, never requests: what finds the buffer full is counted and let go.
Source: apiserver plugin/pkg/audit/{webhook,buffered,truncate}; pkg/server/options/audit.go.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kubepy.apiserver.audit.encoding import fitting
from kubepy.apiserver.audit.metrics import AuditMetrics
from kubepy.apiserver.webhooks import patience
from kubepy.apiserver.webhooks.client import CallError
from kubepy.lib import log, tasks
from kubepy.lib.clock import SYSTEM, Clock

_HEAD = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['
_DRAIN_S = 10.0
"""How long the last events may take at the end."""
_PLUGIN = "webhook"
_log = log.get(__name__)
Tell = Callable[[bytes], Awaitable[None]]
"""Sends an EventList. Raises CallError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """`waits`: each request waits until its events are sent, whatever else is said; `qps` 0 throttles nothing."""

    waits: bool = False
    buffer: int = 10_000
    most: int = 400
    wait_s: float = 30.0
    qps: float = 10.0
    burst: int = 15
    first_pause_s: float = 10.0
    most_event_bytes: int | None = None
    most_batch_bytes: int | None = None


class AuditWebhook:
    """`run` sends until it is cancelled; `close` sends what is left."""

    def __init__(self, tell: Tell, batching: Batching, metrics: AuditMetrics, clock: Clock = SYSTEM) -> None:
        self._tell = tell
        self._batching = batching
        self._metrics = metrics
        self._clock = clock
        self._events: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self._full = asyncio.Event()
        self._sending = asyncio.Lock()
        self._scope = tasks.Scope()

    def write(self, event: Mapping[str, Any]) -> None:
        """Takes an event into the buffer, if there is room."""
        bare = {key: value for key, value in event.items() if key not in ("kind", "apiVersion")}
        encoded = fitting(bare, self._batching.most_event_bytes)
        if encoded is None:
            self._lose(1, "truncate", "audit event is too large")
        elif len(self._events) >= self._batching.buffer:
            self._lose(1, _PLUGIN, "audit buffer is full")
        else:
            self._events.append(encoded)
            self._filled.set()
            if len(self._events) >= self._batching.most:
                self._full.set()

    async def settle(self) -> None:
        """Returns when the events are sent, where requests wait for that."""
        if self._batching.waits:  # a task of its own, as a request that is given up must not take others' events along
            await asyncio.shield(self._scope.start(self._send_all(), name="audit events"))

    async def _send_all(self) -> None:
        async with self._sending:
            await self._send(self._take())

    async def run(self) -> None:
        """Sends batches until cancelled: when there are enough events, or the first one has waited long enough."""
        throttle = _Throttle(self._batching.qps, self._batching.burst, self._clock)
        while True:
            await self._filled.wait()
            if self._batching.wait_s:
                await self._enough()
            await throttle.pass_one()
            if events := self._take():
                self._scope.start(self._send(events), name="audit batch")

    async def _enough(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._batching.wait_s):
                await self._full.wait()

    async def close(self) -> None:
        """Sends what is there, if that can be done soon; `run` has been cancelled."""
        try:
            async with asyncio.timeout(_DRAIN_S):
                while events := self._take():
                    await self._send(events)
                await self._scope.drain()
        except TimeoutError:
            self._lose(len(self._events), _PLUGIN, "audit webhook did not take the last events")
        await self._scope.close()

    def _take(self) -> list[bytes]:
        count = min(len(self._events), self._batching.most)
        taken = [self._events.popleft() for _ in range(count)]
        if not self._events:
            self._filled.clear()
        if len(self._events) < self._batching.most:
            self._full.clear()
        return taken

    async def _send(self, events: list[bytes]) -> None:
        for batch in batches(events, self._batching.most_batch_bytes):
            body = _HEAD + b",".join(batch) + b"]}"
            try:
                await patience.tried(
                    lambda body=body: self._tell(body),  # type: ignore[misc]  # the default is the loop's own body
                    first_s=self._batching.first_pause_s,
                    refused_passes=True,
                    clock=self._clock,
                )
            except CallError as fault:
                self._lose(len(batch), _PLUGIN, str(fault))

    def _lose(self, count: int, plugin: str, why: str) -> None:
        self._metrics.errors[plugin] += count
        _log.error("audit events lost", count=count, plugin=plugin, why=why)


def batches(events: Iterable[bytes], most_bytes: int | None) -> Iterator[list[bytes]]:
    """The events in order, in lists of at most so many bytes."""
    batch: list[bytes] = []
    size = 0
    for event in events:
        if batch and most_bytes is not None and size + len(event) > most_bytes:
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += len(event)
    if batch:
        yield batch


class _Throttle:
    """Lets `qps` pass in a second, `burst` at once after a pause."""

    def __init__(self, qps: float, burst: int, clock: Clock) -> None:
        self._qps, self._burst, self._clock = qps, max(burst, 1), clock
        self._left = float(self._burst)
        self._since = clock.monotonic()

    async def pass_one(self) -> None:
        """Returns when one may pass."""
        if not self._qps:
            return
        now = self._clock.monotonic()
        self._left = min(self._burst, self._left + (now - self._since) * self._qps) - 1
        self._since = now
        if self._left < 0:
            await self._clock.sleep(-self._left / self._qps)
