"""Decide what to do next for one pod: `sync(pod, observed, known, now)` answers the actions to carry out.

Invariants: an init container never starts before the ones ahead of it are done (or, when restartable, started); a
container that runs and is healthy is never touched; nothing is started in a pod that is terminating. Calling it
again with the same arguments gives the same answer: what is already under way is named in `known.busy`.
Pure. worker.py carries the actions out; status.py tells the API what came of it.
Source: pkg/kubelet/kuberuntime/kuberuntime_manager.go computePodActions, kuberuntime_container.go
computeInitContainerActions, and util/flowcontrol/backoff.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kubepy.kubelet.podspec import (
    container_hash,
    container_named,
    ephemeral_containers,
    full_name,
    init_containers,
    is_sidecar,
    main_containers,
    restart_policy,
)
from kubepy.kubelet.runtime.base import ContainerStatus, SandboxStatus, State

Object = dict[str, Any]

BACKOFF_FIRST_S = 10.0
BACKOFF_MOST_S = 300.0
BACKOFF_FORGET_S = 600.0


@dataclass(frozen=True, slots=True)
class Observed:
    """A pod as the runtime shows it, newest first. `sandbox` is the newest sandbox, ready or not."""

    sandboxes: Sequence[SandboxStatus] = ()
    containers: Sequence[ContainerStatus] = ()

    @property
    def sandbox(self) -> SandboxStatus | None:
        return self.sandboxes[0] if self.sandboxes else None

    def newest(self, name: str) -> ContainerStatus | None:
        """The latest attempt at the container of that name."""
        return next((c for c in self.containers if c.name == name), None)

    def attempts(self, name: str) -> list[ContainerStatus]:
        return [c for c in self.containers if c.name == name]

    def running(self) -> list[ContainerStatus]:
        return [c for c in self.containers if c.state is State.RUNNING]


def observe(sandboxes: Iterable[SandboxStatus], containers: Iterable[ContainerStatus]) -> Observed:
    """The snapshots in the order that Observed promises."""
    return Observed(
        tuple(sorted(sandboxes, key=lambda s: -s.attempt)), tuple(sorted(containers, key=lambda c: -c.attempt))
    )


@dataclass(frozen=True, slots=True)
class Delay:
    """A container's restart delay: `delay_s` counts from its last end; `updated` is when it last grew."""

    delay_s: float
    updated: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """What others found out: probe results by container id, delays and work under way by container name or id."""

    liveness: Mapping[str, bool] = field(default_factory=dict)
    startup: Mapping[str, bool] = field(default_factory=dict)
    delays: Mapping[str, Delay] = field(default_factory=dict)
    busy: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    """Containers whose last start failed for a reason that may pass; not to be started now."""
    ready: bool = True
    """Volumes are mounted: containers may start."""


@dataclass(frozen=True, slots=True)
class MakeSandbox:
    attempt: int


@dataclass(frozen=True, slots=True)
class StopSandbox:
    id: str


@dataclass(frozen=True, slots=True)
class Start:
    """Start a container as its attempt number `attempt`; `delay` replaces its restart delay."""

    name: str
    attempt: int
    delay: Delay | None = None


