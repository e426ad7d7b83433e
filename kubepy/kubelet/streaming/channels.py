"""The streams of exec and attach, on WebSocket or SPDY/3.1, behind one small interface.

WebSocket: the first byte of each message is its channel (0 stdin, 1 stdout, 2 stderr, 3 error, 4 resize); with
v5.channel.k8s.io, a message of 255 and a channel ends that channel. SPDY: one stream a channel, named in its headers.
The error channel carries how it ended: from v4 on a Status, before that plain text.
Source: apimachinery/pkg/util/remotecommand/constants.go; apiserver/pkg/util/wsstream; kubelet/pkg/cri/streaming.
"""

import asyncio
import base64
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from kubepy.kubelet.streaming.spdy import Opened, Pinged, Received, Reset, Spdy, data_frames
from kubepy.lib.http import Connection
from kubepy.lib.websocket import WebSocket

Status = Mapping[str, Any]

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
_CLOSE_SIGNAL = 255
_OPEN_TIMEOUT_S = 30.0

# the best comes first
WEBSOCKET_PROTOCOLS = (
    "v5.channel.k8s.io",
    "v4.channel.k8s.io",
    "v3.channel.k8s.io",
    "v2.channel.k8s.io",
    "channel.k8s.io",
    "v4.base64.channel.k8s.io",
    "base64.channel.k8s.io",
)
SPDY_PROTOCOLS = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which streams the client asked for."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


class Channels(Protocol):
    """One client's streams."""

    async def receive(self) -> tuple[int, bytes | None] | None:
        """(channel, bytes) of stdin or resize; bytes None is that channel's end; None is the client's."""

    async def send(self, channel: int, data: bytes) -> None:
        """Output. Raises ConnectionError."""

    async def finish(self, status: Status) -> None:
        """Tells how it ended and closes."""

    async def leave(self) -> None:
        """Closes when the client is done first."""


def _error_text(protocol: str, status: Status) -> bytes:
    if protocol.startswith(("v4.", "v5.")):
        return orjson.dumps(status)
    return b"" if status.get("status") == "Success" else str(status.get("message", "")).encode()


class WebSocketChannels:
    """See Channels."""

    def __init__(self, socket: WebSocket, protocol: str) -> None:
        self._socket = socket
        self._protocol = protocol
        self._base64 = "base64" in protocol

    async def greet(self, wanted: Wanted) -> None:
        """Clients wait for an empty message on the lowest output channel before they trust the connection."""
        await self.send(STDOUT if wanted.stdout else STDERR if wanted.stderr else ERROR, b"")

    async def receive(self) -> tuple[int, bytes | None] | None:
        while True:
            message = await self._socket.receive()
            if message is None:
                return None
            if not message:
                continue
            if self._base64:
                return message[0] - ord("0"), base64.b64decode(message[1:])
            if message[0] == _CLOSE_SIGNAL and self._protocol.startswith("v5.") and len(message) > 1:
                return message[1], None
            return message[0], message[1:]

    async def send(self, channel: int, data: bytes) -> None:
        if self._base64:
            await self._socket.send(bytes((channel + ord("0"),)) + base64.b64encode(data), text=True)
        else:
            await self._socket.send(bytes((channel,)) + data)

    async def finish(self, status: Status) -> None:
        with suppress(ConnectionError):
            if text := _error_text(self._protocol, status):
                await self.send(ERROR, text)
        await self._socket.close()

    async def leave(self) -> None:
        await self._socket.close()


_STREAM_TYPES = {"stdin": STDIN, "stdout": STDOUT, "stderr": STDERR, "error": ERROR, "resize": RESIZE}


class SpdyChannels:
    """See Channels. `open` must come first."""

    def __init__(self, connection: Connection, protocol: str, wanted: Wanted) -> None:
        self._connection = connection
        self._protocol = protocol
        self._spdy = Spdy()
        self._streams: dict[int, int] = {}
        self._channels: dict[int, int] = {}
        self._waiting: list[tuple[int, bytes | None]] = []
        self._expected = {ERROR}
        self._expected |= {STDIN} if wanted.stdin else set()
        self._expected |= {STDOUT} if wanted.stdout else set()
        self._expected |= {STDERR} if wanted.stderr and not wanted.tty else set()
        if wanted.tty and protocol.startswith(("v3.", "v4.")):
            self._expected.add(RESIZE)

    async def open(self) -> None:
        """Waits for the client to open its streams. Raises ConnectionError."""
        try:
            async with asyncio.timeout(_OPEN_TIMEOUT_S):
                while not self._expected <= self._channels.keys():
                    if not await self._read():
                        raise ConnectionError("the client left before it opened its streams")
        except TimeoutError as error:
            raise ConnectionError("timed out waiting for client to create streams") from error

    async def _read(self) -> bool:
        data = await self._connection.read()
        if not data:
            return False
        for event in self._spdy.receive(data):
            match event:
                case Opened(stream, headers, fin):
                    channel = _STREAM_TYPES.get(headers.get("streamtype", ""))
                    if channel is None:
                        await self._connection.write(self._spdy.reset(stream, 1))
                        continue
                    self._streams[stream], self._channels[channel] = channel, stream
                    await self._connection.write(self._spdy.reply(stream))
                    if fin and channel == STDIN:
                        self._waiting.append((channel, None))
                case Received(stream, payload, fin) if stream in self._streams:
                    if payload:
                        self._waiting.append((self._streams[stream], payload))
                    if fin:
                        self._waiting.append((self._streams[stream], None))
                case Reset(stream) if stream in self._streams:
                    self._waiting.append((self._streams[stream], None))
                case Pinged(answer):
                    await self._connection.write(answer)
        return True

    async def receive(self) -> tuple[int, bytes | None] | None:
        while True:
            while self._waiting:
                channel, data = self._waiting.pop(0)
                if channel in (STDIN, RESIZE):
                    return channel, data
            if not await self._read():
                return None

    async def send(self, channel: int, data: bytes) -> None:
        stream = self._channels.get(channel)
        if stream is not None and data:
            await self._connection.write(data_frames(stream, data))

    async def finish(self, status: Status) -> None:
        with suppress(ConnectionError):
            text = _error_text(self._protocol, status)
            for channel in (STDOUT, STDERR):
                if channel in self._channels:
                    await self._connection.write(data_frames(self._channels[channel], b"", fin=True))
            await self._connection.write(data_frames(self._channels[ERROR], text, fin=True))
            await self._linger()
            await self._connection.close()

    async def leave(self) -> None:
        await self._connection.close()

    async def _linger(self) -> None:
        """Lets the client read the end before the connection goes: it closes first when it has."""
        with suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                while await self._read():
                    continue
