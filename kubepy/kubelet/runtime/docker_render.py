"""Say in Docker's words what a sandbox or container is to be, and read back what Docker says of one.

Pure. Names and labels are dockershim's, so that `docker ps` reads as it did, and so that a kubelet which starts
finds the pods of the one before it. What this node cannot give (see Node) is left out here, in one place.
Source: pkg/kubelet/dockershim (v1.20): helpers.go, docker_sandbox.go, security_context.go, naming.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kubepy.kubelet.runtime.base import (
    Brief,
    ContainerSpec,
    ContainerStatus,
    Limits,
    PodRef,
    SandboxSpec,
    SandboxStatus,
    Security,
    State,
)
from kubepy.lib.clock import parse_rfc3339

Object = dict[str, Any]

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"
TYPE = "io.kubernetes.docker.type"
SANDBOX_ID = "io.kubernetes.sandbox.id"
NOTE = "annotation."
HASH = NOTE + "io.kubernetes.container.hash"
ATTEMPT = NOTE + "io.kubernetes.container.restartCount"
SANDBOX_ATTEMPT = NOTE + "io.kubernetes.sandbox.attempt"
LOG_PATH = "io.kubernetes.container.logpath"
_SANDBOX, _CONTAINER = "podsandbox", "container"
_PRIVILEGED_RULE = "a *:* rwm"
SANDBOX_OOM_SCORE = -998


@dataclass(frozen=True, slots=True)
class Node:
    """What the machine cannot do: `missing_caps` are outside its bounding set; `least_oom_score` cannot be passed."""

    missing_caps: frozenset[str] = frozenset()
    least_oom_score: int = -1000
    cgroup_parents: bool = True


def container_name(pod: PodRef, name: str, attempt: int) -> str:
    """k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT"""
    return f"k8s_{name}_{pod.name}_{pod.namespace}_{pod.uid}_{attempt}"


def _labels(pod: PodRef, name: str, kind: str, extra: Mapping[str, str]) -> dict[str, str]:
    return {
        **extra,
        POD_NAME: pod.name,
        POD_NAMESPACE: pod.namespace,
        POD_UID: pod.uid,
        CONTAINER_NAME: name,
        TYPE: kind,
    }


def render_sandbox(spec: SandboxSpec, node: Node) -> Object:
    """The body of Docker's create request for a sandbox."""
    host: Object = {
        "NetworkMode": "host" if spec.host_network else "none",
        "IpcMode": "host" if spec.host_ipc else "shareable",
        "OomScoreAdj": max(SANDBOX_OOM_SCORE, node.least_oom_score),
        "CpuShares": 2,
        "SecurityOpt": ["no-new-privileges"],
        "LogConfig": {"Type": "none", "Config": {}},
    }
    if spec.host_network:
        host["UTSMode"] = "host"
    if spec.host_pid:
        host["PidMode"] = "host"
    if spec.sysctls:
        host["Sysctls"] = dict(spec.sysctls)
    if spec.cgroup_parent and node.cgroup_parents:
        host["CgroupParent"] = spec.cgroup_parent
    if spec.runtime_handler:
        host["Runtime"] = spec.runtime_handler
    made: Object = {
        "Image": spec.image,
        "Labels": {**_labels(spec.pod, "POD", _SANDBOX, spec.labels), SANDBOX_ATTEMPT: str(spec.attempt)},
        "HostConfig": host,
    }
    if spec.hostname and not spec.host_network:
        made["Hostname"] = spec.hostname
    return made


def render_container(spec: ContainerSpec, node: Node) -> Object:
    """The body of Docker's create request for a container."""
    labels = {
        **_labels(spec.pod, spec.name, _CONTAINER, spec.labels),
        SANDBOX_ID: spec.sandbox_id,
        HASH: spec.hash,
        ATTEMPT: str(spec.attempt),
    }
    made: Object = {
        "Image": spec.image,
        "Env": [f"{name}={value}" for name, value in spec.env],
        "Labels": labels,
        "WorkingDir": spec.working_dir,
        "OpenStdin": spec.stdin,
        "StdinOnce": spec.stdin_once,
        "Tty": spec.tty,
        "Healthcheck": {"Test": ["NONE"]},
        "User": spec.security.user,
        "HostConfig": _host_config(spec, node),
    }
    if spec.command is not None:
        made["Entrypoint"] = list(spec.command)
        made["Cmd"] = list(spec.args or [])
    elif spec.args is not None:
        made["Cmd"] = list(spec.args)
    if spec.stop_signal:
        made["StopSignal"] = spec.stop_signal
    return made


