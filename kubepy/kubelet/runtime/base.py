"""What the kubelet asks of a container runtime, and the plain records that it answers with.

Invariant: a status is a snapshot; nothing in here changes once it is made. The pod worker, which owns a pod,
is the only one that asks for new snapshots of it, so that an old one never replaces a newer one.
Two runtimes: docker.py (containers), fake.py (none at all).
Source: the CRI (cri-api runtime/v1 api.proto), cut to what one node needs.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


class State(StrEnum):
    """Where a container is in its life."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PodRef:
    """The pod that a sandbox or container belongs to, as its labels say."""

    uid: str
    name: str
    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStatus:
    """One attempt to run one container of a pod. `name` is the name in the PodSpec; `attempt` counts from 0."""

    id: str
    name: str
    pod: PodRef
    state: State
    attempt: int = 0
    sandbox_id: str = ""
    image: str = ""
    image_id: str = ""
    hash: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    pid: int = 0
    log_path: str = ""
    resources: Mapping[str, int] = field(default_factory=dict)
    """Limits in force: cpu_shares, cpu_quota, cpu_period, memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxStatus:
    """The container that holds a pod's namespaces. `ips` is empty until the network is set up."""

    id: str
    pod: PodRef
    ready: bool
    attempt: int = 0
    created_at: datetime | None = None
    pid: int = 0
    ips: tuple[str, ...] = ()
    host_network: bool = False


@dataclass(frozen=True, slots=True)
class Brief:
    """One line of a runtime's list: enough to see whether a snapshot is old. `sandbox` tells the two kinds apart."""

    id: str
    pod: PodRef
    sandbox: bool
    state: State


