"""Lists, gets and watches as the API concepts page promises them, down to the words of a refusal."""

import base64

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubepy.apiserver.registry import reading
from kubepy.storage.cache import too_old
from tests.unit.apiserver.asking import Asker, on_server

MAPS = "/api/v1/namespaces/default/configmaps"
INITIAL = "k8s.io/initial-events-end"


async def make(ask: Asker, *names: str) -> None:
    for name in names:
        assert (await ask("POST", MAPS, {"metadata": {"name": name}})).status == 201


def token(**fields: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps({"v": "meta.k8s.io/v1", **fields})).decode().rstrip("=")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("a!b", ": illegal base64 data at input byte 1"),
        (base64.urlsafe_b64encode(b"[1]").decode(), ": json: cannot unmarshal array into Go value of type storage.con"),
        (token(v="v9"), ": server does not recognize this encoded version v9"),
        (token(rv=0, start="a"), ": incorrect encoded start resourceVersion (version meta.k8s.io/v1)"),
        (token(rv=5), ": encoded start key empty (version meta.k8s.io/v1)"),
        (token(rv=5, start="../secrets/a"), ": ../secrets/a"),
    ],
)
def test_tokens_that_nobody_gave_out_are_refused(given: str, why: str) -> None:
    async def test(ask: Asker) -> None:
        told = await ask("GET", f"{MAPS}?limit=1&continue={given}")
        assert (told.status, told.body["reason"]) == (400, "BadRequest")
        assert told.message.startswith(f"invalid continue token: continue key is not valid{why}")

    on_server(test)


def test_an_expired_page_hands_out_a_token_to_go_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(ask: Asker) -> None:
        await make(ask, "a", "b", "c")
        first = await ask("GET", f"{MAPS}?limit=1")

        async def gone(*_: object, **__: object) -> None:
            raise too_old(1, 2)

        with monkeypatch.context() as patched:
            patched.setattr(reading, "_page_at", gone)
            expired = await ask("GET", f"{MAPS}?limit=1&continue={first.body['metadata']['continue']}")
            exact = await ask("GET", f"{MAPS}?resourceVersion=1&resourceVersionMatch=Exact")
        assert (expired.status, expired.body["reason"]) == (410, "Expired")
        assert (exact.status, exact.message) == (410, "The resourceVersion for the provided list is too old.")
        await ask("DELETE", f"{MAPS}/b")
        rest = await ask("GET", f"{MAPS}?continue={expired.body['metadata']['continue']}")
        assert [item["metadata"]["name"] for item in rest.body["items"]] == ["c"]

    on_server(test)


def test_a_negative_limit_is_none() -> None:
    async def test(ask: Asker) -> None:
        await make(ask, "a", "b")
        told = await ask("GET", f"{MAPS}?limit=-1")
        assert len(told.body["items"]) == 2
        assert "continue" not in told.body["metadata"]

    on_server(test)


def test_watches_without_a_version_begin_with_what_is_there_and_say_when_it_ends() -> None:
    async def test(ask: Asker) -> None:
        await make(ask, "a", "b")
        for query in ("", "&resourceVersion=0", "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"):
            told = await ask("GET", f"{MAPS}?watch=1&timeoutSeconds=1&allowWatchBookmarks=true{query}")
            assert [event["type"] for event in told.body] == ["ADDED", "ADDED", "BOOKMARK"]
            assert told.body[-1]["object"]["metadata"]["annotations"] == {INITIAL: "true"}

    on_server(test)


def test_a_namespace_is_watched_by_the_old_path_too() -> None:
    async def test(ask: Asker) -> None:
        told = await ask("GET", "/api/v1/watch/namespaces/default?timeoutSeconds=1")
        assert [event["object"]["metadata"]["name"] for event in told.body] == ["default"]
        assert (await ask("DELETE", "/api/v1/watch/namespaces/default")).status == 405

    on_server(test)


@pytest.mark.parametrize(
    ("name", "why"), [("..", "may not be '..'"), ("a%25b", "may not contain '%'"), (".", "may not be '.'")]
)
def test_what_can_be_no_name_is_told_apart_from_what_is_not_there(name: str, why: str) -> None:
    async def test(ask: Asker) -> None:
        for method in ("GET", "DELETE"):
            told = await ask(method, f"{MAPS}/{name}")
            assert (told.status, told.message) == (400, f'Name parameter invalid: "{name.replace("%25", "%")}": {why}')

    on_server(test)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", MAPS, 405),
        ("HEAD", f"{MAPS}/a", 405),
        ("OPTIONS", MAPS, 405),
        ("POST", "/api/v1/configmaps", 405),
        ("GET", "/api/v1/configmaps/a", 404),
        ("GET", f"{MAPS}/a%2Fstatus", 404),
        ("GET", f"{MAPS}/a/", 200),
    ],
)
def test_paths_and_methods_that_nothing_serves(method: str, path: str, status: int) -> None:
    async def test(ask: Asker) -> None:
        await make(ask, "a")
        told = await ask(method, path)
        assert told.status == status
        assert status == 200 or told.body["details"] == {}

    on_server(test)


