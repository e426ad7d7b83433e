"""Extension API servers behind this one: who is asked, as whom, and what is told of them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from kubepy.apiserver.securing import secure
from kubepy.apiserver.server import ApiServer
from kubepy.lib import pki
from tests.api.serving import Api, api_server, kubectl, kubectls
from tests.extension_server import GROUP, ROOT, ExtensionServer, discovered, extension_server

PROXY_CA = pki.new_ca("front-proxy-ca")
SERVICES, NAME = "/apis/apiregistration.k8s.io/v1/apiservices", "v1.demo.example"
MERGE = "application/merge-patch+json"
CUPS = f"{ROOT}/namespaces/default/cups"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SIZE = {"type": "integer", "description": "How much it holds."}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "mugs.own.example"},
    "spec": {
        "group": "own.example", "scope": "Namespaced",
        "names": {"plural": "mugs", "singular": "mug", "kind": "Mug", "listKind": "MugList"},
        "versions": [{"name": "v1", "served": True, "storage": True,
                      "schema": {"openAPIV3Schema": {"type": "object", "properties": {"size": SIZE}}}}],
    },
}  # fmt: skip
Story = Callable[[Api, ExtensionServer], Awaitable[None]]


def on_both(folder: Path, story: Story, **options: Any) -> None:
    """Runs a story on a server that has an extension server beside it, not registered yet."""
    leaf = pki.issue(PROXY_CA, "front-proxy-client")
    (folder / "proxy.crt").write_bytes(leaf.certificate_pem)
    (folder / "proxy.key").write_bytes(leaf.key_pem)
    config = {"proxy_client_cert_file": str(folder / "proxy.crt"), "proxy_client_key_file": str(folder / "proxy.key")}

    async def run() -> None:
        extensions = extension_server(PROXY_CA, **options)
        async with asyncio.timeout(30), extensions as extension, api_server(folder, **config) as api:
            await story(api, extension)

    uvloop.run(run())


async def register(api: Api, extension: ExtensionServer, **spec: Any) -> None:
    await api.call("POST", "/api/v1/namespaces/default/services", extension.service())
    status, made = await api.call("POST", SERVICES, extension.api_service(**spec))
    assert status == 201, made


async def condition(api: Api, wanted: str) -> dict[str, Any]:
    """The condition, once its status is as wanted."""
    while True:
        _, found = await api.call("GET", f"{SERVICES}/{NAME}")
        conditions: list[dict[str, Any]] = (found.get("status") or {}).get("conditions") or [{}]
        if conditions[0].get("status") == wanted:
            return conditions[0]
        await asyncio.sleep(0.02)


async def until(ask: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool]) -> Any:
    while not holds(found := await ask()):
        await asyncio.sleep(0.02)
    return found


def test_a_request_goes_on_as_its_user_and_without_its_credentials(tmp_path: Path) -> None:
    async def story(api: Api, extension: ExtensionServer) -> None:
        await register(api, extension)
        assert (await condition(api, "True"))["reason"] == "Passed"
        headers = {
            "X-Remote-User": "root", "X-Remote-Group": "system:masters", "X-Remote-Extra-Color": "red",
            "Impersonate-User": "alice", "Impersonate-Group": "dev", "Impersonate-Extra-scopes%2fa": "b",
        }  # fmt: skip
        allow = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "cups"}}
        rules = [{"apiGroups": [GROUP], "resources": ["cups"], "verbs": ["*"]}]
        await api.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", {**allow, "rules": rules})
        binding = {**allow, "kind": "ClusterRoleBinding"}
        binding["roleRef"] = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cups"}
        binding["subjects"] = [{"kind": "User", "name": "alice", "apiGroup": "rbac.authorization.k8s.io"}]
        await api.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
        async with api.session.post(f"{api.url}{CUPS}?dryRun=All", data="{}", headers=headers) as answer:
            assert answer.status == 201, await answer.text()
            assert (await answer.json())["said"] == {"method": "POST", "query": "dryRun=All", "body": "{}"}
        asked = extension.requests[-1].headers
        assert asked.getall("X-Remote-User") == ["alice"]
        assert asked.getall("X-Remote-Group") == ["dev", "system:authenticated"]
        assert asked.getall("X-Remote-Extra-scopes%2Fa") == ["b"]
        assert not [key for key in asked if key.lower().startswith(("impersonate", "x-remote-extra-color"))]
        headers = {"Impersonate-User": "mallory"}
        async with api.session.get(api.url + CUPS, headers=headers) as answer:
            assert answer.status == 403

    on_both(tmp_path, story)


def test_watches_and_upgrades_are_streamed(tmp_path: Path) -> None:
    async def story(api: Api, extension: ExtensionServer) -> None:
        await register(api, extension)
        await condition(api, "True")
        async with api.session.get(f"{api.url}{CUPS}?watch=1") as answer:
            assert await answer.content.readline() == b'{"type":"ADDED","object":{"kind":"Cup"}}\n'
        async with api.session.ws_connect(f"{api.url}{CUPS}/a/exec") as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "echo hello"
        status, text = await api.call("GET", f"{CUPS}?elsewhere")
        assert (status, text) == (502, "the backend attempted to redirect this request, which is not permitted")

    on_both(tmp_path, story)


@pytest.mark.parametrize("aggregated", [True, False])
def test_what_it_serves_is_in_discovery_and_openapi(tmp_path: Path, aggregated: bool) -> None:
    async def story(api: Api, extension: ExtensionServer) -> None:
        await register(api, extension)
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

        async def mine() -> list[Any]:
            _, found = await api.call("GET", "/apis", accept=accept)
            return [item for item in found["items"] if item["metadata"]["name"] == GROUP]

        items = await until(mine, lambda items: bool(items) and items[0]["versions"][0]["freshness"] == "Current")
        assert items[0]["versions"][0]["resources"] == [discovered()]
        _, groups = await api.call("GET", "/apis")
        names = [group["name"] for group in groups["groups"]]
        assert names.index("apiregistration.k8s.io") == 0
        assert names[-1] == GROUP
        assert (await api.call("GET", f"/apis/{GROUP}"))[1]["preferredVersion"]["version"] == "v1"
        assert (await api.call("GET", ROOT))[1]["resources"][0]["name"] == "cups"

        async def index() -> Any:
            return (await api.call("GET", "/openapi/v3"))[1]["paths"]

        links = await until(index, lambda found: ROOT[1:] in found)
        assert (await api.call("GET", links[ROOT[1:]]["serverRelativeURL"]))[1]["openapi"] == "3.0.0"
        _, whole = await api.call("GET", "/openapi/v2")
        assert "example.demo.v1.Cup" in whole["definitions"]
        assert "unused" not in whole["definitions"]
        assert f"{ROOT}/cups" in whole["paths"]
        assert "/healthz" not in whole["paths"]

    on_both(tmp_path, story, aggregated=aggregated)


def test_kubectl_finds_what_an_extension_server_serves(tmp_path: Path) -> None:
    async def story(api: Api, extension: ExtensionServer) -> None:
        await register(api, extension)
        await condition(api, "True")
        for binary in kubectls():
            listed = await kubectl(binary, api, "api-resources", f"--api-group={GROUP}", "--no-headers")
            assert listed.split() == ["cups", "cu", f"{GROUP}/v1", "true", "Cup"]
            shown = await kubectl(binary, api, "get", "apiservice", NAME, "--no-headers")
            assert shown.split()[:3] == [NAME, "default/cups", "True"]

    on_both(tmp_path, story)


def test_what_is_not_there_is_told_and_not_asked(tmp_path: Path) -> None:
    async def story(api: Api, extension: ExtensionServer) -> None:
        await api.call("POST", SERVICES, extension.api_service())
        _, found = await api.call("GET", f"{SERVICES}/{NAME}")
        told = found["status"]["conditions"][0]
        assert (told["status"], told["reason"]) == ("False", "ServiceNotFound")
        assert told["message"] == 'service/cups in "default" is not present'
        assert await api.call("GET", CUPS) == (503, "service unavailable\n")
        extension.healthy = False
        await api.call("POST", "/api/v1/namespaces/default/services", extension.service())

        async def reason() -> str:
            found: str = (await condition(api, "False"))["reason"]
            return found

        await until(reason, lambda found: found == "FailedDiscoveryCheck")
        told = await condition(api, "False")
        assert told["message"].endswith(f"bad status from https://cups.default.svc:{extension.port}{ROOT}: 500")
        _, told = await api.call("GET", "/metrics")
        assert f'aggregator_unavailable_apiservice{{name="{NAME}"}} 1.0' in told
        counted = f'aggregator_unavailable_apiservice_total{{name="{NAME}",reason="ServiceNotFound"}} 1.0'
        assert counted in told
        await api.call("DELETE", f"{SERVICES}/{NAME}")
        status = await until(lambda: api.call("GET", CUPS), lambda found: found[0] == 404)
        assert status[1] == "404 page not found\n"

    on_both(tmp_path, story)


def test_a_server_that_is_not_who_it_should_be_gets_no_request(tmp_path: Path) -> None:
    async def story(api: Api, extension: ExtensionServer) -> None:
        await register(api, extension, caBundle=None)
        await condition(api, "True")  # upstream's check believes anyone, too
        status, text = await api.call("GET", CUPS)
        assert status == 503
        why = "tls: failed to verify certificate: x509: certificate signed by unknown authority"
        assert text == f"error trying to reach service: {why}\n"
        spec = {"caBundle": None, "insecureSkipTLSVerify": True}
        status, _ = await api.call("PATCH", f"{SERVICES}/{NAME}", {"spec": spec}, kind=MERGE)
        assert status == 200
        await until(lambda: api.call("GET", CUPS), lambda found: found[0] == 201)
        spec = {"service": None, "insecureSkipTLSVerify": None}
        await api.call("PATCH", f"{SERVICES}/{NAME}", {"spec": spec}, kind=MERGE)
        await until(lambda: condition(api, "True"), lambda told: told["reason"] == "Local")
        assert (await api.call("GET", CUPS))[0] == 404

    on_both(tmp_path, story)


def test_custom_resources_have_apiservices_that_come_and_go(tmp_path: Path) -> None:
    async def story(api: Api, extension: ExtensionServer) -> None:
        own = f"{SERVICES}/v1.own.example"
        assert (await api.call("POST", DEFINITIONS, DEFINITION))[0] == 201
        _, found = await until(lambda: api.call("GET", own), lambda got: got[0] == 200)
        assert found["spec"] == {
            "group": "own.example", "groupPriorityMinimum": 1000, "version": "v1", "versionPriority": 100,
        }  # fmt: skip
        assert found["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "true"}
        assert found["status"]["conditions"][0]["reason"] == "Local"
        await api.call("DELETE", own)
        await until(lambda: api.call("GET", own), lambda got: got[0] == 200 and got[1] != found)
        await api.call("DELETE", f"{DEFINITIONS}/mugs.own.example")
        await until(lambda: api.call("GET", own), lambda got: got[0] == 404)

    on_both(tmp_path, story)


def test_a_worker_that_does_not_lead_passes_on_and_hears_the_same(tmp_path: Path) -> None:
    async def story(api: Api, extension: ExtensionServer) -> None:
        follower = ApiServer(api.server.config, api.server.store, secure=secure, leads=False)
        await follower.start()
        try:
            await register(api, extension)
            await condition(api, "True")

            async def groups() -> list[str]:
                found = await follower.client.request("GET", "/apis")
                return [group["name"] for group in json.loads(found.body)["groups"]]

            await until(groups, lambda names: GROUP in names)
            await until(lambda: follower.client.request("GET", CUPS), lambda reply: reply.status == 201)
        finally:
            await follower.stop(0.1)

    on_both(tmp_path, story)


def test_kubectl_works_with_objects_that_another_kubepy_keeps(tmp_path: Path) -> None:
    """A whole API server behind this one: tables, watches, apply and explain go through."""

    async def story(api: Api, behind: Api) -> None:
        await behind.call("POST", DEFINITIONS, DEFINITION)
        port = int(behind.url.rpartition(":")[2])
        spec = {"type": "ExternalName", "externalName": "localhost"}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mugs"}, "spec": spec}
        await api.call("POST", "/api/v1/namespaces/default/services", service)
        registered = {
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.own.example"},
            "spec": {
                "group": "own.example", "version": "v1", "groupPriorityMinimum": 2000, "versionPriority": 10,
                "insecureSkipTLSVerify": True, "service": {"name": "mugs", "namespace": "default", "port": port},
            },
        }  # fmt: skip
        await api.call("POST", SERVICES, registered)
        for binary in kubectls()[-1:]:
            await kubectl(binary, api, "wait", "--for=condition=Available", "apiservice/v1.own.example")
            mug = json.dumps({"apiVersion": "own.example/v1", "kind": "Mug", "metadata": {"name": "a"}, "size": 3})
            await kubectl(binary, api, "apply", "--server-side", "-f", "-", stdin=mug)
            assert "a" in await kubectl(binary, api, "get", "mugs", "--no-headers")
            await kubectl(binary, api, "wait", "--for=jsonpath={.size}=3", "mug/a")
            await until(lambda: api.call("GET", "/openapi/v3"), lambda got: "apis/own.example/v1" in got[1]["paths"])
            assert "How much it holds" in await kubectl(binary, api, "explain", "mug.size")
            await kubectl(binary, api, "delete", "mug", "a")
        status, listed = await behind.call("GET", "/apis/own.example/v1/mugs")
        assert (status, listed["items"]) == (200, [])

    async def run() -> None:
        own, other = tmp_path / "own", tmp_path / "other"
        own.mkdir()
        other.mkdir()
        leaf = pki.issue(PROXY_CA, "front-proxy-client")
        proxy = {"proxy_client_cert_file": leaf.certificate_pem, "proxy_client_key_file": leaf.key_pem}
        for name, pem in (*proxy.items(), ("proxy_ca", PROXY_CA.certificate_pem)):
            (tmp_path / name).write_bytes(pem)
        headers = {
            "requestheader_client_ca_file": str(tmp_path / "proxy_ca"),
            "requestheader_username_headers": ("X-Remote-User",),
            "requestheader_group_headers": ("X-Remote-Group",),
        }
        asks = {name: str(tmp_path / name) for name in proxy}
        async with asyncio.timeout(40), api_server(other, **headers) as behind, api_server(own, **asks) as api:
            await story(api, behind)

    uvloop.run(run())


def test_extension_servers_are_told_whom_to_believe(tmp_path: Path) -> None:
    async def story(api: Api, extension: ExtensionServer) -> None:
        path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
        _, found = await until(lambda: api.call("GET", path), lambda got: got[0] == 200)
        assert found["data"]["client-ca-file"] == (tmp_path / "ca.crt").read_text()

    on_both(tmp_path, story)
