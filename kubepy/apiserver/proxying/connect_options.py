"""The options of a connection to a pod, node or Service, as the object that admission is shown. Pure.

Source: pkg/apis/core/v1 (conversion of url.Values), apiserver pkg/endpoints/handlers/rest.go (ConnectResource).
"""

from collections.abc import Mapping

from kubepy.api.meta import Object
from kubepy.api.resources import Resource
from kubepy.apiserver.admission.kinds import kind_of
from kubepy.apiserver.http.options import first
from kubepy.apiserver.http.request_info import is_on

_FLAGS = ("stdin", "stdout", "stderr", "tty")


def stream_options(resource: Resource, subresource: str, params: Mapping[str, list[str]]) -> Object:
    """Of exec, attach and portforward."""
    options = _head(resource, subresource)
    if subresource == "portforward":
        ports = [int(port) for text in params.get("ports") or () for port in text.split(",") if port.isdigit()]
        return {**options, "ports": ports} if ports else options
    options |= {flag: True for flag in _FLAGS if flag in params and is_on(first(params, flag))}
    if container := first(params, "container"):
        options["container"] = container
    if command := params.get("command"):
        options["command"] = list(command)
    return options


def proxy_options(resource: Resource, rest: str) -> Object:
    """Of proxy; `rest` is the path on the other side."""
    options = _head(resource, "proxy")
    return {**options, "path": rest} if rest else options


def _head(resource: Resource, subresource: str) -> Object:
    kind = kind_of(resource, subresource)
    return {"kind": kind.kind, "apiVersion": kind.api_version}
