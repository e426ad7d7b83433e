"""What upstream has stored is served; what is written over it is JSON."""

import asyncio
from typing import Any

import orjson
import uvloop
from multidict import CIMultiDict

from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.http.protobuf_messages import MAGIC, message_of, tables
from kubepy.apiserver.registry.taken_over import TakenOverStore
from kubepy.apiserver.server import ApiServer
from kubepy.lib.http import Request, Response
from kubepy.storage.base import Change, Progress
from kubepy.storage.embedded import EmbeddedStore
from tests.unit.apiserver.http.protobuf_library import write
from tests.unit.apiserver.http.test_protobuf_reading import part

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a", "namespace": "default", "uid": "u", "creationTimestamp": "2026-01-02T03:04:05Z"},
    "spec": {"containers": [{"name": "c", "image": "i:1", "tty": False, "workingDir": ""}], "nodeName": ""},
}
DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1beta1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com", "uid": "d"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "validation": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        "version": "v1",
        "versions": [{"name": "v1", "served": True, "storage": True}],
        "conversion": {"strategy": "None"},
    },
    "status": {
        "acceptedNames": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "storedVersions": ["v1"],
        "conditions": [
            {"type": "NamesAccepted", "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z"},
            {"type": "Established", "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z"},
        ],
    },
}
BUDGET = b'{"kind":"PodDisruptionBudget","apiVersion":"policy/v1beta1","metadata":{"name":"b","namespace":"default"}}'


def binary(obj: dict[str, Any]) -> bytes:
    message = message_of(obj["apiVersion"], obj["kind"])
    assert message is not None
    return write(message, obj)


def test_values_come_out_as_they_would_have_been_written() -> None:
    store = TakenOverStore(EmbeddedStore())
    assert store.unseal("k", b'{"apiVersion":"v1","kind":"Pod"}') == b'{"apiVersion":"v1","kind":"Pod"}'
    assert store.unseal("k", b"42") == b"42"
    assert store.unseal("k", b"k8s\x00\xff") == b"k8s\x00\xff"
    assert orjson.loads(store.unseal("k", BUDGET))["apiVersion"] == "policy/v1"
    pod = orjson.loads(store.unseal("k", binary(POD)))
    assert list(pod)[:3] == ["apiVersion", "kind", "metadata"]
    assert pod["metadata"] == POD["metadata"]
    assert "nodeName" not in pod["spec"]
    assert "tty" not in pod["spec"]["containers"][0]
    assert pod["spec"]["dnsPolicy"] == "ClusterFirst"


def test_what_is_too_deep_to_be_read_hides_itself_alone() -> None:
    numbers = {name: int(number) for number, (name, _) in tables()["apiextensions.v1.JSONSchemaProps"].items()}
    schema = b""
    for _ in range(2000):
        schema = part(numbers["not"], schema)
    definition = part(2, part(7, part(4, part(1, schema))))
    kind = part(1, b"apiextensions.k8s.io/v1") + part(2, b"CustomResourceDefinition")
    deep = MAGIC + part(1, kind) + part(2, definition)
    assert TakenOverStore(EmbeddedStore()).unseal("k", deep) == deep


def test_changes_are_told_so_too() -> None:
    async def test() -> None:
        inner = EmbeddedStore()
        store = TakenOverStore(inner)
        key = "/registry/pods/default/a"
        first = await inner.create(key, binary(POD))
        watch = store.watch("/registry/pods/", revision=first - 1)
        assert (await store.get(key)).value.startswith(b'{"apiVersion":"v1","kind":"Pod"')
        await store.update(key, b'{"kind":"Pod"}', revision=first)
        changes: list[Change] = []
        async with asyncio.timeout(5):
            while len(changes) < 2:
                batch = await watch.__anext__()
                changes += [] if isinstance(batch, Progress) else batch
        assert changes[0].value == changes[1].previous == store.unseal(key, binary(POD))
        assert (await inner.get(key)).value == b'{"kind":"Pod"}'
        await watch.aclose()
        await store.close()

    uvloop.run(test())


def test_a_server_goes_on_with_what_upstream_left() -> None:
    async def run() -> None:
        inner = EmbeddedStore()
        widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "default"}}
        for key, value in (
            ("pods/default/a", binary(POD)),
            ("apiextensions.k8s.io/customresourcedefinitions/widgets.example.com", binary(DEFINITION)),
            ("example.com/widgets/default/w", orjson.dumps(widget)),
            ("poddisruptionbudgets/default/b", BUDGET),
        ):
            await inner.create(f"/registry/{key}", value)
        server = ApiServer(ApiServerConfig(storage_backend="embedded"), TakenOverStore(inner))
        await server.start()
        try:
            await check(server, inner)
        finally:
            await server.stop()
            await inner.close()

    async def check(server: ApiServer, inner: EmbeddedStore) -> None:
        async def ask(method: str, path: str, body: Any = None) -> Any:
            headers = CIMultiDict({"Content-Type": "application/merge-patch+json"} if body else {})
            data = orjson.dumps(body) if body else b""
            answer = await server.handler(Request(method, path, "", headers, data))
            assert isinstance(answer, Response)
            assert answer.status == 200, answer.body
            return orjson.loads(answer.body if isinstance(answer.body, bytes) else b"".join(answer.body))

        pod = "/api/v1/namespaces/default/pods/a"
        assert (await ask("GET", pod))["spec"]["containers"][0]["image"] == "i:1"
        await ask("PATCH", pod, {"metadata": {"labels": {"l": "x"}}})
        stored = (await inner.get("/registry/pods/default/a")).value
        assert orjson.loads(stored)["metadata"]["labels"] == {"l": "x"}
        found = await ask("GET", "/apis/policy/v1/namespaces/default/poddisruptionbudgets/b")
        assert found["apiVersion"] == "policy/v1"
        found = await ask("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com")
        assert found["spec"]["versions"][0]["schema"] == DEFINITION["spec"]["validation"]
        async with asyncio.timeout(10):
            while server.engine.find("example.com", "v1", "widgets") is None:
                await asyncio.sleep(0.01)
        assert (await ask("GET", "/apis/example.com/v1/namespaces/default/widgets/w"))["kind"] == "Widget"

    uvloop.run(run())
