"""A refusal is believed once it was not made of what is old: another server, or another worker, may have written.

Who may do what is read from this process's caches, which follow the store. A request that was let in costs nothing
here; one that is refused makes sure, with one check of the store's revision that all share, that the caches have seen
everything that was acknowledged before it came, and is judged again if they had not.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter

from kubepy.api.errors import Forbidden, Timeout, Unauthorized
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.decision import Decision
from kubepy.apiserver.authz.metrics import AuthorizationMetrics
from kubepy.apiserver.http.handler import Authenticator, Authorizer
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.registry.engine import Engine
from kubepy.lib.http import Request
from kubepy.storage.base import Unavailable

_WITHIN_S = 1.0
"""How long a refusal waits for the store; without an answer it stands."""
CatchUp = Callable[[], Awaitable[bool]]


def catch_up_of(engine: Engine) -> CatchUp:
    """Brings the engine's caches to the store's present revision; whether one of them was behind."""

    async def catch_up() -> bool:
        with suppress(Unavailable, Timeout, TimeoutError):
            async with asyncio.timeout(_WITHIN_S):
                return await engine.catch_up()
        return False

    return catch_up


@dataclass(frozen=True, slots=True)
class SureAuthenticator:
    """The authenticator, asked again where its caches were behind."""

    authenticator: Authenticator
    catch_up: CatchUp

    async def authenticate(self, request: Request) -> UserInfo:
        """The user. Raises Unauthorized, Forbidden."""
        try:
            return await self.authenticator.authenticate(request)
        except (Unauthorized, Forbidden):
            if not await self.catch_up():
                raise
        return await self.authenticator.authenticate(request)


@dataclass(frozen=True, slots=True)
class SureAuthorizer:
    """The authorizer, asked again where its caches were behind."""

    authorizer: Authorizer
    catch_up: CatchUp
    metrics: AuthorizationMetrics

    async def authorize(self, user: UserInfo, info: RequestInfo) -> Decision:
        """The decision on a request."""
        started = perf_counter()
        decision = await self.authorizer.authorize(user, info)
        if not decision.allowed and await self.catch_up():
            decision = await self.authorizer.authorize(user, info)
        self.metrics.observe(decision, perf_counter() - started)
        return decision
