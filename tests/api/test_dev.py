"""`kubepy dev` as people run it: a process of its own, every kubectl of this machine, the official Python client."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes
import pytest

from kubepy.testing.process import DevProcess
from tests.api.serving import kubectls

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: applied}
spec:
  replicas: %d
  selector: {matchLabels: {app: applied}}
  template:
    metadata: {labels: {app: applied}}
    spec: {containers: [{name: web, image: nginx}]}
"""
WRONG = {
    "a type": ("replicas: two", "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas"),
    "an unknown field": ("replicaz: 2", 'unknown field "spec.replicaz"'),
    "a value": ("replicas: -2", "must be greater than or equal to 0"),
}
NOBODY = 65534


class Kubectl:
    """One kubectl in one namespace."""

    def __init__(self, path: str, cluster: DevProcess, namespace: str) -> None:
        self._command = [path, f"--kubeconfig={cluster.kubeconfig}", f"--namespace={namespace}"]
        self._command.append(f"--cache-dir={cluster.folder / 'cache' / Path(path).name}")
        self._home = str(cluster.folder)

    def run(self, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        command, environment = [*self._command, *arguments], {"PATH": "/usr/bin:/bin", "HOME": self._home}
        return subprocess.run(
            command, check=False, input=stdin, text=True, capture_output=True, env=environment, timeout=60
        )

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """What it prints; it must succeed."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def refused(self, *arguments: str, stdin: str = "") -> str:
        """What it complains of; it must fail."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 1, f"kubectl {' '.join(arguments)}: {done.stdout}"
        return done.stderr

    def get(self, *what: str) -> Any:
        return json.loads(self("get", *what, "-o", "json"))


@pytest.fixture(params=kubectls(), ids=lambda path: Path(path).name)
def kubectl(request: pytest.FixtureRequest, kubepy_cluster: DevProcess, kubepy_namespace: str) -> Kubectl:
    return Kubectl(request.param, kubepy_cluster, kubepy_namespace)


@pytest.fixture
def newest(kubepy_cluster: DevProcess, kubepy_namespace: str) -> Kubectl:
    return Kubectl(kubectls()[-1], kubepy_cluster, kubepy_namespace)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DevProcess]:
    """A cluster that a test may end as it likes."""
    process = DevProcess(tmp_path / "dev")
    yield process
    process.kill()


def eventually(holds: Callable[[], bool], what: str, within_s: float = 20.0) -> None:
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until, f"not in {within_s} s: {what}"
        time.sleep(0.02)


def pods_run(kubectl: Kubectl, selector: str, count: int) -> bool:
    pods = kubectl.get("pods", "-l", selector)["items"]
    return [pod["status"]["phase"] for pod in pods] == ["Running"] * count


def test_a_day_with_a_deployment(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "web", "--image=nginx:1", "--replicas=2")
    kubectl("expose", "deployment", "web", "--port=80")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    kubectl("scale", "deployment/web", "--replicas=3")
    kubectl("wait", "deployment/web", "--for=jsonpath={.status.readyReplicas}=3", "--timeout=20s")
    kubectl("set", "image", "deployment/web", "nginx=nginx:2")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    images = kubectl("get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}").split()
    assert images.count("nginx:2") == 3
    assert "REVISION" in kubectl("rollout", "history", "deployment/web")
    kubectl("rollout", "undo", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    assert kubectl.get("deployment", "web")["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1"
    described = kubectl("describe", "deployment", "web")
    assert "ScalingReplicaSet" in described
    assert "3 desired | 3 updated | 3 total | 3 available" in described
    kubectl("delete", "deployment", "web")
    kubectl("wait", "pod", "--for=delete", "-l", "app=web", "--timeout=20s")
    assert kubectl.get("replicasets")["items"] == []


def test_what_the_cluster_tells_of_itself(kubectl: Kubectl) -> None:
    components = kubectl("get", "cs")
    assert components.count("Healthy") == 3
    assert "Unhealthy" not in components
    assert "deployments" in kubectl("api-resources", "--api-group=apps")
    assert "replicas" in kubectl("explain", "deployment.spec")
    assert "node-0   Ready" in kubectl("get", "nodes")
    assert "Ready" in kubectl("describe", "node", "node-0")
    assert kubectl("get", "--raw", "/readyz") == "ok"


def test_applying_twice_changes_what_has_changed(kubectl: Kubectl) -> None:
    assert "created" in kubectl("apply", "-f", "-", stdin=DEPLOYMENT % 1)
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=DEPLOYMENT % 1)
    assert "configured" in kubectl("apply", "-f", "-", stdin=DEPLOYMENT % 2)
    eventually(lambda: pods_run(kubectl, "app=applied", 2), "two pods")
    by_server = kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=DEPLOYMENT % 3)
    assert "serverside-applied" in by_server
    assert kubectl.get("deployment", "applied")["spec"]["replicas"] == 3


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_manifest_is_refused_with_its_reason(newest: Kubectl, fault: str) -> None:
    spec, reason = WRONG[fault]
    manifest = (DEPLOYMENT % 1).replace("replicas: 1", spec)
    assert reason in newest.refused("create", "-f", "-", stdin=manifest)
    assert newest.get("deployments")["items"] == []


def test_a_pod_runs_within_two_seconds_of_its_creation(newest: Kubectl) -> None:
    began = time.monotonic()
    newest("run", "quick", "--image=nginx")
    newest("wait", "pod/quick", "--for=jsonpath={.status.phase}=Running", "--timeout=10s")
    pod = newest.get("pod", "quick")
    assert pod["status"]["podIP"]
    assert time.monotonic() - began < 10  # two in truth; this machine may be busy with other tests


