"""Pods and records of containers for the kubelet's tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from kubepy.kubelet.plan import Known, Observed, observe
from kubepy.kubelet.podspec import container_hash
from kubepy.kubelet.runtime.base import ContainerStatus, PodRef, SandboxStatus, State

Object = dict[str, Any]

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REF = PodRef("u1", "web", "default")


def container(name: str = "c", **fields: Any) -> Object:
    return {"name": name, "image": "app:1", **fields}


def pod(*containers: Object, init: list[Object] | None = None, status: Object | None = None, **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default", "uid": "u1"},
        "spec": {"containers": list(containers) or [container()], "initContainers": init or [], **spec},
        "status": status or {},
    }


def sandbox(attempt: int = 0, *, ready: bool = True) -> SandboxStatus:
    return SandboxStatus(id=f"s{attempt}", pod=REF, ready=ready, attempt=attempt, ips=("10.0.0.5",))


def running(name: str = "c", attempt: int = 0, sandbox_id: str = "s0") -> ContainerStatus:
    return ContainerStatus(
        id=f"{name}{attempt}", name=name, pod=REF, state=State.RUNNING, attempt=attempt, sandbox_id=sandbox_id,
        image="app:1", image_id="docker://sha256:1", hash=container_hash(container(name)), started_at=NOW,
    )  # fmt: skip


def exited(
    name: str = "c", attempt: int = 0, *, code: int = 0, ago_s: float = 1, sandbox_id: str = "s0"
) -> ContainerStatus:
    return ContainerStatus(
        id=f"{name}{attempt}", name=name, pod=REF, state=State.EXITED, attempt=attempt, sandbox_id=sandbox_id,
        image="app:1", started_at=NOW - timedelta(seconds=ago_s + 1), finished_at=NOW - timedelta(seconds=ago_s),
        exit_code=code, reason="Completed" if code == 0 else "Error",
    )  # fmt: skip


def seen(*records: ContainerStatus | SandboxStatus) -> Observed:
    """What the runtime shows; a ready sandbox unless one is given."""
    sandboxes = [r for r in records if isinstance(r, SandboxStatus)] or [sandbox()]
    return observe(sandboxes, [r for r in records if isinstance(r, ContainerStatus)])


def known(**fields: Any) -> Known:
    return Known(**fields)
