from typing import Any

import pytest
from kubelet_pods import REF, container, pod

from kubepy.kubelet.admission import admit
from kubepy.kubelet.container_spec import ConfigFault, port_mappings, sandbox_spec, security
from kubepy.kubelet.images import default_policy, is_reference, registry_of
from kubepy.kubelet.qos import cpu_quota, cpu_shares, limits_of, oom_score
from kubepy.kubelet.runtime.base import ContainerSpec, ImageInfo, Limits, SandboxSpec, SandboxStatus, Security, State
from kubepy.kubelet.runtime.docker_render import (
    Node,
    container_name,
    parse_briefs,
    parse_inspected,
    render_container,
    render_sandbox,
)
from kubepy.kubelet.runtime.docker_stream import Demultiplexer

PLAIN, CAPABLE = Security(), Node()
ROOT_IMAGE = ImageInfo(id="i", names=("app:1",), size_bytes=1)


def secured(shared: dict[str, Any] | None = None, *, image: ImageInfo = ROOT_IMAGE, **own: Any) -> Security:
    box = container("c", securityContext=own)
    return security(pod(box, securityContext=shared or {}), box, image, lambda name: f"profile {name}")


def rendered(security: Security = PLAIN, node: Node = CAPABLE, **fields: Any) -> dict[str, Any]:
    spec = ContainerSpec(
        pod=REF, name="c", attempt=2, sandbox_id="s0", image="app:1", hash="h", command=fields.pop("command", None),
        args=fields.pop("args", None), env=[("A", "1")], security=security, **fields,
    )  # fmt: skip
    return render_container(spec, node)


def test_container_s_own_security_goes_before_the_pod_s() -> None:
    found = secured({"runAsUser": 1, "runAsGroup": 2, "fsGroup": 3, "supplementalGroups": [4]}, runAsUser=5)
    assert (found.user, found.groups) == ("5:2", ("4", "3"))


def test_root_is_refused_where_the_pod_forbids_it() -> None:
    for image in (ROOT_IMAGE, ImageInfo(id="i", names=(), size_bytes=1, user="app")):
        with pytest.raises(ConfigFault, match="runAsNonRoot"):
            secured(runAsNonRoot=True, image=image)
    with pytest.raises(ConfigFault, match="breaks non-root policy"):
        secured(runAsNonRoot=True, runAsUser=0)
    assert secured(runAsNonRoot=True, runAsUser=7).user == "7"


def test_seccomp_profiles() -> None:
    assert secured().seccomp == "unconfined"
    assert secured(seccompProfile={"type": "RuntimeDefault"}).seccomp == ""
    assert secured(seccompProfile={"type": "Localhost", "localhostProfile": "p"}).seccomp == "profile p"