@pytest.fixture
def api(kubepy_cluster: DevProcess) -> Iterator[kubernetes.client.ApiClient]:
    client = kubernetes.config.new_client_from_config(str(kubepy_cluster.kubeconfig))
    yield client
    client.close()


def test_the_official_client_lists_watches_and_patches(api: kubernetes.client.ApiClient, kubepy_namespace: str) -> None:
    core, apps = kubernetes.client.CoreV1Api(api), kubernetes.client.AppsV1Api(api)
    manifest = {
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "nginx"}]},
            },
        },
    }
    start = core.list_namespaced_pod(kubepy_namespace).metadata.resource_version
    apps.create_namespaced_deployment(kubepy_namespace, manifest)
    seen = []
    watch = kubernetes.watch.Watch()
    for event in watch.stream(core.list_namespaced_pod, kubepy_namespace, resource_version=start, timeout_seconds=20):
        seen.append(event["type"])
        if event["object"].status.phase == "Running":
            watch.stop()
    assert seen[0] == "ADDED"
    assert set(seen[1:]) == {"MODIFIED"}
    patched = apps.patch_namespaced_deployment("web", kubepy_namespace, {"spec": {"replicas": 2}})
    assert patched.spec.replicas == 2
    listed = lambda: core.list_namespaced_pod(kubepy_namespace, label_selector="app=web").items  # noqa: E731
    eventually(lambda: [pod.status.phase for pod in listed()] == ["Running"] * 2, "two pods")
    with pytest.raises(kubernetes.client.ApiException) as refused:
        core.read_namespaced_pod("no-such-pod", kubepy_namespace)
    assert refused.value.status == 404


def config_map(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


def test_a_start_costs_little_more_than_loading_the_libraries(
    cluster: DevProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    libraries = [sys.executable, "-c", "import aiohttp.web, uvloop, orjson, cryptography.x509"]
    loading, starting = [], []
    for _ in range(3):  # the first compiles what has changed
        before = os.times()
        subprocess.run(libraries, check=True)
        after = os.times()
        loading.append(after.children_user + after.children_system - before.children_user - before.children_system)
        cluster.start()
        assert cluster.process is not None
        ticks = Path(f"/proc/{cluster.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        starting.append(sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"))
        assert cluster.stop() == 0
    assert min(starting) < 8 * min(loading)


def uids(cluster: DevProcess, path: str) -> dict[str, str]:
    return {obj["metadata"]["name"]: obj["metadata"]["uid"] for obj in cluster.call("GET", path)["items"]}


def test_what_was_there_before_a_crash_is_there_after_it(cluster: DevProcess) -> None:
    cluster.start()
    maps = "/api/v1/namespaces/default/configmaps"
    for number in range(20):
        cluster.call("POST", maps, config_map(f"map-{number}"))
    before, nodes = uids(cluster, maps), uids(cluster, "/api/v1/nodes")
    kubeconfig = cluster.kubeconfig.read_text().replace(cluster.url, "")
    cluster.kill()
    cluster.start()
    after = uids(cluster, maps)
    assert {name: after.get(name) for name in before} == before
    assert uids(cluster, "/api/v1/nodes") == nodes
    assert cluster.kubeconfig.read_text().replace(cluster.url, "") == kubeconfig
    assert cluster.stop() == 0


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_good_order_while_a_client_watches(cluster: DevProcess, signum: int) -> None:
    cluster.start()
    if not kubectls():
        pytest.fail("this test needs a kubectl")
    command = [kubectls()[-1], f"--kubeconfig={cluster.kubeconfig}", "get", "nodes", "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as watching:
        assert watching.stdout is not None
        assert "NAME" in watching.stdout.readline()
        began = time.monotonic()
        assert cluster.stop(signum) == 0
        assert time.monotonic() - began < 5
        watching.kill()
    assert "Traceback" not in cluster.log
    assert " E" not in {line[:2] for line in cluster.log.splitlines()}


def dev(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "kubepy.cli.kubepy", "dev", *arguments]
    return subprocess.run(command, check=False, text=True, capture_output=True, timeout=30, **options)


def test_an_occupied_port_is_told_in_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = dev("--port", str(port), "--data-dir", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_a_folder_that_is_a_file_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = dev("--port=0", "--data-dir", str(tmp_path / "file"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"Error: cannot keep a cluster in {tmp_path / 'file'}: ")


def test_a_folder_in_use_by_another_is_told_in_a_sentence(cluster: DevProcess) -> None:
    cluster.start()
    done = dev("--port=0", "--data-dir", str(cluster.folder))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"Error: cannot use the cluster in {cluster.folder}: ")
    assert cluster.call("GET", "/readyz") == "ok"


def test_it_needs_no_privileges() -> None:
    options: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="kubepy-test-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o555)
        if options:
            shutil.chown(folder, NOBODY, NOBODY)
        refused = dev("--port=0", f"--data-dir={folder}/dev", **options)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
        assert "Permission denied" in refused.stderr
        folder.chmod(0o755)
        command = [sys.executable, "-m", "kubepy.cli.kubepy", "dev", "--port=0", f"--data-dir={folder}/dev"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("kubepy is ready at https://127.0.0.1:")
            process.terminate()
            assert process.wait(10) == 0
