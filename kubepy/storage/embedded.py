"""A store inside the process: the log in SQLite on a writer thread, the decisions on the event loop.

Which revision a key has is held in memory, so compare-and-set is decided at once on the loop, in order; the
decided writes of one loop turn, and all that pile up while a commit runs, become one commit (group commit).
Invariant: a write is acknowledged, and told to watches, only after its commit. When a commit fails, its writes
and all that were decided upon them are taken back and raise Unavailable.
For one machine, tests and laptops; a second process that opens the same file is refused.
"""

import asyncio
import heapq
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kubepy.lib import log
from kubepy.storage.base import (
    VALUE_BYTES_AT_MOST,
    Change,
    Compacted,
    Entry,
    KeyExists,
    KeyMissing,
    RevisionConflict,
    StoreError,
    TooLarge,
    Unavailable,
)
from kubepy.storage.hub import Hub, HubWatch
from kubepy.storage.sqlite_log import Row, SqliteLog

T = TypeVar("T")
_log = log.get(__name__)


@dataclass(slots=True)
class _Batch:
    """What one turn of the writer thread does: first commit the writes, then the reads in order."""

    writes: list[Row] = field(default_factory=list)
    written: list["asyncio.Future[None]"] = field(default_factory=list)
    reads: list[tuple[Callable[[], Any], "asyncio.Future[Any]"]] = field(default_factory=list)


