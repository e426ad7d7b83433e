"""Fan the one ordered stream of a store's changes out to watches by key prefix.

Invariant: a watch is handed each change after its start once and in order. The hub keeps no history: a watch
that starts behind the hub first reads what it missed from the store (`History`), while what happens meanwhile
queues up. Batches are handed over without a suspension between the queue being emptied and the consumer's code,
so `position` is exact for every other task of the loop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from kubepy.storage.base import Change, Progress

History = Callable[[str, int, int], Awaitable[Sequence[Change]]]
"""Changes below a prefix, after one revision and up to another one. Raises Compacted."""


class HubWatch:
    """One consumer's view of the hub; see `base.Watch`."""

    def __init__(self, hub: "Hub", prefix: str, revision: int, history: History) -> None:
        self.prefix = prefix
        self.after = revision
        self._hub = hub
        self._history = history
        self._told = revision
        self._missed_to = hub.position if hub.position > revision else 0
        self._queue: list[Change] = []
        self._asked = 0
        self._closed = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __aiter__(self) -> "HubWatch":
        return self

    async def __anext__(self) -> Sequence[Change] | Progress:
        if self._missed_to:
            missed = await self._history(self.prefix, self._told, self._missed_to)
            self._told, self._missed_to = self._missed_to, 0
            if missed:
                return missed
        while True:
            if self._error is not None:
                raise self._error
            if self._closed:
                raise StopAsyncIteration
            if self._queue:
                batch, self._queue = self._queue, []
                self._told = max(self._told, self._hub.position)
                return batch
            if self._asked and self.position >= self._asked:
                self._asked, self._told = 0, self.position
                return Progress(self._told)
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    @property
    def position(self) -> int:
        if self._missed_to or self._queue or self._closed:
            return self._told
        return max(self._told, self._hub.position)

    def request_progress(self, revision: int) -> None:
        self._asked = max(self._asked, revision)
        if self.position >= self._asked:
            self._wake()
        else:
            self._hub.asking.add(self)

    async def aclose(self) -> None:
        self._end(None)

    def _add(self, change: Change) -> None:
        if change.revision > self.after:
            if not self._queue and not self._missed_to:  # keeps `position` from falling back
                self._told = max(self._told, change.revision - 1)
            self._queue.append(change)
            self._wake()

    def _end(self, error: Exception | None) -> None:
        self._told, self._closed = self.position, True
        self._error = self._error or error
        self._queue.clear()
        self._hub.detach(self)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Hub:
    """Every change up to `position` has been published."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.asking: set[HubWatch] = set()
        self._by_folder: dict[str, list[HubWatch]] = {}
        self._by_prefix: list[HubWatch] = []  # prefixes that do not end in a slash

    def attach(self, prefix: str, revision: int, history: History) -> HubWatch:
        """A watch of the changes after `revision`; those before the hub's position are read from `history`."""
        watch = HubWatch(self, prefix, revision, history)
        if prefix.endswith("/"):
            self._by_folder.setdefault(prefix, []).append(watch)
        else:
            self._by_prefix.append(watch)
        return watch

    def detach(self, watch: HubWatch) -> None:
        """Forgets the watch; no harm when it is not there."""
        self.asking.discard(watch)
        watches = self._by_folder.get(watch.prefix, self._by_prefix)
        if watch in watches:
            watches.remove(watch)
            if not watches and watches is not self._by_prefix:
                del self._by_folder[watch.prefix]

    def publish(self, changes: Sequence[Change], revision: int) -> None:
        """Hands the changes to the watches; with them everything up to `revision` has been published."""
        self.position = max(self.position, revision)
        folders = self._by_folder
        for change in changes:
            key = change.key
            slash = key.find("/", 1)
            while slash > 0:
                for watch in folders.get(key[: slash + 1], ()):
                    watch._add(change)
                slash = key.find("/", slash + 1)
            for watch in self._by_prefix:
                if key.startswith(watch.prefix):
                    watch._add(change)
        if self.asking:
            asked, self.asking = self.asking, set()
            for watch in asked:
                watch.request_progress(0)

    def end(self, error: Exception | None = None) -> None:
        """Ends every watch: with `error` raised to its consumer, or without."""
        for watch in [*self._by_prefix, *(watch for watches in self._by_folder.values() for watch in watches)]:
            watch._end(error)
