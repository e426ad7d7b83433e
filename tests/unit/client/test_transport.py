"""How requests travel over HTTPS: credentials that rotate, tokens in files, ways that break."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from kubepy.client import transport
from kubepy.client.client import Client
from kubepy.client.transport import HttpTransport, Unreachable
from kubepy.lib import kubeconfig, pki
from kubepy.lib.http import Answer, Request, Response, Stream
from kubepy.lib.http_server import Server, serve
from kubepy.lib.kubeconfig import RestConfig
from kubepy.lib.tls import server_context

CA = pki.new_ca("test-ca")
SERVER = pki.issue(CA, "server", ips=("127.0.0.1",), client=False, server=True)


def tls() -> ssl.SSLContext:
    context = server_context(SERVER.certificate_pem, SERVER.key_pem)
    context.load_verify_locations(cadata=CA.certificate_pem.decode())
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


async def who(request: Request) -> Answer:
    """Tells the caller who it is."""
    if request.path == "/stream":
        return Stream(dripping())
    if request.peer_certificate is not None:
        subject = pki.x509.load_der_x509_certificate(request.peer_certificate).subject
        return Response(200, pki.common_name(subject).encode())
    return Response(200, (request.headers.get("Authorization") or "nobody").encode())


async def dripping() -> AsyncIterator[bytes]:
    yield b"first"
    await asyncio.Event().wait()


def as_user(name: str, server: str) -> RestConfig:
    leaf = pki.issue(CA, name)
    return RestConfig(
        server=server, ca=CA.certificate_pem, client_certificate=leaf.certificate_pem, client_key=leaf.key_pem
    )


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[str, Server]]:
    server = await serve(who, host="127.0.0.1", port=0, tls=tls())
    try:
        yield f"https://127.0.0.1:{server.port}", server
    finally:
        await server.close(0.1)


def run(test: Callable[[str, Server], Awaitable[None]]) -> None:
    async def body() -> None:
        async with asyncio.timeout(10), serving() as (url, server):
            await test(url, server)

    asyncio.run(body())


async def ask(client: Client) -> str:
    return (await client.request("GET", "/who")).body.decode()


def touch(path: Path, text: str) -> None:
    """Writes the file and makes sure that its time tells of it."""
    before = path.stat().st_mtime if path.exists() else 0.0
    path.write_text(text)
    os.utime(path, (before + 5, before + 5))


def test_a_certificate_that_was_rotated_is_shown_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_RELOAD_CHECK_S", 0.0)
    path = tmp_path / "kubeconfig"

    async def test(url: str, server: Server) -> None:
        path.write_text(kubeconfig.render(as_user("alice", url)))
        client = Client.from_kubeconfig(path)
        assert await ask(client) == "alice"
        touch(path, kubeconfig.render(as_user("bob", url)))
        assert await ask(client) == "bob"
        await client.close()

    run(test)


def test_a_certificate_file_that_the_kubeconfig_names_is_watched_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_RELOAD_CHECK_S", 0.0)
    pem, path = tmp_path / "client.pem", tmp_path / "kubeconfig"

    def rotate(name: str) -> None:
        leaf = pki.issue(CA, name)
        touch(pem, (leaf.certificate_pem + leaf.key_pem).decode())

    async def test(url: str, server: Server) -> None:
        text = kubeconfig.render(RestConfig(server=url, ca=CA.certificate_pem))
        path.write_text(text.replace("user: {}", "user: {client-certificate: client.pem, client-key: client.pem}"))
        rotate("system:node:a")
        client = Client.from_kubeconfig(path)
        assert await ask(client) == "system:node:a"
        rotate("system:node:b")
        assert await ask(client) == "system:node:b"
        await client.close()

    run(test)


def test_a_token_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_RELOAD_CHECK_S", 0.0)
    path = tmp_path / "token"

    async def test(url: str, server: Server) -> None:
        client = Client.from_config(RestConfig(server=url, ca=CA.certificate_pem, token_file=str(path)))
        for token in ("first", "second"):
            path.write_text(f"{token}\n")
            assert await ask(client) == f"Bearer {token}"
        await client.close()

    run(test)


def test_a_server_of_another_authority_is_not_talked_to() -> None:
    async def test(url: str, server: Server) -> None:
        client = Client.from_config(RestConfig(server=url, ca=pki.new_ca("other").certificate_pem, token="secret"))
        with pytest.raises(Unreachable, match="certificate verify failed"):
            await ask(client)
        insecure = Client.from_config(replace(RestConfig(server=url, token="t"), insecure=True))
        assert await ask(insecure) == "Bearer t"
        await client.close()
        await insecure.close()

    run(test)


def test_nobody_at_the_address_is_unreachable_and_told_where() -> None:
    async def test(url: str, server: Server) -> None:
        client = Client.from_config(as_user("alice", url))
        await server.close(0.1)
        with pytest.raises(Unreachable, match=url):
            await ask(client)
        await client.close()

    run(test)


def test_a_stream_that_breaks_off_is_unreachable() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await writer.drain()
        writer.transport.abort()

    async def read(way: HttpTransport) -> None:
        async with way.stream("/stream", {}) as flow:
            async for chunk in flow.chunks:
                assert chunk == b"first"

    async def scenario() -> None:
        server = await asyncio.start_server(cut, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        way = HttpTransport(lambda: RestConfig(server=f"http://127.0.0.1:{port}"))
        with pytest.raises(Unreachable):
            await read(way)
        await way.close()
        server.close()

    asyncio.run(scenario())


def test_a_stream_that_its_reader_leaves_is_closed() -> None:
    async def test(url: str, server: Server) -> None:
        way = HttpTransport(lambda: as_user("alice", url))
        async with way.stream("/stream", {}) as flow:
            assert await anext(flow.chunks) == b"first"
        await way.close()
        while server._streams:
            await asyncio.sleep(0.01)

    run(test)