class EmbeddedStore:
    """A Store (see base.py) in the file `path`, or in memory for ":memory:".

    `synced=False` leaves it to the system when commits reach the disk: a killed process still loses nothing, a
    power cut may. To be used from one event loop.
    """

    def __init__(self, path: str = ":memory:", *, synced: bool = True) -> None:
        self._disk = SqliteLog(path, synced=synced)
        loaded = self._disk.load()
        self._revisions = {key: revision for key, revision, _ in loaded.live}
        self._expiries = [(at, key, revision) for key, revision, at in loaded.live if at is not None]
        heapq.heapify(self._expiries)
        self._decided = loaded.revision
        self._hub = Hub(loaded.revision)
        self._pending = _Batch()
        self._flushing = False
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._batches: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="embedded-store", daemon=True)

    async def get(self, key: str) -> Entry:
        return await self._read(lambda: self._disk.get(key))

    async def list(self, prefix: str, *, revision: int = 0) -> tuple[Sequence[Entry], int]:
        if revision > self._hub.position:
            raise StoreError(f"revision {revision} is in the future")

        def read() -> tuple[Sequence[Entry], int]:
            at = revision or self._committed
            return self._disk.list(prefix, at), at

        return await self._read(read)

    async def create(self, key: str, value: bytes, *, ttl_s: int = 0) -> int:
        if key in self._revisions:
            raise KeyExists(key)
        return await self._write(key, value, 0, ttl_s)

    async def update(self, key: str, value: bytes, *, revision: int, ttl_s: int = 0) -> int:
        await self._expect(key, revision)
        return await self._write(key, value, revision, ttl_s)

    async def delete(self, key: str, *, revision: int) -> int:
        await self._expect(key, revision)
        return await self._write(key, None, revision, 0)

    def watch(self, prefix: str, *, revision: int) -> HubWatch:
        self._start()
        return self._hub.attach(prefix, revision, self._history)

    async def revision(self) -> int:
        return self._hub.position

    async def compact(self, revision: int) -> None:
        if revision > self._hub.position:
            raise StoreError(f"revision {revision} is in the future")
        await self._read(lambda: self._disk.compact(revision))

    async def ping(self) -> None:
        await self._read(lambda: None)

    async def close(self) -> None:
        """Commits what was accepted, then ends; later calls raise Unavailable."""
        if self._closed:
            return
        self._closed = True
        self._hub.end()
        if self._timer is not None:
            self._timer.cancel()
        if self._loop is None:
            self._disk.close()
            return
        done = self._loop.create_future()
        self._pending.reads.append((lambda: None, done))
        self._flush_soon()
        await done
        self._batches.put(None)
        await asyncio.to_thread(self._thread.join)
        self._disk.close()

    # -- decisions, on the loop

    async def _expect(self, key: str, revision: int) -> None:
        """Returns when the key is at `revision`. A conflict is told from what is committed, not from what may fail."""
        while (found := self._revisions.get(key)) != revision:
            if found is None:
                raise KeyMissing(key)
            current = await self.get(key)
            if current.revision != revision:
                raise RevisionConflict(current)

    async def _write(self, key: str, value: bytes | None, replaced: int, ttl_s: int) -> int:
        if value is not None and len(value) > VALUE_BYTES_AT_MOST:
            raise TooLarge(key)
        loop = self._start()
        self._decided = revision = self._decided + 1
        expires = time.time() + ttl_s if ttl_s else None
        if value is None:
            del self._revisions[key]
        else:
            self._revisions[key] = revision
        done: asyncio.Future[None] = loop.create_future()
        self._pending.writes.append(Row(revision, key, value, replaced, expires))
        self._pending.written.append(done)
        self._flush_soon()
        await done
        if expires is not None:
            heapq.heappush(self._expiries, (expires, key, revision))
            self._arm()
        return revision

    async def _read(self, read: Callable[[], T]) -> T:
        done: asyncio.Future[T] = self._start().create_future()
        self._pending.reads.append((read, done))
        self._flush_soon()
        return await done

    async def _history(self, prefix: str, after: int, until: int) -> Sequence[Change]:
        return await self._read(lambda: self._disk.history(prefix, after, until))

    def _start(self) -> asyncio.AbstractEventLoop:
        if self._closed:
            raise Unavailable("the store is closed")
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._committed = self._hub.position
            self._thread.start()
            self._arm()
        return self._loop

    def _flush_soon(self) -> None:
        if not self._flushing and self._loop is not None:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        batch, self._pending = self._pending, _Batch()
        self._batches.put(batch)

    def _done(self, batch: _Batch, changes: Sequence[Change], error: Exception | None, answers: Sequence[Any]) -> None:
        """Tells the outcome of a batch: to watches first, so that who is acknowledged finds them told."""
        if error is not None:
            self._take_back(batch, error)
        elif changes:
            self._hub.publish(changes, changes[-1].revision)
            for done in batch.written:
                if not done.done():
                    done.set_result(None)
        for (_, asked), answer in zip(batch.reads, answers, strict=True):
            if asked.done():
                continue
            if isinstance(answer, Exception):
                asked.set_exception(answer)
            else:
                asked.set_result(answer)
        self._flushing = False
        if self._pending.writes or self._pending.reads:
            self._flush_soon()

    def _take_back(self, batch: _Batch, error: Exception) -> None:
        _log.error("cannot write to the embedded store", error=error)
        for row in reversed([*batch.writes, *self._pending.writes]):
            if row.replaced:
                self._revisions[row.key] = row.replaced
            else:
                self._revisions.pop(row.key, None)
        failed = [*batch.written, *self._pending.written]
        self._pending.writes, self._pending.written = [], []
        for done in failed:
            if not done.done():
                done.set_exception(Unavailable(f"the embedded store cannot write: {error}"))

    # -- expiry, on the loop

    def _arm(self) -> None:
        """Sets the timer for the next expiry."""
        if self._loop is None or self._closed:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._expiries:
            wait_s = max(self._expiries[0][0] - time.time(), 0)
            self._timer = self._loop.call_later(wait_s, self._expire)

    def _expire(self) -> None:
        now = time.time()
        while self._expiries and self._expiries[0][0] <= now:
            _, key, revision = heapq.heappop(self._expiries)
            if self._revisions.get(key) == revision:
                self._decided += 1
                del self._revisions[key]
                self._pending.writes.append(Row(self._decided, key, None, revision, None))
                self._flush_soon()
        self._arm()

    # -- the writer thread

    def _work(self) -> None:
        assert self._loop is not None
        while (batch := self._batches.get()) is not None:
            changes: Sequence[Change] = ()
            error: Exception | None = None
            if batch.writes:
                try:
                    changes = self._disk.commit(batch.writes)
                    self._committed = batch.writes[-1].revision
                except sqlite3.Error as fault:
                    error = fault
            answers = [_answer(read) for read, _ in batch.reads]
            self._loop.call_soon_threadsafe(self._done, batch, changes, error, answers)


def _answer(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (KeyMissing, Compacted) as error:
        return error
    except sqlite3.Error as error:
        return Unavailable(f"the embedded store cannot read: {error}")
