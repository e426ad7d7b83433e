"""One watch of one client: first what is behind it, then what is pushed, in batches, until it is cut off.

A batch is all that came since the last one, so a burst costs one wake-up and one write. A consumer that waits may
have batches handed to a function of its own instead (`push_to`): then nobody is woken at all. Live events wait in a
buffer that is bounded by bytes; a consumer that lets it overflow is cut off: the iteration ends, and the client
resumes from the last revision that it saw.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from kubepy.storage.cached import WatchEvent

Item = TypeVar("Item")
Batch = TypeVar("Batch")

BUFFER_BYTES_AT_MOST = 16 << 20
_BACKLOG_BYTES = 256 << 10
"""Roughly what one batch of the backlog holds, so that a long one is sent piece by piece."""


class Watcher(Generic[Item, Batch]):
    """An async iterator of batches; `pack` makes one of items, `encode` an item of an event."""

    __slots__ = (
        "_backlog",
        "_buffer",
        "_buffered_bytes",
        "_cut_off",
        "_encode",
        "_ended",
        "_on_caught_up",
        "_on_close",
        "_pack",
        "_take",
        "_waiter",
        "after",
        "bookmarks",
        "most_bytes",
    )

    def __init__(
        self,
        *,
        after: int,
        bookmarks: bool,
        backlog: Iterator[WatchEvent],
        encode: Callable[[WatchEvent], Item],
        pack: Callable[[list[Item]], Batch],
    ) -> None:
        self.after = after
        self.bookmarks = bookmarks
        self.most_bytes = BUFFER_BYTES_AT_MOST
        self._backlog: Iterator[WatchEvent] | None = backlog
        self._encode = encode
        self._pack = pack
        self._buffer: list[Item] = []
        self._buffered_bytes = 0
        self._cut_off = False
        self._ended = False
        self._on_caught_up: Callable[[], None] | None = None
        self._on_close: Callable[[Watcher[Item, Batch]], None] | None = None
        self._take: Callable[[Batch], bool] | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __aiter__(self) -> "Watcher[Item, Batch]":
        return self

    async def __anext__(self) -> Batch:
        if self._backlog is not None:
            behind = self._take_backlog(self._backlog)
            if behind:
                return self._pack(behind)
        while not self._buffer:
            if self._ended:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        items, self._buffer, self._buffered_bytes = self._buffer, [], 0
        return self._pack(items)

    @property
    def cut_off(self) -> bool:
        """Whether the consumer was too slow."""
        return self._cut_off

    def push(self, item: Item, size: int) -> None:
        """Hands over one item; `size` is what it counts for in the buffer."""
        self._buffer.append(item)
        self._buffered_bytes += size
        if self._buffered_bytes > self.most_bytes:
            self._cut_off = True
            self._buffer.clear()
            self.end()
        elif self._take is None:
            self._wake()

    def mark(self, bookmark: WatchEvent) -> None:
        """Hands over a bookmark, if those are taken, unless it is older than what this began with."""
        if self.bookmarks and self.after <= bookmark.object.revision:
            self.push(self._encode(bookmark), len(bookmark.object.data))
            self.flush()

    def push_to(self, take: Callable[[Batch], bool]) -> None:
        """While the iteration waits, `flush` hands batches to `take`; one that it answers False to is iterated over."""
        self._take = take

    def flush(self) -> None:
        """Call when no more will be pushed for the moment."""
        if self._take is None or not self._buffer or self._waiter is None or self._waiter.done():
            return
        if self._take(self._pack(self._buffer)):
            self._buffer, self._buffered_bytes = [], 0
        else:
            self._waiter.set_result(None)

    def end(self) -> None:
        """No more will come; what is buffered is still handed out."""
        self._ended = True
        if self._on_close is not None:
            self._on_close(self)
            self._on_close = None
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def aclose(self) -> None:
        """The consumer is done."""
        self._caught_up()
        self._buffer.clear()
        self.end()

    def closes_with(self, on_close: "Callable[[Watcher[Item, Batch]], None]") -> None:
        """`on_close` is called once, when the watcher ends."""
        self._on_close = on_close

    def _take_backlog(self, backlog: Iterator[WatchEvent]) -> list[Item]:
        items, size = [], 0
        for event in backlog:
            items.append(self._encode(event))
            size += len(event.object.data)
            if size > _BACKLOG_BYTES:
                return items
        self._caught_up()
        return items

    def when_caught_up(self, tell: Callable[[], None]) -> None:
        """`tell` is called once, when the backlog has been handed out or the consumer is done."""
        if self._backlog is None:
            tell()
        else:
            self._on_caught_up = tell

    def _caught_up(self) -> None:
        self._backlog = None
        tell, self._on_caught_up = self._on_caught_up, None
        if tell is not None:
            tell()


ByteWatcher = Watcher[bytes, bytes]
EventWatcher = Watcher[WatchEvent, Sequence[WatchEvent]]
