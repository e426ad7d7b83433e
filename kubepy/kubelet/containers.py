"""Start one container of a pod and end it: image, environment, mounts, hooks, termination message.

Each step's fault is a StartFault with upstream's waiting reason.
Source: pkg/kubelet/kuberuntime/kuberuntime_container.go startContainer, killContainer; pkg/kubelet/lifecycle.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubepy.api import errors
from kubepy.client.transport import Unreachable
from kubepy.kubelet.container_spec import ConfigFault, Made, container_spec
from kubepy.kubelet.downward import PodFacts
from kubepy.kubelet.env import EnvironmentFault, environment
from kubepy.kubelet.images import ImageFault, credentials
from kubepy.kubelet.probes.prober import Target
from kubepy.kubelet.qos import limits_of
from kubepy.kubelet.runtime.base import ContainerStatus, LogOptions, Mount, RuntimeFault, SandboxStatus
from kubepy.kubelet.services import NodeServices
from kubepy.kubelet.volumes.base import VolumeFault
from kubepy.kubelet.volumes.mounts import container_mounts

Object = dict[str, Any]

MESSAGE_PATH = "/dev/termination-log"
MESSAGE_LIMIT = 4096
_FALLBACK_BYTES, _FALLBACK_LINES = 2048, 80
_CONFIG_RETRY_S = 5.0
_POD_LOGS, _CONTAINER_LOGS = Path("/var/log/pods"), Path("/var/log/containers")


class StartFault(Exception):
    """A container was not started. `reason` is its waiting reason; `retry_s` when to try again."""

    def __init__(self, reason: str, message: str, retry_s: float) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_s = retry_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where a container is started."""

    pod: Object
    sandbox: SandboxStatus
    volumes: Mapping[str, Path]
    target_container_id: str = ""


def pod_facts(services: NodeServices, ips: tuple[str, ...], pod: Object) -> PodFacts:
    pod_ips = tuple(services.host_ips) if pod["spec"].get("hostNetwork") else ips
    return PodFacts(pod_ips=pod_ips, host_ips=services.host_ips, allocatable=services.allocatable)


async def start_container(
    services: NodeServices, setting: Setting, container: Object, attempt: int, on_created: Callable[[str], None]
) -> str:
    """The id of the running container. Raises StartFault; `on_created` hears the id as soon as there is one."""
    pod = setting.pod
    tell = teller(services, pod, container)
    try:
        image, env = await asyncio.gather(
            services.images.ensure(container, await _auths(services, pod, container), tell),
            _environment(services, setting, container),
        )
        mounts = await asyncio.to_thread(_mounts, services, setting, container, (attempt, dict(env)))
        made = Made(
            image=image,
            env=env,
            mounts=mounts,
            limits=limits_of(
                pod,
                container,
                node_memory=services.memory_bytes,
                pids=services.config.pod_pids_limit,
                cgroup_parent=services.cgroup_of(pod),
                enforce_cpu=services.config.cpu_cfs_quota,
            ),
            attempt=attempt,
            sandbox=setting.sandbox,
            log_max_bytes=services.config.container_log_max_bytes,
            log_max_files=services.config.container_log_max_files,
            runtime_handler=services.runtime_handler(pod["spec"].get("runtimeClassName") or ""),
            target_container_id=setting.target_container_id,
        )
        spec = container_spec(pod, container, made, lambda name: _profile(services.config.root_dir, name))
    except ImageFault as fault:
        raise StartFault(fault.reason, str(fault), max(fault.retry_at - services.clock.monotonic(), 0.1)) from fault
    except (EnvironmentFault, ConfigFault, VolumeFault, errors.ApiError, Unreachable) as fault:
        tell("Warning", "Failed", f"Error: {fault}")
        raise StartFault("CreateContainerConfigError", str(fault), _CONFIG_RETRY_S) from fault
    try:
        container_id = await services.runtime.create_container(spec)
    except RuntimeFault as fault:
        tell("Warning", "Failed", f"Error: {fault}")
        raise StartFault("CreateContainerError", str(fault), _CONFIG_RETRY_S) from fault
    on_created(container_id)
    tell("Normal", "Created", f"Created container: {container['name']}")
    try:
        await services.runtime.start(container_id)
    except RuntimeFault as fault:
        tell("Warning", "Failed", f"Error: {fault}")
        raise StartFault("RunContainerError", str(fault), 0.0) from fault
    tell("Normal", "Started", f"Started container {container['name']}")
    return container_id


def teller(services: NodeServices, pod: Object, container: Object) -> Callable[[str, str, str], None]:
    """Tells events about one container."""
    kind = next(
        (k for k in ("initContainers", "ephemeralContainers") if container in (pod["spec"].get(k) or [])), "containers"
    )
    path = f"spec.{kind}{{{container['name']}}}"

    def tell(severity: str, reason: str, message: str) -> None:
        services.recorder.event(pod, severity, reason, message, field_path=path)

    return tell


async def _auths(services: NodeServices, pod: Object, container: Object) -> list[Mapping[str, str] | None]:
    """The credentials of the pod's pull secrets for this image; [None] when there are none."""
    meta = pod["metadata"]
    found: list[Mapping[str, str] | None] = []
    if container.get("imagePullPolicy") != "Never":
        for entry in pod["spec"].get("imagePullSecrets") or []:
            secret = await services.objects.fetch(meta["uid"], ("secrets", meta["namespace"], entry["name"]))
            found += credentials(secret, container.get("image") or "")
    return found or [None]


