"""URLs: url, isURL and their parts.

Source: apiserver pkg/cel/library/urls.go; the rules of Go's net/url.
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, unquote_plus, urlsplit

from kubepy.apiserver.cel.errors import EvaluationError
from kubepy.apiserver.cel.registry import function, opaque, traversal

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})..?")
_UNESCAPED_IN_PATH = "/:@!$&'()*+,;=~%[]"


@opaque
@dataclass(frozen=True, slots=True)
class URL:
    """An absolute URI or an absolute path."""

    CEL_TYPE = "kubernetes.URL"
    text: str

    def parts(self) -> SplitResult:
        """What it is made of."""
        return urlsplit(self.text)


def fault_of(text: str) -> str | None:
    """Why a text is no URL, as Go says it; None when it is one."""
    why = None
    if not text:
        why = "empty url"
    elif any(ord(character) < 0x20 or ord(character) == 0x7F for character in text):
        return f'parse "{text}": net/url: invalid control character in URL'
    elif text.startswith(":"):
        why = "missing protocol scheme"
    elif not text.startswith("/") and not _SCHEME.match(text):
        why = "invalid URI for request"
    elif (bad := _BAD_ESCAPE.search(text)) is not None:
        why = f'invalid URL escape "{bad[0]}"'
    else:
        why = _authority_fault(text)
    return f'parse "{text}": {why}' if why else None


def _authority_fault(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as fault:
        if "IPv6" in str(fault):
            return "missing ']' in host"
        return f'invalid port "{_port_text(text)}" after host'
    host = parts.netloc.rpartition("@")[2]
    if host.count(":") > 1 and not host.startswith("["):
        return f'invalid port ":{host.rpartition(":")[2]}" after host'
    if " " in host:
        return 'invalid character " " in host name'
    return None


def _port_text(text: str) -> str:
    host = re.split(r"[/?#]", text.partition("//")[2], maxsplit=1)[0]
    return f":{host.rpartition(':')[2]}"


@function("url(string) kubernetes.URL", cost=traversal)
def parse(text: str) -> URL:
    if (why := fault_of(text)) is not None:
        raise EvaluationError(f"URL parse error during conversion from string: {why}")
    return URL(text)


@function("isURL(string) bool", cost=traversal)
def is_url(text: str) -> bool:
    return fault_of(text) is None


@function("kubernetes.URL.getScheme() string")
def get_scheme(url: URL) -> str:
    return url.parts().scheme


@function("kubernetes.URL.getHost() string")
def get_host(url: URL) -> str:
    return unquote(url.parts().netloc.rpartition("@")[2])


@function("kubernetes.URL.getHostname() string")
def get_hostname(url: URL) -> str:
    host = get_host(url)
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


@function("kubernetes.URL.getPort() string")
def get_port(url: URL) -> str:
    port = url.parts().port
    return "" if port is None else str(port)


@function("kubernetes.URL.getEscapedPath() string")
def get_escaped_path(url: URL) -> str:
    return quote(url.parts().path, safe=_UNESCAPED_IN_PATH)


@function("kubernetes.URL.getQuery() map<string, list<string>>")
def get_query(url: URL) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pair in url.parts().query.split("&"):
        key, _, value = pair.partition("=")
        if pair and ";" not in pair:
            found.setdefault(unquote_plus(key), []).append(unquote_plus(value))
    return found
