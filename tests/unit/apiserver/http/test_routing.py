"""Requests are answered only as what they were authorized as."""

import pytest

from tests.unit.apiserver.asking import Asker, on_server

BINDINGS = "/api/v1/namespaces/default/bindings"
BINDING = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["nodes/n/proxy/run/a/b/c", "namespaces/default/pods/p/proxy/x"])
def test_the_watch_paths_of_old_lead_to_no_subresource(method: str, path: str) -> None:
    """They are authorized as watch whatever the method: behind a proxy, a write would count as reading."""

    async def test(ask: Asker) -> None:
        told = await ask(method, f"/api/v1/watch/{path}")
        assert (told.status, told.message) == (404, "the server could not find the requested resource")

    on_server(test)


def test_what_is_answered_and_forgotten_has_no_name_and_no_subresource() -> None:
    """Else it would be authorized as that subresource."""

    async def test(ask: Asker) -> None:
        assert (await ask("POST", BINDINGS, BINDING)).message == 'pods "p" not found'
        for below in ("/p", "/p/status", "/p/scale"):
            told = await ask("POST", BINDINGS + below, BINDING)
            assert (told.status, told.message) == (404, "the server could not find the requested resource")

    on_server(test)


@pytest.mark.parametrize("query", ["", "&watch=true&timeoutSeconds=1&resourceVersion=0"])
def test_a_name_may_be_looked_for_in_all_namespaces(query: str) -> None:
    async def test(ask: Asker) -> None:
        for namespace in ("default", "kube-system"):
            made = {"metadata": {"name": f"in-{namespace}"}}
            assert (await ask("POST", f"/api/v1/namespaces/{namespace}/configmaps", made)).status == 201
        found = await ask("GET", f"/api/v1/configmaps?fieldSelector=metadata.name%3Din-default{query}")
        assert found.status == 200
        shown = [event["object"] for event in found.body] if query else found.body["items"]
        assert [obj["metadata"]["name"] for obj in shown] == ["in-default"]

    on_server(test)


def test_nothing_is_deleted_in_all_namespaces() -> None:
    async def test(ask: Asker) -> None:
        for query in ("", "?fieldSelector=metadata.name%3Da"):
            assert (await ask("DELETE", f"/api/v1/configmaps{query}")).status == 405

    on_server(test)