def test_shapes_that_do_not_fit_are_refused() -> None:
    async def test(ask: Asker) -> None:
        await make(ask, "a")
        partial = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"
        one = await ask("GET", f"{MAPS}/a", accept=partial.format("List"))
        assert one.message == "you requested PartialObjectMetadataList, but the requested object is not a list " \
            "(*core.ConfigMap)"  # fmt: skip
        many = await ask("GET", MAPS, accept=partial.format(""))
        assert many.message == "you requested PartialObjectMetadata, but the requested object is a list " \
            "(*core.ConfigMapList)"  # fmt: skip
        for accept in (partial.format("List"), "application/yaml"):
            told = await ask("GET", f"{MAPS}?watch=1&timeoutSeconds=1", accept=accept)
            assert told.status == 406
        table = await ask("GET", f"{MAPS}?includeObject=Odd", accept="application/json;as=Table;g=meta.k8s.io;v=v1")
        assert table.message.startswith('Unable to convert to Table as requested: includeObject: Invalid value: "Odd"')

    on_server(test)


@pytest.mark.parametrize(
    ("path", "field", "why"),
    [
        ("/api/v1/pods", "spec.host", ""),
        ("/api/v1/pods", "status.podIPs", ""),
        ("/api/v1/pods", "odd", "field label not supported: odd"),
        ("/api/v1/nodes", "metadata.namespace", "field label not supported: metadata.namespace"),
        ("/api/v1/namespaces", "name", "field label not supported: name"),
        (
            "/api/v1/configmaps",
            "odd",
            '"odd" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        ("/apis/batch/v1/jobs", "odd", 'field label "odd" not supported for Job'),
        ("/apis/resource.k8s.io/v1/resourceslices", "spec.driver", ""),
        ("/apis/events.k8s.io/v1/events", "involvedObject.kind", "field label not supported: involvedObject.kind"),
        ("/apis/events.k8s.io/v1/events", "regarding.kind", ""),
    ],
)
def test_each_kind_has_fields_that_it_is_selected_by(path: str, field: str, why: str) -> None:
    async def test(ask: Asker) -> None:
        told = await ask("GET", f"{path}?fieldSelector={field}%3Dx")
        assert (told.status, told.body.get("message", "")) == (400 if why else 200, why)

    on_server(test)


def test_events_are_selected_by_the_names_of_their_group() -> None:
    async def test(ask: Asker) -> None:
        regarding = {"kind": "Pod", "name": "p", "namespace": "default"}
        event = {"metadata": {"name": "e"}, "involvedObject": regarding, "reason": "Odd", "source": {"component": "me"}}
        assert (await ask("POST", "/api/v1/namespaces/default/events", event)).status == 201
        for path, field, found in (
            ("/api/v1/events", "involvedObject.kind%3DPod,source%3Dme", 1),
            ("/apis/events.k8s.io/v1/events", "regarding.kind%3DPod,reason%3DOdd", 1),
            ("/apis/events.k8s.io/v1/events", "regarding.kind%3DNode", 0),
        ):
            assert len((await ask("GET", f"{path}?fieldSelector={field}")).body["items"]) == found


few_names = st.sampled_from(["a", "a-0", "a.b", "b", "c", "d"])
steps = st.lists(st.tuples(st.sampled_from(["POST", "DELETE"]), few_names), max_size=3)


@settings(max_examples=30)
@given(st.sets(few_names), st.lists(st.tuples(st.integers(1, 3), steps), max_size=6))
def test_pages_join_to_what_was_there_at_first_whatever_is_written_between(
    names: set[str], pages: list[tuple[int, list[tuple[str, str]]]]
) -> None:
    async def test(ask: Asker) -> None:
        await make(ask, *names)
        want = (await ask("GET", MAPS)).body["items"]
        found, going_on = [], ""
        for limit, writes in [*pages, (0, [])]:
            page = (await ask("GET", f"{MAPS}?limit={limit}{going_on}")).body
            found += page["items"]
            assert page["metadata"].get("remainingItemCount", 0) == len(want) - len(found)
            if not (token := page["metadata"].get("continue")):
                break
            going_on = f"&continue={token}"
            for method, name in writes:
                body = {"metadata": {"name": name}} if method == "POST" else None
                await ask(method, MAPS if method == "POST" else f"{MAPS}/{name}", body)
        assert found == want

    on_server(test)


def test_a_broken_token_is_shown_byte_by_byte() -> None:
    async def test(ask: Asker) -> None:
        why = "continue key is not valid: invalid character '\\u0081' looking for beginning of value"
        assert (await ask("GET", f"{MAPS}?continue=garbage")).message == f"invalid continue token: {why}"

    on_server(test)
