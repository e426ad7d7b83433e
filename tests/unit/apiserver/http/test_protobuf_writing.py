"""Objects that are written in protobuf are read as they were."""

import random
from typing import Any

import pytest
from multidict import CIMultiDict

from kubepy.api.definitions import Schema, schema_of
from kubepy.api.resources import BUILT_IN
from kubepy.apiserver.http.protobuf_messages import message_of
from kubepy.apiserver.http.protobuf_reading import parse_protobuf
from kubepy.apiserver.http.protobuf_writing import encode_event, encode_protobuf
from kubepy.lib.http import Request, Response, Stream
from tests.unit.apiserver.asking import Asker, on_server
from tests.unit.apiserver.http.protobuf_library import same, write

MAPS = "/api/v1/namespaces/default/configmaps"
PROTOBUF = "application/vnd.kubernetes.protobuf"
KINDS = sorted({(row.api_version, row.kind) for row in BUILT_IN} | {("policy/v1", "Eviction"), ("v1", "DeleteOptions")})
_VALUES: dict[str, tuple[Any, ...]] = {
    "string": ("x", "é", ""),
    "boolean": (True, False),
    "int32": (1, 0, -1),
    "int64": (1 << 40, 0, -(1 << 63)),
    "number": (0.5, -1e300),
    "bytes": ("AP8=", ""),
    "quantity": ("100m", "1Gi"),
    "int-or-string": ("50%", 0, 8080),
    "time": ("2026-01-02T03:04:05Z", "1969-12-31T23:59:59Z"),
    "micro-time": ("2026-01-02T03:04:05.000006Z",),
    "any": ({"a": [1, None]},),
    "props-or": ({"type": "string"},),
}


def sample(node: Schema, chance: random.Random, depth: int = 0) -> Any:
    """A value that the schema allows, with most of its fields."""
    if node.kind == "struct":
        fields = dict(node.properties) if depth < 9 else {}
        if node.name.endswith(
            (".DeleteOptions", ".PersistentVolumeClaim")
        ):  # objects in objects: what they are is known
            fields = {name: inner for name, inner in fields.items() if name not in ("apiVersion", "kind")}
        share = 0.9 - depth / 12
        return {name: sample(inner, chance, depth + 1) for name, inner in fields.items() if chance.random() < share}
    if node.kind == "list":
        return [sample(node.items, chance, depth + 1) for _ in range(chance.choice((1, 2)))]
    if node.kind == "map":
        return {key: sample(node.items, chance, depth + 1) for key in chance.choice((("a",), ("a", "b.c/d")))}
    if node.name.endswith("CustomResourceSubresourceStatus"):
        return {}
    return chance.choice(_VALUES[node.kind])


META = {"name": "a", "labels": {"l": "x"}, "creationTimestamp": "2026-01-02T03:04:05Z", "generation": 3}
PORT = {"name": "http", "port": 80, "targetPort": "web"}
CONTAINER = {"name": "c", "image": "i", "resources": {"requests": {"cpu": "100m"}}, "tty": True}
PROBE = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 5}


@pytest.mark.parametrize(
    "obj",
    [
        {"apiVersion": "v1", "kind": "Secret", "metadata": META, "data": {"k": "AP8="}, "type": "Opaque"},
        {"apiVersion": "v1", "kind": "Service", "metadata": META, "spec": {"ports": [PORT]}},
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**META, "managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {}}}]},
            "spec": {
                "volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}],
                "containers": [{**CONTAINER, "livenessProbe": PROBE}],
                "terminationGracePeriodSeconds": -1,
            },
        },
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": META,
            "spec": {"renewTime": "2026-01-02T03:04:05.123456Z", "leaseDurationSeconds": 15},
        },
    ],
)
def test_what_is_written_can_be_read(obj: dict[str, Any]) -> None:
    data = encode_protobuf(obj)
    assert data is not None
    assert parse_protobuf(data) == obj


@pytest.mark.parametrize(("api_version", "kind"), KINDS)
def test_every_kind_is_written_and_read_as_another_library_does(api_version: str, kind: str) -> None:
    schema, message = schema_of(api_version, kind), message_of(api_version, kind)
    assert schema is not None
    assert message is not None
    for seed in range(3):
        obj = {**sample(schema, random.Random(seed)), "apiVersion": api_version, "kind": kind}
        theirs, ours = write(message, obj), encode_protobuf(obj)
        assert parse_protobuf(theirs) == obj
        assert ours is not None
        assert parse_protobuf(ours) == obj
        assert same(message, ours, theirs)


def test_a_kind_without_a_message_has_no_protobuf_form() -> None:
    assert encode_protobuf({"apiVersion": "example.org/v1", "kind": "Foo", "metadata": META}) is None


def test_events_are_framed_by_their_length() -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": META}
    frame = encode_event("ADDED", obj)
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    assert encode_protobuf(obj) in frame  # type: ignore[operator]


async def raw(ask: Asker, method: str, target: str, accept: str, body: bytes = b"") -> tuple[int, str, bytes]:
    path, _, query = target.partition("?")
    answer = await ask.server.handler(Request(method, path, query, CIMultiDict({"Accept": accept}), body))
    if isinstance(answer, Stream):
        return answer.status, answer.content_type, b"".join([chunk async for chunk in answer.chunks])
    assert isinstance(answer, Response)
    assert isinstance(answer.body, bytes)
    return answer.status, answer.content_type, answer.body


def test_who_takes_nothing_else_is_given_protobuf() -> None:
    async def test(ask: Asker) -> None:
        await ask("POST", MAPS, {"metadata": {"name": "a"}, "data": {"k": "v"}})
        for accept in (f"{PROTOBUF},application/json", f"{PROTOBUF}, */*"):
            assert (await raw(ask, "GET", f"{MAPS}/a", accept))[1] == "application/json"
        status, kind, body = await raw(ask, "GET", f"{MAPS}/a", PROTOBUF)
        assert (status, kind, parse_protobuf(body)["data"]) == (200, PROTOBUF, {"k": "v"})
        found = parse_protobuf((await raw(ask, "GET", MAPS, PROTOBUF))[2])
        assert (found["kind"], [item["metadata"]["name"] for item in found["items"]]) == ("ConfigMapList", ["a"])
        status, kind, body = await raw(ask, "GET", f"{MAPS}/none", PROTOBUF)
        assert (status, kind, parse_protobuf(body)["reason"]) == (404, PROTOBUF, "NotFound")
        status, kind, body = await raw(ask, "GET", f"{MAPS}?watch=1&timeoutSeconds=1", f"{PROTOBUF};stream=watch")
        assert (status, kind) == (200, f"{PROTOBUF};stream=watch")
        assert body[4:].startswith(b"\n\x05ADDED")
        table = f"{PROTOBUF};as=Table;g=meta.k8s.io;v=v1"
        assert (await raw(ask, "GET", MAPS, table))[0] == 406

    on_server(test)
