"""Tokens of a service account: one serves many requests, and the next is asked for in time."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import orjson

from kubepy.api import resources
from kubepy.client.account import AccountTransport
from kubepy.client.client import Client
from kubepy.client.transport import Flow, Reply
from kubepy.lib.clock import SystemClock

PODS = resources.named("pods")


class Tokens:
    """A server that issues `token-1`, `token-2`, ... for an hour each, and takes those of `good`."""

    def __init__(self) -> None:
        self.issued = 0
        self.good: set[str] = set()
        self.shown: list[str] = []

    async def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if target.endswith("/token"):
            self.issued += 1
            self.good = {f"Bearer token-{self.issued}"}
            answer = {"spec": {"expirationSeconds": 3600}, "status": {"token": f"token-{self.issued}"}}
            return Reply(201, orjson.dumps(answer), {})
        self.shown.append(headers["Authorization"])
        status = 200 if headers["Authorization"] in self.good else 401
        return Reply(status, b'{"kind": "PodList", "items": []}' if status == 200 else b"{}", {})

    @asynccontextmanager
    async def stream(self, target: str, headers: Mapping[str, str]) -> AsyncIterator[Flow]:
        raise NotImplementedError
        yield

    async def close(self) -> None:
        """Nothing is held."""


class StandingClock(SystemClock):
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += seconds


def acting(server: Tokens, clock: StandingClock) -> Client:
    return Client(AccountTransport(server, Client(server), "kube-system", "loop", clock=clock))


def test_one_token_serves_many_requests_at_once() -> None:
    server = Tokens()
    client = acting(server, StandingClock())

    async def story() -> None:
        await asyncio.gather(*(client.list(PODS) for _ in range(5)))

    asyncio.run(story())
    assert (server.issued, set(server.shown)) == (1, {"Bearer token-1"})


def test_the_next_token_is_asked_for_before_the_last_one_expires() -> None:
    server, clock = Tokens(), StandingClock()
    client = acting(server, clock)

    async def story() -> None:
        await client.list(PODS)
        clock.advance(3600 * 0.7)
        await client.list(PODS)
        clock.advance(3600 * 0.2)
        await client.list(PODS)

    asyncio.run(story())
    assert server.shown == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


def test_a_token_that_is_not_taken_any_more_is_replaced() -> None:
    server = Tokens()
    client = acting(server, StandingClock())

    async def story() -> None:
        await client.list(PODS)
        server.good.clear()  # the account was made anew
        await client.list(PODS)

    asyncio.run(story())
    assert server.shown == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]
