"""The plain limit: so many reads and so many writes at once, and not one more. What there is without fairness.

Source: apiserver pkg/server/filters/maxinflight.go.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from kubepy.apiserver.authn.user import PRIVILEGED_GROUP, UserInfo
from kubepy.apiserver.flowcontrol.limiting import Overloaded, Ticket, is_long_running, is_mutating
from kubepy.apiserver.http.options import Params
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.lib.http import Request

_RETRY_AFTER_S: Final = 1
_NO_HEADERS: Final[Mapping[str, str]] = {}


class Counter:
    """Requests of one kind that are under way; `limit` 0 means that there is none."""

    __slots__ = ("count", "dropped", "headers", "limit", "waiter")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = self.dropped = 0
        self.headers = _NO_HEADERS
        self.waiter: asyncio.Future[bool] | None = None

    def release(self) -> None:
        """One has ended."""
        self.count -= 1


class MaxInFlight:
    """A Limiter. Administrators pass, so that they can find out what is wrong."""

    def __init__(self, reading: int, mutating: int) -> None:
        self.reading = Counter(reading)
        self.mutating = Counter(mutating)

    def begin(self, info: RequestInfo, params: Params, user: UserInfo, *, body_bytes: int = 0) -> Counter | None:
        """See Limiter."""
        if is_long_running(info):
            return None
        counter = self.mutating if is_mutating(info) else self.reading
        if not counter.limit:
            return None
        if counter.count >= counter.limit and PRIVILEGED_GROUP not in user.groups:
            counter.dropped += 1
            raise Overloaded(_RETRY_AFTER_S)
        counter.count += 1
        return counter

    async def wait(self, ticket: Ticket, request: Request, patience_s: float) -> None:
        """Nobody waits here."""
