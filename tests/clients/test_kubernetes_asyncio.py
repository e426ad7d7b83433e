"""kubernetes_asyncio and the official client's own aio package: the same calls, awaited."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from types import ModuleType
from typing import Any

import kubernetes.aio
import kubernetes_asyncio
import pytest

from tests.clients.objects import config_map, crontab, deployment, service

PACKAGES = [kubernetes_asyncio, kubernetes.aio]
Test = Callable[[Any], Awaitable[None]]


@pytest.fixture(params=PACKAGES, ids=lambda package: package.__name__)
def package(request: pytest.FixtureRequest) -> ModuleType:
    found: ModuleType = request.param
    return found


def run(package: ModuleType, kubeconfig: str, test: Test, stream: bool = False) -> None:
    """Runs a test with an ApiClient; one for streams if asked."""

    async def go() -> None:
        settings = package.client.Configuration()
        await package.config.load_kube_config(config_file=kubeconfig, client_configuration=settings)
        make = package.stream.WsApiClient if stream else package.client.ApiClient
        async with asyncio.timeout(60), make(configuration=settings) as api:
            await test(api)

    asyncio.run(go())


def test_objects_live_and_die(package: ModuleType, kubeconfig: str, kubepy_namespace: str) -> None:
    async def test(api: Any) -> None:
        core, apps = package.client.CoreV1Api(api), package.client.AppsV1Api(api)
        made = await core.create_namespaced_service(kubepy_namespace, service("s", ("a", 80)))
        assert made.spec.cluster_ip
        more = {"spec": {"ports": [{"name": "b", "port": 81}]}}
        media = "application/strategic-merge-patch+json"
        patched = await core.patch_namespaced_service("s", kubepy_namespace, more, _content_type=media)
        assert sorted(port.name for port in patched.spec.ports) == ["a", "b"]
        operations = [{"op": "replace", "path": "/spec/ports/0/name", "value": "c"}]
        media = "application/json-patch+json"
        patched = await core.patch_namespaced_service("s", kubepy_namespace, operations, _content_type=media)
        assert "c" in [port.name for port in patched.spec.ports]
        await apps.create_namespaced_deployment(kubepy_namespace, deployment("web"))
        scale = await apps.patch_namespaced_deployment_scale("web", kubepy_namespace, {"spec": {"replicas": 2}})
        assert scale.spec.replicas == 2
        await apps.delete_collection_namespaced_deployment(kubepy_namespace)
        with pytest.raises(package.client.ApiException) as raised:
            await core.read_namespaced_pod("none", kubepy_namespace)
        assert raised.value.status == 404

    run(package, kubeconfig, test)


def test_apply_by_patch(package: ModuleType, kubeconfig: str, kubepy_namespace: str) -> None:
    async def test(api: Any) -> None:
        core = package.client.CoreV1Api(api)
        for value in ("1", "2"):
            made = await core.patch_namespaced_config_map(
                "a",
                kubepy_namespace,
                config_map("a", x=value),
                field_manager="test",
                _content_type="application/apply-patch+yaml",
            )
            assert made.data == {"x": value}
        assert [entry.operation for entry in made.metadata.managed_fields] == ["Apply"]

    run(package, kubeconfig, test)


def test_a_watch_sees_what_happens(package: ModuleType, kubeconfig: str, kubepy_namespace: str) -> None:
    async def test(api: Any) -> None:
        core = package.client.CoreV1Api(api)
        start = (await core.list_namespaced_config_map(kubepy_namespace)).metadata.resource_version
        await core.create_namespaced_config_map(kubepy_namespace, config_map("a", x="1"))
        await core.delete_namespaced_config_map("a", kubepy_namespace)
        seen = []
        async with package.watch.Watch() as watch:
            async for event in watch.stream(
                core.list_namespaced_config_map, kubepy_namespace, resource_version=start, timeout_seconds=20
            ):
                if event["object"].metadata.name == "a":
                    seen.append(event["type"])
                if len(seen) == 2:
                    break
        assert seen == ["ADDED", "DELETED"]

    run(package, kubeconfig, test)


def test_the_dynamic_client(package: ModuleType, kubeconfig: str, kubepy_namespace: str, crontabs: None) -> None:
    async def test(api: Any) -> None:
        finding = await package.dynamic.DynamicClient(api)
        tabs = await finding.resources.get(api_version="clients.example.com/v1", kind="CronTab")
        await tabs.create(body=crontab("a"), namespace=kubepy_namespace)
        applied = await tabs.server_side_apply(
            body=crontab("a", image="new"), namespace=kubepy_namespace, field_manager="test", force_conflicts=True
        )
        assert applied.spec.image == "new"
        found = await tabs.get(name="a", namespace=kubepy_namespace)
        assert found.spec.image == "new"
        await tabs.delete(name="a", namespace=kubepy_namespace)

    run(package, kubeconfig, test)


def test_a_command_runs_in_a_pod(package: ModuleType, node_kubeconfig: str) -> None:
    async def test(api: Any) -> None:
        core = package.client.CoreV1Api(api)
        options: dict[str, Any] = {"stderr": True, "stdout": True, "tty": False}
        said = await core.connect_get_namespaced_pod_exec("web", "default", command=["echo", "a"], **options)
        assert said == "a\n"
        connect = getattr(core, "connect_get_namespaced_pod_exec_without_preload_content", None)
        if connect is None:
            connect = partial(core.connect_get_namespaced_pod_exec, _preload_content=False)
        async with await connect("web", "default", command=["sh"], stdin=True, **options) as shell:
            await shell.send_bytes(b"\x00echo one\nexit 3\n")
            heard = {1: b"", 2: b"", 3: b""}
            async for message in shell:
                if message.data[:1] in b"\x01\x02\x03":
                    heard[message.data[0]] += message.data[1:]
                if heard[3]:
                    break
        assert heard[1] == b"one\n"
        assert api.parse_error_data(heard[3].decode()) == 3

    run(package, node_kubeconfig, test, stream=True)
