"""kr8s, sync and async, along its own tests."""

import asyncio
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import kr8s
import kr8s.asyncio
import pytest
import yaml
from kr8s.asyncio.objects import ConfigMap as AsyncConfigMap
from kr8s.asyncio.objects import Pod as AsyncPod
from kr8s.objects import ConfigMap, Deployment, Pod, new_class, object_from_spec, objects_from_files

from tests.clients.objects import config_map, crontab, deployment, pod

pytestmark = pytest.mark.filterwarnings("ignore:Kubernetes version .* is not supported")


@pytest.fixture
def api(kubeconfig: str, kubepy_namespace: str) -> Any:
    return kr8s.api(kubeconfig=kubeconfig, namespace=kubepy_namespace)


@pytest.fixture(scope="module")
def on_node(node_kubeconfig: str) -> Iterator[Pod]:
    return Pod.get("web", api=kr8s.api(kubeconfig=node_kubeconfig, namespace="default"))


def run(kubeconfig: str, namespace: str, test: Callable[[Any], Awaitable[None]]) -> None:
    async def go() -> None:
        async with asyncio.timeout(60):
            await test(await kr8s.asyncio.api(kubeconfig=kubeconfig, namespace=namespace))

    asyncio.run(go())


def test_what_the_server_tells_of_itself(api: Any) -> None:
    assert api.version()["major"] == "1"
    assert api.whoami() == "kubernetes-admin"
    assert api.lookup_kind("deploy") == ("deployment.apps/v1", "deployments", True)
    assert {"pods", "deployments"} <= {found["name"] for found in api.api_resources()}
    assert "apps/v1" in set(api.api_versions())


def test_an_object_is_changed_in_each_way(api: Any) -> None:
    one = ConfigMap(config_map("a", x="1"), api=api)
    assert not one.exists()
    one.create()
    assert one.exists()
    one.label(app="x", stage="test")
    one.annotate(note="this")
    assert (one.labels["app"], one.labels["stage"], one.annotations["note"]) == ("x", "test", "this")
    one.remove_label("stage")
    one.patch({"data": {"y": "2"}})
    one.patch([{"op": "replace", "path": "/data/x", "value": "3"}], type="json")
    one.refresh()
    assert one.data == {"x": "3", "y": "2"}
    assert dict(one.labels) == {"app": "x"}
    owner = ConfigMap(config_map("owner"), api=api)
    owner.create()
    owner.adopt(one)
    one.refresh()
    assert one.metadata.ownerReferences[0].name == "owner"
    owner.delete(propagation_policy="Background")
    one.wait("delete", timeout=30)
    with pytest.raises(kr8s.NotFoundError):
        ConfigMap.get("a", api=api)
    with pytest.raises(kr8s.ServerError, match="Invalid value"):
        ConfigMap(config_map("A_b"), api=api).create()


def test_a_deployment_scales_and_becomes_ready(api: Any) -> None:
    web = Deployment(deployment("web"), api=api)
    web.create()
    web.scale(2)
    web.wait("condition=Available", timeout=30)
    web.wait("jsonpath='{.status.readyReplicas}'=2", timeout=30)
    assert web.ready()
    assert len(web.pods()) == web.replicas == 2
    found = list(api.get("pods", label_selector={"app": "web"}))
    assert {one.name for one in found} == {one.name for one in web.pods()}
    assert next(iter(api.get("pods", field_selector={"metadata.name": found[0].name}))).status.phase == "Running"
    web.delete()


def test_nodes_are_cordoned_and_tainted(api: Any) -> None:
    node = next(iter(api.get("nodes")))
    node.cordon()
    assert node.unschedulable
    node.uncordon()
    node.taint("clients.example.com/key", value="v", effect="PreferNoSchedule")
    assert "clients.example.com/key" in [taint["key"] for taint in node.taints]
    node.taint("clients.example.com/key", value="v", effect="PreferNoSchedule-")
    node.refresh()
    assert not node.spec.get("taints")


def test_custom_resources(api: Any, crontabs: None) -> None:
    kind = new_class("CronTab", version="clients.example.com/v1", asyncio=False, scalable=True)
    one = kind(crontab("a", replicas=1), api=api)
    one.create()
    one.scale(3)
    assert one.spec.replicas == 3
    assert [found.name for found in api.get("crontabs.clients.example.com")] == ["a"]
    assert [found.name for found in api.get("ct")] == ["a"]
    one.delete()


def test_files_become_objects(api: Any, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.yaml").write_text(yaml.safe_dump_all([config_map("a"), pod("p")]))
    (tmp_path / "inner" / "b.yaml").write_text(yaml.safe_dump(config_map("b")))
    for found in objects_from_files(tmp_path, api=api, recursive=True):
        found.create()
    assert Pod.get("p", api=api).spec.containers[0].name == "main"
    assert {"a", "b"} <= {found.name for found in api.get("configmaps")}
    assert object_from_spec(config_map("a"), api=api).exists()


def test_watches_and_waits(kubeconfig: str, kubepy_namespace: str) -> None:
    async def test(api: Any) -> None:
        one = await AsyncPod(pod("p"), api=api)
        await one.create()
        await one.wait("condition=Ready", timeout=30)
        await one.wait(["condition=Failed", "jsonpath='{.status.phase}'=Running"], mode="any", timeout=30)
        with pytest.raises(TimeoutError):
            await one.wait("jsonpath='{.status.phase}'=Foo", timeout=0.1)
        seen = []
        async for kind, _ in api.watch("pods", label_selector={"app": "p"}):
            seen.append(kind)
            if kind == "ADDED":
                await one.label(seen="yes")
            elif kind == "MODIFIED" and "DELETE" not in seen:
                seen.append("DELETE")
                await one.delete(grace_period=0)
            elif kind == "DELETED":
                break
        assert (seen[0], seen[-1]) == ("ADDED", "DELETED")
        made = await AsyncConfigMap(config_map("a"), api=api)
        await made.create()
        assert [found.name async for found in api.get("configmaps", "a")] == ["a"]
        await made.delete()

    run(kubeconfig, kubepy_namespace, test)


def test_a_deleted_pod_is_seen_to_end(kubeconfig: str, kubepy_namespace: str) -> None:
    async def test(api: Any) -> None:
        one = await AsyncPod(pod("p"), api=api)
        await one.create()
        await one.wait("condition=Ready", timeout=30)
        await one.delete(grace_period=10)
        await one.wait("condition=Ready=False", timeout=30)
        await one.wait("delete", timeout=30)

    run(kubeconfig, kubepy_namespace, test)


def test_a_command_runs_in_a_pod(on_node: Pod) -> None:
    done = on_node.exec(["sh", "-c", "echo one; echo two >&2"])
    assert (done.stdout, done.stderr, done.returncode) == (b"one\n", b"two\n", 0)
    assert on_node.exec(["sh", "-c", "exit 5"], check=False).returncode == 5


def test_a_log_is_read_and_a_port_reached(on_node: Pod) -> None:
    assert list(on_node.logs()) == ["this is a test"]
    assert next(iter(on_node.logs(follow=True))) == "this is a test"
    with on_node.portforward(remote_port=8080) as port:
        for _ in range(2):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                assert answer.read() == b"hello\n"
