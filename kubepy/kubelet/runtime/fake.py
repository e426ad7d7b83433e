"""A runtime without containers: records that live and die as they are told. For tests and for hollow nodes.

It keeps the Runtime's promises (removing what is gone is no fault, events tell of each change) and nothing else: a
started container runs until `stop` or `end`; every image is present unless `missing` names it.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kubepy.kubelet.runtime.base import (
    Brief,
    ContainerSpec,
    ContainerStatus,
    ExecResult,
    ImageInfo,
    Limits,
    LogOptions,
    RuntimeEvent,
    RuntimeFault,
    SandboxSpec,
    SandboxStatus,
    State,
    Stdio,
)
from kubepy.lib.clock import SYSTEM, Clock


class FakeRuntime:
    """See Runtime. `specs` holds what each container was made from, by id."""

    name = "fake"

    def __init__(self, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._ids = itertools.count()
        self._containers: dict[str, ContainerStatus] = {}
        self._sandboxes: dict[str, SandboxStatus] = {}
        self._listeners: set[asyncio.Queue[RuntimeEvent]] = set()
        self.specs: dict[str, ContainerSpec] = {}
        self.missing: set[str] = set()
        self.stopped_with: dict[str, float] = {}
        """The grace period that each stopped container was given."""
        self.answers: dict[tuple[str, ...], ExecResult] = {}
        """What commands answer; others succeed in silence."""

    def limitation(self) -> str:
        return ""

    async def version(self) -> tuple[str, str]:
        return "0.1.0", "0.1.0"

    async def info(self) -> Mapping[str, Any]:
        return {}

    def _tell(self, container_id: str, uid: str, action: str) -> None:
        for queue in self._listeners:
            queue.put_nowait(RuntimeEvent(container_id, uid, action))

    async def all(self) -> list[Brief]:
        sandboxes = [
            Brief(s.id, s.pod, True, State.RUNNING if s.ready else State.EXITED) for s in self._sandboxes.values()
        ]
        return sandboxes + [Brief(c.id, c.pod, False, c.state) for c in self._containers.values()]

    async def inspect(self, container_id: str) -> ContainerStatus | SandboxStatus | None:
        return self._containers.get(container_id) or self._sandboxes.get(container_id)

    async def run_sandbox(self, spec: SandboxSpec) -> SandboxStatus:
        made = SandboxStatus(
            id=f"sandbox-{next(self._ids)}",
            pod=spec.pod,
            ready=True,
            attempt=spec.attempt,
            created_at=self._clock.now(),
            host_network=spec.host_network,
        )
        self._sandboxes[made.id] = made
        return made

    async def create_container(self, spec: ContainerSpec) -> str:
        made = ContainerStatus(
            id=f"{spec.name}-{next(self._ids)}",
            name=spec.name,
            pod=spec.pod,
            state=State.CREATED,
            attempt=spec.attempt,
            sandbox_id=spec.sandbox_id,
            image=spec.image,
            image_id=f"fake://{spec.image}",
            hash=spec.hash,
            created_at=self._clock.now(),
            resources={
                "cpu_shares": spec.limits.cpu_shares,
                "cpu_quota": spec.limits.cpu_quota,
                "memory": spec.limits.memory,
            },
        )
        self._containers[made.id] = made
        self.specs[made.id] = spec
        return made.id

    async def start(self, container_id: str) -> None:
        made = self._containers[container_id]
        self._containers[container_id] = replace(made, state=State.RUNNING, started_at=self._clock.now())
        self._tell(container_id, made.pod.uid, "start")

    def end(self, container_id: str, exit_code: int = 0) -> None:
        """The container's process ends by itself."""
        if sandbox := self._sandboxes.get(container_id):
            self._sandboxes[container_id] = replace(sandbox, ready=False)
            self._tell(container_id, sandbox.pod.uid, "die")
            return
        made = self._containers.get(container_id)
        if made is not None and made.state is State.RUNNING:
            self._containers[container_id] = replace(
                made,
                state=State.EXITED,
                finished_at=self._clock.now(),
                exit_code=exit_code,
                reason="Error" if exit_code else "Completed",
            )
            self._tell(container_id, made.pod.uid, "die")

    async def stop(self, container_id: str, grace_s: float, signal: str = "") -> None:
        self.stopped_with[container_id] = grace_s
        self.end(container_id)

    async def remove(self, container_id: str) -> None:
        gone = self._containers.pop(container_id, None) or self._sandboxes.pop(container_id, None)
        if gone is not None:
            self._tell(container_id, gone.pod.uid, "destroy")

    async def update(self, container_id: str, limits: Limits) -> None:
        settings = {"cpu_shares": limits.cpu_shares, "cpu_quota": limits.cpu_quota, "memory": limits.memory}
        self._containers[container_id] = replace(self._containers[container_id], resources=settings)

    async def run(self, container_id: str, command: Sequence[str], timeout_s: float) -> ExecResult:
        return self.answers.get(tuple(command), ExecResult(0, b""))

    async def open_exec(self, container_id: str, command: Sequence[str], *, stdin: bool, tty: bool) -> Stdio:
        raise RuntimeFault("a fake container has no processes")

    async def open_attach(self, container_id: str, *, stdin: bool) -> Stdio:
        raise RuntimeFault("a fake container has no processes")

    async def logs(self, container_id: str, options: LogOptions) -> AsyncIterator[tuple[int, bytes]]:
        yield 1, f"fake log of {container_id}\n".encode()

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        queue: asyncio.Queue[RuntimeEvent] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    async def image(self, reference: str) -> ImageInfo | None:
        if reference in self.missing:
            return None
        return ImageInfo(id=f"fake:{reference}", names=(reference,), size_bytes=1)

    async def images(self) -> list[ImageInfo]:
        return []

    async def pull(self, reference: str, auth: Mapping[str, str] | None) -> None:
        if reference in self.missing:
            raise RuntimeFault(f"manifest for {reference} not found", reason="ErrImagePull")

    async def remove_image(self, reference: str) -> None:
        """Nothing is stored."""

    async def close(self) -> None:
        """Nothing is held."""
