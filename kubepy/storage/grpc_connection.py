"""One HTTP/2 connection that makes gRPC calls: a small client for one peer, cheap enough for every write's path.

It speaks what gRPC needs and no more: requests with fixed headers, flow control both ways, pings, GOAWAY. Receive
windows are kept wide open: the messages of a call are handed over as they come. When the connection breaks, every
call on it ends with UNAVAILABLE; who uses it connects anew. Source: RFC 9113, gRPC over HTTP/2.
"""

import asyncio
import ssl
import struct
from collections import deque
from typing import Final, Protocol, cast
from urllib.parse import unquote

from kubepy.storage.hpack import Decoder, HeaderError, literal

OK: Final = 0
CANCELLED: Final = 1
UNKNOWN: Final = 2
DEADLINE_EXCEEDED: Final = 4
NOT_FOUND: Final = 5
RESOURCE_EXHAUSTED: Final = 8
ABORTED: Final = 10
OUT_OF_RANGE: Final = 11
INTERNAL: Final = 13
UNAVAILABLE: Final = 14

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_SET_TABLE, _SET_PUSH, _SET_WINDOW, _SET_FRAME = 1, 2, 4, 5
_WIDEST: Final = (1 << 31) - 1
_WINDOW: Final = 65_535
_CANCEL: Final = 8
_LAST_STREAM_ID: Final = _WIDEST - 2
_PREFIX: Final = 5
PING_EVERY_S: Final = 30.0
PING_ANSWERED_WITHIN_S: Final = 10.0


_FRAME: Final = struct.Struct(">HBBBI")
"""A frame's head: length in two parts, kind, flags, stream."""
_LENGTH: Final = struct.Struct(">I")


def _frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    return _FRAME.pack(len(payload) >> 8, len(payload) & 255, kind, flags, stream_id) + payload


_GREETING: Final = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    + _frame(_SETTINGS, 0, 0, struct.pack(">HIHIHI", _SET_TABLE, 0, _SET_PUSH, 0, _SET_WINDOW, _WIDEST))
    + _frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", _WIDEST - _WINDOW))
)


class Consumer(Protocol):
    """What a call's answers go to; called on the event loop, `ended` last and once."""

    def message(self, data: bytes) -> None: ...

    def ended(self, code: int, text: str) -> None: ...


class _Stream:
    __slots__ = ("consumer", "have", "need", "parts", "received", "window")

    def __init__(self, consumer: Consumer, window: int) -> None:
        self.consumer = consumer
        self.window = window
        self.parts: list[bytes] = []
        self.have = 0
        self.need = 0
        self.received = 0


