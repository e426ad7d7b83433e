"""What a request must have before it may run: the words that the handler and the two limiters share."""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.http.options import Params
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.lib.http import Request, Response

_BODY: Final = b"Too many requests, please try again later.\n"
_LONG_SUBRESOURCES: Final = frozenset(("attach", "exec", "proxy", "log", "portforward"))
_READING: Final = frozenset(("get", "list", "watch"))


class Overloaded(Exception):
    """The request is turned away; `retry_after_s` says when to come again, `headers` go into the answer."""

    def __init__(self, retry_after_s: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s
        self.headers = headers or {}

    def response(self) -> Response:
        """429 as upstream says it."""
        headers = {"Retry-After": str(self.retry_after_s), "X-Content-Type-Options": "nosniff", **self.headers}
        return Response(429, _BODY, "text/plain; charset=utf-8", headers)


class Ticket(Protocol):
    """A request's right to run, once `waiter` is None or done; `release` is called once, when it has ended."""

    waiter: "asyncio.Future[bool] | None"
    headers: Mapping[str, str]

    def release(self) -> None:
        """The request has ended."""


class Limiter(Protocol):
    """Hands out tickets."""

    def begin(self, info: RequestInfo, params: Params, user: UserInfo, *, body_bytes: int = 0) -> Ticket | None:
        """A ticket, which may have to wait; None: the request is not limited. Raises Overloaded.

        `body_bytes` are those of a body that is still to come.
        """

    async def wait(self, ticket: Ticket, request: Request, patience_s: float) -> None:
        """Returns when the ticket is good. Raises Overloaded."""


def is_long_running(info: RequestInfo) -> bool:
    """Whether the request has no end of its own: a watch, or a stream from a pod or a proxy."""
    return info.verb == "watch" or info.subresource in _LONG_SUBRESOURCES


def is_mutating(info: RequestInfo) -> bool:
    """Whether the request may change something, by its verb."""
    return info.verb not in _READING
