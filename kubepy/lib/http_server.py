"""Serve a Handler over sockets: aiohttp's low-level server below, our own thin writing of answers above.

Promises: bodies are read whole up to a limit; a slow peer stops what is read for it (back pressure both ways); a
Stream is closed when its peer goes away or the server shuts down; an Upgrade hands over the raw bytes whatever the
protocol's name. Answers are written straight to the transport: no response objects, no middleware.
Left to `http_tunnel.py`: the connection under an upgrade; to `http_limits.py`: what peers may send.
"""

import _ssl
import asyncio
import logging
import re
import socket
import ssl
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import ERROR, RequestHandler

from kubepy.lib.http import Answer, Handler, PeerCertificate, Request, Response, Stream, Upgrade
from kubepy.lib.http_limits import DEFAULT_LIMITS, BodyTooLarge, BrokenBody, Connections, Limits
from kubepy.lib.http_tunnel import Gone, Tunnel
from kubepy.lib.tls import bare_server_context

GZIP_FROM = 128 * 1024
"""Bytes from which an answer is compressed for who accepts it, as upstream does."""
_READ_AHEAD = 32 * 1024
"""Bytes of a body, or half of them, that are read before somebody asks for them."""
_SPREAD_STEP_S = 0.05
_PIECE = 256 * 1024
"""Bytes that are handed to the transport at once."""
_GZIP_THREAD_FROM = 512 * 1024
_log = logging.getLogger(__name__)
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")
_REASONS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class _Date:
    """The Date header's line, rendered once a second."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second, self._line = 0, ""

    def line(self) -> str:
        now = int(time.time())
        if now != self._second:
            self._second, self._line = now, f"Date: {formatdate(now, usegmt=True)}\r\n"
        return self._line


_date = _Date()


class _Exchange:
    """One request on a connection: what aiohttp's protocol needs of a request, and of its answer."""

    __slots__ = ("_task", "_watcher", "keep_alive", "message", "payload", "protocol", "writer")

    def __init__(self, message: Any, payload: Any, protocol: RequestHandler, writer: Any, task: Any) -> None:
        self.message, self.payload, self.protocol, self.writer = message, payload, protocol, writer
        self._task = task
        self._watcher: asyncio.Task[Any] | None = None
        self.keep_alive = not message.should_close

    def is_gone(self) -> bool:
        """Whether the peer has hung up."""
        return self.protocol.transport is None

    def guard(self, task: asyncio.Task[Any] | None) -> None:
        """`task` is cancelled when the peer goes away."""
        self._watcher = task

    def _cancel(self, exc: BaseException) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
        if self.payload is not None and not self.payload.is_eof():
            self.payload.set_exception(exc)  # whoever waits for the rest of the body waits in vain

    def _finish(self) -> None:
        self._watcher = None

    async def prepare(self, request: Any) -> None:
        """Nothing is left to do: the handler has written the answer."""

    async def write_eof(self) -> None:
        """See `prepare`."""


def _headers(answer: Response | Stream, extra: str) -> bytes:
    head = _REASONS.get(answer.status) or f"HTTP/1.1 {answer.status} \r\n"
    lines = "".join([f"{name}: {value}\r\n" for name, value in answer.headers.items()]) if answer.headers else ""
    kind = f"Content-Type: {answer.content_type}\r\n" if answer.content_type else ""
    return f"{head}{kind}{lines}{_date.line()}{extra}\r\n".encode("latin-1", "replace")