async def _environment(services: NodeServices, setting: Setting, container: Object) -> list[tuple[str, str]]:
    pod = setting.pod
    meta = pod["metadata"]
    for plural, name in _references(container):
        await services.objects.fetch(meta["uid"], (plural, meta["namespace"], name))
    facts = pod_facts(services, setting.sandbox.ips, pod)
    return environment(pod, container, services.services(), services.objects.cached, facts)


def _references(container: Object) -> set[tuple[str, str]]:
    """The ConfigMaps and Secrets that a container's environment refers to."""
    found = set()
    for source in container.get("envFrom") or []:
        for field, plural in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
            if source.get(field):
                found.add((plural, source[field]["name"]))
    for entry in container.get("env") or []:
        for field, plural in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
            if reference := (entry.get("valueFrom") or {}).get(field):
                found.add((plural, reference["name"]))
    return found


def _mounts(
    services: NodeServices, setting: Setting, container: Object, run: tuple[int, Mapping[str, str]]
) -> list[Mount]:
    attempt, env = run
    mounts = container_mounts(container, setting.volumes, env)
    folder = services.pod_dir(setting.pod["metadata"]["uid"])
    taken = {m.container_path.rstrip("/") for m in mounts}
    for name, path in (("etc-hosts", "/etc/hosts"), ("resolv.conf", "/etc/resolv.conf")):
        if path not in taken and (folder / name).exists():
            mounts.append(Mount(host_path=str(folder / name), container_path=path))
    message = message_file(folder, container["name"], attempt)
    message.parent.mkdir(parents=True, exist_ok=True)
    message.touch()
    message.chmod(0o666)
    inside = container.get("terminationMessagePath") or MESSAGE_PATH
    if inside.rstrip("/") not in taken:
        mounts.append(Mount(host_path=str(message), container_path=inside))
    return mounts


def _profile(root: Path, name: str) -> str:
    return (root / "seccomp" / name).read_text()


def message_file(pod_dir: Path, name: str, attempt: int) -> Path:
    """Where a container's attempt writes its termination message."""
    return pod_dir / "containers" / name / str(attempt)


async def termination_message(services: NodeServices, pod: Object, container: Object, status: ContainerStatus) -> str:
    """What the container said last: its file, or the end of its log where that is wanted and it failed."""
    file = message_file(services.pod_dir(pod["metadata"]["uid"]), status.name, status.attempt)
    with suppress(OSError), file.open("rb") as source:
        if text := source.read(MESSAGE_LIMIT).decode(errors="replace"):
            return text
    if container.get("terminationMessagePolicy") != "FallbackToLogsOnError" or status.exit_code == 0:
        return ""
    try:
        frames = services.runtime.logs(status.id, LogOptions(tail=_FALLBACK_LINES))
        return b"".join([data async for _, data in frames])[-_FALLBACK_BYTES:].decode(errors="replace")
    except RuntimeFault:
        return ""


async def run_hook(services: NodeServices, target: Target, hook: str, timeout_s: float) -> str:
    """Runs a lifecycle hook if the container has it; why it failed, or empty."""
    handler = (target.container.get("lifecycle") or {}).get(hook)
    if not handler:
        return ""
    outcome = await services.prober.attempt(handler, target, timeout_s)
    return "" if outcome.ok else outcome.message or "hook failed"


async def kill_container(services: NodeServices, target: Target, grace_s: float, tell: Callable[..., None]) -> None:
    """Runs preStop within the grace period, then stops the container in what is left of it (at least 2 s)."""
    begun = services.clock.monotonic()
    if (target.container.get("lifecycle") or {}).get("preStop") and grace_s > 0:
        failure = await run_hook(services, target, "preStop", grace_s)
        if failure:
            tell("Warning", "FailedPreStopHook", f"PreStopHook failed: {failure}")
    left_s = max(grace_s - (services.clock.monotonic() - begun), min(grace_s, 2.0))
    await services.runtime.stop(target.id, left_s)


def link_logs(status: ContainerStatus) -> None:
    """Links the container's log where log collectors look for it. Blocks briefly."""
    if not status.log_path:
        return
    ref = status.pod
    folder = _POD_LOGS / f"{ref.namespace}_{ref.name}_{ref.uid}" / status.name
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        log_file = folder / f"{status.attempt}.log"
        _replace_link(log_file, status.log_path)
        _CONTAINER_LOGS.mkdir(parents=True, exist_ok=True)
        _replace_link(_CONTAINER_LOGS / f"{ref.name}_{ref.namespace}_{status.name}-{status.id}.log", str(log_file))


def _replace_link(link: Path, target: str) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def unlink_logs(namespace: str, name: str, uid: str) -> None:
    """Removes the links of a pod that is gone. Blocks briefly."""
    folder = _POD_LOGS / f"{namespace}_{name}_{uid}"
    for link in _CONTAINER_LOGS.glob(f"{name}_{namespace}_*.log") if _CONTAINER_LOGS.is_dir() else ():
        with suppress(OSError):
            if os.readlink(link).startswith(str(folder)):
                link.unlink()
    for file in folder.rglob("*.log") if folder.is_dir() else ():
        file.unlink(missing_ok=True)
    for empty in sorted(folder.rglob("*"), reverse=True) if folder.is_dir() else ():
        with suppress(OSError):
            empty.rmdir()
    with suppress(OSError):
        folder.rmdir()
