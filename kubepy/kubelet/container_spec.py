"""Say what a container is to be: the PodSpec's container and the pod's defaults, as the runtime's ContainerSpec.

Pure, but for reading a seccomp profile through `read_profile`. What cannot be honoured raises ConfigFault, and the
container waits with CreateContainerConfigError.
Source: pkg/kubelet/kuberuntime/{kuberuntime_container,security_context,kuberuntime_sandbox}_linux.go.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubepy.kubelet.expansion import expand
from kubepy.kubelet.podspec import annotations, container_hash, every_container
from kubepy.kubelet.runtime.base import (
    ContainerSpec,
    ImageInfo,
    Limits,
    Mount,
    PodRef,
    SandboxSpec,
    SandboxStatus,
    Security,
)

Object = dict[str, Any]

SAFE_SYSCTLS = frozenset({
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
})  # fmt: skip


class ConfigFault(Exception):
    """The container cannot be made as it is described."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was prepared for a container by others."""

    image: ImageInfo
    env: Sequence[tuple[str, str]]
    mounts: Sequence[Mount]
    limits: Limits
    attempt: int
    sandbox: SandboxStatus
    log_max_bytes: int = 0
    log_max_files: int = 0
    runtime_handler: str = ""
    target_container_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


def pod_ref(pod: Object) -> PodRef:
    meta = pod["metadata"]
    return PodRef(meta["uid"], meta["name"], meta["namespace"])


def container_spec(pod: Object, container: Object, made: Made, read_profile: Callable[[str], str]) -> ContainerSpec:
    """Raises ConfigFault."""
    env = dict(made.env)
    command, args = container.get("command"), container.get("args")
    spec = pod["spec"]
    return ContainerSpec(
        pod=pod_ref(pod),
        name=container["name"],
        attempt=made.attempt,
        sandbox_id=made.sandbox.id,
        image=container.get("image") or made.image.id,
        hash=container_hash(container),
        command=[expand(word, env) for word in command] if command else None,
        args=[expand(word, env) for word in args] if args else None,
        env=made.env,
        working_dir=container.get("workingDir") or "",
        mounts=made.mounts,
        security=security(pod, container, made.image, read_profile),
        limits=made.limits,
        stdin=bool(container.get("stdin")),
        stdin_once=bool(container.get("stdinOnce")),
        tty=bool(container.get("tty")),
        stop_signal=(container.get("lifecycle") or {}).get("stopSignal") or "",
        host_pid=bool(spec.get("hostPID")),
        host_ipc=bool(spec.get("hostIPC")),
        host_network=bool(spec.get("hostNetwork")),
        share_processes=bool(spec.get("shareProcessNamespace")),
        target_container_id=made.target_container_id,
        log_max_bytes=made.log_max_bytes,
        log_max_files=made.log_max_files,
        runtime_handler=made.runtime_handler,
        labels=made.labels,
    )


def security(pod: Object, container: Object, image: ImageInfo, read_profile: Callable[[str], str]) -> Security:
    """The container's security context; its own fields go before the pod's. Raises ConfigFault."""
    shared: Object = pod["spec"].get("securityContext") or {}
    own: Object = container.get("securityContext") or {}

    def merged(name: str) -> Any:
        return own[name] if own.get(name) is not None else shared.get(name)

    user, group = merged("runAsUser"), merged("runAsGroup")
    if merged("runAsNonRoot"):
        _refuse_root(pod, container, user, image)
    if group is not None and user is None and not image.user:
        user = 0
    shown = "" if user is None else str(user)
    if group is not None:
        shown = f"{shown or image.user.split(':')[0]}:{group}"
    capabilities = own.get("capabilities") or {}
    options = merged("seLinuxOptions") or {}
    return Security(
        user=shown,
        groups=_groups(shared),
        privileged=bool(own.get("privileged")),
        read_only_root=bool(own.get("readOnlyRootFilesystem")),
        no_new_privileges=own.get("allowPrivilegeEscalation") is False,
        capabilities_add=tuple(_capability(c) for c in capabilities.get("add") or ()),
        capabilities_drop=tuple(_capability(c) for c in capabilities.get("drop") or ()),
        seccomp=_seccomp(merged("seccompProfile"), read_profile),
        apparmor=_apparmor(pod, container, merged("appArmorProfile")),
        selinux=tuple(f"{key}:{options[key]}" for key in ("user", "role", "type", "level") if options.get(key)),
        unmasked_proc=own.get("procMount") == "Unmasked",
    )