@dataclass(frozen=True, slots=True)
class Kill:
    """Stop a container; `why` goes into the event. `grace_s` None: what the pod gives."""

    id: str
    name: str
    why: str
    grace_s: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A container waits for the end of its restart delay."""

    name: str
    until: datetime
    delay_s: float
    message: str


Action = MakeSandbox | StopSandbox | Start | Kill | Hold


def sync(pod: Object, observed: Observed, known: Known, now: datetime) -> list[Action]:
    """The actions that bring a pod, which is to run, nearer to what its spec says. Empty: nothing to do."""
    sandbox = observed.sandbox
    if sandbox is None or not sandbox.ready:
        return _without_sandbox(pod, observed, known)
    actions = _stale(pod, observed, known, sandbox)
    initialized, init_actions = _init(pod, observed, known, now, sandbox)
    actions += init_actions
    if known.ready:
        actions += _ephemeral(pod, observed, known)
    if not initialized:
        if _init_failed(pod, observed, sandbox):
            return actions + terminate(pod, observed, known)
        return actions
    main_actions, alive = _main(pod, observed, known, now, sandbox)
    if not alive:
        return terminate(pod, observed, known)
    return actions + main_actions


def _without_sandbox(pod: Object, observed: Observed, known: Known) -> list[Action]:
    """Kill what still runs in a lost sandbox, then make a new one unless the pod is over."""
    killing: list[Action] = [
        Kill(c.id, c.name, "Pod sandbox changed, it will be killed and re-created.")
        for c in observed.running()
        if c.id not in known.busy
    ]
    if killing or any(c.id in known.busy for c in observed.running()):
        return killing
    if "sandbox" in known.busy or is_over(pod, observed):
        return []
    attempt = observed.sandbox.attempt + 1 if observed.sandbox else 0
    if attempt and restart_policy(pod) == "Never" and observed.containers:
        return []
    return [MakeSandbox(attempt)]


def is_over(pod: Object, observed: Observed) -> bool:
    """Every main container ended and none is to be restarted, or an init container failed for good."""
    policy = restart_policy(pod)
    if policy == "Always":
        return False
    inits = [observed.newest(c["name"]) for c in init_containers(pod) if not is_sidecar(c)]
    if policy == "Never" and any(s and s.state is State.EXITED and s.exit_code for s in inits):
        return True
    newest = [observed.newest(c["name"]) for c in main_containers(pod)]
    return all(s is not None and s.state is State.EXITED and not restarts(policy, s) for s in newest)


def restarts(policy: str, status: ContainerStatus) -> bool:
    """Whether a container that ended so is started again."""
    return policy == "Always" or (policy == "OnFailure" and status.exit_code != 0)


def _stale(pod: Object, observed: Observed, known: Known, sandbox: SandboxStatus) -> list[Action]:
    """Containers that still run in an older sandbox, or that the spec no longer names, are killed."""
    return [
        Kill(c.id, c.name, f"Container {c.name} does not belong to the pod's sandbox")
        for c in observed.running()
        if c.id not in known.busy
        and ((c.sandbox_id and c.sandbox_id != sandbox.id) or container_named(pod, c.name) is None)
    ]


def _current(observed: Observed, name: str, sandbox: SandboxStatus) -> ContainerStatus | None:
    """The latest attempt in this sandbox."""
    status = observed.newest(name)
    return status if status and (not status.sandbox_id or status.sandbox_id == sandbox.id) else None


def is_started(container: Object, status: ContainerStatus, known: Known) -> bool:
    """Running, its postStart hook done, and its startup probe (if any) passed."""
    if status.state is not State.RUNNING or container["name"] in known.busy:
        return False
    return not container.get("startupProbe") or known.startup.get(status.id) is True


def _init(
    pod: Object, observed: Observed, known: Known, now: datetime, sandbox: SandboxStatus
) -> tuple[bool, list[Action]]:
    """Whether the main containers may start, and what the init containers need."""
    inits = init_containers(pod)
    begun = any(_current(observed, c["name"], sandbox) for c in main_containers(pod))
    reached = max((i for i, c in enumerate(inits) if _current(observed, c["name"], sandbox)), default=-1)
    actions: list[Action] = []
    for index, container in enumerate(inits):
        status = _current(observed, container["name"], sandbox)
        done, step = _init_step(pod, container, status, (observed, known, now))
        if not is_sidecar(container) and (begun or index < reached):
            continue
        actions += step
        if not done and not begun:
            return False, actions
    return True, actions


def _init_step(
    pod: Object, container: Object, status: ContainerStatus | None, seen: tuple[Observed, Known, datetime]
) -> tuple[bool, list[Action]]:
    """Whether the next container may go on after this init container, and what it needs itself."""
    observed, known, now = seen
    if status is None or status.state in (State.CREATED, State.UNKNOWN):
        return False, _start(pod, container, observed, known, now)
    if status.state is State.RUNNING:
        if not is_sidecar(container):
            return False, []
        return is_started(container, status, known), _unhealthy(container, status, known)
    if is_sidecar(container) or (status.exit_code and restart_policy(pod) != "Never"):
        return False, _start(pod, container, observed, known, now)
    return status.exit_code == 0, []


def _init_failed(pod: Object, observed: Observed, sandbox: SandboxStatus) -> bool:
    if restart_policy(pod) != "Never":
        return False
    newest = [_current(observed, c["name"], sandbox) for c in init_containers(pod) if not is_sidecar(c)]
    return any(s is not None and s.state is State.EXITED and s.exit_code != 0 for s in newest)


def _main(
    pod: Object, observed: Observed, known: Known, now: datetime, sandbox: SandboxStatus
) -> tuple[list[Action], bool]:
    """What the main containers need, and whether any of them lives or will live."""
    policy = restart_policy(pod)
    actions: list[Action] = []
    alive = False
    for container in main_containers(pod):
        status = observed.newest(container["name"])
        if container["name"] in known.busy or (status and status.id in known.busy):
            alive = True
        elif status is not None and status.state is State.RUNNING and _current(observed, status.name, sandbox):
            alive = True
            actions += _unhealthy(container, status, known)
        elif status is None or status.state is not State.EXITED or restarts(policy, status):
            alive = True
            actions += _start(pod, container, observed, known, now)
    return actions, alive


def _unhealthy(container: Object, status: ContainerStatus, known: Known) -> list[Action]:
    """Kill a running container that changed or failed a probe; it is restarted when it has ended."""
    if status.id in known.busy:
        return []
    name = container["name"]
    if status.hash and status.hash != container_hash(container):
        return [Kill(status.id, name, f"Container {name} definition changed, will be restarted")]
    if known.startup.get(status.id) is False:
        return [
            Kill(
                status.id,
                name,
                f"Container {name} failed startup probe, will be restarted",
                _probe_grace(container, "startupProbe"),
            )
        ]
    if known.liveness.get(status.id) is False:
        return [
            Kill(
                status.id,
                name,
                f"Container {name} failed liveness probe, will be restarted",
                _probe_grace(container, "livenessProbe"),
            )
        ]
    return []


def _probe_grace(container: Object, probe: str) -> int | None:
    grace = (container.get(probe) or {}).get("terminationGracePeriodSeconds")
    return None if grace is None else int(grace)


def _start(pod: Object, container: Object, observed: Observed, known: Known, now: datetime) -> list[Action]:
    """Start a container, or hold it until its restart delay is over."""
    name = container["name"]
    if name in known.busy or name in known.held or not known.ready:
        return []
    status = observed.newest(name)
    attempt = status.attempt + 1 if status else 0
    if status is None or status.state is not State.EXITED or status.finished_at is None:
        return [Start(name, attempt)]
    delay = known.delays.get(name)
    if delay and status.finished_at > delay.updated + timedelta(seconds=BACKOFF_FORGET_S):
        delay = None
    if delay is None:
        return [Start(name, attempt, Delay(BACKOFF_FIRST_S, now))]
    until = status.finished_at + timedelta(seconds=delay.delay_s)
    if now < until:
        message = (
            f"back-off {_duration(delay.delay_s)} restarting failed container={name} "
            f"pod={full_name(pod)}({pod['metadata'].get('uid', '')})"
        )
        return [Hold(name, until, delay.delay_s, message)]
    return [Start(name, attempt, Delay(min(delay.delay_s * 2, BACKOFF_MOST_S), now))]


def _duration(seconds: float) -> str:
    """As Go prints it: 10s, 1m20s, 5m0s."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _ephemeral(pod: Object, observed: Observed, known: Known) -> list[Action]:
    """Ephemeral containers start once and are never restarted."""
    return [
        Start(c["name"], 0)
        for c in ephemeral_containers(pod)
        if c["name"] not in known.busy and observed.newest(c["name"]) is None
    ]


