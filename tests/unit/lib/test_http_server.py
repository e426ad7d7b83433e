"""The HTTP server over real sockets: bodies, limits, streams, upgrades, closing."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
import uvloop
from yarl import URL

from kubepy.lib.http import Answer, Connection, Handler, Request, Response, Stream, Upgrade
from kubepy.lib.http_limits import Limits
from kubepy.lib.http_server import Server, serve

SMALL = Limits(body_bytes=1000)


def on_server(
    handler: Handler,
    test: Callable[[aiohttp.ClientSession, str, Server], Awaitable[None]],
    limits: Limits = SMALL,
) -> None:
    async def run() -> None:
        server = await serve(handler, host="127.0.0.1", port=0, limits=limits)
        async with aiohttp.ClientSession() as session:
            await test(session, f"http://127.0.0.1:{server.port}", server)
        await server.close(1)

    uvloop.run(run())


async def echo(request: Request) -> Answer:
    return Response(
        201,
        request.method.encode() + b" " + request.path.encode() + b"?" + request.query.encode() + b" " + request.body,
        headers={"X-Said": request.headers.get("X-Say", "")},
    )


def test_request_reaches_the_handler_whole() -> None:
    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        async with session.post(f"{url}/a%2Fb?x=1&y", data=b"body", headers={"X-Say": "hi"}) as answer:
            assert answer.status == 201
            assert answer.headers["X-Said"] == "hi"
            assert answer.content_type == "application/json"
            assert await answer.read() == b"POST /a%2Fb?x=1&y body"
        async with session.get(f"{url}/again") as answer:
            assert await answer.read() == b"GET /again? "

    on_server(echo, test)


def test_chunked_and_compressed_bodies_are_read_whole() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"abc"

    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        async with session.post(url, data=chunks()) as answer:
            assert (await answer.read()).endswith(b" abcabcabc")
        packed = gzip.compress(b"z" * 900)
        async with session.post(url, data=packed, headers={"Content-Encoding": "gzip"}) as answer:
            assert (await answer.read()).endswith(b"z" * 900)

    on_server(echo, test)


def test_body_over_the_limit_is_refused() -> None:
    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        async with session.post(url, data=b"x" * 1001) as answer:
            assert answer.status == 413
            assert b"limit is 1000" in await answer.read()

    on_server(echo, test)


def test_large_answers_are_compressed_for_who_accepts_it() -> None:
    async def large(request: Request) -> Answer:
        return Response(200, [b"a" * 100_000, b"b" * 100_000])

    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        async with session.get(url, headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert len(await answer.read()) == 200_000
        async with session.get(url, headers={"Accept-Encoding": "identity"}) as answer:
            assert "Content-Encoding" not in answer.headers
            assert len(await answer.read()) == 200_000

    on_server(large, test)


def test_a_fault_of_the_handler_is_500_and_the_connection_goes_on() -> None:
    async def broken(request: Request) -> Answer:
        raise ZeroDivisionError

    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        for _ in range(2):
            async with session.get(url) as answer:
                assert answer.status == 500

    on_server(broken, test)


def test_stream_is_closed_when_the_peer_leaves() -> None:
    closed = asyncio.Event()

    async def ticking(request: Request) -> Answer:
        async def chunks() -> AsyncIterator[bytes]:
            try:
                yield b"first"
                await asyncio.Event().wait()
            finally:
                closed.set()

        return Stream(chunks())

    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        async with session.get(url) as answer:
            assert await answer.content.readexactly(5) == b"first"
            answer.close()
        await asyncio.wait_for(closed.wait(), 5)

    on_server(ticking, test)


def test_streams_end_cleanly_when_the_server_closes() -> None:
    async def ticking(request: Request) -> Answer:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"first"
            await asyncio.Event().wait()

        return Stream(chunks())

    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        async with session.get(url) as answer:
            assert await answer.content.readexactly(5) == b"first"
            await server.close(5)
            assert await answer.content.read() == b""

    on_server(ticking, test)


def test_streams_may_end_one_after_the_other() -> None:
    ended: list[str] = []

    async def ticking(request: Request) -> Answer:
        async def chunks() -> AsyncIterator[bytes]:
            try:
                yield b"first"
                await asyncio.Event().wait()
            finally:
                ended.append(request.path)

        return Stream(chunks())

    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        async with session.get(f"{url}/a") as one, session.get(f"{url}/b") as other:
            for answer in (one, other):
                assert await answer.content.readexactly(5) == b"first"
            closing = asyncio.ensure_future(server.close(5, spread_s=0.5))
            while not ended:
                await asyncio.sleep(0)
            assert len(ended) == 1
            await closing
            assert sorted(ended) == ["/a", "/b"]

    on_server(ticking, test)


def test_a_port_is_shared_with_those_who_share_theirs() -> None:
    async def run() -> None:
        first = await serve(echo, host="127.0.0.1", port=0, shares_port=True)
        second = await serve(echo, host="127.0.0.1", port=first.port, shares_port=True)
        with pytest.raises(OSError, match="address already in use"):
            await serve(echo, host="127.0.0.1", port=first.port)
        await asyncio.gather(first.close(1), second.close(1))

    uvloop.run(run())


@pytest.mark.parametrize("upgrades", [False, True])
def test_stream_that_begins_while_the_server_closes_ends_at_once(upgrades: bool) -> None:
    asked, answers = asyncio.Event(), asyncio.Event()

    async def late(request: Request) -> Answer:
        asked.set()
        await answers.wait()

        async def chunks() -> AsyncIterator[bytes]:
            yield b"first"
            await asyncio.Event().wait()

        async def serve_forever(connection: Connection) -> None:
            await asyncio.Event().wait()

        return Upgrade(serve_forever, {"Upgrade": "any"}) if upgrades else Stream(chunks())

    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        _, writer = await connect(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(asked.wait(), 5)
        closing = asyncio.ensure_future(server.close(60))
        await asyncio.sleep(0)
        answers.set()
        await asyncio.wait_for(closing, 10)
        writer.close()

    on_server(late, test)


def test_upgrade_whose_peer_is_gone_lets_go_of_what_it_holds() -> None:
    asked, let_go = asyncio.Event(), asyncio.Event()

    async def late(request: Request) -> Answer:
        asked.set()
        assert request.gone is not None
        while not request.gone():
            await asyncio.sleep(0)

        async def listen(connection: Connection) -> None:
            try:
                while await connection.read():
                    continue
            finally:
                let_go.set()

        return Upgrade(listen, {"Upgrade": "any"})

    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        _, writer = await connect(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(asked.wait(), 5)
        writer.transport.abort()
        await asyncio.wait_for(let_go.wait(), 5)

    on_server(late, test)


def test_stream_waits_for_a_slow_reader() -> None:
    produced = 0

    async def flood(request: Request) -> Answer:
        async def chunks() -> AsyncIterator[bytes]:
            nonlocal produced
            while produced < 2000:
                produced += 1
                yield b"x" * 65536

        return Stream(chunks())

    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        before = -1
        while produced != before:
            before = produced
            await asyncio.sleep(0.05)
        assert produced < 1000
        writer.close()

    on_server(flood, test)


def test_any_protocol_can_be_switched_to() -> None:
    async def shout(connection: Connection) -> None:
        while data := await connection.read():
            await connection.write(data.upper())

    async def upgrade(request: Request) -> Answer:
        return Upgrade(shout, {"Upgrade": request.headers["Upgrade"]})

    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        for name in ("SPDY/3.1", "websocket"):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            head = f"POST /exec HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: {name}\r\n"
            if name == "websocket":
                head = head.replace("POST", "GET")
            else:
                head += "Content-Length: 0\r\n"
            writer.write(f"{head}\r\n".encode())
            answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
            assert f"Upgrade: {name}\r\nConnection: Upgrade\r\n".encode() in answer
            for word in (b"one", b"two \x00\xff"):
                writer.write(word)
                assert await asyncio.wait_for(reader.readexactly(len(word)), 5) == word.upper()
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()

    on_server(upgrade, test)


LARGE = 64 << 20
"""More than any socket's buffers take."""