def _groups(shared: Object) -> tuple[str, ...]:
    groups = [str(g) for g in shared.get("supplementalGroups") or ()]
    if shared.get("fsGroup") is not None:
        groups.append(str(shared["fsGroup"]))
    return tuple(dict.fromkeys(groups))


def _capability(name: str) -> str:
    return name.upper().removeprefix("CAP_")


def _refuse_root(pod: Object, container: Object, user: int | None, image: ImageInfo) -> None:
    where = f'(pod: "{pod["metadata"]["name"]}_{pod["metadata"]["namespace"]}({pod["metadata"]["uid"]})", '
    where += f"container: {container['name']})"
    if user == 0:
        raise ConfigFault(f"container's runAsUser breaks non-root policy {where}")
    if user is not None:
        return
    name = image.user.split(":")[0]
    if name in ("", "0"):
        raise ConfigFault(f"container has runAsNonRoot and image will run as root {where}")
    if not name.isdigit():
        raise ConfigFault(
            f"container has runAsNonRoot and image has non-numeric user ({name}), "
            f"cannot verify user is non-root {where}"
        )


def _seccomp(profile: Object | None, read_profile: Callable[[str], str]) -> str:
    kind = (profile or {}).get("type") or "Unconfined"
    if kind == "RuntimeDefault":
        return ""
    if kind == "Unconfined":
        return "unconfined"
    if kind == "Localhost":
        name = (profile or {}).get("localhostProfile") or ""
        try:
            return read_profile(name)
        except OSError as error:
            raise ConfigFault(f"cannot load seccomp profile {name!r}: {error.strerror}") from error
    raise ConfigFault(f"seccomp profile type {kind} is not supported")


def _apparmor(pod: Object, container: Object, profile: Object | None) -> str:
    if profile:
        kind = profile.get("type")
        return {"Unconfined": "unconfined", "RuntimeDefault": ""}.get(kind or "", profile.get("localhostProfile") or "")
    noted = annotations(pod).get(f"container.apparmor.security.beta.kubernetes.io/{container['name']}", "")
    return {"runtime/default": ""}.get(noted, noted.removeprefix("localhost/"))


def sandbox_spec(  # what the node adds to the pod
    pod: Object,
    *,
    attempt: int,
    image: str,
    hostname: str,
    cgroup_parent: str,
    allowed_sysctls: Sequence[str],
    handler: str,
) -> SandboxSpec:
    """Raises ConfigFault."""
    spec = pod["spec"]
    sysctls = {
        entry["name"].replace("/", "."): entry["value"]
        for entry in (spec.get("securityContext") or {}).get("sysctls") or ()
    }
    for name in sysctls:
        if name not in SAFE_SYSCTLS and not any(_allows(pattern, name) for pattern in allowed_sysctls):
            raise ConfigFault(f'forbidden sysctl: "{name}" not allowlisted')
    if len(hostname) > 64:
        raise ConfigFault(
            f"Failed to construct FQDN from Pod hostname, FQDN {hostname} is too long (64 characters is the max)"
        )
    return SandboxSpec(
        pod=pod_ref(pod),
        attempt=attempt,
        image=image,
        hostname=hostname,
        host_network=bool(spec.get("hostNetwork")),
        host_pid=bool(spec.get("hostPID")),
        host_ipc=bool(spec.get("hostIPC")),
        share_processes=bool(spec.get("shareProcessNamespace")),
        sysctls=sysctls,
        cgroup_parent=cgroup_parent,
        runtime_handler=handler,
    )


def _allows(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def port_mappings(pod: Object) -> list[dict[str, Any]]:
    """The host ports of the pod, as the portmap plugin takes them."""
    if pod["spec"].get("hostNetwork"):
        return []
    found = []
    for container in every_container(pod):
        for port in container.get("ports") or []:
            if port.get("hostPort"):
                found.append({
                    "hostPort": port["hostPort"],
                    "containerPort": port["containerPort"],
                    "protocol": (port.get("protocol") or "TCP").lower(),
                    **({"hostIP": port["hostIP"]} if port.get("hostIP") else {}),
                })  # fmt: skip
    return found
