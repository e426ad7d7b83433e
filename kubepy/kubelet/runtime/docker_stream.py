"""The long answers of Docker's API: hijacked streams (exec, attach), logs and events, and calls that take minutes.

The docker SDK reads these in blocking threads; here they are plain asyncio streams over its Unix socket, so that a
hundred followed logs cost no thread. Every other call goes through the SDK (docker.py).
Source: Docker Engine API v1.41, "Attach to a container: hijacking, stream format".
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson

from kubepy.kubelet.runtime.base import RuntimeFault

_HEAD_LIMIT = 64 * 1024
_CHUNK = 32 * 1024
_LAST_WORDS_S = 0.5
STDOUT, STDERR = 1, 2


@dataclass(slots=True)
class RawStream:
    """An open answer of Docker's; `status` is HTTP's."""

    status: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    chunked: bool = False

    async def close(self) -> None:
        """Lets go of it."""
        self.writer.close()
        try:
            async with asyncio.timeout(1):
                await self.writer.wait_closed()
        except (OSError, TimeoutError):
            return

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        if not self.chunked:
            while data := await self.reader.read(_CHUNK):
                yield data
            return
        while size := int((await self.reader.readline()).split(b";")[0] or b"0", 16):
            yield await self.reader.readexactly(size)
            await self.reader.readline()

    async def body(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks()])


class DockerSocket:
    """Opens streams on Docker's Unix socket."""

    def __init__(self, path: str, version: str) -> None:
        self._path = path
        self._base = f"/v{version}" if version else ""

    async def open(
        self, method: str, path: str, params: Mapping[str, Any] | None = None, body: Any = None, *, hijack: bool = False
    ) -> RawStream:
        """Sends a request and reads the head of its answer. Raises RuntimeFault when Docker refuses."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._path, limit=1 << 20)
        except OSError as error:
            raise RuntimeFault(f"cannot reach Docker at {self._path}: {error}") from error
        payload = orjson.dumps(body) if body is not None else b""
        query = "?" + urlencode(params) if params else ""
        head = [
            f"{method} {self._base}{path}{query} HTTP/1.1",
            "Host: docker",
            "Content-Type: application/json",
            f"Content-Length: {len(payload)}",
            *(("Connection: Upgrade", "Upgrade: tcp") if hijack else ("Connection: close",)),
        ]
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + payload)
        stream = RawStream(0, reader, writer)
        try:
            await writer.drain()
            await _read_head(stream)
            if stream.status >= 400:  # HTTP's own line between answers and errors
                raise RuntimeFault(_message(await stream.body()))
        except (OSError, asyncio.IncompleteReadError) as error:
            await stream.close()
            raise RuntimeFault(f"Docker hung up: {error}") from error
        except (RuntimeFault, asyncio.CancelledError):
            await stream.close()
            raise
        return stream

    async def call(self, method: str, path: str, params: Mapping[str, Any] | None = None) -> bytes:
        """A whole answer, however long it takes."""
        stream = await self.open(method, path, params)
        try:
            return await stream.body()
        except (OSError, asyncio.IncompleteReadError) as error:
            raise RuntimeFault(f"Docker hung up: {error}") from error
        finally:
            await stream.close()


async def _read_head(stream: RawStream) -> None:
    head = (await stream.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    stream.status = int(head[0].split(" ", 2)[1])
    stream.chunked = any(line.lower().replace(" ", "") == "transfer-encoding:chunked" for line in head)


def _message(body: bytes) -> str:
    try:
        return str(orjson.loads(body)["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return body.decode(errors="replace").strip()


class Demultiplexer:
    """Splits Docker's framed stream into (stream number, bytes); feed it in any pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """What `data` completes; long frames come out in parts."""
        buffer = self._rest + data
        found = []
        while len(buffer) >= 8:
            kind, size = struct.unpack(">BxxxI", buffer[:8])
            if len(buffer) < 8 + size:
                break
            if size:
                found.append((STDERR if kind == STDERR else STDOUT, buffer[8 : 8 + size]))
            buffer = buffer[8 + size :]
        self._rest = buffer
        return found


async def demultiplexed(stream: RawStream, *, tty: bool) -> AsyncIterator[tuple[int, bytes]]:
    """The frames of a stream; a terminal's has none."""
    frames = Demultiplexer()
    try:
        async for data in stream.chunks():
            if tty:
                yield STDOUT, data
                continue
            for frame in frames.feed(data):
                yield frame
    except (ConnectionError, asyncio.IncompleteReadError):
        return


class DockerStdio:
    """The streams of an exec or of a container's own process (see Stdio)."""

    def __init__(
        self,
        stream: RawStream,
        *,
        tty: bool,
        resize: Callable[[int, int], Awaitable[None]],
        exit_code: Callable[[], Awaitable[int]],
        before: AsyncIterator[tuple[int, bytes]] | None = None,
        ended: bool = False,
    ) -> None:
        self.tty = tty
        self._before = before
        self._ended = ended
        self._stream = stream
        self._resize = resize
        self._exit_code = exit_code

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        if self._before is not None:
            async for frame in self._before:
                yield frame
            if self._ended:
                return  # that was all of it
        live = demultiplexed(self._stream, tty=self.tty)
        if not self._ended:
            async for frame in live:
                yield frame
            return
        # what the process wrote last is on its way, the stream's end may never come
        with suppress(TimeoutError, StopAsyncIteration):
            while True:
                async with asyncio.timeout(_LAST_WORDS_S):
                    frame = await anext(live)
                yield frame

    def _takes_input(self) -> bool:
        return not (self._stream.writer.is_closing() or self._stream.reader.at_eof())

    async def write(self, data: bytes) -> None:
        if not self._takes_input():
            raise ConnectionResetError("the process has ended")
        self._stream.writer.write(data)
        await self._stream.writer.drain()

    async def close_input(self) -> None:
        try:
            if self._takes_input() and self._stream.writer.can_write_eof():
                self._stream.writer.write_eof()
        except OSError:
            return

    async def resize(self, width: int, height: int) -> None:
        await self._resize(width, height)

    async def exit_code(self) -> int:
        return await self._exit_code()

    async def close(self) -> None:
        await self._stream.close()