def _host_config(spec: ContainerSpec, node: Node) -> Object:
    sandbox = f"container:{spec.sandbox_id}"
    host: Object = {
        "NetworkMode": sandbox,
        "IpcMode": "host" if spec.host_ipc else sandbox,
        "Mounts": [_mount(m) for m in spec.mounts],
        "RestartPolicy": {"Name": "no"},
        "LogConfig": _log_config(spec),
        **render_limits(spec.limits),
        "OomScoreAdj": max(spec.limits.oom_score_adj, node.least_oom_score),
        **_security(spec.security, node),
    }
    if spec.limits.cgroup_parent and node.cgroup_parents:
        host["CgroupParent"] = spec.limits.cgroup_parent
    if spec.host_pid:
        host["PidMode"] = "host"
    elif spec.share_processes:
        host["PidMode"] = sandbox
    elif spec.target_container_id:
        host["PidMode"] = f"container:{spec.target_container_id}"
    if spec.host_network:
        host["UTSMode"] = "host"
    if spec.runtime_handler:
        host["Runtime"] = spec.runtime_handler
    if spec.devices:
        host["Devices"] = [
            {"PathOnHost": d.host_path, "PathInContainer": d.container_path, "CgroupPermissions": d.permissions}
            for d in spec.devices
        ]
    return host


def _mount(mount: Any) -> Object:
    made: Object = {"Type": "bind", "Source": mount.host_path, "Target": mount.container_path}
    if mount.read_only:
        made["ReadOnly"] = True
    propagation = {"private": "rprivate"}.get(mount.propagation, mount.propagation)
    made["BindOptions"] = {"Propagation": propagation}
    return made


def _log_config(spec: ContainerSpec) -> Object:
    config = {}
    if spec.log_max_bytes:
        config["max-size"] = str(spec.log_max_bytes)
    if spec.log_max_files:
        config["max-file"] = str(spec.log_max_files)
    return {"Type": "json-file", "Config": config}


def render_limits(limits: Limits) -> Object:
    """The cgroup part of a HostConfig, as create and update take it."""
    made: Object = {"CpuShares": limits.cpu_shares, "Memory": limits.memory, "MemorySwap": limits.memory}
    if limits.memory_reservation:
        made["MemoryReservation"] = limits.memory_reservation
    if limits.cpu_quota:
        made["CpuQuota"] = limits.cpu_quota
        made["CpuPeriod"] = limits.cpu_period
    if limits.pids:
        made["PidsLimit"] = limits.pids
    return made


def _security(security: Security, node: Node) -> Object:
    made: Object = {"ReadonlyRootfs": security.read_only_root}
    if security.groups:
        made["GroupAdd"] = list(security.groups)
    add, drop = [*security.capabilities_add], [*security.capabilities_drop]
    options = [f"label={part}" for part in security.selinux]
    if security.privileged and not node.missing_caps:
        return {**made, "Privileged": True, "SecurityOpt": options}
    if security.privileged:
        # Docker's own way asks for every capability there is, which such a machine refuses
        add, drop = ["ALL"], []
        made["DeviceCgroupRules"] = [_PRIVILEGED_RULE]
        options += ["seccomp=unconfined", "apparmor=unconfined"]
    else:
        options += _confinement(security)
    if "ALL" in add:
        drop += sorted(node.missing_caps)
    add = [cap for cap in add if cap not in node.missing_caps]
    if add:
        made["CapAdd"] = add
    if drop:
        made["CapDrop"] = drop
    if security.unmasked_proc or security.privileged:
        made["MaskedPaths"], made["ReadonlyPaths"] = [], []
    if security.no_new_privileges and not security.privileged:
        options.append("no-new-privileges")
    return {**made, "SecurityOpt": options}


