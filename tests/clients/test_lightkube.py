"""lightkube, sync and async, along its own end-to-end tests."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from lightkube import ApiError, AsyncClient, Client, KubeConfig
from lightkube.generic_resource import (
    async_load_in_cluster_generic_resources,
    create_namespaced_resource,
    get_generic_resource,
    load_in_cluster_generic_resources,
)
from lightkube.models.core_v1 import ServicePort, ServiceSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.operators import in_, not_equal
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Node, Pod, Service
from lightkube.types import CascadeType, PatchType

from tests.clients.objects import config_map, crontab, deployment, pod, service


@pytest.fixture
def client(kubeconfig: str, kubepy_namespace: str) -> Client:
    return Client(config=KubeConfig.from_file(kubeconfig), namespace=kubepy_namespace, field_manager="lightkube")


@pytest.fixture(scope="module")
def on_node(node_kubeconfig: str) -> Iterator[Client]:
    return Client(config=KubeConfig.from_file(node_kubeconfig), namespace="default")


def run(kubeconfig: str, namespace: str, test: Callable[[AsyncClient], Awaitable[None]]) -> None:
    async def go() -> None:
        client = AsyncClient(config=KubeConfig.from_file(kubeconfig), namespace=namespace)
        try:
            async with asyncio.timeout(60):
                await test(client)
        finally:
            await client.close()

    asyncio.run(go())


def names(objects: Any) -> list[str]:
    return sorted(obj.metadata.name for obj in objects if not obj.metadata.name.startswith("kube-"))


def test_faults_come_as_statuses(client: Client) -> None:
    with pytest.raises(ApiError) as raised:
        client.get(Pod, name="none")
    status = raised.value.status
    assert (status.code, status.reason, status.status, status.details.name) == (404, "NotFound", "Failure", "none")
    client.create(Pod.from_dict(pod("p")))
    with pytest.raises(ApiError) as raised:
        client.create(Pod.from_dict(pod("p")))
    assert (raised.value.status.code, raised.value.status.reason) == (409, "AlreadyExists")


def test_objects_live_and_die(client: Client) -> None:
    made = client.create(ConfigMap.from_dict(config_map("a", x="1")))
    made.data["x"] = "2"
    assert client.replace(made).data == {"x": "2"}
    patched = client.patch(ConfigMap, "a", {"metadata": {"labels": {"app": "x"}}})
    assert patched.metadata.labels == {"app": "x"}
    client.create(ConfigMap.from_dict(config_map("b")))
    assert names(client.list(ConfigMap, chunk_size=1)) == ["a", "b"]
    assert names(client.list(ConfigMap, labels={"app": in_(["x", "y"])})) == ["a"]
    assert names(client.list(ConfigMap, fields={"metadata.name": not_equal("a")})) == ["b"]
    assert client.set(ConfigMap, "b", labels={"app": "y"}, annotations={"n": "1"}).metadata.labels == {"app": "y"}
    client.delete(ConfigMap, "b", cascade=CascadeType.BACKGROUND, grace_period=0)
    client.deletecollection(ConfigMap, dry_run=True)
    assert names(client.list(ConfigMap)) == ["a"]
    client.deletecollection(ConfigMap)
    assert names(client.list(ConfigMap)) == []


def test_each_type_of_patch(client: Client) -> None:
    client.create(Service.from_dict(service("s", ("a", 80))))

    def ports(patch: Any, kind: PatchType) -> list[tuple[str, int]]:
        return [(p.name, p.targetPort) for p in client.patch(Service, "s", patch, patch_type=kind).spec.ports]

    more = {"spec": {"ports": [{"name": "b", "port": 81, "targetPort": 8081}]}}
    assert sorted(ports(more, PatchType.STRATEGIC)) == [("a", 80), ("b", 8081)]
    same_port = Service(spec=ServiceSpec(ports=[ServicePort(name="b", port=81, targetPort=8082)]))
    assert sorted(ports(same_port, PatchType.STRATEGIC)) == [("a", 80), ("b", 8082)]
    assert ports(more, PatchType.MERGE) == [("b", 8081)]
    operations = [{"op": "add", "path": "/spec/ports/-", "value": {"name": "a", "port": 80, "targetPort": 8080}}]
    assert ports(operations, PatchType.JSON) == [("b", 8081), ("a", 8080)]


def test_apply_owns_and_gives_up(client: Client, kubepy_namespace: str) -> None:
    wanted = ConfigMap(
        apiVersion="v1", kind="ConfigMap", metadata=ObjectMeta(name="a", namespace=kubepy_namespace),
        data={"one": "1", "two": "2"},
    )  # fmt: skip
    assert client.apply(wanted).data == {"one": "1", "two": "2"}
    wanted.data = {"two": "new", "three": "3"}
    assert client.apply(wanted).data == {"two": "new", "three": "3"}
    wanted.data = {}
    assert not client.apply(wanted).data
    wanted.data = {"one": "1"}
    client.apply(wanted)
    client.patch(ConfigMap, "a", config_map("a", two="2"), patch_type=PatchType.APPLY, field_manager="other")
    wanted.data = {"two": "3"}
    with pytest.raises(ApiError) as raised:
        client.apply(wanted)
    assert raised.value.status.details.causes[0].reason == "FieldManagerConflict"
    assert client.apply(wanted, force=True).data == {"two": "3"}


def test_a_watch_sees_a_pod_run(client: Client) -> None:
    made = client.create(Pod.from_dict(pod("p")))
    for kind, seen in client.watch(Pod, labels={"app": "p"}, resource_version=made.metadata.resourceVersion):
        assert kind == "MODIFIED"
        if seen.status.phase == "Running":
            break
    client.wait(Pod, "p", for_conditions=["Ready"])
    client.delete(Pod, "p")
    for kind, _ in client.watch(Pod, labels={"app": "p"}, resource_version=seen.metadata.resourceVersion):
        if kind == "DELETED":
            break


def test_conditions_are_waited_for(client: Client, kubeconfig: str, kubepy_namespace: str) -> None:
    for node in client.list(Node):
        client.wait(Node, node.metadata.name, for_conditions=["Ready"])
    client.create(Deployment.from_dict(deployment("web", 2)))
    assert client.wait(Deployment, "web", for_conditions=["Available"]).status.availableReplicas == 2
    scale = client.get(Deployment.Scale, "web")
    scale.metadata.resourceVersion, scale.spec.replicas = None, 1
    assert client.replace(scale, "web").spec.replicas == 1

    async def test(api: AsyncClient) -> None:
        async for node in api.list(Node):
            await api.wait(Node, node.metadata.name, for_conditions=["Ready"])
        await api.wait(Deployment, "web", for_conditions=["Available"])
        await api.delete(Deployment, "web")

    run(kubeconfig, kubepy_namespace, test)


def test_custom_resources_by_hand_and_as_they_are_found(
    client: Client, kubeconfig: str, kubepy_namespace: str, crontabs: None
) -> None:
    kind = create_namespaced_resource("clients.example.com", "v1", "CronTab", "crontabs")
    client.create(kind.from_dict(crontab("a")))
    assert client.get(kind, "a").spec["image"] == "job"
    load_in_cluster_generic_resources(client)
    found = get_generic_resource("clients.example.com/v1", "CronTab")
    assert names(client.list(found)) == ["a"]
    assert client.patch(found.Status, "a", {"status": {"done": 1}}, patch_type=PatchType.MERGE).status == {"done": 1}

    async def test(api: AsyncClient) -> None:
        await async_load_in_cluster_generic_resources(api)
        assert [obj.metadata.name async for obj in api.list(found)] == ["a"]

    run(kubeconfig, kubepy_namespace, test)


def test_a_log_is_followed(on_node: Client, node_kubeconfig: str) -> None:
    assert next(iter(on_node.log("web", follow=True))) == "this is a test\n"
    assert next(iter(on_node.log("web", timestamps=True, tail_lines=1))).endswith("Z this is a test\n")

    async def test(api: AsyncClient) -> None:
        assert [line async for line in api.log("web", since=3600)] == ["this is a test\n"]

    run(node_kubeconfig, "default", test)
