"""What a request is about, by its method, path and query."""

import pytest

from kubepy.apiserver.http.request_info import RequestInfo, parse_request_info
from kubepy.lib.http import Request


def info(method: str, target: str) -> RequestInfo:
    path, _, query = target.partition("?")
    request = Request(method, path, query)
    return parse_request_info(request, request.params())


@pytest.mark.parametrize(
    ("method", "target", "verb", "where"),
    [
        ("GET", "/api/v1/pods", "list", ("", "v1", "pods", "", "", "")),
        ("GET", "/api/v1/namespaces/a/pods", "list", ("", "v1", "pods", "", "a", "")),
        ("GET", "/api/v1/namespaces/a/pods?watch=true", "watch", ("", "v1", "pods", "", "a", "")),
        ("GET", "/api/v1/namespaces/a/pods?watch", "watch", ("", "v1", "pods", "", "a", "")),
        ("GET", "/api/v1/namespaces/a/pods?watch=0", "list", ("", "v1", "pods", "", "a", "")),
        ("GET", "/api/v1/watch/namespaces/a/pods", "watch", ("", "v1", "pods", "", "a", "")),
        ("GET", "/api/v1/namespaces/a/pods/p", "get", ("", "v1", "pods", "", "a", "p")),
        ("POST", "/api/v1/namespaces/a/pods", "create", ("", "v1", "pods", "", "a", "")),
        ("PUT", "/apis/apps/v1/namespaces/a/deployments/d", "update", ("apps", "v1", "deployments", "", "a", "d")),
        ("PATCH", "/api/v1/nodes/n/status", "patch", ("", "v1", "nodes", "status", "", "n")),
        ("DELETE", "/api/v1/nodes/n", "delete", ("", "v1", "nodes", "", "", "n")),
        ("DELETE", "/api/v1/nodes", "deletecollection", ("", "v1", "nodes", "", "", "")),
        ("GET", "/api/v1/namespaces", "list", ("", "v1", "namespaces", "", "", "")),
        ("GET", "/api/v1/namespaces/a", "get", ("", "v1", "namespaces", "", "a", "a")),
        ("PUT", "/api/v1/namespaces/a/finalize", "update", ("", "v1", "namespaces", "finalize", "a", "a")),
        ("GET", "/api/v1/namespaces/a/pods/p%20q/", "get", ("", "v1", "pods", "", "a", "p q")),
        ("GET", "/api/v1/pods?fieldSelector=metadata.name%3Dp", "list", ("", "v1", "pods", "", "", "p")),
        ("GET", "/api/v1/pods?fieldSelector=metadata.name!%3Dp", "list", ("", "v1", "pods", "", "", "")),
    ],
)
def test_resources_are_read_off_the_path(method: str, target: str, verb: str, where: tuple[str, ...]) -> None:
    found = info(method, target)
    assert found.is_resource
    assert found.verb == verb
    assert (found.group, found.version, found.resource, found.subresource, found.namespace, found.name) == where


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/healthz", "/version"]
)
def test_other_paths_are_no_resources(path: str) -> None:
    found = info("GET", path)
    assert (found.is_resource, found.verb, found.path) == (False, "get", path)


@pytest.mark.parametrize(
    ("selector", "name"),
    [
        ("metadata.name%3D%3Dp", "p"),
        ("type%3DOpaque,metadata.name%3Dp", "p"),
        ("type!%3Dx%5C,metadata.name%3Dp", ""),  # an escaped comma: all is of that one value, and nothing is selected
        ("metadata.name%3Dp,metadata.name!%3Dx%5C", ""),
        ("metadata.name%3Da%252Fb", ""),
        ("metadata.namespace%3Dp", ""),
    ],
)
def test_a_selector_names_an_object_only_if_it_selects_no_other(selector: str, name: str) -> None:
    assert info("GET", f"/api/v1/secrets?fieldSelector={selector}").name == name


def test_a_proxied_path_stays_as_it_was_sent() -> None:
    found = info("GET", "/api/v1/namespaces/a/services/https:s:1/proxy/x%2Fy/")
    assert (found.subresource, found.name, found.rest) == ("proxy", "https:s:1", "/x%2Fy/")
    assert info("GET", "/api/v1/nodes/n/proxy").rest == ""
