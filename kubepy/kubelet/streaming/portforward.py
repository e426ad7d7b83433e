"""Forward a client's connections into a pod: SPDY/3.1 (raw, or tunnelled in a WebSocket) and WebSocket channels.

Each connection has a data and an error stream. The socket is made inside the pod's network namespace by a thread that
steps in and out again, so that `localhost` is the pod's; nothing has to be installed in the pod.
Source: kubelet/pkg/cri/streaming/portforward; apimachinery/pkg/util/portforward.
"""

import asyncio
import ctypes
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from kubepy.kubelet.streaming.spdy import Opened, Pinged, Received, Reset, Spdy, data_frames
from kubepy.lib.http import Connection
from kubepy.lib.tasks import Scope
from kubepy.lib.websocket import WebSocket

_CLONE_NEWNET = 0x40000000
_CHUNK = 32 * 1024
_libc = ctypes.CDLL(None, use_errno=True)

SPDY_PROTOCOL = "portforward.k8s.io"
TUNNEL_PROTOCOL = "SPDY/3.1+portforward.k8s.io"
WEBSOCKET_PROTOCOLS = ("v4.channel.k8s.io", "portforward.k8s.io")


def _socket_in(netns: str) -> socket.socket:
    """A TCP socket that belongs to another network namespace. Blocks; the thread is as before afterwards."""
    if not netns:
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        other = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(other)
            try:
                return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            finally:
                _enter(own)
        finally:
            os.close(other)
    finally:
        os.close(own)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


async def dial(netns: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to localhost:port of the namespace (empty: the node's). Raises OSError."""
    raw = await asyncio.to_thread(_socket_in, netns)
    raw.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
        return await asyncio.open_connection(sock=raw)
    except OSError:
        raw.close()
        raise


@dataclass(slots=True)
class _Forward:
    """One forwarded connection."""

    port: int = 0
    data: int = 0
    error: int = 0
    started: bool = False
    received: "asyncio.Queue[bytes]" = field(default_factory=lambda: asyncio.Queue(64))


class SpdyForwarding:
    """Serves one client on a connection that carries SPDY/3.1."""

    def __init__(self, connection: Connection, netns: str) -> None:
        self._connection = connection
        self._netns = netns
        self._spdy = Spdy()
        self._forwards: dict[str, _Forward] = {}
        self._by_data: dict[int, _Forward] = {}
        self._scope = Scope()

    async def serve(self) -> None:
        """Until the client goes."""
        try:
            while data := await self._connection.read():
                for event in self._spdy.receive(data):
                    await self._handle(event)
        finally:
            await self._scope.close()

    async def _handle(self, event: object) -> None:
        match event:
            case Opened(stream, headers, _):
                await self._opened(stream, headers)
            case Received(stream, payload, fin) if stream in self._by_data:
                forward = self._by_data[stream]
                if payload:
                    await forward.received.put(payload)
                if fin:
                    await forward.received.put(b"")
            case Reset(stream) if stream in self._by_data:
                await self._by_data[stream].received.put(b"")
            case Pinged(answer):
                await self._connection.write(answer)

    async def _opened(self, stream: int, headers: object) -> None:
        assert isinstance(headers, dict)
        kind = headers.get("streamtype", "")
        # without an id, the streams of a pair have numbers that follow each other: error first
        key = headers.get("requestid") or str(stream if kind == "error" else stream - 2)
        if kind not in ("error", "data") or not headers.get("port", "").isdigit():
            await self._connection.write(self._spdy.reset(stream, 1))
            return
        await self._connection.write(self._spdy.reply(stream))
        forward = self._forwards.setdefault(key, _Forward())
        forward.port = int(headers["port"])
        if kind == "error":
            forward.error = stream
        else:
            forward.data = stream
            self._by_data[stream] = forward
        if forward.data and forward.error and not forward.started:
            forward.started = True
            self._scope.start(self._forward(key, forward), name=f"port-forward {forward.port}")

    async def _forward(self, key: str, forward: _Forward) -> None:
        fault = ""
        try:
            reader, writer = await dial(self._netns, forward.port)
        except OSError as error:
            fault = f"failed to connect to localhost:{forward.port} inside the pod: {error.strerror or error}"
        else:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._upward(forward, writer))
                group.create_task(self._downward(forward, reader))
        with suppress(ConnectionError):
            if fault:
                await self._connection.write(data_frames(forward.data, b"", fin=True))
            await self._connection.write(data_frames(forward.error, fault.encode(), fin=True))
        self._forwards.pop(key, None)
        self._by_data.pop(forward.data, None)

    async def _upward(self, forward: _Forward, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await forward.received.get():
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except OSError:
            return

    async def _downward(self, forward: _Forward, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._connection.write(data_frames(forward.data, data))
        with suppress(ConnectionError):
            await self._connection.write(data_frames(forward.data, b"", fin=True))
        await forward.received.put(b"")  # whoever still writes to it is let go


class WebSocketForwarding:
    """Serves a client that named its ports in the URL: channels 2n (data) and 2n + 1 (error) for the n-th port."""

    def __init__(self, socket: WebSocket, ports: Sequence[int], netns: str) -> None:
        self._socket = socket
        self._ports = ports
        self._netns = netns

    async def serve(self) -> None:
        """Until the client goes, or everything that it was forwarded to has ended: it is told so by the goodbye."""
        scope = Scope()
        writers: dict[int, asyncio.StreamWriter] = {}
        try:
            for index, port in enumerate(self._ports):
                told = struct.pack("<H", port)
                await self._socket.send(bytes((index * 2,)) + told)
                await self._socket.send(bytes((index * 2 + 1,)) + told)
            answering = set()
            for index, port in enumerate(self._ports):
                try:
                    reader, writers[index * 2] = await dial(self._netns, port)
                except OSError as error:
                    await self._socket.send(bytes((index * 2 + 1,)) + str(error).encode())
                    continue
                answering.add(scope.start(self._downward(index * 2, reader), name=f"port-forward {port}"))
            asking = scope.start(self._upward(writers), name="port-forward")
            while answering and not asking.done():
                done, _ = await asyncio.wait({asking, *answering}, return_when=asyncio.FIRST_COMPLETED)
                answering -= done
        finally:
            await scope.close()
            for writer in writers.values():
                writer.close()
            await self._socket.close()

    async def _upward(self, writers: Mapping[int, asyncio.StreamWriter]) -> None:
        with suppress(OSError):
            while (message := await self._socket.receive()) is not None:
                if message and message[0] in writers:
                    writers[message[0]].write(message[1:])
                    await writers[message[0]].drain()

    async def _downward(self, channel: int, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._socket.send(bytes((channel,)) + data)
