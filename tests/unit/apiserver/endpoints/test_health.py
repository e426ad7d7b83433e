"""Checks of life and of readiness, told one by one."""

import asyncio
from datetime import UTC, datetime

from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.endpoints.health import Check, Health
from kubepy.apiserver.http.negotiation import PLAIN
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.http.routing import Endpoint
from kubepy.apiserver.registry.context import Context
from kubepy.lib.http import Request, Response


class Paths:
    """The part of a router that health is put into."""

    def __init__(self) -> None:
        self.paths: dict[str, Endpoint] = {}


async def broken() -> str:
    return "no answer"


def ask(path: str, grace_s: float = 0.0) -> tuple[int, str]:
    router = Paths()
    checks = [Check("store", broken), Check("store-readiness", broken, ("readyz",))]
    Health(checks, livez_grace_s=grace_s).install(router)  # type: ignore[arg-type]
    info = RequestInfo("get", path)
    ctx = Context(Request("GET", path), info, {}, UserInfo("a"), PLAIN, datetime.now(UTC))
    answer = asyncio.run(router.paths[path](ctx))  # type: ignore[arg-type]
    assert isinstance(answer, Response)
    return answer.status, bytes(answer.body).decode()  # type: ignore[arg-type]


def test_what_fails_is_told_by_name() -> None:
    assert ask("/livez") == (500, "[-]store failed: reason withheld\nlivez check failed\n")
    status, text = ask("/readyz")
    assert (status, "store-readiness" in text) == (500, True)


def test_a_server_that_starts_counts_as_alive_and_not_as_ready() -> None:
    assert ask("/livez", 60) == (200, "ok")
    assert ask("/livez/store", 60) == (200, "ok")
    assert ask("/readyz", 60)[0] == 500
