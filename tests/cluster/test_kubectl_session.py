"""What people do with a cluster all day, with every kubectl on this machine."""

import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import KUBECTLS
from tests.cluster.machines import IMAGE, NODES, Kubectl, Sandbox, eventually, probe

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(params=KUBECTLS, ids=lambda path: path.name, scope="module")
def kubectl(request: pytest.FixtureRequest, admin: Kubectl) -> Iterator[Kubectl]:
    """A kubectl in a namespace of its own, which goes with it."""
    path: Path = request.param
    namespace = "session-" + "".join(c if c.isalnum() else "-" for c in path.name)
    admin("create", "namespace", namespace)
    yield Kubectl(path, namespace)
    admin("delete", "namespace", namespace, "--wait=true", timeout_s=120)


@pytest.fixture(scope="module")
def web(kubectl: Kubectl) -> Kubectl:
    """A Deployment of three behind a Service."""
    kubectl("create", "deployment", "web", f"--image={IMAGE}:v1", "--replicas=3")
    kubectl("expose", "deployment", "web", "--port=80")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    return kubectl


def fetch(sandbox: Sandbox, kubectl: Kubectl, node: str = NODES[0]) -> str:
    """What the Service answers on a node."""
    address = kubectl.get("service", "web")["spec"]["clusterIP"]
    return sandbox.run(node, "curl", "-sS", "--max-time", "5", f"http://{address}/")


def test_the_cluster_tells_about_itself(kubectl: Kubectl) -> None:
    assert all(node in kubectl("get", "nodes") for node in NODES)
    assert "Healthy" in kubectl("get", "componentstatuses")
    assert "deployments" in kubectl("api-resources")
    assert "replicas" in kubectl("explain", "deployment.spec")
    assert "v1.37" in kubectl("version")


def test_the_service_answers_from_every_node(web: Kubectl, sandbox: Sandbox) -> None:
    for node in NODES:
        assert "web v1" in fetch(sandbox, web, node)


def test_the_service_is_found_by_name_from_a_pod(web: Kubectl) -> None:
    assert "web v1" in probe(web, f"http://web.{web.namespace}.svc.cluster.local/")
    assert "web v1" in probe(web, "http://web/")


def test_traffic_is_shared_between_pods_of_both_nodes(web: Kubectl, sandbox: Sandbox) -> None:
    pods = {pod["metadata"]["name"] for pod in web.items("pods", "-l", "app=web")}
    seen: set[str] = set()

    def all_seen() -> bool:
        seen.add(fetch(sandbox, web).split()[-1])
        return seen == pods

    eventually(all_seen, f"answers of {pods}, saw {seen}")


def test_scaling(web: Kubectl) -> None:
    web("scale", "deployment/web", "--replicas=4")
    web("rollout", "status", "deployment/web", "--timeout=60s")
    assert web.get("deployment", "web")["status"]["readyReplicas"] == 4
    web("scale", "deployment/web", "--replicas=2")
    eventually(lambda: len(web.items("pods", "-l", "app=web")) == 2, "two pods left")


def test_rolling_out_and_back(web: Kubectl, sandbox: Sandbox) -> None:
    web("set", "image", "deployment/web", f"web={IMAGE}:v2")
    web("rollout", "status", "deployment/web", "--timeout=90s")
    eventually(lambda: "web v2" in fetch(sandbox, web), "the new version answers")
    web("rollout", "undo", "deployment/web")
    web("rollout", "status", "deployment/web", "--timeout=90s")
    eventually(lambda: "web v1" in fetch(sandbox, web), "the old version answers again")
    assert "REVISION" in web("rollout", "history", "deployment/web")


def test_logs_and_exec(web: Kubectl) -> None:
    pod = web.items("pods", "-l", "app=web", "--field-selector=status.phase=Running")[0]["metadata"]["name"]
    assert web("logs", pod).startswith("started v1")
    assert web("exec", pod, "--", "hostname").strip() == pod
    assert web("exec", "-i", pod, "--", "cat", stdin="through and back").strip() == "through and back"
    failed = web("exec", pod, "--", "sh", "-c", "exit 7", check=False)
    assert "exit code 7" in failed


