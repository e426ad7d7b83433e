"""Headers that only web browsers look at: which pages may ask this server, and that it is to be asked by TLS only.

Source: apiserver pkg/server/filters/{cors,hsts}.go.
"""

import re
from collections.abc import Sequence

from multidict import CIMultiDict

from kubepy.lib.http import Answer, Handler, Request, Response

_CORS = {
    "Access-Control-Allow-Methods": "POST, GET, OPTIONS, PUT, DELETE, PATCH",
    "Access-Control-Allow-Headers": (
        "Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token, Authorization, X-Requested-With, "
        "If-Modified-Since"
    ),
    "Access-Control-Expose-Headers": "Date",
    "Access-Control-Allow-Credentials": "true",
}


def origin_fault(pattern: str) -> str:
    """What is wrong with the pattern of an origin; empty if it is good."""
    if not pattern:
        return "empty value in --cors-allowed-origins"
    why = ""
    try:
        re.compile(pattern)
    except re.error as fault:
        why = str(fault)
    else:
        if not (("^" in pattern or "//" in pattern) and ("$" in pattern or ":" in pattern)):
            why = "regular expression does not pin to start/end of host in the origin header"
    return f"--cors-allowed-origins has an invalid regular expression: {why}" if why else ""


def cross_origin(patterns: Sequence[str], handler: Handler) -> Handler:
    """The handler, for pages of the origins that some pattern is found in, too."""
    if not patterns:
        return handler
    allowed = [re.compile(pattern) for pattern in patterns]

    async def handle(request: Request) -> Answer:
        origin = request.headers.get("Origin", "")
        if not origin or not any(pattern.search(origin) for pattern in allowed):
            return await handler(request)
        headers = {"Access-Control-Allow-Origin": origin, **_CORS}
        if request.method == "OPTIONS":
            return Response(204, b"", "", headers)
        return _with(await handler(request), headers)

    return handle


def strict_transport(directives: Sequence[str], handler: Handler) -> Handler:
    """The handler, its answers with the header Strict-Transport-Security if there are directives for it."""
    if not directives:
        return handler
    headers = {"Strict-Transport-Security": "; ".join(directives)}

    async def handle(request: Request) -> Answer:
        return _with(await handler(request), headers)

    return handle


def _with(answer: Answer, headers: dict[str, str]) -> Answer:
    kept = CIMultiDict(answer.headers)
    kept.update(headers)
    answer.headers = kept
    return answer
