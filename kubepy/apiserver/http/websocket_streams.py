"""Streams over WebSocket, for clients that can do nothing else (browsers): watches and logs.

A watch sends each event as a text message, whatever protocol was offered; a log its bytes as they come, in base64 for
who asks for that. What the client says is not heard. Faults before the stream begins are plain answers.
Source: apiserver pkg/endpoints/handlers/watch.go (HandleWS); apimachinery pkg/util/httpstream/wsstream/stream.go.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

from multidict import CIMultiDict

from kubepy.lib import tasks
from kubepy.lib.http import Connection, Request, Stream, Upgrade
from kubepy.lib.websocket import WebSocket, accept_key

_BINARY, _BASE64 = "binary.k8s.io", "base64.binary.k8s.io"


@dataclass(frozen=True, slots=True)
class _Framing:
    """How the chunks of a stream become messages."""

    messages: Callable[[bytes], Iterable[bytes]]
    is_text: bool


_LINES = _Framing(lambda chunk: chunk.splitlines(keepends=True), is_text=True)
_BYTES = _Framing(lambda chunk: (chunk,), is_text=False)
_ENCODED = _Framing(lambda chunk: (base64.b64encode(chunk),), is_text=True)


def is_websocket(request: Request) -> bool:
    """Whether a request asks to go on in WebSocket."""
    headers = request.headers
    return headers.get("Upgrade", "").lower() == "websocket" and "upgrade" in headers.get("Connection", "").lower()


def as_plain(request: Request) -> Request:
    """The same request without the wish to switch, for who answers it in between."""
    headers = CIMultiDict(
        (name, value)
        for name, value in request.headers.items()
        if name.lower() not in ("upgrade", "connection") and not name.lower().startswith("sec-websocket-")
    )
    return Request(request.method, request.path, request.query, headers, b"", request.remote, request.peer_certificate)


def watch_upgrade(request: Request, watch: Stream) -> Upgrade:
    """The events of a watch, one a message."""
    offers = _offers(request)
    return _upgrade(request, watch, offers[0] if offers else "", _LINES)


def log_upgrade(request: Request, log: Stream) -> Upgrade:
    """The bytes of a log in the protocol that was offered."""
    offers = _offers(request)
    protocol = next((offer for offer in offers if offer in (_BINARY, _BASE64)), "")
    return _upgrade(request, log, protocol, _ENCODED if protocol == _BASE64 else _BYTES)


def _offers(request: Request) -> list[str]:
    lines = request.headers.getall("Sec-WebSocket-Protocol", [])
    return [part.strip() for line in lines for part in line.split(",") if part.strip()]


def _upgrade(request: Request, stream: Stream, protocol: str, framing: _Framing) -> Upgrade:
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": accept_key(request.headers.get("Sec-WebSocket-Key") or ""),
        **({"Sec-WebSocket-Protocol": protocol} if protocol else {}),
    }

    async def serve(connection: Connection) -> None:
        socket = WebSocket(connection)
        ways = [
            tasks.spawn(_send(socket, stream.chunks, framing), name="websocket stream"),
            tasks.spawn(_listen(socket), name="websocket peer"),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await tasks.cancel(*ways)
            close = getattr(stream.chunks, "aclose", None)
            if close is not None:
                await close()
        await socket.close()

    return Upgrade(serve, headers, is_told=True)


async def _send(socket: WebSocket, chunks: AsyncIterator[bytes], framing: _Framing) -> None:
    async for chunk in chunks:
        for message in framing.messages(chunk):
            await socket.send(message, text=framing.is_text)


async def _listen(socket: WebSocket) -> None:
    """Returns when the peer goes away or says goodbye."""
    while await socket.receive() is not None:
        continue
