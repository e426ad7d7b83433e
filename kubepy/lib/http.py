"""The vocabulary of an HTTP service: a handler takes a Request and answers a Response, a Stream or an Upgrade.

The same handler is served over a socket (`lib/http_server.py`) and called directly in one process
(`client/transport.py`, the tests), so nothing here knows of sockets.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl

from multidict import CIMultiDict, CIMultiDictProxy

Headers = CIMultiDict[str] | CIMultiDictProxy[str]


class PeerCertificate(bytes):
    """A peer's certificate in DER; `issuers` are those that TLS has verified it by, up to the authority (DER, too)."""

    issuers: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Request:
    """One request, its body read whole.

    Where `receive` is not None, the rest of the body is still to come: awaiting it reads the body, at the caller's
    choice of the moment. `gone` tells whether the peer has hung up.
    `path` is the raw path, still percent-encoded, without the query; `peer_certificate` the DER bytes of the
    client's certificate, verified by TLS, or None; `context` is scratch space of the layers that it passes.
    """

    method: str
    path: str
    query: str = ""
    headers: Headers = field(default_factory=CIMultiDict)
    body: bytes = b""
    remote: str = ""
    peer_certificate: bytes | None = None
    context: dict[str, Any] = field(default_factory=dict)
    receive: "Callable[[], Awaitable[None]] | None" = None
    gone: "Callable[[], bool] | None" = None

    def params(self) -> dict[str, list[str]]:
        """Every query parameter with its values in order; empty values are kept."""
        parsed: dict[str, list[str]] = {}
        if self.query:
            for key, value in parse_qsl(self.query, keep_blank_values=True):
                parsed.setdefault(key, []).append(value)
        return parsed


@dataclass(slots=True)
class Response:
    """A whole answer; `body` may come in parts, which are written one after the other without joining.

    `on_sent` is called by the server when the peer has taken the answer, or never will.
    """

    status: int = 200
    body: bytes | Sequence[bytes] = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    on_sent: "Callable[[], None] | None" = None


@dataclass(slots=True)
class Stream:
    """An answer without an end known beforehand: `chunks` is iterated and closed by the server.

    The server stops reading `chunks` while the peer does not take what was written. Where `chunks` has a method
    `push_to`, it is given a function that writes a chunk at once, or answers False when the peer is slow: then the
    chunk is to come by the iteration.
    """

    chunks: AsyncIterator[bytes]
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Connection(Protocol):
    """The raw byte stream under an upgraded request."""

    async def read(self) -> bytes:
        """The next bytes; empty at the end of the stream."""

    async def write(self, data: bytes) -> None:
        """Hands over `data`, waiting while the peer is slow. Raises ConnectionError when it is gone."""

    async def close(self) -> None:
        """Ends the stream; what was written before is sent."""


@dataclass(slots=True)
class Upgrade:
    """A switch of protocols: after 101 with `headers`, `serve` owns the connection until it returns.

    With `is_told` the peer has only to listen: one that takes nothing for too long is cut off, as from a Stream.
    """

    serve: Callable[[Connection], Awaitable[None]]
    headers: Mapping[str, str]
    status: int = 101
    is_told: bool = False


Answer = Response | Stream | Upgrade
Handler = Callable[[Request], Awaitable[Answer]]