async def connect(server: Server, request: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=4096)
    writer.write(request)
    return reader, writer


def test_a_body_can_be_refused_before_it_has_come() -> None:
    async def refuse(request: Request) -> Answer:
        assert request.receive is not None
        return Response(403)

    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        reader, writer = await connect(server, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nhalf")
        assert (await reader.readline()).startswith(b"HTTP/1.1 403")
        writer.close()

    on_server(refuse, test, Limits(reads_ahead=False))


def test_a_body_that_is_read_late_is_limited_too() -> None:
    async def read(request: Request) -> Answer:
        if request.receive is not None:
            await request.receive()
        return Response(200, request.body)

    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        async with session.post(url, data=b"x" * 900) as answer:
            assert await answer.read() == b"x" * 900
        async with session.post(url, data=b"x" * 200_000) as answer:
            assert answer.status == 413
        reader, writer = await connect(server, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nhalf")
        writer.write_eof()
        assert b"200 OK" not in await reader.read()
        writer.close()

    on_server(read, test, Limits(reads_ahead=False, body_bytes=100_000))


def test_a_large_answer_is_sent_as_fast_as_it_is_taken_and_told_when_it_was() -> None:
    sent = asyncio.Event()

    async def answer(request: Request) -> Answer:
        return Response(200, [b"x" * 1024] * (LARGE // 1024), on_sent=sent.set)

    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        _, writer = await connect(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with session.get(url + "/other") as other:
            assert len(await other.read()) == LARGE
        assert sent.is_set()
        sent.clear()
        buffered = [transport.get_write_buffer_size() for transport in server._web._connections.values()]
        assert max(buffered) < 1 << 20  # of the one that nobody reads
        assert not sent.is_set()
        writer.close()

    on_server(answer, test)


def test_a_peer_that_takes_nothing_is_cut_off() -> None:
    sent = asyncio.Event()

    async def flow() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 100_000
        finally:
            sent.set()

    async def answer(request: Request) -> Answer:
        if request.path == "/stream":
            return Stream(flow())
        return Response(200, b"x" * LARGE, on_sent=sent.set)

    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        for path in (b"/", b"/stream"):
            _, writer = await connect(server, b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path)
            await asyncio.wait_for(sent.wait(), 20)
            sent.clear()
            writer.close()

    on_server(answer, test, Limits(stalled_s=0.1))


def test_a_head_without_end_is_refused() -> None:
    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        lines = b"".join(b"X-%d: %b\r\n" % (number, b"y" * 900) for number in range(20))
        reader, _ = await connect(server, b"GET / HTTP/1.1\r\n" + lines)
        assert (await reader.readline()).startswith(b"HTTP/1.1 431")
        async with session.get(url, headers={"X-Say": "y" * 5000}) as answer:
            assert len(answer.headers["X-Said"]) == 5000

    on_server(echo, test, Limits(head_bytes=10_000))


class Pushed:
    """Chunks that come by themselves, like a watch's: iterated over only where the peer is slow."""

    def __init__(self) -> None:
        self.write: Callable[[bytes], bool] | None = None
        self.left: asyncio.Queue[bytes] = asyncio.Queue()

    def push_to(self, write: Callable[[bytes], bool]) -> None:
        self.write = write

    def __aiter__(self) -> "Pushed":
        return self

    async def __anext__(self) -> bytes:
        return await self.left.get()


def test_stream_that_pushes_is_written_at_once_while_the_peer_reads() -> None:
    chunks = Pushed()

    async def stream(request: Request) -> Answer:
        return Stream(chunks)

    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 27)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        assert chunks.write is not None
        assert chunks.write(b"first")
        assert await reader.readuntil(b"first\r\n") == b"5\r\nfirst\r\n"
        taken = 0
        while chunks.write(b"x" * 65536):
            taken += 1
            assert taken < 1000, "a peer that does not read holds memory"
        chunks.left.put_nowait(b"last")
        assert (await reader.readuntil(b"last\r\n")).count(b"10000\r\n") == taken
        writer.close()

    on_server(stream, test)


def test_a_path_that_cannot_be_unescaped_is_refused() -> None:
    async def test(session: aiohttp.ClientSession, url: str, server: Server) -> None:
        for path in ("/a%", "/a%z1/b", "/%%41"):
            async with session.get(URL(url + path, encoded=True)) as answer:
                assert (answer.status, await answer.text()) == (400, "400 Bad Request")

    on_server(echo, test)


def test_a_peer_that_leaves_in_the_middle_of_its_body_leaves_nothing_behind() -> None:
    async def run() -> None:
        for limits in (Limits(), Limits(reads_ahead=False)):
            server = await serve(late, host="127.0.0.1", port=0, limits=limits)
            idle = len(asyncio.all_tasks())
            _, writer = await connect(server, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nhalf")
            await writer.drain()
            writer.close()
            async with asyncio.timeout(5):
                while len(asyncio.all_tasks()) > idle or not server._web.requests_count:
                    await asyncio.sleep(0.01)
            await server.close(1)

    async def late(request: Request) -> Answer:
        if request.receive is not None:
            await request.receive()
        return Response(200, request.body)

    uvloop.run(run())