def test_a_terminal_in_a_pod(web: Kubectl) -> None:
    """`kubectl run -it --rm`, on a terminal of its own."""
    terminal, end = pty.openpty()
    words = ["run", "shell", "-it", "--rm", "--restart=Never", f"--image={IMAGE}:v1", "--", "sh"]
    process = subprocess.Popen(
        [str(web.path), "-n", web.namespace, *words],
        stdin=end, stdout=end, stderr=end, start_new_session=True,
        env={**os.environ, "KUBECONFIG": str(web.kubeconfig)},
    )  # fmt: skip
    os.close(end)
    shown = b""
    os.write(terminal, b"echo $((40 + 2)) is the answer; exit\n")
    try:
        while chunk := os.read(terminal, 4096):
            shown += chunk
    except OSError:
        pass  # the terminal's other end was closed: the program has ended
    os.close(terminal)
    assert process.wait(60) == 0, shown
    assert b"42 is the answer" in shown


def test_describing_and_editing(web: Kubectl, tmp_path: Path) -> None:
    assert "Replicas:" in web("describe", "deployment", "web")
    assert "Successfully assigned" in web("describe", "pods", "--show-events=true")  # v1.37 asks for one pod's alone
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/minReadySeconds: .*//; s/^  replicas: .*/  replicas: 3/' \"$1\"\n")
    editor.chmod(0o755)
    web("edit", "deployment", "web", KUBE_EDITOR=str(editor))
    assert web.get("deployment", "web")["spec"]["replicas"] == 3


MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: GREETING}
---
apiVersion: v1
kind: Pod
metadata: {name: reader, labels: {app: reader}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: IMAGE
    command: [sh, -c, "cat /settings/greeting; echo; sleep 3600"]
    env: [{name: GREETING, valueFrom: {configMapKeyRef: {name: settings, key: greeting}}}]
    readinessProbe: {exec: {command: [cat, /settings/greeting]}, periodSeconds: 1}
    volumeMounts: [{name: settings, mountPath: /settings}, {name: scratch, mountPath: /scratch}]
  volumes:
  - {name: settings, configMap: {name: settings}}
  - {name: scratch, emptyDir: {}}
"""


def test_applying_a_file_again_and_deleting_it(kubectl: Kubectl, tmp_path: Path) -> None:
    file = tmp_path / "app.yaml"
    file.write_text(MANIFEST.replace("GREETING}", "hello}").replace("IMAGE", f"{IMAGE}:v1"))
    assert "created" in kubectl("apply", "-f", str(file))
    kubectl("wait", "--for=condition=Ready", "pod/reader", "--timeout=60s")
    assert kubectl("logs", "reader") == "hello\n"
    assert kubectl("exec", "reader", "--", "sh", "-c", "echo -n $GREETING") == "hello"
    assert "unchanged" in kubectl("apply", "-f", str(file))
    file.write_text(file.read_text().replace("hello}", "goodbye}"))
    assert "configured" in kubectl("apply", "-f", str(file))
    assert kubectl.get("configmap", "settings")["data"] == {"greeting": "goodbye"}
    kubectl("delete", "-f", str(file), timeout_s=60)
    assert "NotFound" in kubectl("get", "pod", "reader", check=False)


def test_watching_pods(kubectl: Kubectl) -> None:
    words = ["-n", kubectl.namespace, "get", "pods", "-w", "--output-watch-events"]
    watching = subprocess.Popen(
        [str(kubectl.path), *words],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "KUBECONFIG": str(kubectl.kubeconfig)},
    )  # fmt: skip
    try:
        kubectl("run", "watched", f"--image={IMAGE}:v1")
        kubectl("wait", "--for=condition=Ready", "pod/watched", "--timeout=60s")
        kubectl("delete", "pod", "watched", "--grace-period=1", timeout_s=60)
        assert watching.stdout is not None
        seen = []
        for line in watching.stdout:
            if "watched" in line:
                seen.append(line.split()[0])
                if seen[-1] == "DELETED":
                    break
        assert seen[0] == "ADDED"
        assert "MODIFIED" in seen
    finally:
        watching.terminate()
        watching.wait()


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ("{apiVersion: v1, kind: Pod, metadata: {name: Bad_Name}, spec: {containers: [{name: c, image: x}]}}", "Bad_"),
        ("{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: []}}", "spec.containers: Required value"),
        ("{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {contaniers: []}}", 'unknown field "spec.contaniers"'),
        ("{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {replicas: many}}", "replicas"),
    ],
)
def test_a_wrong_manifest_is_refused_and_nothing_is_stored(kubectl: Kubectl, manifest: str, said: str) -> None:
    answer = kubectl("create", "-f", "-", stdin=f"---\n{manifest}", check=False)
    assert said in answer
    assert not kubectl.items("pods", "--field-selector=metadata.name=p")