def test_unsafe_sysctl_must_be_allowed() -> None:
    spec = pod(securityContext={"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]})
    settings: dict[str, Any] = {"attempt": 0, "image": "p", "hostname": "h", "cgroup_parent": "", "handler": ""}
    with pytest.raises(ConfigFault, match="forbidden sysctl"):
        sandbox_spec(spec, allowed_sysctls=(), **settings)
    assert sandbox_spec(spec, allowed_sysctls=("net.core.*",), **settings).sysctls == {"net.core.somaxconn": "1"}


def test_host_ports_become_port_mappings() -> None:
    box = container("c", ports=[{"containerPort": 80, "hostPort": 8080, "protocol": "UDP"}, {"containerPort": 1}])
    assert port_mappings(pod(box)) == [{"hostPort": 8080, "containerPort": 80, "protocol": "udp"}]
    assert port_mappings(pod(box, hostNetwork=True)) == []


def test_container_is_named_and_labelled_as_dockershim_did() -> None:
    made = rendered(command=["a"], args=["b"])
    assert container_name(REF, "c", 2) == "k8s_c_web_default_u1_2"
    assert made["Labels"]["io.kubernetes.pod.uid"] == "u1"
    assert made["Labels"]["annotation.io.kubernetes.container.restartCount"] == "2"
    assert (made["Entrypoint"], made["Cmd"]) == (["a"], ["b"])
    assert made["HostConfig"]["NetworkMode"] == "container:s0"


def test_image_s_entrypoint_stays_without_a_command() -> None:
    assert "Entrypoint" not in rendered(args=["b"])


def test_privileged_is_docker_s_own_where_the_machine_allows_it() -> None:
    assert rendered(Security(privileged=True))["HostConfig"]["Privileged"] is True


def test_privileged_leaves_out_what_the_machine_cannot_give() -> None:
    node = Node(missing_caps=frozenset({"SYS_RESOURCE"}), least_oom_score=0)
    host = rendered(Security(privileged=True), node, limits=Limits(oom_score_adj=-997))["HostConfig"]
    assert "Privileged" not in host
    assert (host["CapAdd"], host["CapDrop"]) == (["ALL"], ["SYS_RESOURCE"])
    assert "seccomp=unconfined" in host["SecurityOpt"]
    assert host["OomScoreAdj"] == 0


def test_sandbox_has_no_network_of_docker_s() -> None:
    made = render_sandbox(SandboxSpec(pod=REF, attempt=1, image="pause", hostname="web"), Node())
    assert made["HostConfig"]["NetworkMode"] == "none"
    assert made["Hostname"] == "web"


def test_records_are_read_back_from_docker() -> None:
    found = {
        "Id": "x", "Image": "sha256:1", "Created": "2026-01-02T03:04:05.123456789Z",
        "Config": {"Labels": rendered()["Labels"], "Image": "app:1"}, "HostConfig": {},
        "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": True, "StartedAt": "2026-01-02T03:04:06Z",
                  "FinishedAt": "2026-01-02T03:04:07Z"},
    }  # fmt: skip
    status = parse_inspected(found, "docker://sha256:1")
    assert not isinstance(status, SandboxStatus)
    assert (status.state, status.reason, status.attempt, status.name) == (State.EXITED, "OOMKilled", 2, "c")
    found["State"] = {
        "Status": "created",
        "ExitCode": 127,
        "Error": "no such file",
        "StartedAt": "0001-01-01T00:00:00Z",
    }
    broken = parse_inspected(found, "")
    assert not isinstance(broken, SandboxStatus)
    assert (broken.state, broken.reason, broken.message) == (State.EXITED, "ContainerCannotRun", "no such file")


def test_only_containers_of_pods_are_listed() -> None:
    labels = rendered()["Labels"]
    listed = [{"Id": "a", "Labels": labels, "State": "running"}, {"Id": "b", "Labels": {}, "State": "running"}]
    assert [brief.id for brief in parse_briefs(listed)] == ["a"]


def test_docker_s_frames_arrive_in_any_pieces() -> None:
    wire = b"\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\x03err"
    for step in (1, 5, 100):
        frames = Demultiplexer()
        found = [frame for i in range(0, len(wire), step) for frame in frames.feed(wire[i : i + step])]
        assert found == [(1, b"out"), (2, b"err")]


def test_cpu_becomes_shares_and_quota() -> None:
    assert (cpu_shares(0), cpu_shares(250), cpu_shares(1000)) == (2, 256, 1024)
    assert (cpu_quota(0), cpu_quota(5), cpu_quota(500)) == (0, 1000, 50000)
    box = container("c", resources={"limits": {"cpu": "500m", "memory": "64Mi"}})
    limits = limits_of(pod(box), box, node_memory=1 << 30)
    assert (limits.cpu_shares, limits.cpu_quota, limits.memory) == (512, 50000, 64 << 20)


def test_oom_score_falls_with_what_was_asked_for() -> None:
    free = container("c")
    some = container("c", resources={"requests": {"memory": "512Mi"}})
    sure = container(
        "c", resources={"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}
    )
    assert [oom_score(pod(c), c, 1 << 30) for c in (free, some, sure)] == [1000, 500, -997]


@pytest.mark.parametrize(
    ("reference", "good", "policy", "registry"),
    [
        ("nginx", True, "Always", "docker.io"),
        ("nginx:1.25", True, "IfNotPresent", "docker.io"),
        ("reg.example.com:5000/a/b:v1", True, "IfNotPresent", "reg.example.com:5000"),
        ("a@sha256:" + "0" * 64, True, "IfNotPresent", "docker.io"),
        ("Bad Name", False, "Always", "docker.io"),
    ],
)
def test_image_references(reference: str, good: bool, policy: str, registry: str) -> None:
    assert is_reference(reference) is good
    assert default_policy(reference) == policy
    assert registry_of(reference) == registry


NODE = {
    "metadata": {"name": "n1", "labels": {"disk": "ssd"}},
    "spec": {"taints": [{"key": "gone", "effect": "NoExecute"}]},
    "status": {"allocatable": {"cpu": "1", "memory": "1Gi", "pods": "2"}},
}
TOLERANT = {"tolerations": [{"operator": "Exists"}]}


def asking(**requests: str) -> dict[str, Any]:
    return pod(container("c", resources={"requests": requests}), **TOLERANT)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (asking(cpu="500m"), None),
        (asking(cpu="600m"), "OutOfcpu"),
        (asking(memory="2Gi"), "OutOfmemory"),
        (pod(), "TaintToleration"),
        (pod(nodeSelector={"disk": "hdd"}, **TOLERANT), "NodeAffinity"),
        (pod(container("c", ports=[{"containerPort": 1, "hostPort": 80}]), **TOLERANT), "NodePorts"),
        (pod(os={"name": "windows"}, **TOLERANT), "PodOSNotSupported"),
    ],
)
def test_pod_that_cannot_run_here_is_refused_with_the_reason(spec: dict[str, Any], reason: str | None) -> None:
    taken = container("c", ports=[{"containerPort": 1, "hostPort": 80}], resources={"requests": {"cpu": "500m"}})
    refusal = admit(spec, [pod(taken)], NODE)
    assert (refusal[0] if refusal else None) == reason


def test_full_node_takes_no_more_pods() -> None:
    refusal = admit(pod(**TOLERANT), [pod(), pod()], NODE)
    assert refusal is not None
    assert refusal[0] == "OutOfpods"
