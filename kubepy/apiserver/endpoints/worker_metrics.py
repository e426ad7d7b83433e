"""/metrics of a server of several workers: whichever is asked answers for all of them.

Each worker tells its own numbers to who connects to its Unix socket, and sums them up with those of the others. A
worker that does not answer in time is left out, as one that is being started again is.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from kubepy.lib import log

_ANSWERS_WITHIN_S = 1.0
_CREDENTIALS = struct.Struct("3i")
_LEAST = frozenset(
    (
        b"process_start_time_seconds",
        b"process_max_fds",
        b"python_info",
        b"apiserver_storage_objects",
        b"apiserver_resource_objects",
        b"apiserver_flowcontrol_current_r",
    )
)
"""Of these, as of what ends so, a sum would say nothing: the least of all workers is told."""
_LEAST_ENDINGS = (b"_created", b"_info", b"_timestamp_seconds")
_log = log.get(__name__)


def listening_sockets(count: int) -> list[socket.socket]:
    """A socket for each worker, at addresses that the kernel picks and that no file stands for."""
    sockets = []
    for _ in range(count):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind("")
        sock.listen()
        sockets.append(sock)
    return sockets


class WorkerMetrics:
    """The metrics of one worker, `render`, and of its fellows at the sockets of the others."""

    def __init__(self, sockets: Sequence[socket.socket], index: int, render: Callable[[], bytes]) -> None:
        self._own = sockets[index]
        self._others = [sock.getsockname() for number, sock in enumerate(sockets) if number != index]
        self._render = render

    async def run(self) -> None:
        """Tells the others, until cancelled."""
        server = await asyncio.start_unix_server(self._tell, sock=self._own)
        async with server:
            await server.serve_forever()

    async def render_all(self) -> bytes:
        """The exposition text of all workers together."""
        found = await asyncio.gather(*map(self._ask, self._others))
        return merge([self._render(), *filter(None, found)])

    async def _tell(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            if _peer_uid(writer.get_extra_info("socket")) == os.getuid():
                writer.write(self._render())
            writer.close()
            await writer.wait_closed()

    async def _ask(self, address: bytes) -> bytes:
        loop, parts = asyncio.get_running_loop(), [b""]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
                async with asyncio.timeout(_ANSWERS_WITHIN_S):
                    await loop.sock_connect(sock, address)
                    while part := await loop.sock_recv(sock, 1 << 18):
                        parts.append(part)
            return b"".join(parts)
        except (OSError, TimeoutError) as fault:
            _log.warning("worker does not tell its metrics", error=fault)
            return b""


def _peer_uid(sock: socket.socket) -> int:
    """The user of the process at the other end."""
    packed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(packed)[1]
    return uid


def merge(texts: Iterable[bytes]) -> bytes:
    """One exposition of several of the same processes: samples of the same name and labels become their sum."""
    families: dict[bytes, dict[bytes, float]] = {}
    heads: dict[bytes, list[bytes]] = {}
    for text in texts:
        family = b""
        for line in text.splitlines():
            if line.startswith(b"# "):
                family = line.split(b" ", 3)[2]
                head = heads.setdefault(family, [])
                if line not in head:
                    head.append(line)
            elif line:
                sample, _, value = line.rpartition(b" ")
                known = families.setdefault(family, {})
                known[sample] = _both(sample, known.get(sample), float(value))
    lines = [line for family, head in heads.items() for line in (*head, *map(_line, families.get(family, {}).items()))]
    return b"\n".join(lines) + b"\n"


def _both(sample: bytes, known: float | None, value: float) -> float:
    if known is None:
        return value
    name = sample.partition(b"{")[0]
    return min(known, value) if name in _LEAST or name.endswith(_LEAST_ENDINGS) else known + value


def _line(sample: tuple[bytes, float]) -> bytes:
    return b"%b %b" % (sample[0], repr(sample[1]).replace("inf", "Inf").replace("nan", "NaN").encode())
