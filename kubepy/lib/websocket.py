"""WebSocket for a server that speaks on a raw connection: the handshake's answer, frames in both directions.

Sans I/O in Frames; WebSocket puts it on a Connection. Source: RFC 6455.
"""

import asyncio
import base64
import hashlib
import struct
from collections import deque
from contextlib import suppress

from kubepy.lib.http import Connection

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_CONTINUATION = 0
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_LIMIT = 8 << 20
_GOODBYE_WITHIN_S = 3.0


class WebSocketFault(ConnectionError):
    """The peer broke the protocol."""


def accept_key(key: str) -> str:
    """The answer to Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1(key.encode() + _MAGIC, usedforsecurity=False).digest()).decode()


def encode(opcode: int, payload: bytes) -> bytes:
    """One whole unmasked frame, as a server sends it."""
    size = len(payload)
    if size < 126:
        head = struct.pack(">BB", 0x80 | opcode, size)
    elif size < 1 << 16:
        head = struct.pack(">BBH", 0x80 | opcode, 126, size)
    else:
        head = struct.pack(">BBQ", 0x80 | opcode, 127, size)
    return head + payload


class Frames:
    """Takes bytes, gives whole messages; fragments are put together."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._message = bytearray()
        self._opcode = 0

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """(opcode, payload) of every message that `data` completes. Raises WebSocketFault."""
        self._buffer += data
        found = []
        while (frame := self._next()) is not None:
            fin, opcode, payload = frame
            if opcode >= CLOSE:
                found.append((opcode, payload))
                continue
            if opcode != _CONTINUATION:
                self._opcode = opcode
                self._message.clear()
            self._message += payload
            if len(self._message) > _LIMIT:
                raise WebSocketFault(f"message of more than {_LIMIT} bytes is too large")
            if fin:
                found.append((self._opcode, bytes(self._message)))
                self._message.clear()
        return found

    def _next(self) -> tuple[bool, int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, at = buffer[1] & 0x7F, 2
        if size == 126:
            size, at = int.from_bytes(buffer[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(buffer[2:10], "big"), 10
        if size > _LIMIT:
            raise WebSocketFault(f"frame of {size} bytes is too large")
        masked = bool(buffer[1] & 0x80)
        end = at + (4 if masked else 0) + size
        if len(buffer) < end or len(buffer) < at:
            return None
        payload = bytes(buffer[end - size : end])
        if masked:
            payload = _unmask(payload, bytes(buffer[at : at + 4]))
        head = buffer[0]
        del buffer[:end]
        return bool(head & 0x80), head & 0x0F, payload


def _unmask(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    pattern = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")).to_bytes(size, "big")


class WebSocket:
    """The server's end of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._frames = Frames()
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._closed = self._told = False

    async def receive(self) -> bytes | None:
        """The next message; None when the peer is gone or said goodbye."""
        while True:
            while self._waiting:
                opcode, payload = self._waiting.popleft()
                if opcode == CLOSE:
                    self._told = True
                    return None
                if opcode == PING:
                    await self._connection.write(encode(PONG, payload))
                elif opcode in (TEXT, BINARY):
                    return payload
            data = await self._connection.read()
            if not data:
                return None
            self._waiting.extend(self._frames.feed(data))

    async def send(self, payload: bytes, *, text: bool = False) -> None:
        await self._connection.write(encode(TEXT if text else BINARY, payload))

    async def close(self, code: int = 1000) -> None:
        """Says goodbye, lets the peer say it too, and ends the connection.

        A connection that ends with something unread is reset, and the peer may then never see what was sent last.
        """
        if self._closed:
            return
        self._closed = True
        with suppress(ConnectionError):
            await self._connection.write(encode(CLOSE, struct.pack(">H", code)))
            with suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE_WITHIN_S):
                    while not self._told and await self.receive() is not None:
                        continue
            await self._connection.close()


class Tunnel:
    """A byte stream in a WebSocket's binary messages: a Connection for another protocol."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def read(self) -> bytes:
        while (message := await self._socket.receive()) == b"":
            continue  # an empty message is no end: client-go sends one for an empty write
        return message or b""

    async def write(self, data: bytes) -> None:
        await self._socket.send(data)

    async def close(self) -> None:
        await self._socket.close()