@dataclass(frozen=True, slots=True)
class RuntimeEvent:
    """Something happened to a container of ours."""

    id: str
    pod_uid: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A bind mount. `propagation` is private, rslave or rshared."""

    host_path: str
    container_path: str
    read_only: bool = False
    propagation: str = "private"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device node of the host given to a container."""

    host_path: str
    container_path: str
    permissions: str = "rwm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """A container's security context, pod and container level merged. None means: leave to the runtime."""

    user: str = ""
    groups: tuple[str, ...] = ()
    privileged: bool = False
    read_only_root: bool = False
    no_new_privileges: bool = False
    capabilities_add: tuple[str, ...] = ()
    capabilities_drop: tuple[str, ...] = ()
    seccomp: str = ""
    """Empty: the runtime's default; `unconfined`; or the JSON text of a profile."""
    apparmor: str = ""
    selinux: tuple[str, ...] = ()
    unmasked_proc: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A container's cgroup settings; 0 means none. Memory in bytes, CPU in shares and microseconds."""

    cpu_shares: int = 0
    cpu_quota: int = 0
    cpu_period: int = 0
    memory: int = 0
    memory_reservation: int = 0
    pids: int = 0
    oom_score_adj: int = 0
    cgroup_parent: str = ""
    hugepages: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """Everything a runtime must know to make a pod's sandbox."""

    pod: PodRef
    attempt: int
    image: str
    hostname: str = ""
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    share_processes: bool = False
    sysctls: Mapping[str, str] = field(default_factory=dict)
    cgroup_parent: str = ""
    runtime_handler: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """Everything a runtime must know to make a container inside a sandbox."""

    pod: PodRef
    name: str
    attempt: int
    sandbox_id: str
    image: str
    hash: str
    command: Sequence[str] | None
    args: Sequence[str] | None
    env: Sequence[tuple[str, str]]
    working_dir: str = ""
    mounts: Sequence[Mount] = ()
    devices: Sequence[Device] = ()
    security: Security = Security()
    limits: Limits = Limits()
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    stop_signal: str = ""
    host_pid: bool = False
    host_ipc: bool = False
    host_network: bool = False
    share_processes: bool = False
    target_container_id: str = ""
    log_max_bytes: int = 0
    log_max_files: int = 0
    runtime_handler: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """An image that is on the node. `user` is what the image runs as (uid, name or empty)."""

    id: str
    names: tuple[str, ...]
    size_bytes: int
    digests: tuple[str, ...] = ()
    user: str = ""


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What a command inside a container answered: its exit code and what it wrote (both streams, mixed)."""

    exit_code: int
    output: bytes


class Stdio(Protocol):
    """The open streams of a process inside a container (exec or attach)."""

    tty: bool

    def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """What it writes, as (1 = stdout or 2 = stderr, bytes); ends when it has ended."""

    async def write(self, data: bytes) -> None:
        """Its input. Raises ConnectionError when it no longer reads."""

    async def close_input(self) -> None:
        """The end of its input."""

    async def resize(self, width: int, height: int) -> None:
        """The size of its terminal."""

    async def exit_code(self) -> int:
        """Its exit code, once the output has ended."""

    async def close(self) -> None:
        """Lets go of it."""


class RuntimeFault(Exception):
    """The runtime refused or failed. `reason` is the waiting reason that upstream shows for it."""

    def __init__(self, message: str, *, reason: str = "RuntimeError", retriable: bool = True) -> None:
        super().__init__(message)
        self.reason = reason
        self.retriable = retriable


class Runtime(Protocol):
    """A container runtime. Every call may raise RuntimeFault; removing what is gone is no fault."""

    name: str

    def limitation(self) -> str:
        """What containers are denied on this machine whatever a pod asks for; empty on most."""

    async def version(self) -> tuple[str, str]:
        """The runtime's version and its API's."""

    async def info(self) -> Mapping[str, Any]:
        """Facts of the host as the runtime sees them (cgroup driver, data root, ...)."""

    async def all(self) -> list[Brief]:
        """Every sandbox and container of ours, dead or alive."""

    async def inspect(self, container_id: str) -> ContainerStatus | SandboxStatus | None:
        """A fresh snapshot; None when it does not exist."""

    async def run_sandbox(self, spec: SandboxSpec) -> SandboxStatus:
        """A running sandbox without a network."""

    async def create_container(self, spec: ContainerSpec) -> str:
        """The id of a container that is made but not started."""

    async def start(self, container_id: str) -> None:
        """Starts what was created."""

    async def stop(self, container_id: str, grace_s: float, signal: str = "") -> None:
        """Asks it to end, and kills it after `grace_s`; returns when it has ended."""

    async def remove(self, container_id: str) -> None:
        """Removes a container or sandbox, killing it if needed."""

    async def update(self, container_id: str, limits: Limits) -> None:
        """Changes the limits of a running container."""

    async def run(self, container_id: str, command: Sequence[str], timeout_s: float) -> ExecResult:
        """Runs a command inside. Raises TimeoutError."""

    async def open_exec(self, container_id: str, command: Sequence[str], *, stdin: bool, tty: bool) -> Stdio:
        """A command inside with its streams open."""

    async def open_attach(self, container_id: str, *, stdin: bool) -> Stdio:
        """The streams of the container's own process."""

    def logs(self, container_id: str, options: "LogOptions") -> AsyncIterator[tuple[int, bytes]]:
        """What the container wrote, as (1 or 2, bytes)."""

    def events(self) -> AsyncIterator[RuntimeEvent]:
        """What happens from now on; ends with RuntimeFault when the runtime goes away."""

    async def image(self, reference: str) -> ImageInfo | None:
        """The image of that name or id if it is on the node."""

    async def images(self) -> list[ImageInfo]:
        """Every image on the node."""

    async def pull(self, reference: str, auth: Mapping[str, str] | None) -> None:
        """Fetches an image."""

    async def remove_image(self, reference: str) -> None:
        """Removes an image that nothing uses."""

    async def close(self) -> None:
        """Lets go of connections and threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """Which part of a log is wanted. `tail` None is all; `since` is exclusive of older lines."""

    follow: bool = False
    tail: int | None = None
    since: datetime | None = None
    timestamps: bool = False
    stdout: bool = True
    stderr: bool = True
