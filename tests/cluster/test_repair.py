"""What a cluster mends by itself."""

import json
from collections.abc import Iterator

import pytest

from tests.cluster.machines import CONTROL_PLANE, IMAGE, NODES, Kubectl, Sandbox, eventually, probe

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def kubectl(admin: Kubectl) -> Iterator[Kubectl]:
    admin("create", "namespace", "repair")
    yield Kubectl(admin.path, "repair")
    admin("delete", "namespace", "repair", "--wait=false")


def test_a_killed_container_is_started_again(kubectl: Kubectl, sandbox: Sandbox) -> None:
    kubectl("run", "victim", f"--image={IMAGE}:v1")
    kubectl("wait", "--for=condition=Ready", "pod/victim", "--timeout=60s")
    status = kubectl.get("pod", "victim")
    container = status["status"]["containerStatuses"][0]["containerID"].removeprefix("docker://")
    sandbox.run(status["spec"]["nodeName"], "docker", "kill", container)

    def restarted() -> bool:
        now = kubectl.get("pod", "victim")["status"]["containerStatuses"][0]
        return bool(now["restartCount"] == 1 and now["ready"] and "running" in now["state"])

    eventually(restarted, "the container runs again")


def test_a_deleted_pod_is_replaced(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "kept", f"--image={IMAGE}:v1", "--replicas=2")
    kubectl("rollout", "status", "deployment/kept", "--timeout=60s")
    first = kubectl.items("pods", "-l", "app=kept")[0]["metadata"]["name"]
    kubectl("delete", "pod", first)
    kubectl("rollout", "status", "deployment/kept", "--timeout=60s")
    names = {pod["metadata"]["name"] for pod in kubectl.items("pods", "-l", "app=kept")}
    assert first not in names
    assert len(names) == 2


def test_pods_of_different_nodes_reach_each_other(kubectl: Kubectl, sandbox: Sandbox) -> None:
    for node in NODES:
        override = f'{{"spec": {{"nodeName": "{node}"}}}}'
        kubectl("run", f"on-{node}", f"--image={IMAGE}:v1", f"--overrides={override}")
    for node in NODES:
        kubectl("wait", "--for=condition=Ready", f"pod/on-{node}", "--timeout=60s")
    second = f"on-{NODES[1]}"
    address = kubectl.get("pod", second)["status"]["podIP"]
    assert f"web v1 {second}" in probe(kubectl, f"http://{address}/", NODES[0])


def test_a_killed_kubelet_comes_back_and_its_pods_never_noticed(kubectl: Kubectl, sandbox: Sandbox) -> None:
    before = kubectl.get("pod", "on-" + NODES[0])["status"]["containerStatuses"][0]
    sandbox.run(NODES[0], "systemctl", "kill", "-s", "KILL", "kubelet")
    eventually(lambda: sandbox.run(NODES[0], "systemctl", "is-active", "kubelet"), "the kubelet runs again")
    kubectl("run", "after", f"--image={IMAGE}:v1", f'--overrides={{"spec": {{"nodeName": "{NODES[0]}"}}}}')
    kubectl("wait", "--for=condition=Ready", "pod/after", "--timeout=60s")
    after = kubectl.get("pod", "on-" + NODES[0])["status"]["containerStatuses"][0]
    assert (after["containerID"], after["restartCount"]) == (before["containerID"], before["restartCount"])


@pytest.mark.parametrize("unit", ["kube-apiserver", "etcd", "kube-controller-manager", "kube-scheduler"])
def test_the_control_plane_survives_the_death_of_each_part(kubectl: Kubectl, sandbox: Sandbox, unit: str) -> None:
    name = f"marker-{unit}"
    kubectl("create", "configmap", name, "--from-literal=kept=yes")
    sandbox.run(CONTROL_PLANE, "systemctl", "kill", "-s", "KILL", unit)
    eventually(lambda: kubectl.get("configmap", name)["data"] == {"kept": "yes"}, "what was written is there")
    kubectl("create", "deployment", name, f"--image={IMAGE}:v1")
    kubectl("rollout", "status", f"deployment/{name}", "--timeout=90s")
    kubectl("delete", "deployment", name)


def test_pods_of_a_stopped_node_move(kubectl: Kubectl, sandbox: Sandbox) -> None:
    soon = [
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}
        for key in ("not-ready", "unreachable")
    ]
    kubectl("create", "deployment", "moving", f"--image={IMAGE}:v1", "--replicas=2")
    kubectl("patch", "deployment", "moving", "-p", _template_patch(soon))
    kubectl("rollout", "status", "deployment/moving", "--timeout=90s")
    lost, left = NODES
    sandbox.machine(lost).pause()
    try:

        def moved() -> bool:
            ready = [
                pod["spec"]["nodeName"]
                for pod in kubectl.items("pods", "-l", "app=moving")
                if "deletionTimestamp" not in pod["metadata"]
                and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
            ]
            return ready == [left, left]

        eventually(moved, "both pods on the node that is left", within_s=240)
    finally:
        sandbox.machine(lost).unpause()
    kubectl("wait", "--for=condition=Ready", f"node/{lost}", "--timeout=120s", timeout_s=130)


def _template_patch(tolerations: list[dict[str, object]]) -> str:
    return json.dumps({"spec": {"template": {"spec": {"tolerations": tolerations}}}})
