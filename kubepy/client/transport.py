"""How requests travel: over HTTPS, or straight into a handler of the same process. One behaviour, two ways.

Faults of the way itself (refused, reset, timed out, TLS) are `Unreachable`; whatever the server said, be it an
error, is an answer and no fault of the way.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from kubepy.lib.http import Handler, Request, Response, Stream
from kubepy.lib.kubeconfig import RestConfig
from kubepy.lib.tls import load_pem_pair

_REQUEST_TIMEOUT_S = 60.0
_CONNECT_TIMEOUT_S = 10.0
_RELOAD_CHECK_S = 10.0


class Unreachable(ConnectionError):
    """The request or its answer was lost on the way; a write may or may not have happened."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Flow:
    """An answer that keeps coming: iterate `chunks`; they end when the server ends them."""

    status: int
    chunks: AsyncIterator[bytes]


class Transport(Protocol):
    """What a Client sends its requests through. `target` is path and query, percent-encoded."""

    async def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """The whole answer. Raises Unreachable."""

    def stream(self, target: str, headers: Mapping[str, str]) -> AbstractAsyncContextManager[Flow]:
        """A GET whose answer is read as it comes. Raises Unreachable, also while it is read."""

    async def close(self) -> None:
        """Lets go of connections."""


class DirectTransport:
    """Calls a handler of the same process, as `user` (what the handler expects in `context["user"]`).

    `agent` is who it says to be, which is also who owns the fields that it writes.
    """

    def __init__(self, handler: Handler, user: object, *, agent: str = "kubepy") -> None:
        self._handler = handler
        self._user = user
        self._agent = {"User-Agent": agent}

    def _build(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Request:
        path, _, query = target.partition("?")
        return Request(method, path, query, CIMultiDict(self._agent, **headers), body, context={"user": self._user})

    async def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        answer = await self._handler(self._build(method, target, headers, body))
        if isinstance(answer, Response):
            whole = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
            return Reply(answer.status, whole, answer.headers)
        if isinstance(answer, Stream):
            parts = [chunk async for chunk in answer.chunks]
            return Reply(answer.status, b"".join(parts), answer.headers)
        raise Unreachable("the answer is a switch of protocols, which needs a connection")

    @asynccontextmanager
    async def stream(self, target: str, headers: Mapping[str, str]) -> AsyncIterator[Flow]:
        answer = await self._handler(self._build("GET", target, headers, b""))
        if isinstance(answer, Stream):
            try:
                yield Flow(answer.status, answer.chunks)
            finally:
                if (close := getattr(answer.chunks, "aclose", None)) is not None:
                    await close()
        elif isinstance(answer, Response):
            whole = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
            yield Flow(answer.status, _once(whole))
        else:
            raise Unreachable("the answer is a switch of protocols, which needs a connection")

    async def close(self) -> None:
        """Nothing is held."""


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


@dataclass(slots=True, eq=False)
class _Pool:
    """Connections made with one set of credentials; `users` are requests and streams that are under way on them."""

    session: aiohttp.ClientSession
    base: str
    token: Callable[[], str | None]
    users: int = 0
    retired: bool = False

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        token = self.token()
        return {**headers, "Authorization": f"Bearer {token}"} if token else dict(headers)

    async def leave(self) -> None:
        """One user less; the last one of a retired pool closes it."""
        self.users -= 1
        if self.retired and not self.users:
            await self.session.close()


class HttpTransport:
    """HTTPS with kept connections; credentials are read again when `load` finds that their files changed.

    What is under way goes on with the old ones: a closed session would leave its streams waiting for ever.
    """

    def __init__(self, load: Callable[[], RestConfig], *, watched: tuple[str, ...] = (), agent: str = "kubepy") -> None:
        self._load = load
        self._watched = watched
        self._agent = agent
        self._pool: _Pool | None = None
        self._stamps: tuple[float, ...] = ()
        self._checked_at = 0.0

    async def _enter(self) -> _Pool:
        """The pool to use now, with one user more: `leave` it."""
        now = time.monotonic()
        pool = self._pool
        if pool is None or now - self._checked_at > _RELOAD_CHECK_S:
            self._checked_at = now
            if pool is None or self._read_stamps() != self._stamps:
                pool = self._open()
                old, self._pool = self._pool, pool
                if old is not None:
                    old.retired = True
                    old.users += 1
                    await old.leave()
        pool.users += 1
        return pool

    def _read_stamps(self) -> tuple[float, ...]:
        return tuple(_changed_at(name) for name in self._watched)

    def _open(self) -> _Pool:
        config = self._load()
        if config.client_certificate_file and config.client_certificate_file not in self._watched:
            self._watched += (config.client_certificate_file,)
        self._stamps = self._read_stamps()
        connector = aiohttp.TCPConnector(
            ssl=tls_context(config) if config.server.startswith("https") else True,
            limit=0,
            socket_factory=_keepalive_socket,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": self._agent},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
            read_bufsize=1 << 18,
        )
        return _Pool(session, config.server, _token_source(config))

    async def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        timeout = aiohttp.ClientTimeout(total=_REQUEST_TIMEOUT_S, sock_connect=_CONNECT_TIMEOUT_S)
        async with (
            self._using() as pool,
            pool.session.request(
                method,
                URL(pool.base + target, encoded=True),
                headers=pool.headers(headers),
                data=body or None,
                timeout=timeout,
                allow_redirects=False,
            ) as reply,
        ):
            return Reply(reply.status, await reply.read(), reply.headers)

    @asynccontextmanager
    async def stream(self, target: str, headers: Mapping[str, str]) -> AsyncIterator[Flow]:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S)
        async with (
            self._using() as pool,
            pool.session.get(
                URL(pool.base + target, encoded=True),
                headers=pool.headers(headers),
                timeout=timeout,
                allow_redirects=False,
            ) as reply,
        ):
            yield Flow(reply.status, _guarded(reply))

    @asynccontextmanager
    async def _using(self) -> AsyncIterator[_Pool]:
        """A pool, for one request; faults of the way come out as Unreachable."""
        try:
            pool = await self._enter()
        except (OSError, ValueError) as error:
            raise Unreachable(f"credentials: {error}") from error
        try:
            yield pool
        except Unreachable:
            raise
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(f"{pool.base}: {error or type(error).__name__}") from error
        finally:
            await pool.leave()

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.session.close()
            self._pool = None
            await asyncio.sleep(0)  # lets the connector's transports see their end