class Connection(asyncio.Protocol):
    """See the module's docstring; `connect` makes one."""

    def __init__(self, authority: str, *, secure: bool) -> None:
        self.closed = False
        """No further call can be made on it."""
        self._authority = authority
        self._secure = secure
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []
        self._decoder = Decoder()
        self._streams: dict[int, _Stream] = {}
        self._next_id = 1
        self._window = _WINDOW
        self._first_window = _WINDOW
        self._frame_most = 16_384
        self._rest = b""
        self._block: tuple[int, int, bytes] = (0, 0, b"")
        self._received = 0
        self._blocked: deque[tuple[int, bytes, bool]] = deque()
        self._heard = True
        self._pinger: asyncio.TimerHandle | None = None

    def head(self, path: str, *, metadata: tuple[tuple[str, str], ...] = ()) -> bytes:
        """The encoded request headers of a method, the same for each call."""
        block = b"\x83" + (b"\x87" if self._secure else b"\x86")
        block += b"\x04%c%b\x01%c%b" % (len(path), path.encode(), len(self._authority), self._authority.encode())
        block += literal("content-type", "application/grpc") + literal("te", "trailers")
        return block + b"".join(literal(name, value) for name, value in metadata)

    def call(self, head: bytes, payload: bytes, consumer: Consumer, *, ends: bool = True) -> int:
        """Starts a call with its first message; `ends`: and its last one. Answers the stream's id, for `cancel`."""
        stream_id = self._next_id
        self._next_id += 2
        if stream_id >= _LAST_STREAM_ID:
            self.closed = True
        stream = self._streams[stream_id] = _Stream(consumer, self._first_window)
        size = len(payload) + _PREFIX
        opening = _frame(_HEADERS, _END_HEADERS, stream_id, head)
        if not self._blocked and size <= self._window and size <= stream.window and size <= self._frame_most:
            self._window -= size
            stream.window -= size
            flags = _END_STREAM if ends else 0
            self._write(
                b"%b%b\0%b%b"
                % (
                    opening,
                    _FRAME.pack(size >> 8, size & 255, _DATA, flags, stream_id),
                    _LENGTH.pack(len(payload)),
                    payload,
                )
            )
        else:
            self._write(opening)
            self._blocked.append((stream_id, b"\0%b%b" % (_LENGTH.pack(len(payload)), payload), ends))
            self._flush()
        return stream_id

    def cancel(self, stream_id: int) -> None:
        """Nobody waits for the call any more; its consumer is not called again."""
        if self._streams.pop(stream_id, None) is not None:
            self._write(_frame(_RST_STREAM, 0, stream_id, struct.pack(">I", _CANCEL)))

    def close(self) -> None:
        """Breaks the connection."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    # -- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, but does not say so
        self._transport.write(_GREETING)
        self._pinger = self._loop.call_later(PING_EVERY_S, self._ping)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"connection lost: {exc}" if exc else "connection closed by the peer")
        if self._pinger is not None:
            self._pinger.cancel()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        try:
            while size - at >= 9:
                end = at + 9 + (data[at] << 16 | data[at + 1] << 8 | data[at + 2])
                if end > size:
                    break
                stream_id = int.from_bytes(data[at + 5 : at + 9], "big") & _WIDEST
                self._take(data[at + 3], data[at + 4], stream_id, data[at + 9 : end])
                at = end
        except (HeaderError, struct.error, IndexError) as error:
            self._fail(f"the peer breaks the protocol: {error}")
            self.close()
            return
        self._rest = data[at:]

    # -- frames

    def _take(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if kind == _DATA:
            self._take_data(flags, stream_id, payload)
        elif kind == _HEADERS:
            if flags & _PADDED:
                payload = payload[1 : len(payload) - payload[0]]
            if flags & _PRIORITY:
                payload = payload[5:]
            self._take_headers(flags, stream_id, flags, payload)
        elif kind == _CONTINUATION:
            at, first_flags, begun = self._block
            self._take_headers(flags, at, first_flags, begun + payload)
        elif kind == _WINDOW_UPDATE:
            self._take_window(stream_id, struct.unpack(">I", payload)[0] & _WIDEST)
        elif kind == _SETTINGS and not flags & _ACK:
            self._take_settings(payload)
        elif kind == _PING and not flags & _ACK:
            self._write(_frame(_PING, _ACK, 0, payload))
        elif kind == _RST_STREAM:
            self._end(stream_id, UNAVAILABLE, f"the peer reset the call, code {struct.unpack('>I', payload)[0]}")
        elif kind == _GOAWAY:
            self.closed = True
            last: int = struct.unpack(">I", payload[:4])[0] & _WIDEST
            for passed_over in [number for number in self._streams if number > last]:
                self._end(passed_over, UNAVAILABLE, "the peer goes away")

    def _take_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._received += len(payload)
        if self._received > _WIDEST // 2:
            self._write(_frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", self._received)))
            self._received = 0
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        stream.received += len(payload)
        if stream.received > _WIDEST // 2:
            self._write(_frame(_WINDOW_UPDATE, 0, stream_id, struct.pack(">I", stream.received)))
            stream.received = 0
        if flags & _PADDED:
            payload = payload[1 : len(payload) - payload[0]]
        stream.parts.append(payload)
        stream.have += len(payload)
        if stream.have >= _PREFIX and stream.have >= stream.need:
            self._hand_over(stream_id, stream)
        if flags & _END_STREAM:
            self._end(stream_id, INTERNAL, "the answer ended without a status")

    def _hand_over(self, stream_id: int, stream: _Stream) -> None:
        """Hands whole messages over; keeps the beginning of the next one."""
        data = b"".join(stream.parts) if len(stream.parts) > 1 else stream.parts[0]
        at, have = 0, stream.have
        stream.need = 0
        while have - at >= _PREFIX:
            if data[at]:
                self._end(stream_id, INTERNAL, "a compressed message, which was not asked for")
                return
            end = at + _PREFIX + int.from_bytes(data[at + 1 : at + _PREFIX], "big")
            if end > have:
                stream.need = end - at
                break
            stream.consumer.message(data[at + _PREFIX : end])
            at = end
        stream.parts = [data[at:]] if at < have else []
        stream.have = have - at

    def _take_headers(self, flags: int, stream_id: int, first_flags: int, block: bytes) -> None:
        if not flags & _END_HEADERS:
            self._block = (stream_id, first_flags, block)
            return
        fields = self._decoder.decode(block)
        status = fields.get("grpc-status")
        if status is not None:
            self._end(
                stream_id, int(status) if status.isdecimal() else UNKNOWN, unquote(fields.get("grpc-message", ""))
            )
        elif fields.get(":status", "200") != "200":
            self._end(stream_id, UNAVAILABLE, f"the peer answers with HTTP status {fields[':status']}")
        elif first_flags & _END_STREAM:
            self._end(stream_id, INTERNAL, "the answer ended without a status")

    def _take_settings(self, payload: bytes) -> None:
        for name, value in struct.iter_unpack(">HI", payload):
            if name == _SET_WINDOW:
                for stream in self._streams.values():
                    stream.window += value - self._first_window
                self._first_window = value
            elif name == _SET_FRAME:
                self._frame_most = value
        self._write(_frame(_SETTINGS, _ACK, 0))
        self._flush()

    def _take_window(self, stream_id: int, more: int) -> None:
        if stream_id == 0:
            self._window += more
        elif stream_id in self._streams:
            self._streams[stream_id].window += more
        self._flush()

    # -- sending

    def _flush(self) -> None:
        """Sends of what waits as much as the windows allow; calls behind one whose own window is shut pass it."""
        waiting, self._blocked = self._blocked, deque()
        while waiting:
            stream_id, body, ends = waiting.popleft()
            stream = self._streams.get(stream_id)
            if stream is None:
                continue
            while body and (room := min(self._window, stream.window, self._frame_most)) > 0:
                part, body = body[:room], body[room:]
                self._window -= len(part)
                stream.window -= len(part)
                self._write(_frame(_DATA, _END_STREAM if ends and not body else 0, stream_id, part))
            if body:
                self._blocked.append((stream_id, body, ends))

    def _write(self, data: bytes) -> None:
        """Sends at the end of the loop's turn: the calls of one turn cost one system call."""
        if not self._unsent:
            self._loop.call_soon(self._send)
        self._unsent.append(data)

    def _send(self) -> None:
        unsent, self._unsent = self._unsent, []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(unsent) if len(unsent) > 1 else unsent[0])

    def _ping(self) -> None:
        """Breaks a connection that is silent though calls wait on it."""
        if not self._heard:
            self._fail("the peer is silent")
            self.close()
            return
        if not self._streams:
            self._pinger = self._loop.call_later(PING_EVERY_S, self._ping)
            return
        self._heard = False
        self._write(_frame(_PING, 0, 0, b"\0" * 8))
        self._pinger = self._loop.call_later(PING_ANSWERED_WITHIN_S, self._pinged)

    def _pinged(self) -> None:
        if not self._heard:
            self._ping()
            return
        self._pinger = self._loop.call_later(PING_EVERY_S, self._ping)

    # -- ends

    def _end(self, stream_id: int, code: int, text: str) -> None:
        stream = self._streams.pop(stream_id, None)
        if stream is not None:
            stream.consumer.ended(code, text)

    def _fail(self, why: str) -> None:
        self.closed = True
        streams, self._streams = self._streams, {}
        self._blocked.clear()
        for stream in streams.values():
            stream.consumer.ended(UNAVAILABLE, why)


async def connect(host: str, port: int, tls: ssl.SSLContext | None) -> Connection:
    """A connection. Raises OSError, which ssl.SSLError is."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    _, connection = await asyncio.get_running_loop().create_connection(
        lambda: Connection(authority, secure=tls is not None),
        host,
        port,
        ssl=tls,
        server_hostname=host if tls is not None else None,
    )
    return connection