def _confinement(security: Security) -> list[str]:
    options = []
    if security.seccomp:
        options.append(f"seccomp={security.seccomp}")
    if security.apparmor:
        options.append(f"apparmor={security.apparmor}")
    return options


# Reading


def pod_of(labels: Mapping[str, str]) -> PodRef:
    return PodRef(labels.get(POD_UID, ""), labels.get(POD_NAME, ""), labels.get(POD_NAMESPACE, ""))


_STATES = {"running": State.RUNNING, "paused": State.RUNNING, "restarting": State.RUNNING, "created": State.CREATED,
           "exited": State.EXITED, "dead": State.EXITED, "removing": State.EXITED}  # fmt: skip


def parse_briefs(listed: Iterable[Mapping[str, Any]]) -> list[Brief]:
    """What Docker's list says of containers of ours."""
    return [
        Brief(
            c["Id"],
            pod_of(c["Labels"]),
            c["Labels"].get(TYPE) == _SANDBOX,
            _STATES.get(c.get("State", ""), State.UNKNOWN),
        )
        for c in listed
        if c["Labels"].get(POD_UID)
    ]


def parse_time(text: str | None) -> datetime | None:
    """Docker writes the year 1 for never."""
    return None if not text or text.startswith("0001") else parse_rfc3339(text)


def parse_inspected(found: Mapping[str, Any], image_id: str) -> ContainerStatus | SandboxStatus:
    """A snapshot from Docker's inspect answer; `image_id` is how the API shows the image."""
    labels = found["Config"].get("Labels") or {}
    if labels.get(TYPE) == _SANDBOX:
        return SandboxStatus(
            id=found["Id"],
            pod=pod_of(labels),
            ready=bool(found["State"].get("Running")),
            attempt=int(labels.get(SANDBOX_ATTEMPT, 0)),
            created_at=parse_time(found.get("Created")),
            pid=int(found["State"].get("Pid") or 0),
            host_network=found["HostConfig"].get("NetworkMode") == "host",
        )
    return _container(found, labels, image_id)


def _container(found: Mapping[str, Any], labels: Mapping[str, str], image_id: str) -> ContainerStatus:
    raw = found["State"]
    state = _STATES.get(raw.get("Status", ""), State.UNKNOWN)
    started, finished = parse_time(raw.get("StartedAt")), parse_time(raw.get("FinishedAt"))
    code = int(raw.get("ExitCode") or 0)
    reason = ""
    if state is State.CREATED and (raw.get("Error") or code):
        state, reason = State.EXITED, "ContainerCannotRun"
        started = finished = parse_time(found.get("Created"))
    elif state is State.EXITED:
        reason = "OOMKilled" if raw.get("OOMKilled") else "Completed" if code == 0 else "Error"
    host = found["HostConfig"]
    return ContainerStatus(
        id=found["Id"],
        name=labels.get(CONTAINER_NAME, ""),
        pod=pod_of(labels),
        state=state,
        attempt=int(labels.get(ATTEMPT, 0)),
        sandbox_id=labels.get(SANDBOX_ID, ""),
        image=found["Config"].get("Image", ""),
        image_id=image_id,
        hash=labels.get(HASH, ""),
        created_at=parse_time(found.get("Created")),
        started_at=started,
        finished_at=finished if state is State.EXITED else None,
        exit_code=code,
        reason=reason,
        message=raw.get("Error") or "",
        pid=int(raw.get("Pid") or 0),
        log_path=found.get("LogPath") or "",
        resources={
            "cpu_shares": host.get("CpuShares") or 0,
            "cpu_quota": host.get("CpuQuota") or 0,
            "memory": host.get("Memory") or 0,
        },
    )


def shown_image_id(image: Mapping[str, Any] | None, image_id: str) -> str:
    """How a container's status names its image: by digest where a registry gave one."""
    digests: Sequence[str] = (image or {}).get("RepoDigests") or ()
    return f"docker-pullable://{digests[0]}" if digests else f"docker://{image_id}"
