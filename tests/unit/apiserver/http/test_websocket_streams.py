"""Logs over WebSocket, in the protocols that browsers offer."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
import uvloop
from aiohttp import WSMsgType

from kubepy.apiserver.http.websocket_streams import as_plain, is_websocket, log_upgrade
from kubepy.lib.http import Answer, Request, Stream
from kubepy.lib.http_limits import Limits
from kubepy.lib.http_server import serve


class Log:
    """Two pieces of a log; one that is followed goes on until it is closed."""

    def __init__(self, *, follows: bool) -> None:
        self.pieces = [b"\xff one\n", b"two\n"]
        self.follows = follows
        self.closed = asyncio.Event()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self.pieces:
            return self.pieces.pop(0)
        if self.follows:
            await asyncio.Event().wait()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed.set()


@pytest.mark.parametrize(
    ("protocol", "kind", "first"),
    [
        ("", WSMsgType.BINARY, b"\xff one\n"),
        ("binary.k8s.io", WSMsgType.BINARY, b"\xff one\n"),
        ("base64.binary.k8s.io", WSMsgType.TEXT, "/yBvbmUK"),
    ],
)
def test_a_log_comes_in_the_protocol_that_is_offered(protocol: str, kind: WSMsgType, first: bytes | str) -> None:
    async def test() -> None:
        log = Log(follows=False)

        async def handler(request: Request) -> Answer:
            assert is_websocket(request)
            assert not is_websocket(as_plain(request))
            return log_upgrade(request, Stream(log))

        server = await serve(handler, host="127.0.0.1", port=0)
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(
                    f"http://127.0.0.1:{server.port}/", protocols=(protocol,) if protocol else ()
                ) as socket,
            ):
                message = await socket.receive(5)
                assert (message.type, message.data) == (kind, first)
                await socket.receive(5)
                assert (await socket.receive(5)).type == WSMsgType.CLOSE
            assert log.closed.is_set()
        finally:
            await server.close()

    uvloop.run(test())


def test_a_log_ends_with_who_reads_it() -> None:
    async def test() -> None:
        log = Log(follows=True)

        async def handler(request: Request) -> Answer:
            return log_upgrade(request, Stream(log))

        server = await serve(handler, host="127.0.0.1", port=0)
        try:
            async with aiohttp.ClientSession() as session:
                socket = await session.ws_connect(f"http://127.0.0.1:{server.port}/")
                await socket.receive(5)
                await socket.close()
                async with asyncio.timeout(5):
                    await log.closed.wait()
        finally:
            await server.close()

    uvloop.run(test())


class Flood(Log):
    """A log that has always more."""

    async def __anext__(self) -> bytes:
        return bytes(1 << 20)


def test_who_never_reads_is_cut_off() -> None:
    async def test() -> None:
        log = Flood(follows=True)

        async def handler(request: Request) -> Answer:
            return log_upgrade(request, Stream(log))

        server = await serve(handler, host="127.0.0.1", port=0, limits=Limits(stalled_s=0.05))
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            async with asyncio.timeout(5):
                await log.closed.wait()
            writer.close()
        finally:
            await server.close()

    uvloop.run(test())
