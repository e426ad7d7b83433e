"""What a proxied server answers, as it is passed on: its redirects stay below the proxy, its CORS grants are dropped.

Left to clients: links inside of pages, which only relative ones survive.
Source: apimachinery pkg/util/proxy/{transport,upgradeaware}.go (rewriteURL, removeCORSHeaders).
"""

import posixpath
from urllib.parse import urlsplit, urlunsplit

from multidict import CIMultiDict

from kubepy.lib.http import Request, Response, Stream

_GRANTS = (
    "Access-Control-Allow-Credentials",
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Origin",
)
"""What another server may allow to pages of its own origin, it may not allow to pages of this one."""


def pass_on(answer: Response | Stream, request: Request, rest: str, authority: str) -> None:
    """Changes the answer's headers in place. `rest` is the path below the proxy, `authority` the other server's."""
    headers = CIMultiDict(answer.headers)
    for name in _GRANTS:
        headers.popall(name, None)
    location = headers.get("Location")
    if location:
        prefix = request.path.removesuffix(rest) if rest else request.path
        hosts = ("", authority, request.headers.get("Host", ""))
        headers["Location"] = rewritten_location(location, prefix, hosts)
    answer.headers = headers


def rewritten_location(location: str, prefix: str, hosts: tuple[str, ...]) -> str:
    """The place of a redirect: below `prefix` if it is absolute on one of `hosts`, else as it is."""
    parts = urlsplit(location)
    if parts.netloc not in hosts or not parts.path.startswith("/"):
        return location
    path = parts.path
    if not path.startswith(prefix):
        path = posixpath.join(prefix, posixpath.normpath(path).lstrip("/"))
        if parts.path.endswith("/") and not path.endswith("/"):
            path += "/"
    return urlunsplit(("", "", path, parts.query, parts.fragment))