async def _guarded(reply: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in reply.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Unreachable(f"{reply.url}: {error or type(error).__name__}") from error


def _keepalive_socket(info: aiohttp.AddrInfoType) -> socket.socket:
    """A socket on which a peer that vanished is noticed within half a minute, also under a silent watch."""
    family, kind, protocol, _, _ = info
    channel = socket.socket(family=family, type=kind, proto=protocol)
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15)
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
    return channel


def _changed_at(name: str) -> float:
    try:
        return Path(name).stat().st_mtime
    except OSError:
        return 0.0


def _token_source(config: RestConfig) -> Callable[[], str | None]:
    if config.token_file is None:
        return lambda: config.token
    path = Path(config.token_file)
    read_at, token = 0.0, ""

    def current() -> str | None:
        nonlocal read_at, token
        if time.monotonic() - read_at > _RELOAD_CHECK_S or not token:
            read_at, token = time.monotonic(), path.read_text().strip()
        return token

    return current


def tls_context(config: RestConfig) -> ssl.SSLContext:
    """The TLS side of a client: whom it trusts and how it shows itself."""
    context = ssl.create_default_context(cadata=config.ca.decode() if config.ca else None)
    if config.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if config.client_certificate and config.client_key:
        load_pem_pair(context, config.client_certificate, config.client_key)
    return context
