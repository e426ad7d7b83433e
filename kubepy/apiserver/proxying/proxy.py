"""Pass a request on to another server, and its answer back: plain ones as a stream, upgrades byte for byte.

Nothing of the caller's credentials goes on. An upgrade's protocol does not matter: SPDY and WebSocket look alike here.
Source: apimachinery pkg/util/proxy (UpgradeAwareHandler).
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from kubepy.apiserver.authn.chain import WEBSOCKET_TOKEN
from kubepy.lib import tasks
from kubepy.lib.http import Answer, Connection, Request, Response, Stream, Upgrade

_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade", "host",
     "content-length", "expect")
)  # fmt: skip
_PRIVATE = ("authorization", "impersonate-", "x-remote-user", "x-remote-uid", "x-remote-group", "x-remote-extra-")
"""What the headers begin with by which a caller says who it is. Cookies are between it and the other server."""
_PROTOCOLS = "Sec-WebSocket-Protocol"
_HEAD_MOST = 64 * 1024
_CHUNK = 64 * 1024


class BackendError(Exception):
    """The other server could not be reached, or made no sense."""


@dataclass(frozen=True, slots=True)
class Backend:
    """Where to; `tls` is None for plain HTTP. `timeout_s` is for the connection and the head of the answer.

    `server_name` is the name that its certificate must have, where that is not the host; `connector` keeps
    connections for the next request, else each has one of its own.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None
    timeout_s: float = 30.0
    server_name: str | None = None
    connector: aiohttp.BaseConnector | None = None

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def scheme(self) -> str:
        return "https" if self.tls is not None else "http"


def is_upgrade(request: Request) -> bool:
    """Whether a request asks to switch protocols."""
    return "upgrade" in request.headers.get("Connection", "").lower() and "Upgrade" in request.headers


