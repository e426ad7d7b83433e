"""SPDY/3.1 framing, as far as kubectl's exec, attach and port-forward use it.

Sans I/O: bytes in, events out; methods answer the bytes to send. Header blocks are one zlib stream a direction with the
protocol's dictionary. There is no flow control: neither client-go nor upstream's kubelet has any on this protocol.
Source: the SPDY/3.1 draft; github.com/moby/spdystream.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

# fmt: off
_NAMES = (
    "options", "head", "post", "put", "delete", "trace", "accept", "accept-charset", "accept-encoding",
    "accept-language", "accept-ranges", "age", "allow", "authorization", "cache-control", "connection",
    "content-base", "content-encoding", "content-language", "content-length", "content-location", "content-md5",
    "content-range", "content-type", "date", "etag", "expect", "expires", "from", "host", "if-match",
    "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified", "location",
    "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "range", "referer", "retry-after",
    "server", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "vary", "via", "warning",
    "www-authenticate", "method", "get", "status", "200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie",
    "keep-alive", "origin",
)
# fmt: on
_TEXT = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative "
    "Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 "
    "Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec "
    "00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8"
    "charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = b"".join(struct.pack(">I", len(name)) + name.encode() for name in _NAMES) + _TEXT.encode()

_CONTROL = 0x8000
_VERSION = 3
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _HEADERS, _WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FIN = 1
FRAME_LIMIT = 1 << 20
_DATA_CHUNK = 32 * 1024


class SpdyFault(ConnectionError):
    """The peer does not speak SPDY/3.1; the connection is of no more use."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The peer opened a stream; header names are lower case."""

    stream: int
    headers: Mapping[str, str]
    fin: bool


@dataclass(frozen=True, slots=True)
class Received:
    """Data of a stream; with `fin`, its last."""

    stream: int
    data: bytes
    fin: bool


@dataclass(frozen=True, slots=True)
class Reset:
    """The peer ended a stream in both directions."""

    stream: int


@dataclass(frozen=True, slots=True)
class Pinged:
    """`answer` is to be sent back."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class WentAway:
    """The peer opens no more streams."""


Event = Opened | Received | Reset | Pinged | WentAway


class Spdy:
    """One side of a connection."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def receive(self, data: bytes) -> list[Event]:
        """What `data` completes. Raises SpdyFault."""
        self._buffer += data
        events: list[Event] = []
        while len(self._buffer) >= 8:
            size = int.from_bytes(self._buffer[5:8], "big")
            if size > FRAME_LIMIT:
                raise SpdyFault(f"frame of {size} bytes is too large")
            if len(self._buffer) < 8 + size:
                break
            head, payload = bytes(self._buffer[:8]), bytes(self._buffer[8 : 8 + size])
            del self._buffer[: 8 + size]
            event = self._frame(head, payload)
            if event is not None:
                events.append(event)
        return events

    def _frame(self, head: bytes, payload: bytes) -> Event | None:
        first, kind = struct.unpack(">HH", head[:4])
        flags = head[4]
        if not first & _CONTROL:
            return Received(int.from_bytes(head[:4], "big"), payload, bool(flags & FIN))
        if first & 0x7FFF != _VERSION:
            raise SpdyFault(f"SPDY version {first & 0x7FFF} is not supported")
        if kind == _SYN_STREAM:
            stream = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF
            return Opened(stream, self._headers(payload[10:]), bool(flags & FIN))
        if kind in (_SYN_REPLY, _HEADERS):
            self._headers(payload[4:])  # the compression's state must go on
            return None
        if kind == _RST_STREAM:
            return Reset(int.from_bytes(payload[:4], "big") & 0x7FFFFFFF)
        if kind == _PING:
            return Pinged(_control(_PING, 0, payload))
        if kind == _GOAWAY:
            return WentAway()
        return None

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            raw = self._inflate.decompress(block)
            (count,) = struct.unpack_from(">I", raw)
            at, found = 4, {}
            for _ in range(count):
                name, at = _text(raw, at)
                value, at = _text(raw, at)
                found[name.lower()] = value
            return found
        except (zlib.error, struct.error) as error:
            raise SpdyFault(f"bad header block: {error}") from error

    def _block(self, headers: Mapping[str, str]) -> bytes:
        raw = struct.pack(">I", len(headers))
        for name, value in headers.items():
            raw += struct.pack(">I", len(name)) + name.lower().encode()
            raw += struct.pack(">I", len(value)) + value.encode()
        return self._deflate.compress(raw) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def reply(self, stream: int) -> bytes:
        """Accepts a stream that the peer opened."""
        return _control(_SYN_REPLY, 0, struct.pack(">I", stream) + self._block({}))

    def open(self, stream: int, headers: Mapping[str, str]) -> bytes:
        """Opens a stream (a client's number is odd)."""
        return _control(_SYN_STREAM, 0, struct.pack(">IIH", stream, 0, 0) + self._block(headers))

    def reset(self, stream: int, status: int = 5) -> bytes:
        """Ends a stream in both directions; 5 is CANCEL."""
        return _control(_RST_STREAM, 0, struct.pack(">II", stream, status))

    def goaway(self, last_stream: int = 0) -> bytes:
        return _control(_GOAWAY, 0, struct.pack(">II", last_stream, 0))


def data_frames(stream: int, data: bytes, *, fin: bool = False) -> bytes:
    """Data of a stream; with `fin`, its last."""
    parts = [data[i : i + _DATA_CHUNK] for i in range(0, len(data), _DATA_CHUNK)] or [b""]
    made = b""
    for index, part in enumerate(parts):
        last = fin and index == len(parts) - 1
        made += struct.pack(">I", stream) + bytes((FIN if last else 0,)) + struct.pack(">I", len(part))[1:] + part
    return made


def _control(kind: int, flags: int, payload: bytes) -> bytes:
    return (
        struct.pack(">HH", _CONTROL | _VERSION, kind) + bytes((flags,)) + struct.pack(">I", len(payload))[1:] + payload
    )


def _text(raw: bytes, at: int) -> tuple[str, int]:
    (size,) = struct.unpack_from(">I", raw, at)
    return raw[at + 4 : at + 4 + size].decode(errors="replace"), at + 4 + size