def terminate(pod: Object, observed: Observed, known: Known) -> list[Action]:
    """Stop everything: the main containers together, then sidecars from the last to the first, then the sandbox."""
    running = observed.running()
    sidecars = [c["name"] for c in init_containers(pod) if is_sidecar(c)]
    first = [c for c in running if c.name not in sidecars]
    if not first:
        last = [c for name in reversed(sidecars) for c in running if c.name == name]
        first = last[:1]
    if first:
        return [Kill(c.id, c.name, f"Stopping container {c.name}") for c in first if c.id not in known.busy]
    if known.busy:
        return []
    return [StopSandbox(s.id) for s in observed.sandboxes if s.ready]


def is_finished(observed: Observed, known: Known) -> bool:
    """Nothing runs and nothing is under way: the pod's node-side life is over but for its volumes."""
    return not observed.running() and not known.busy and not any(s.ready for s in observed.sandboxes)


def deadline(pod: Object, started: datetime | None) -> datetime | None:
    """When activeDeadlineSeconds ends the pod; None: never."""
    seconds = pod["spec"].get("activeDeadlineSeconds")
    return started + timedelta(seconds=int(seconds)) if seconds is not None and started else None


def surplus(observed: Observed, keep_dead: int = 1) -> list[str]:
    """Ids of dead containers beyond the newest `keep_dead` behind the latest attempt, and of dead older sandboxes."""
    seen: dict[str, int] = {}
    gone: list[str] = []
    for status in observed.containers:
        seen[status.name] = seen.get(status.name, 0) + 1
        if seen[status.name] > keep_dead + 1 and status.state is not State.RUNNING:
            gone.append(status.id)
    return gone + [s.id for s in observed.sandboxes[1:] if not s.ready]
