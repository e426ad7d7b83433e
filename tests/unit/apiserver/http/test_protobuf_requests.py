"""What upstream's Go clients ask in protobuf is answered as they expect; another library writes their bodies."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import uvloop
from multidict import CIMultiDict

from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.http.protobuf_messages import MAGIC, message_of
from kubepy.apiserver.http.protobuf_reading import parse_protobuf
from kubepy.apiserver.securing import secure
from kubepy.apiserver.server import ApiServer
from kubepy.lib import pki
from kubepy.lib.http import Request, Response, Stream
from tests.unit.apiserver.http.protobuf_library import new, write

JSON, PROTOBUF = "application/json", "application/vnd.kubernetes.protobuf"
ADMIN = UserInfo("admin", groups=("system:masters", "system:authenticated"))
DEFAULT = "/api/v1/namespaces/default"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
PARTIAL = f"{PROTOBUF};as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PARTIAL_LIST = f"{PROTOBUF};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
SPEC = {"containers": [{"name": "c", "image": "i"}]}
REGARDING = {"kind": "Pod", "namespace": "default", "name": "a"}
STARTED = "2026-01-02T03:04:05Z"


class Asker:
    """Asks a server; what is sent as a kind is protobuf, what is answered is (status, media type, object)."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server

    async def __call__(
        self, method: str, target: str, body: Any = None, accept: str = PROTOBUF, kind: str = PROTOBUF
    ) -> tuple[int, str, Any]:
        path, _, query = target.partition("?")
        data = body or b""
        if isinstance(body, dict):
            message = message_of(body["apiVersion"], body["kind"])
            assert message is not None
            data = write(message, body) if kind == PROTOBUF else orjson.dumps(body)
        headers = CIMultiDict({"Accept": accept} | ({"Content-Type": kind} if data else {}))
        answer = await self._server.handler(Request(method, path, query, headers, data, context={"user": ADMIN}))
        if isinstance(answer, Stream):
            async with asyncio.timeout(10):
                told = b"".join([part async for part in answer.chunks])
            return answer.status, answer.content_type, told
        assert isinstance(answer, Response)
        told = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        parsed = parse_protobuf(told) if told.startswith(MAGIC) else orjson.loads(told)
        return answer.status, answer.content_type, parsed


def on_server(test: Callable[[Asker], Awaitable[None]], config: ApiServerConfig | None = None) -> None:
    async def run() -> None:
        async with in_process(config=config, secure=secure) as server:
            await test(Asker(server))

    uvloop.run(run())


def named(api_version: str, kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}


