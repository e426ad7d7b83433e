"""What a request is about, read off its method, path and query: the terms that authorization and audit speak in.

Pure and fast: one split of the path, no patterns. Nothing here says whether the resource exists.
Source: staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go.
"""

from dataclasses import dataclass
from urllib.parse import unquote

from kubepy.api.selectors import parse_field_selector
from kubepy.lib.http import Request

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_SUBRESOURCES = frozenset(("status", "finalize"))


@dataclass(slots=True)
class RequestInfo:
    """`name` is empty for a collection; `rest` is the raw path below a subresource (proxy), with its slash.

    For a path that is no resource's, `verb` is the method in small letters and only `path` is meant.
    """

    verb: str
    path: str
    is_resource: bool = False
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    rest: str = ""
    field_selector: str = ""
    label_selector: str = ""


def is_on(value: str) -> bool:
    """A boolean option of the query: all but "0" and "false" is true, the empty value of a bare `?watch` too.

    Source: apimachinery pkg/runtime/conversion.go.
    """
    return value != "0" and value.lower() != "false"


def parse_request_info(request: Request, params: dict[str, list[str]]) -> RequestInfo:
    """The RequestInfo of a request whose query is already parsed."""
    path = request.path
    parts = path.strip("/").split("/")
    prefix = parts[0]
    if (prefix == "api" and len(parts) >= 3) or (prefix == "apis" and len(parts) >= 4):
        return _of_resource(request, params, parts)
    return RequestInfo(request.method.lower(), unquote(path) if "%" in path else path)


def _of_resource(request: Request, params: dict[str, list[str]], raw: list[str]) -> RequestInfo:
    parts = unquote(request.path).strip("/").split("/") if "%" in request.path else raw
    info = RequestInfo(_VERBS.get(request.method, ""), request.path, True)
    if parts[0] == "apis":
        info.group, info.version, at = parts[1], parts[2], 3
    else:
        info.version, at = parts[1], 2
    if parts[at] == "watch" and len(parts) > at + 1:
        info.verb = "watch"
        at += 1
    if parts[at] == "namespaces" and len(parts) > at + 1:
        info.namespace = parts[at + 1]
        if len(parts) > at + 2 and parts[at + 2] not in _NAMESPACE_SUBRESOURCES:
            at += 2
    info.resource = parts[at]
    count = len(parts)
    if count > at + 1:
        info.name = parts[at + 1]
        if count > at + 2:
            info.subresource = parts[at + 2]
            if info.subresource == "proxy":
                info.rest = _raw_rest(request.path, at + 3)
            elif count > at + 3:
                info.rest = "/" + "/".join(raw[at + 3 :])
    if not info.name:
        _name_collection_verb(info, params)
    return info


def _raw_rest(path: str, count: int) -> str:
    """The path after its first `count` segments, its own trailing slash kept."""
    at = 0
    for _ in range(count):
        at = path.find("/", at + 1)
        if at < 0:
            return ""
    return path[at:]


def _name_collection_verb(info: RequestInfo, params: dict[str, list[str]]) -> None:
    if info.verb == "get":
        watch = params.get("watch")
        info.verb = "watch" if watch and is_on(watch[0]) else "list"
    elif info.verb == "delete":
        info.verb = "deletecollection"
    if info.verb not in ("list", "watch", "deletecollection"):
        return
    if selector := params.get("labelSelector"):
        info.label_selector = selector[0]
    if selector := params.get("fieldSelector"):
        info.field_selector = selector[0]
        if "metadata.name" in selector[0]:
            info.name = _selected_name(selector[0])


def _selected_name(selector: str) -> str:
    """The one name that a field selector leaves, for which a rule for that name is enough; empty if it leaves more.

    Read as the list or watch itself reads it: a name that stands in another term's value selects nothing.
    """
    try:
        name = parse_field_selector(selector).exact("metadata.name") or ""
    except ValueError:  # refused when it comes to be used
        return ""
    return "" if name in (".", "..") or "/" in name or "%" in name else name