async def forward(backend: Backend, request: Request, target: str, headers: CIMultiDict[str] | None = None) -> Answer:
    """The backend's answer to the request, sent to `target` (path and query, percent-encoded). Raises BackendError.

    `headers` go in the place of the request's own.
    """
    headers = forwarded_headers(request) if headers is None else headers
    if is_upgrade(request):
        return await _forward_upgrade(backend, request, target, headers)
    session = aiohttp.ClientSession(
        connector=backend.connector,
        connector_owner=backend.connector is None,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=backend.timeout_s)
    try:
        reply = await session.request(
            request.method,
            URL(f"{backend.scheme}://{backend.authority}{target}", encoded=True),
            headers=headers,
            data=request.body or None,
            ssl=backend.tls or False,
            server_hostname=backend.server_name,
            timeout=timeout,
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
    except (aiohttp.ClientError, OSError, TimeoutError, UnicodeError) as fault:  # UnicodeError: of a host's name
        await session.close()
        raise BackendError(_dial_fault(backend, fault)) from fault
    except asyncio.CancelledError:
        await session.close()
        raise
    answered: CIMultiDict[str] = CIMultiDict(
        (name, value) for name, value in reply.headers.items() if name.lower() not in _HOP_BY_HOP
    )
    kind = answered.pop("Content-Type", "")
    if request.method == "HEAD" or reply.status in (204, 304):
        reply.release()
        await session.close()
        return Response(reply.status, b"", kind, answered)
    return Stream(_Body(session, reply), reply.status, kind, answered)


class _Body:
    """The body of a reply as it comes; closing it lets go of the connection, iterated or not."""

    def __init__(self, session: aiohttp.ClientSession, reply: aiohttp.ClientResponse) -> None:
        self._session, self._reply = session, reply
        self._chunks = reply.content.iter_any()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._chunks.__anext__()
        except (aiohttp.ClientError, OSError) as fault:
            raise ConnectionResetError("backend is gone") from fault

    async def aclose(self) -> None:
        """Ends the exchange."""
        self._reply.close()
        await self._session.close()


def forwarded_headers(request: Request) -> CIMultiDict[str]:
    """The request's headers that are the other server's business."""
    kept: CIMultiDict[str] = CIMultiDict(
        (name, value)
        for name, value in request.headers.items()
        if (lower := name.lower()) not in _HOP_BY_HOP and not lower.startswith(_PRIVATE)
    )
    if WEBSOCKET_TOKEN in (protocols := kept.get(_PROTOCOLS, "")):
        others = [one for one in protocols.split(",") if not one.strip().startswith(WEBSOCKET_TOKEN)]
        kept[_PROTOCOLS] = ",".join(others).strip()
    if request.remote:
        before = request.headers.get("X-Forwarded-For")
        kept["X-Forwarded-For"] = f"{before}, {request.remote}" if before else request.remote
    return kept


async def _forward_upgrade(backend: Backend, request: Request, target: str, headers: CIMultiDict[str]) -> Answer:
    try:
        async with asyncio.timeout(backend.timeout_s):
            reader, writer = await asyncio.open_connection(
                backend.host,
                backend.port,
                ssl=backend.tls,
                server_hostname=backend.server_name if backend.tls else None,
                limit=_HEAD_MOST,
            )
    except (OSError, TimeoutError, UnicodeError) as fault:
        raise BackendError(_dial_fault(backend, fault)) from fault
    try:
        async with asyncio.timeout(backend.timeout_s):
            writer.write(_upgrade_head(backend, request, target, headers) + request.body)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            status, answered = parse_head(head)
            if status != 101:
                body = await _refusal(reader, answered)
                writer.close()
                return Response(status, body, answered.get("Content-Type", "text/plain"))
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as fault:
        writer.close()
        raise BackendError(f"unable to upgrade connection: {fault}") from fault

    async def serve(connection: Connection) -> None:
        await pump(connection, reader, writer)

    return Upgrade(serve, answered)


def _upgrade_head(backend: Backend, request: Request, target: str, headers: CIMultiDict[str]) -> bytes:
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {backend.authority}", "Connection: Upgrade"]
    lines.append(f"Upgrade: {request.headers['Upgrade']}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if request.body or request.method != "GET":  # a body that is not announced would be read as the next request
        lines.append(f"Content-Length: {len(request.body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def parse_head(head: bytes) -> tuple[int, CIMultiDict[str]]:
    """Status and headers of an answer. Raises ValueError."""
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status, *_ = first.split(" ", 2)
    if not version.startswith("HTTP/1."):
        raise ValueError(f"malformed HTTP response {first!r}")
    headers: CIMultiDict[str] = CIMultiDict()
    for line in filter(None, lines):
        name, _, value = line.partition(":")
        headers.add(name.strip(), value.strip())
    return int(status), headers


async def _refusal(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    length = headers.get("Content-Length")
    if length is not None:
        return await reader.readexactly(min(int(length), _HEAD_MOST))
    if headers.get("Transfer-Encoding", "").lower() == "chunked":
        size = int(await reader.readline() or b"0", 16)
        return await reader.readexactly(min(size, _HEAD_MOST))
    return await reader.read(_HEAD_MOST)


async def pump(connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies both ways until either side has ended and what it said is passed on."""

    async def out() -> bool:
        """Whether it was the backend that broke off: what it said before is still to be passed on."""
        with suppress(OSError):  # a peer that breaks off ends the tunnel like one that closes
            while data := await connection.read():
                if writer.is_closing():
                    return True
                writer.write(data)
                try:
                    await writer.drain()
                except OSError:
                    return True
        return False

    async def back() -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await connection.write(data)

    ways = [tasks.spawn(out(), name="tunnel out"), tasks.spawn(back(), name="tunnel back")]
    try:
        done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        if ways[0] in done and not ways[1].done():
            broke_off = ways[0].result()
            if not broke_off and writer.can_write_eof():
                writer.write_eof()
            if broke_off or writer.can_write_eof():
                await ways[1]
    finally:
        await tasks.cancel(*ways)
        writer.close()


def _dial_fault(backend: Backend, fault: BaseException) -> str:
    if isinstance(fault, TimeoutError):
        return f"dial tcp {backend.authority}: i/o timeout"
    inner = fault.os_error if isinstance(fault, aiohttp.ClientConnectorError) else fault
    if isinstance(inner, ConnectionRefusedError):
        return f"dial tcp {backend.authority}: connect: connection refused"
    return f"dial tcp {backend.authority}: {inner}"
