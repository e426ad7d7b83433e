"""Objects that are written in protobuf are read as they were."""

from typing import Any

import pytest
from multidict import CIMultiDict

from kubepy.apiserver.http.protobuf_reading import parse_protobuf
from kubepy.apiserver.http.protobuf_writing import encode_event, encode_protobuf
from kubepy.lib.http import Request, Response, Stream
from tests.unit.apiserver.asking import Asker, on_server

MAPS = "/api/v1/namespaces/default/configmaps"
PROTOBUF = "application/vnd.kubernetes.protobuf"
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