def test_every_body_that_upstreams_own_parts_send_is_taken(tmp_path: Path) -> None:
    (tmp_path / "sa.key").write_bytes(pki.new_ca("sa").key_pem)
    config = ApiServerConfig(
        storage_backend="embedded",
        service_account_issuer=("https://kubernetes.default.svc",),
        service_account_signing_key_file=str(tmp_path / "sa.key"),
        service_account_key_file=(str(tmp_path / "sa.key"),),
    )
    account = named("v1", "ServiceAccount", "default")
    node = named("v1", "Node", "n")
    status = {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": STARTED}]}
    event = named("v1", "Event", "e", involvedObject=REGARDING, reason="R", type="Normal", lastTimestamp=STARTED)
    news = named(
        "events.k8s.io/v1", "Event", "f", regarding=REGARDING, reason="R", type="Normal", action="x",
        eventTime="2026-01-02T03:04:05.000006Z", reportingController="a.b/c", reportingInstance="c",
    )  # fmt: skip
    lease = named("coordination.k8s.io/v1", "Lease", "l", spec={"holderIdentity": "n", "leaseDurationSeconds": 40})
    template = {"metadata": {"labels": {"a": "b"}}, "spec": SPEC}
    deployment = named(
        "apps/v1", "Deployment", "d", spec={"selector": {"matchLabels": {"a": "b"}}, "template": template}
    )
    token = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["a"]}}
    access = {"user": "u", "extra": {"k": ["v"]}, "resourceAttributes": {"verb": "get", "resource": "pods"}}
    eviction = {"metadata": {"name": "a"}, "kind": "Eviction", "deleteOptions": {"dryRun": ["All"]}}
    slices = named("resource.k8s.io/v1", "DeviceClass", "gpu", spec={"selectors": [{"cel": {"expression": "true"}}]})

    async def test(ask: Asker) -> None:
        async def told(method: str, target: str, body: dict[str, Any]) -> Any:
            code, media, found = await ask(method, target, body)
            assert (code // 100, media) == (2, PROTOBUF), (target, found)
            return found

        await told("POST", f"{DEFAULT}/serviceaccounts", account)
        await told("POST", "/api/v1/nodes", node)
        found = await told("PUT", "/api/v1/nodes/n/status", {**node, "status": status})
        assert found["status"]["conditions"][0]["lastHeartbeatTime"] == STARTED
        found = await told("POST", f"{DEFAULT}/pods", named("v1", "Pod", "a", spec=SPEC))
        assert found["spec"]["containers"][0]["terminationMessagePath"] == "/dev/termination-log"
        binding = named("v1", "Binding", "a", target={"kind": "Node", "name": "n"})
        await told("POST", f"{DEFAULT}/pods/a/binding", binding)
        await told("POST", f"{DEFAULT}/events", event)
        await told("POST", "/apis/events.k8s.io/v1/namespaces/default/events", news)
        await told("POST", "/apis/coordination.k8s.io/v1/namespaces/default/leases", lease)
        for version in ("policy/v1", "policy/v1beta1"):
            await told("POST", f"{DEFAULT}/pods/a/eviction", {**eviction, "apiVersion": version})
        found = await told("POST", f"{DEFAULT}/serviceaccounts/default/token", token)
        assert (found["spec"]["audiences"], found["status"]["token"].count(".")) == (["a"], 2)
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": access}
        found = await told("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        assert found["spec"] == access
        assert found["status"]["allowed"] is True
        await told("POST", "/apis/resource.k8s.io/v1/deviceclasses", slices)
        deployments = "/apis/apps/v1/namespaces/default/deployments"
        await told("POST", deployments, deployment)
        scale = named("autoscaling/v1", "Scale", "d", spec={"replicas": 3})
        assert (await told("PUT", f"{deployments}/d/scale", scale))["spec"] == {"replicas": 3}
        options = {"apiVersion": "apps/v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        assert (await told("DELETE", f"{deployments}/d", options))["status"] == "Success"
        await told("DELETE", f"{DEFAULT}/events", {"apiVersion": "v1", "kind": "DeleteOptions"})

    on_server(test, config)


def frames(data: bytes) -> list[tuple[str, dict[str, Any]]]:
    """The events of a stream: each with its length before it."""
    found = []
    while data:
        size = int.from_bytes(data[:4], "big")
        event = new("meta.v1.WatchEvent")
        event.ParseFromString(data[4 : 4 + size])
        found.append((event.f1, parse_protobuf(event.f2.f1)))
        data = data[4 + size :]
    return found


def test_metadata_alone_is_answered_of_any_kind() -> None:
    names = {"plural": "widgets", "kind": "Widget"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
    spec = {"group": "example.com", "names": names, "scope": "Namespaced", "versions": versions}
    definition = named("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.example.com", spec=spec)

    async def test(ask: Asker) -> None:
        code, _, found = await ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
        assert code == 201, found
        widget = orjson.dumps(named("example.com/v1", "Widget", "w"))
        async with asyncio.timeout(10):
            while (await ask("POST", WIDGETS, widget, JSON, JSON))[0] != 201:
                await asyncio.sleep(0.01)
        for target, accept in ((WIDGETS, PROTOBUF), (f"{WIDGETS}/w", PROTOBUF), (f"{WIDGETS}/none", PROTOBUF)):
            assert (await ask("GET", target, None, accept))[0] == 406
        other = widget.replace(b'"w"', b'"x"')
        assert (await ask("POST", WIDGETS, other, PROTOBUF, JSON))[0] == 406
        assert (await ask("GET", f"{WIDGETS}/x", None, JSON))[0] == 404  # nothing was made
        assert (await ask("GET", f"{WIDGETS}/w", None, PARTIAL))[2]["metadata"]["name"] == "w"
        code, media, found = await ask("GET", WIDGETS, None, PARTIAL_LIST)
        assert (code, media, found["kind"]) == (200, PROTOBUF, "PartialObjectMetadataList")
        assert [item["metadata"]["name"] for item in found["items"]] == ["w"]
        code, _, found = await ask("GET", WIDGETS, None, PARTIAL_LIST.replace("v=v1", "v=v1beta1"))
        assert (code, found["apiVersion"], len(found["items"])) == (200, "meta.k8s.io/v1beta1", 1)
        code, media, data = await ask("GET", f"{WIDGETS}?watch=1&timeoutSeconds=1", None, PARTIAL)
        assert (code, media) == (200, f"{PROTOBUF};stream=watch")
        assert [(kind, obj["kind"]) for kind, obj in frames(data)] == [("ADDED", "PartialObjectMetadata")]

    on_server(test)


def test_watches_by_any_field_are_framed() -> None:
    async def test(ask: Asker) -> None:
        await ask("POST", f"{DEFAULT}/events", named("v1", "Event", "e", involvedObject=REGARDING, reason="R"))
        target = (
            "/apis/events.k8s.io/v1/namespaces/default/events?watch=1&timeoutSeconds=1&fieldSelector=regarding.name=a"
        )
        for accept in (PROTOBUF, f"{PROTOBUF};stream=watch"):
            code, media, data = await ask("GET", target, None, accept)
            assert (code, media) == (200, f"{PROTOBUF};stream=watch")
            assert [(kind, obj["apiVersion"]) for kind, obj in frames(data)] == [("ADDED", "events.k8s.io/v1")]

    on_server(test)


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/api", "APIVersions"), ("/apis", "APIGroupList"), ("/apis/apps", "APIGroup"),
     ("/apis/apps/v1", "APIResourceList"), ("/api/v1", "APIResourceList")],
)  # fmt: skip
def test_discovery_has_the_form_as_well(path: str, kind: str) -> None:
    async def test(ask: Asker) -> None:
        code, media, found = await ask("GET", path)
        assert (code, media, found["kind"]) == (200, PROTOBUF, kind)

    on_server(test)


def test_aggregated_discovery_has_the_form_as_well() -> None:
    async def test(ask: Asker) -> None:
        wanted = f"{PROTOBUF};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        code, media, found = await ask("GET", "/apis", None, wanted)
        assert (code, media, found["kind"]) == (200, wanted, "APIGroupDiscoveryList")
        assert "apps" in [item["metadata"]["name"] for item in found["items"]]

    on_server(test)


def test_cbor_is_refused_as_long_as_upstream_has_it_off() -> None:
    async def test(ask: Asker) -> None:
        assert (await ask("GET", f"{DEFAULT}/pods", None, "application/cbor"))[0] == 406
        assert (await ask("GET", f"{DEFAULT}/pods", None, "application/cbor,application/json"))[0] == 200
        body = b"\xd9\xd9\xf7\xa0"
        assert (await ask("POST", f"{DEFAULT}/pods", body, JSON, "application/cbor"))[0] == 415
        assert (await ask("PATCH", f"{DEFAULT}/pods/a", body, JSON, "application/apply-patch+cbor"))[0] == 415

    on_server(test)
