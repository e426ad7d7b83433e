"""The raw bytes of a connection that was upgraded: what is left when HTTP steps out of the way.

Back pressure works both ways: reading stops while too much lies unread, writing waits while the peer is slow.
"""

import asyncio
from collections import deque
from collections.abc import Callable

_UNREAD_MOST = 256 * 1024


class Gone:
    """The `lib.http.Connection` of a peer that left before its upgrade began."""

    async def read(self) -> bytes:
        return b""

    async def write(self, data: bytes) -> None:
        raise ConnectionResetError("peer is gone")

    async def close(self) -> None:
        return


class Tunnel(asyncio.Protocol):
    """A `lib.http.Connection` on a transport. `on_lost` is told once when the transport is gone.

    A peer that takes nothing for `stalled_s` is cut off; with None it is waited for.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        tail: bytes = b"",
        *,
        on_lost: Callable[[BaseException | None], None] | None = None,
        stalled_s: float | None = None,
    ) -> None:
        self._transport = transport
        self._chunks: deque[bytes] = deque([tail] if tail else [])
        self._unread = len(tail)
        self._ended = self._lost = self._reading_paused = False
        self._readable: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._writing_paused = False
        self._on_lost = on_lost
        self._stalled_s = stalled_s

    async def read(self) -> bytes:
        while not self._chunks:
            if self._ended:
                return b""
            self._readable = asyncio.get_running_loop().create_future()
            try:
                await self._readable
            finally:
                self._readable = None
        data = self._chunks.popleft() if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._unread = 0
        if self._reading_paused and not self._lost:
            self._reading_paused = False
            self._transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        if self._lost:
            raise ConnectionResetError("peer is gone")
        self._transport.write(data)
        if self._writing_paused:
            await self._drain()
        if self._lost:
            raise ConnectionResetError("peer is gone")

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        timer = None if self._stalled_s is None else loop.call_later(self._stalled_s, self._transport.abort)
        try:
            while self._writing_paused:
                self._writable = self._writable or loop.create_future()
                await asyncio.shield(self._writable)
        finally:
            if timer is not None:
                timer.cancel()

    async def close(self) -> None:
        if not self._lost:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._chunks.append(data)
        self._unread += len(data)
        if self._unread > _UNREAD_MOST and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()
        self._wake_reader()

    def eof_received(self) -> bool | None:
        self._ended = True
        self._wake_reader()
        # TLS cannot be closed by halves; a plain connection stays open for what we still have to say.
        return self._transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: BaseException | None) -> None:
        self._ended = self._lost = True
        self._writing_paused = False
        self._wake_reader()
        self._wake_writer()
        if self._on_lost is not None:
            self._on_lost(exc)

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._wake_writer()

    def _wake_reader(self) -> None:
        if self._readable is not None and not self._readable.done():
            self._readable.set_result(None)

    def _wake_writer(self) -> None:
        if self._writable is not None:
            if not self._writable.done():
                self._writable.set_result(None)
            self._writable = None
