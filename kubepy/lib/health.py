"""The port on which a daemon says that it lives: /healthz, /livez, /readyz with their checks, and /metrics.

Source of the paths and texts: the Kubernetes API health endpoints page; component-base/metrics.
"""

import ssl
from collections.abc import Awaitable, Callable, Mapping

import prometheus_client

from kubepy.lib.http import Answer, Handler, Request, Response
from kubepy.lib.http_server import Server, serve

Check = Callable[[], str | None]
"""None when all is well, else what is wrong."""
Guard = Callable[[Request], Awaitable[Response | None]]
"""A refusal, or None: the request may pass."""

_TEXT = "text/plain; charset=utf-8"
_HEALTH = ("/healthz", "/livez", "/readyz")


def render_checks(path: str, query: str, checks: Mapping[str, Check]) -> Response:
    """The answer of a health path: `ok`, or each check's line with ?verbose or when one fails."""
    base, _, single = path.lstrip("/").partition("/")
    if single and single not in checks:
        return Response(404, b"404 page not found\n", _TEXT)
    chosen = {single: checks[single]} if single else checks
    faults = {name: fault for name, check in chosen.items() if (fault := check())}
    if not faults and "verbose" not in query:
        return Response(200, b"ok", _TEXT)
    lines = [f"[-]{name} failed: {faults[name]}" if name in faults else f"[+]{name} ok" for name in chosen]
    lines.append(f"{base} check {'failed' if faults else 'passed'}")
    return Response(500 if faults else 200, "\n".join(lines).encode() + b"\n", _TEXT)


def handler(checks: Mapping[str, Check], guard: Guard | None = None) -> Handler:
    """Health and metrics, to whom `guard` lets pass; to everyone without one."""

    async def answer(request: Request) -> Answer:
        if guard is not None and (refusal := await guard(request)) is not None:
            return refusal
        path = request.path.rstrip("/")
        if "/" + path.lstrip("/").split("/", 1)[0] in _HEALTH:
            return render_checks(path, request.query, checks)
        if path == "/metrics":
            return Response(200, prometheus_client.generate_latest(), prometheus_client.CONTENT_TYPE_LATEST)
        return Response(404, b"404 page not found\n", _TEXT)

    return answer


async def serve_health(
    *, host: str, port: int, tls: ssl.SSLContext | None, checks: Mapping[str, Check], guard: Guard | None = None
) -> Server | None:
    """The listening port, or None where `port` is 0: turned off."""
    if not port:
        return None
    return await serve(handler(checks, guard), host=host, port=port, tls=tls)
