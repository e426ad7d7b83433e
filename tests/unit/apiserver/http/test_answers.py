"""What every answer looks like beside what it says: headers, the end of its line, the form of a fault."""

import pytest
from multidict import CIMultiDict

from kubepy.apiserver.server import ApiServer
from kubepy.lib.http import Request, Response
from tests.unit.apiserver.asking import Asker, on_server

NAMESPACE = "/api/v1/namespaces/default"
HTML = "text/html"


async def raw(server: ApiServer, path: str, **headers: str) -> tuple[Response, bytes]:
    target, _, query = path.partition("?")
    answer = await server.handler(Request("GET", target, query, CIMultiDict(headers), b""))
    assert isinstance(answer, Response)
    return answer, answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)


def test_nothing_is_to_be_kept_by_caches_unless_it_says_so() -> None:
    async def story(ask: Asker) -> None:
        for path in ("/version", "/api", "/apis", "/apis/apps/v1", "/metrics", "/nope", NAMESPACE):
            assert (await ask("GET", path)).headers["Cache-Control"] == "no-cache, private", path

    on_server(story)


def test_only_aggregated_discovery_has_a_tag() -> None:
    async def story(ask: Asker) -> None:
        aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        assert (await ask("GET", "/apis", accept=aggregated)).headers["ETag"]
        assert "ETag" not in (await ask("GET", "/apis")).headers

    on_server(story)


def test_json_ends_its_line_unless_it_is_indented() -> None:
    async def story(ask: Asker) -> None:
        for path in (NAMESPACE, "/api/v1/namespaces", "/apis", "/apis/apps/v1", "/api/v1/pods/none"):
            _, compact = await raw(ask.server, path)
            assert compact.endswith(b"}\n"), path
            assert compact.count(b"\n") == 1, path
            _, pretty = await raw(ask.server, f"{path}?pretty=true")
            assert pretty.startswith(b'{\n  "'), path
            assert pretty.endswith(b"\n}"), path

    on_server(story)


def test_the_index_is_indented_for_everybody() -> None:
    async def story(ask: Asker) -> None:
        _, body = await raw(ask.server, "/")
        assert body.startswith(b'{\n  "paths": [\n    "/",')

    on_server(story)


@pytest.mark.parametrize("path", ["/api/v1/nodes/none", "/api/v1/nodes/none/proxy"])
def test_a_fault_is_told_in_the_form_that_was_asked_for(path: str) -> None:
    async def story(ask: Asker) -> None:
        for headers, start in (
            ({}, b'{"kind":"Status"'),
            ({"User-Agent": "curl/8.0"}, b'{\n  "kind": "Status"'),
            ({"Accept": "application/yaml"}, b"apiVersion: v1\n"),
            ({"Accept": HTML}, b'{\n  "kind": "Status"'),
        ):
            _, body = await raw(ask.server, path, **headers)
            assert body.startswith(start), headers

    on_server(story)


def test_yaml_is_in_the_order_of_its_keys_and_keeps_lines_whole() -> None:
    async def story(ask: Asker) -> None:
        said = "ü " + "so long a line that it would be folded at the usual width of eighty letters and more"
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "y"}, "data": {"b": said, "a": "1"}}
        await ask("POST", f"{NAMESPACE}/configmaps", made)
        _, body = await raw(ask.server, f"{NAMESPACE}/configmaps/y", Accept="application/yaml")
        assert body.decode().splitlines()[:4] == ["apiVersion: v1", "data:", "  a: '1'", f"  b: {said}"]

    on_server(story)


@pytest.mark.parametrize(
    ("path", "more"),
    [
        (NAMESPACE, ""),
        ("/api/v1/namespaces", ", application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"),
    ],
)
def test_who_takes_nothing_is_told_what_there_is(path: str, more: str) -> None:
    async def story(ask: Asker) -> None:
        told = await ask("GET", path, accept=HTML)
        there = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
        assert told.message == f"406: Not Acceptable\n\nAvailable representations: {there}{more}"
        assert told.body["details"] == {}
        told = await ask("GET", path, accept="application/json;as=Odd;v=v1;g=meta.k8s.io")
        assert told.message == f"only the following media types are accepted: {there}"

    on_server(story)


def test_an_unknown_kind_of_patch_is_refused_in_general() -> None:
    async def story(ask: Asker) -> None:
        told = await ask("PATCH", NAMESPACE, {}, kind="application/unknown")
        assert (told.status, told.message, told.body["details"]) == (415, "415: Unsupported Media Type", {})

    on_server(story)


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_the_rows_of_a_table_are_at_its_version(version: str) -> None:
    async def story(ask: Asker) -> None:
        for path in (NAMESPACE, "/api/v1/namespaces"):
            told = await ask("GET", path, accept=f"application/json;as=Table;v={version};g=meta.k8s.io")
            assert told.body["apiVersion"] == f"meta.k8s.io/{version}"
            assert {row["object"]["apiVersion"] for row in told.body["rows"]} == {f"meta.k8s.io/{version}"}
            whole = await ask(
                "GET", f"{path}?includeObject=Object", accept=f"application/json;as=Table;v={version};g=meta.k8s.io"
            )
            assert {row["object"]["apiVersion"] for row in whole.body["rows"]} == {"v1"}

    on_server(story)


def test_a_version_of_three_parts_is_none() -> None:
    async def story(ask: Asker) -> None:
        told = await ask("POST", f"{NAMESPACE}/configmaps", {"apiVersion": "a/b/c", "kind": "ConfigMap"})
        why = "the object provided is unrecognized (must be of type ConfigMap): unexpected GroupVersion string: a/b/c"
        assert (told.status, told.message) == (400, why + ' ({"apiVersion":"a/b/c","kind":" ...)')

    on_server(story)
