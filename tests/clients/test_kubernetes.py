"""The official Python client, as its own end-to-end tests use it: generated, dynamic, watch, stream, utils."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes
import pytest
import yaml
from kubernetes import client, dynamic, utils, watch
from kubernetes.client import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock
from kubernetes.stream import portforward, stream

from tests.clients.conftest import eventually
from tests.clients.objects import CRONTAB, config_map, crontab, deployment, pod, service


@pytest.fixture(scope="module")
def api(kubeconfig: str) -> Iterator[client.ApiClient]:
    with kubernetes.config.new_client_from_config(kubeconfig) as made:
        yield made


@pytest.fixture
def core(api: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(api)


@pytest.fixture(scope="module")
def on_node(node_kubeconfig: str) -> Iterator[client.CoreV1Api]:
    with kubernetes.config.new_client_from_config(node_kubeconfig) as made:
        yield client.CoreV1Api(made)


def refused(status: int, reason: str, call: Any, *arguments: Any, **options: Any) -> Any:
    """The Status of a call that must fail."""
    with pytest.raises(ApiException) as raised:
        call(*arguments, **options)
    told = json.loads(raised.value.body)
    assert (raised.value.status, told["reason"]) == (status, reason)
    return told


def test_each_type_of_patch(core: client.CoreV1Api, kubepy_namespace: str) -> None:
    core.create_namespaced_service(kubepy_namespace, service("s", ("a", 80)))

    def patch(body: Any, media: str, **options: Any) -> list[tuple[str, int]]:
        made = core.patch_namespaced_service("s", kubepy_namespace, body, _content_type=media, **options)
        return [(port.name, port.port) for port in made.spec.ports]

    more = {"spec": {"ports": [{"name": "b", "port": 81}]}}
    assert sorted(patch(more, "application/strategic-merge-patch+json")) == [("a", 80), ("b", 81)]
    assert patch(more, "application/merge-patch+json") == [("b", 81)]
    operations = [{"op": "add", "path": "/spec/ports/-", "value": {"name": "c", "port": 82}}]
    assert patch(operations, "application/json-patch+json") == [("b", 81), ("c", 82)]
    applied = service("s", ("d", 83))
    options = {"field_manager": "test", "force": True}
    assert ("d", 83) in patch(applied, "application/apply-patch+yaml", **options)


def test_objects_of_several_groups_live_and_die(api: client.ApiClient, kubepy_namespace: str) -> None:
    apps, batch, rbac = client.AppsV1Api(api), client.BatchV1Api(api), client.RbacAuthorizationV1Api(api)
    container = client.V1Container(name="main", image="busybox", command=["true"])
    job = client.V1Job(
        metadata=client.V1ObjectMeta(name="once"),
        spec=client.V1JobSpec(
            template=client.V1PodTemplateSpec(spec=client.V1PodSpec(restart_policy="Never", containers=[container]))
        ),
    )
    assert batch.create_namespaced_job(kubepy_namespace, job).spec.backoff_limit == 6
    made = apps.create_namespaced_deployment(kubepy_namespace, deployment("web", 2))
    assert made.spec.strategy.rolling_update.max_surge == "25%"
    made.metadata.resource_version, stale, made.spec.replicas = None, made.metadata.resource_version, 3
    assert apps.replace_namespaced_deployment("web", kubepy_namespace, made).metadata.generation == 2
    made.metadata.resource_version = stale
    refused(409, "Conflict", apps.replace_namespaced_deployment, "web", kubepy_namespace, made)
    scale = apps.read_namespaced_deployment_scale("web", kubepy_namespace)
    scale.metadata.resource_version, scale.spec.replicas = None, 1
    assert apps.replace_namespaced_deployment_scale("web", kubepy_namespace, scale).spec.replicas == 1
    role = client.V1Role(
        metadata=client.V1ObjectMeta(name="r"),
        rules=[client.V1PolicyRule(api_groups=[""], resources=["pods"], verbs=["get"])],
    )
    assert rbac.create_namespaced_role(kubepy_namespace, role).rules[0].verbs == ["get"]
    foreground = client.V1DeleteOptions(propagation_policy="Foreground")
    apps.delete_namespaced_deployment("web", kubepy_namespace, body=foreground)
    batch.delete_collection_namespaced_job(kubepy_namespace, propagation_policy="Background")
    eventually(lambda: not batch.list_namespaced_job(kubepy_namespace).items, "the job is gone")
    eventually(lambda: not apps.list_namespaced_deployment(kubepy_namespace).items, "the deployment is gone")


def test_faults_come_as_statuses(core: client.CoreV1Api, kubepy_namespace: str) -> None:
    refused(404, "NotFound", core.read_namespaced_pod, "none", kubepy_namespace)
    core.create_namespaced_config_map(kubepy_namespace, config_map("a"))
    refused(409, "AlreadyExists", core.create_namespaced_config_map, kubepy_namespace, config_map("a"))
    told = refused(422, "Invalid", core.create_namespaced_config_map, kubepy_namespace, config_map("A_b"))
    assert told["details"]["causes"][0]["field"] == "metadata.name"
    assert core.create_namespaced_config_map(kubepy_namespace, config_map("b"), dry_run="All").metadata.uid
    assert [found.metadata.name for found in core.list_namespaced_config_map(kubepy_namespace).items if
            not found.metadata.name.startswith("kube-")] == ["a"]  # fmt: skip


def test_pages_of_a_list_join_to_the_whole(core: client.CoreV1Api, kubepy_namespace: str) -> None:
    for number in range(7):
        core.create_namespaced_secret(kubepy_namespace, {"metadata": {"name": f"s{number}", "labels": {"a": "b"}}})
    found, token = [], None
    while token != "":
        page = core.list_namespaced_secret(kubepy_namespace, limit=3, _continue=token)
        assert len(page.items) <= 3
        found += [secret.metadata.name for secret in page.items]
        token = page.metadata._continue or ""
        core.create_namespaced_secret(kubepy_namespace, {"metadata": {"generateName": "a"}})
    assert found == [f"s{number}" for number in range(7)]


def test_a_watch_goes_on_from_where_it_was(core: client.CoreV1Api, kubepy_namespace: str) -> None:
    start = core.list_namespaced_config_map(kubepy_namespace).metadata.resource_version
    for name in ("a", "b"):
        core.create_namespaced_config_map(kubepy_namespace, config_map(name))
    looking = watch.Watch()
    seen = []
    for event in looking.stream(core.list_namespaced_config_map, kubepy_namespace, resource_version=start):
        if event["object"].metadata.name in ("a", "b"):
            seen.append((event["type"], event["object"].metadata.name))
        if len(seen) == 2:
            looking.stop()
    assert seen == [("ADDED", "a"), ("ADDED", "b")]
    core.delete_namespaced_config_map("a", kubepy_namespace)
    again = watch.Watch()
    events = again.stream(
        core.list_namespaced_config_map,
        kubepy_namespace,
        resource_version=looking.resource_version,
        allow_watch_bookmarks=True,
        timeout_seconds=20,
    )
    event = next(event for event in events if event["type"] != "BOOKMARK")
    again.stop()
    assert (event["type"], event["object"].metadata.name) == ("DELETED", "a")


def test_a_watch_from_too_long_ago_is_told_so(core: client.CoreV1Api, kubepy_namespace: str) -> None:
    start = core.create_namespaced_config_map(kubepy_namespace, config_map("a")).metadata.resource_version
    for number in range(20):  # more than the server remembers
        core.patch_namespaced_config_map("a", kubepy_namespace, {"data": {"x": f"{number}" + "x" * 900_000}})
    listing = watch.Watch().stream(
        core.list_namespaced_config_map, kubepy_namespace, resource_version=start, timeout_seconds=20
    )
    with pytest.raises(ApiException) as raised:
        list(listing)
    assert raised.value.status == 410
    assert "too old resource version" in raised.value.reason


def test_the_dynamic_client_finds_what_there_is(
    api: client.ApiClient, kubepy_namespace: str, crontabs: None, tmp_path: Path
) -> None:
    for discoverer in (dynamic.EagerDiscoverer, dynamic.LazyDiscoverer):
        finding = dynamic.DynamicClient(api, cache_file=str(tmp_path / discoverer.__name__), discoverer=discoverer)
        assert finding.version["kubernetes"]["gitVersion"].startswith("v1.37")
        assert finding.resources.get(api_version="v1", kind="Pod").namespaced
        assert finding.resources.get(kind="Deployment", group="apps").preferred
        tabs = finding.resources.get(api_version="clients.example.com/v1", kind="CronTab")
        assert tabs.short_names == ["ct"]
        name = discoverer.__name__.lower()
        made = tabs.create(body=crontab(name), namespace=kubepy_namespace)
        made.spec.image = "other"
        assert tabs.replace(body=made.to_dict(), namespace=kubepy_namespace).spec.image == "other"
        patched = tabs.patch(
            body={"metadata": {"name": name}, "spec": {"replicas": 2}}, namespace=kubepy_namespace,
            content_type="application/merge-patch+json",
        )  # fmt: skip
        assert tabs.scale.get(name=name, namespace=kubepy_namespace).spec.replicas == patched.spec.replicas == 2
        status = {"metadata": {"name": name}, "status": {"seen": True}}
        shown = tabs.status.patch(body=status, namespace=kubepy_namespace, content_type="application/merge-patch+json")
        assert shown.status.seen is True
        first = next(iter(tabs.watch(namespace=kubepy_namespace, timeout=10)))
        assert first["type"] == "ADDED"
        assert tabs.delete(name=name, namespace=kubepy_namespace).status == "Success"
        assert tabs.get(namespace=kubepy_namespace).items == []


def test_the_dynamic_client_applies(api: client.ApiClient, kubepy_namespace: str) -> None:
    maps = dynamic.DynamicClient(api).resources.get(api_version="v1", kind="ConfigMap")

    def apply(manager: str, *, force: bool = False, **data: str) -> Any:
        return maps.server_side_apply(
            body=config_map("a", **data), namespace=kubepy_namespace, field_manager=manager, force_conflicts=force
        )

    apply("one", x="1", y="1")
    assert apply("two", z="2").data.to_dict() == {"x": "1", "y": "1", "z": "2"}
    with pytest.raises(dynamic.exceptions.ConflictError):
        apply("two", x="2", z="2")
    assert apply("two", force=True, x="2", z="2").data.x == "2"
    assert apply("one", y="1").data.to_dict() == {"x": "2", "y": "1", "z": "2"}
    assert apply("two").data.to_dict() == {"y": "1"}


def test_custom_objects(api: client.ApiClient, kubepy_namespace: str, crontabs: None) -> None:
    custom = client.CustomObjectsApi(api)
    where = ("clients.example.com", "v1", kubepy_namespace, "crontabs")
    custom.create_namespaced_custom_object(*where, crontab("a"))
    custom.patch_namespaced_custom_object(*where, "a", {"spec": {"image": "new"}})
    found = custom.get_namespaced_custom_object(*where, "a")
    assert (found["spec"]["image"], found["metadata"]["generation"]) == ("new", 2)
    custom.patch_namespaced_custom_object_status(*where, "a", {"status": {"done": True}})
    assert custom.get_namespaced_custom_object_status(*where, "a")["status"] == {"done": True}
    assert custom.list_cluster_custom_object(*where[:2], "crontabs")["items"]
    custom.delete_collection_namespaced_custom_object(*where)
    assert custom.list_namespaced_custom_object(*where)["items"] == []


def test_whole_files_are_created_and_what_fails_is_told(
    api: client.ApiClient, kubepy_namespace: str, tmp_path: Path
) -> None:
    path = tmp_path / "all.yaml"
    listed = {"apiVersion": "v1", "kind": "List", "items": [config_map("c"), service("s", ("a", 80))]}
    path.write_text(yaml.safe_dump_all([deployment("web"), pod("p"), listed]))
    utils.create_from_yaml(api, str(path), namespace=kubepy_namespace)
    assert client.CoreV1Api(api).read_namespaced_service("s", kubepy_namespace).spec.cluster_ip
    with pytest.raises(utils.FailToCreateError) as raised:
        utils.create_from_yaml(api, str(path), namespace=kubepy_namespace)
    assert [fault.reason for fault in raised.value.api_exceptions] == ["Conflict"] * 4
    utils.create_from_yaml(api, str(path), namespace=kubepy_namespace, apply=True)


@pytest.mark.parametrize("lock", [ConfigMapLock, LeaseLock])
def test_one_of_two_candidates_leads(api: client.ApiClient, kubepy_namespace: str, lock: Any) -> None:
    led: list[str] = []

    class Done(Exception):
        """Ends a leader."""

    def candidate(name: str) -> leaderelection.LeaderElection:
        own = lock("lock", kubepy_namespace, name)
        own.api_instance = type(own.api_instance)(api)

        def lead() -> None:
            led.append(name)
            raise Done

        return leaderelection.LeaderElection(electionconfig.Config(own, 17, 15, 5, lead, lambda: None))

    first, second = candidate("one"), candidate("two")
    assert first.try_acquire_or_renew()
    assert not second.try_acquire_or_renew()
    assert first.try_acquire_or_renew()
    assert second.observed_record.holder_identity == "one"


def test_a_command_runs_in_a_pod(on_node: client.CoreV1Api) -> None:
    connect = on_node.connect_get_namespaced_pod_exec
    said = stream(connect, "web", "default", command=["echo", "a", "b"], stderr=True, stdout=True)
    assert said == "a b\n"
    shell = stream(
        connect,
        "web",
        "default",
        command=["sh"],
        stdin=True,
        stdout=True,
        stderr=True,
        tty=False,
        _preload_content=False,
    )
    shell.write_stdin("echo one\n")
    assert shell.readline_stdout(timeout=10) == "one"
    shell.write_stdin("echo two >&2; exit 3\n")
    assert shell.readline_stderr(timeout=10) == "two"
    shell.run_forever(timeout=10)
    assert shell.returncode == 3
    with pytest.raises(ApiException):
        stream(connect, "none", "default", command=["true"], stdout=True)


def test_a_log_is_read_and_a_port_reached(on_node: client.CoreV1Api) -> None:
    assert on_node.read_namespaced_pod_log("web", "default") == "this is a test\n"
    assert on_node.read_namespaced_pod_log("web", "default", tail_lines=0) == ""
    lines = watch.Watch().stream(on_node.read_namespaced_pod_log, "web", "default", follow=True)
    assert next(iter(lines)) == "this is a test"
    forward = portforward(on_node.connect_get_namespaced_pod_portforward, "web", "default", ports="8080")
    sock = forward.socket(8080)
    sock.setblocking(True)
    sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
    answer = b""
    while part := sock.recv(4096):
        answer += part
    sock.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"hello\n")
    assert forward.error(8080) is None
    assert on_node.connect_get_namespaced_pod_proxy("web:8080", "default") == "hello\n"


def test_an_informer_keeps_up(core: client.CoreV1Api, kubepy_namespace: str) -> None:
    from kubernetes.informer import SharedInformer

    core.create_namespaced_config_map(kubepy_namespace, config_map("before"))
    informer = SharedInformer(core.list_namespaced_config_map, namespace=kubepy_namespace)
    added, gone = threading.Event(), threading.Event()
    informer.add_event_handler("ADDED", lambda obj: obj.metadata.name == "after" and added.set())
    informer.add_event_handler("DELETED", lambda obj: obj.metadata.name == "before" and gone.set())
    informer.start()
    try:
        eventually(lambda: "before" in {obj.metadata.name for obj in informer.cache.list()}, "the cache is filled")
        core.create_namespaced_config_map(kubepy_namespace, config_map("after"))
        assert added.wait(20)
        core.delete_namespaced_config_map("before", kubepy_namespace)
        assert gone.wait(20)
    finally:
        informer.stop()


def test_the_definition_is_read_with_its_types(api: client.ApiClient, crontabs: None) -> None:
    found = client.ApiextensionsV1Api(api).read_custom_resource_definition(CRONTAB["metadata"]["name"])
    assert found.status.accepted_names.kind == "CronTab"
    assert found.spec.versions[0].schema.open_apiv3_schema.properties["spec"].type == "object"
