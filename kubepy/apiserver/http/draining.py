"""The end of a server that still listens: who comes too late is sent away with 429, who came in time is answered.

What tells of the server's health, and the server's own requests, are answered to the end.
Source: apiserver pkg/server/filters/with_retry_after.go.
"""

import asyncio

from kubepy.lib.http import Answer, Handler, Request, Response

_EXEMPT_PATHS = ("/readyz", "/livez", "/healthz", "/metrics")
_EXEMPT_AGENT = "kube-apiserver/"
_TOO_LATE = Response(
    429,
    b"The apiserver is shutting down, please try again later.\n",
    "text/plain; charset=utf-8",
    {"Connection": "close", "Retry-After": "5", "X-Content-Type-Options": "nosniff"},
)


class Draining:
    """A handler around another one; streams count as answered when they have begun."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._under_way = 0
        self._drained: asyncio.Event | None = None

    async def handle(self, request: Request) -> Answer:
        """The answer of the handler behind, or 429."""
        if request.path.startswith(_EXEMPT_PATHS) or request.headers.get("User-Agent", "").startswith(_EXEMPT_AGENT):
            return await self._handler(request)
        if self._drained is not None:
            return _TOO_LATE
        self._under_way += 1
        try:
            return await self._handler(request)
        finally:
            self._under_way -= 1
            if self._drained is not None and not self._under_way:
                self._drained.set()

    async def drain(self, grace_s: float) -> None:
        """Takes nothing new; returns when what is under way has been answered, or after `grace_s`."""
        drained = self._drained = self._drained or asyncio.Event()
        if not self._under_way:
            return
        try:
            async with asyncio.timeout(grace_s):
                await drained.wait()
        except TimeoutError:
            return
