"""/healthz, /livez and /readyz: named checks, told one by one with ?verbose, each at a path of its own.

Source: apiserver pkg/server/healthz/healthz.go.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from kubepy.apiserver.http.routing import Router
from kubepy.apiserver.registry.context import Context
from kubepy.lib import log
from kubepy.lib.http import Answer, Response

_TEXT = "text/plain; charset=utf-8"
_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Check:
    """`ask` answers an empty text when all is well, else what is not."""

    name: str
    ask: Callable[[], Awaitable[str]]
    of: tuple[str, ...] = ("healthz", "livez", "readyz")


class Health:
    """Answers for a list of checks; for `livez_grace_s` after the start, /livez finds nothing wrong."""

    def __init__(self, checks: list[Check], *, livez_grace_s: float = 0.0) -> None:
        self._checks = checks
        self._alive_until_s = time.monotonic() + livez_grace_s

    def install(self, router: Router) -> None:
        """Adds every path."""
        for tree in ("healthz", "livez", "readyz"):
            router.paths[f"/{tree}"] = self._endpoint(tree, None)
            for check in self._checks:
                if tree in check.of:
                    router.paths[f"/{tree}/{check.name}"] = self._endpoint(tree, check)

    def _endpoint(self, tree: str, one: Check | None) -> Callable[[Context], Awaitable[Answer]]:
        async def answer(ctx: Context) -> Answer:
            excluded = set(ctx.params.get("exclude") or ())
            checks = [one] if one else [c for c in self._checks if tree in c.of and c.name not in excluded]
            if tree == "livez" and time.monotonic() < self._alive_until_s:
                checks = [replace(check, ask=_nothing) for check in checks]
            return await _report(tree, checks, excluded, verbose="verbose" in ctx.params)

        return answer


async def _nothing() -> str:
    return ""


async def _report(tree: str, checks: list[Check], excluded: set[str], *, verbose: bool) -> Response:
    lines, failed = [], []
    for check in checks:
        fault = await check.ask()
        if fault:
            failed.append(check.name)
            lines.append(f"[-]{check.name} failed: reason withheld")
            _log.info("health check failed", check=check.name, why=fault)
        else:
            lines.append(f"[+]{check.name} ok")
    lines += [f"[+]{name} excluded: ok" for name in sorted(excluded)]
    text = "\n".join(lines) + "\n"
    headers = {"Cache-Control": "no-cache, private", "X-Content-Type-Options": "nosniff"}
    if failed:
        return Response(500, f"{text}{tree} check failed\n".encode(), _TEXT, headers)
    body = f"{text}{tree} check passed\n" if verbose else "ok"
    return Response(200, body.encode(), _TEXT, headers)