def _pieces(parts: Sequence[bytes], size: int) -> Iterator[bytes | memoryview]:
    """The parts in pieces of about `_PIECE` bytes: small ones joined; one that is all there is, cut."""
    if len(parts) == 1:
        view = memoryview(parts[0])
        yield from (view[at : at + _PIECE] for at in range(0, len(view), _PIECE))
        return
    count = max(1, len(parts) * _PIECE // max(size, 1))
    for at in range(0, len(parts), count):
        group = parts[at : at + count]
        yield group[0] if len(group) == 1 else b"".join(group)


def _gzip(parts: Sequence[bytes], size: int) -> list[bytes]:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    packed = [chunk for chunk in map(packer.compress, _pieces(parts, size)) if chunk]
    packed.append(packer.flush())
    return packed


_last_framed: tuple[bytes, bytes] = (b"", b"")


def _framed(chunk: bytes) -> bytes:
    """The chunk as HTTP frames it; streams that send the very same bytes, as watches do, share the result."""
    global _last_framed  # noqa: PLW0603  # a memory of one
    if _last_framed[0] is not chunk:
        _last_framed = (chunk, b"%x\r\n%b\r\n" % (len(chunk), chunk))
    return _last_framed[1]


def _write_now(protocol: RequestHandler, chunk: bytes) -> bool:
    """Writes a chunk of a stream that waits for more, unless the peer has yet to take what was written before."""
    if protocol._paused or protocol.transport is None:
        return False
    protocol.transport.write(_framed(chunk))
    return True


def _accepts_gzip(request: Request) -> bool:
    accepted = request.headers.get("Accept-Encoding")
    return accepted is not None and any(
        coding.strip().partition(";")[0] == "gzip" for coding in accepted.lower().split(",")
    )


class Server:
    """A listening server. `port` is the one that was bound."""

    def __init__(self, handler: Handler, *, limits: Limits, too_large: Callable[[int], Response]) -> None:
        self._handler = handler
        self._limits = limits
        self._too_large = too_large
        self._streams: set[asyncio.Task[Any]] = set()
        self._closing = False
        self._listeners: list[asyncio.Server] = []
        self._web = Connections(
            self._serve,  # an _Exchange is all that the protocol asks of a request
            head_limit=limits.head_bytes,
            request_factory=self._exchange,
            access_log=None,
            keepalive_timeout=180.0,
            max_line_size=limits.head_bytes,
            max_field_size=limits.head_bytes,
            lingering_time=2.0,
            read_bufsize=_READ_AHEAD,
        )
        self.port = 0

    async def listen(
        self,
        host: str | None,
        port: int,
        tls: ssl.SSLContext | None,
        sockets: Sequence[socket.socket] | None,
        *,
        shares_port: bool = False,
    ) -> None:
        loop = asyncio.get_running_loop()
        if sockets is None:
            listener = await loop.create_server(
                self._web, host or None, port, ssl=tls, backlog=1024, reuse_port=shares_port
            )
            self._listeners.append(listener)
        else:
            for sock in sockets:
                self._listeners.append(await loop.create_server(self._web, sock=sock, ssl=tls, backlog=1024))
        bound = [sock.getsockname() for listener in self._listeners for sock in listener.sockets]
        self.port = next((name[1] for name in bound if isinstance(name, tuple)), 0)

    async def close(self, grace_s: float = 10.0, *, spread_s: float = 0.0) -> None:
        """Stops accepting, ends streams and tunnels, lets requests in flight finish for `grace_s`, then closes all.

        Streams end one after the other in the course of `spread_s`, so that their clients do not all come back at once.
        """
        self._closing = True
        for listener in self._listeners:
            listener.close()
        streams = tuple(self._streams)
        steps = min(len(streams), max(1, int(spread_s / _SPREAD_STEP_S))) if spread_s else 1
        for step in range(steps):
            if step:
                await asyncio.sleep(spread_s / steps)
            for task in streams[step::steps]:
                if task in self._streams:
                    task.cancel()
        self._web.pre_shutdown()
        await self._web.shutdown(grace_s)

    def _exchange(self, message: Any, payload: Any, protocol: RequestHandler, writer: Any, task: Any) -> Any:
        if message is ERROR:  # bytes that are no HTTP: aiohttp answers by itself
            return web.BaseRequest(message, payload, protocol, writer, task, protocol._loop)
        return _Exchange(message, payload, protocol, writer, task)

    async def _serve(self, exchange: _Exchange) -> _Exchange:
        try:
            await self._answer(exchange)
        except ConnectionError:  # the peer went away: nobody is left to be told
            exchange.keep_alive = False
        return exchange

    async def _answer(self, exchange: _Exchange) -> None:
        protocol, message = exchange.protocol, exchange.message
        request = _request_of(exchange)
        answer: Answer
        try:
            payload = exchange.payload
            if payload is not None and not payload.at_eof():
                if self._limits.reads_ahead or payload.is_eof():
                    await self._receive(exchange, request)
                else:
                    request.receive = partial(self._receive, exchange, request)
            if "%" in request.path and _BAD_ESCAPE.search(request.path):
                answer = Response(400, b"400 Bad Request", "text/plain; charset=utf-8")
            else:
                answer = await self._handler(request)
        except BodyTooLarge as fault:
            answer = self._too_large(fault.limit)
        except BrokenBody as fault:
            answer = Response(400, f"{fault}\n".encode(), "text/plain; charset=utf-8")
        except Exception:  # the HTTP edge: whatever it is, the peer gets an answer
            _log.exception("request failed: %s %s", request.method, request.path)
            answer = Response(500, b"Internal Server Error\n", "text/plain; charset=utf-8")
        if protocol.transport is None:
            if isinstance(answer, Stream):
                await _close_chunks(answer)
            elif isinstance(answer, Response) and answer.on_sent is not None:
                answer.on_sent()
            elif isinstance(answer, Upgrade):
                await answer.serve(Gone())  # so that it lets go of what it holds, as when the peer leaves later
            raise ConnectionResetError("peer is gone")
        if isinstance(answer, Response):
            try:
                await self._respond(exchange, request, answer)
            finally:
                if answer.on_sent is not None:
                    answer.on_sent()
        elif isinstance(answer, Stream):
            await self._stream(exchange, request, answer, chunked=message.version >= (1, 1))
        else:
            await self._upgrade(exchange, answer)

    async def _receive(self, exchange: _Exchange, request: Request) -> None:
        request.receive = None
        try:
            request.body = await _read_body(exchange, request, self._limits.body_bytes)
        except (web.RequestPayloadError, HttpProcessingError, ConnectionError) as fault:
            exchange.keep_alive = False
            raise BrokenBody(str(fault)) from fault
        except BaseException:
            exchange.keep_alive = False  # where the next request begins is not known any more
            raise

    async def _drain(self, protocol: RequestHandler) -> None:
        """Returns when the peer has taken enough; one that takes nothing for too long is cut off."""
        transport = protocol.transport
        timer = protocol._loop.call_later(self._limits.stalled_s, _cut_off, transport)
        try:
            await protocol._drain_helper()
        finally:
            timer.cancel()

    async def _respond(self, exchange: _Exchange, request: Request, answer: Response) -> None:
        protocol = exchange.protocol
        body = answer.body
        parts: Sequence[bytes] = (body,) if isinstance(body, bytes) else body
        size = len(body) if isinstance(body, bytes) else sum(map(len, body))
        extra = "" if exchange.keep_alive and not self._closing else "Connection: close\r\n"
        if size > GZIP_FROM and _accepts_gzip(request) and "Content-Encoding" not in answer.headers:
            parts = await asyncio.to_thread(_gzip, parts, size) if size > _GZIP_THREAD_FROM else _gzip(parts, size)
            size = sum(map(len, parts))
            extra += "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n"
        transport = protocol.transport
        if transport is None:
            raise ConnectionResetError("peer is gone")
        bodiless = answer.status in (204, 304) or answer.status < 200
        head = _headers(answer, extra if bodiless else f"{extra}Content-Length: {size}\r\n")
        if bodiless or request.method == "HEAD" or not size:
            transport.write(head)
        elif size < 65536:
            transport.write(head + (parts[0] if len(parts) == 1 else b"".join(parts)))
        else:
            transport.write(head)
            await self._write(protocol, _pieces(parts, size))
        if protocol._paused:
            await self._drain(protocol)

    async def _write(self, protocol: RequestHandler, pieces: Iterator[bytes | memoryview]) -> None:
        """Writes no faster than the peer takes it, so that a slow one holds a piece of the answer, not all of it."""
        for piece in pieces:
            if protocol.transport is None:
                raise ConnectionResetError("peer is gone")
            protocol.transport.write(piece)
            if protocol._paused:
                await self._drain(protocol)

    async def _stream(self, exchange: _Exchange, request: Request, answer: Stream, *, chunked: bool) -> None:
        """Writes chunks as they come; ends when they do, when the peer goes, or when the server closes."""
        protocol = exchange.protocol
        exchange.keep_alive = exchange.keep_alive and chunked
        extra = "Transfer-Encoding: chunked\r\n" if chunked else "Connection: close\r\n"
        assert protocol.transport is not None
        protocol.transport.write(_headers(answer, extra))
        if request.method == "HEAD" or self._closing:  # the streams that were there have been ended already
            await _close_chunks(answer)
            if request.method != "HEAD" and chunked and protocol.transport is not None:
                protocol.transport.write(b"0\r\n\r\n")
            return
        task = asyncio.current_task()
        assert task is not None
        exchange.guard(task)
        self._streams.add(task)
        if chunked and (push_to := getattr(answer.chunks, "push_to", None)) is not None:
            push_to(partial(_write_now, protocol))
        try:
            async for chunk in answer.chunks:
                if not chunk:
                    continue
                transport = protocol.transport
                if transport is None:
                    raise ConnectionResetError("peer is gone")
                transport.write(_framed(chunk) if chunked else chunk)
                if protocol._paused:
                    await self._drain(protocol)
        except asyncio.CancelledError:
            if not self._closing and protocol.transport is not None:
                raise
            task.uncancel()
            exchange.keep_alive = False
        except Exception:  # the HTTP edge: the head is out, so cutting the connection is all that can be told
            _log.exception("stream failed: %s %s", request.method, request.path)
            exchange.keep_alive = chunked = False
        finally:
            exchange.guard(None)
            self._streams.discard(task)
            await _close_chunks(answer)
        if protocol.transport is None:
            raise ConnectionResetError("peer is gone")
        if chunked:
            protocol.transport.write(b"0\r\n\r\n")

    async def _upgrade(self, exchange: _Exchange, answer: Upgrade) -> None:
        protocol = exchange.protocol
        transport = protocol.transport
        assert transport is not None
        exchange.keep_alive = False
        head = _REASONS[answer.status] + "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        if "connection" not in {name.lower() for name in answer.headers}:
            head += "Connection: Upgrade\r\n"
        tail, protocol._message_tail = protocol._message_tail, b""
        stalled_s = self._limits.stalled_s if answer.is_told else None
        tunnel = Tunnel(transport, tail, on_lost=protocol.connection_lost, stalled_s=stalled_s)
        transport.set_protocol(tunnel)
        with suppress(RuntimeError):  # reading was not paused
            transport.resume_reading()
        transport.write(head.encode("latin-1") + b"\r\n")
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        if self._closing:  # the others have been told already
            task.cancel()
        try:
            await answer.serve(tunnel)
        except asyncio.CancelledError:
            if not self._closing:
                raise
            task.uncancel()
        except ConnectionError:
            pass  # the peer went away: that is an end like any other
        except Exception:  # the HTTP edge: the protocol was switched, so nothing can be told to the peer
            _log.exception("upgraded connection failed: %s", exchange.message.path)
        finally:
            self._streams.discard(task)
            await tunnel.close()


def _request_of(exchange: _Exchange) -> Request:
    protocol, message = exchange.protocol, exchange.message
    path, _, query = message.path.partition("?")
    if not path.startswith("/"):
        path = message.url.raw_path
    cache = protocol._cache
    peer = cache.get("kubepy_peer")
    if peer is None:
        peer = cache["kubepy_peer"] = _peer_of(protocol)
    return Request(message.method, path, query, message.headers, b"", peer[0], peer[1], gone=exchange.is_gone)


def _peer_of(protocol: RequestHandler) -> tuple[str, PeerCertificate | None]:
    """The peer's address and certificate; asked once a connection."""
    if protocol.transport is None:
        return "", None
    name = protocol.transport.get_extra_info("peername")
    tls = protocol.transport.get_extra_info("ssl_object")
    remote = str(name[0]) if isinstance(name, tuple) else ""
    return remote, _certificate_of(tls) if tls is not None else None


def _certificate_of(tls: ssl.SSLObject) -> PeerCertificate | None:
    der = tls.getpeercert(binary_form=True)
    if der is None:
        return None
    found = PeerCertificate(der)
    chain = tls._sslobj.get_verified_chain() or ()  # type: ignore[attr-defined]  # public only from Python 3.13 on
    found.issuers = tuple(one.public_bytes(_ssl.ENCODING_DER) for one in chain[1:])
    return found


async def _read_body(exchange: _Exchange, request: Request, limit: int) -> bytes:
    """The whole body (aiohttp's parser has unpacked it). Raises BodyTooLarge."""
    if (request.headers.get("Expect") or "").lower() == "100-continue" and exchange.protocol.transport is not None:
        exchange.protocol.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    payload = exchange.payload
    parts: list[bytes] = []
    size = 0
    while not payload.at_eof():
        chunk = await payload.readany()
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(limit)
        parts.append(chunk)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _cut_off(transport: asyncio.Transport | None) -> None:
    if transport is not None:
        transport.abort()


async def _close_chunks(answer: Stream) -> None:
    close: Callable[[], Awaitable[None]] | None = getattr(answer.chunks, "aclose", None)
    if close is not None:
        await close()


def _plain_too_large(limit: int) -> Response:
    return Response(413, f"Request entity too large: limit is {limit}\n".encode(), "text/plain; charset=utf-8")


async def serve(
    handler: Handler,
    *,
    host: str | None,
    port: int,
    tls: ssl.SSLContext | None = None,
    sockets: Sequence[socket.socket] | None = None,
    shares_port: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    too_large: Callable[[int], Response] = _plain_too_large,
) -> Server:
    """A server that listens already: on `sockets` if given, else on `host` (None: all addresses) and `port` (0: any).

    `shares_port` lets other processes that do the same bind the port, too.

    `tls` decides on client certificates: with CERT_OPTIONAL a request carries the certificate that was verified.
    """
    server = Server(handler, limits=limits, too_large=too_large)
    await server.listen(host, port, tls, sockets, shares_port=shares_port)
    return server


def server_tls(cert_file: str, key_file: str, client_ca: str | None = None, *, require: bool = False) -> ssl.SSLContext:
    """A server's TLS settings: TLS 1.2 and up; client certificates verified against the PEM file `client_ca`."""
    context = bare_server_context()
    context.load_cert_chain(cert_file, key_file)
    context.set_alpn_protocols(["http/1.1"])
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED if require else ssl.CERT_OPTIONAL
    return context


def headers_of(request: Request, *names: str) -> Mapping[str, str]:
    """Those of `names` that the request has, for passing on."""
    return {name: value for name in names if (value := request.headers.get(name)) is not None}
