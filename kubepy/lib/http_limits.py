"""What peers may send, and for how long: aiohttp's protocol, bounded where it is not.

A head is bounded as a whole, not line by line only; a connection that is to be closed goes on reading the body of the
request that it finishes.
"""

from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

BODY_LIMIT = 3 * 1024 * 1024
"""Bytes of a request's body, decompressed; upstream's default MaxRequestBodyBytes."""
_HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    b"431 Request Header Fields Too Large"
)


class BodyTooLarge(Exception):
    """The request's body is longer than the server takes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"Request entity too large: limit is {limit}")
        self.limit = limit


class BrokenBody(Exception):
    """The request's body ended early, or is not what its headers say."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What peers may do, for how long."""

    body_bytes: int = BODY_LIMIT
    """Of a request's body, decompressed."""
    head_bytes: int = 1 << 20
    """Of a request's line and headers together, as Go's DefaultMaxHeaderBytes."""
    stalled_s: float = 60.0
    """How long a peer may take nothing of an answer before it is cut off."""
    reads_ahead: bool = True
    """Whether a body is read before the handler is called; otherwise the handler calls `Request.receive`."""


DEFAULT_LIMITS = Limits()


class Protocol(RequestHandler):
    """aiohttp's protocol, with a limit on all that may come before a request is complete."""

    __slots__ = ("_head_bytes", "_head_limit")

    def __init__(self, manager: Any, head_limit: int, **options: Any) -> None:
        super().__init__(manager, **options)
        self._head_limit = head_limit
        self._head_bytes = 0

    def data_received(self, data: bytes) -> None:
        if self._request_in_progress and (self._close or self._force_close):
            self._receive_the_rest(data)
            return
        super().data_received(data)
        if self._messages or self._request_in_progress:
            self._head_bytes = 0
            return
        self._head_bytes += len(data)
        if self._head_bytes > self._head_limit and self.transport is not None:
            self.transport.write(_HEAD_TOO_LARGE)
            self.force_close()

    def _receive_the_rest(self, data: bytes) -> None:
        """A connection that is to be closed goes on reading the body of the request that it finishes."""
        closing = self._close, self._force_close
        self._close = self._force_close = False
        try:
            super().data_received(data)
        finally:
            self._close, self._force_close = closing


class Connections(web.Server):
    """Makes our protocol for each connection."""

    def __init__(self, handler: Any, *, head_limit: int, **options: Any) -> None:
        super().__init__(handler, **options)
        self._head_limit = head_limit

    def __call__(self) -> RequestHandler:
        return Protocol(self, self._head_limit, loop=self._loop, **self._kwargs)
