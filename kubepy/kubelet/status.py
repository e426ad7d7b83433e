"""Tell the API what a pod is doing: its phase, conditions and container statuses, from what was observed.

Invariants: a restart count never falls; a terminated state stays visible as lastState while the next attempt waits;
a pod that has reached Succeeded or Failed never leaves it. Pure: every fact comes in as an argument.
Source: pkg/kubelet/kubelet_pods.go (generateAPIPodStatus, getPhase, convertToAPIContainerStatuses),
pkg/kubelet/status/generate.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kubepy.kubelet.plan import Known, Observed, restarts
from kubepy.kubelet.podspec import (
    ephemeral_containers,
    init_containers,
    is_sidecar,
    main_containers,
    qos_class,
    restart_policy,
)
from kubepy.kubelet.runtime.base import ContainerStatus, State
from kubepy.lib.clock import rfc3339

Object = dict[str, Any]

CREATING, INITIALIZING = "ContainerCreating", "PodInitializing"
_MERGED_BY_ADDRESS = ("podIPs", "hostIPs")
_OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container does not run yet."""

    reason: str
    message: str = ""

    def state(self) -> Object:
        waiting = {"reason": self.reason, **({"message": self.message} if self.message else {})}
        return {"waiting": waiting}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the status is made from, besides the pod: `waiting` by container name, `ready` by container id."""

    observed: Observed
    known: Known
    now: datetime
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    ready: Mapping[str, bool] = field(default_factory=dict)
    termination_messages: Mapping[str, str] = field(default_factory=dict)
    host_ips: Sequence[str] = ()
    id_prefix: str = "docker"
    failed: tuple[str, str] | None = None
    """(reason, message) of a pod that the kubelet itself gave up: DeadlineExceeded, Evicted, ..."""
    terminating: bool = False


def pod_status(pod: Object, facts: Facts) -> Object:
    """The whole status that the pod should have now. `pod` carries the last one that the API knows."""
    old: Object = pod.get("status") or {}
    inits = [container_status(c, pod, facts, old, init=True) for c in init_containers(pod)]
    mains = [container_status(c, pod, facts, old) for c in main_containers(pod)]
    ephemerals = [container_status(c, pod, facts, old) for c in ephemeral_containers(pod)]
    status: Object = {"phase": _phase(pod, facts, old, inits, mains)}
    status["conditions"] = conditions(pod, facts, status["phase"], inits, mains)
    for key in ("nominatedNodeName", "resize", "resourceClaimStatuses", "extendedResourceClaimStatus"):
        if old.get(key):
            status[key] = old[key]
    if facts.failed:
        status["reason"], status["message"] = facts.failed
    elif status["phase"] == "Failed" and old.get("reason"):
        status.update({k: old[k] for k in ("reason", "message") if old.get(k)})
    status.update(_addresses(pod, facts, old))
    status["startTime"] = old.get("startTime") or rfc3339(facts.now)
    if inits:
        status["initContainerStatuses"] = inits
    status["containerStatuses"] = mains
    if ephemerals:
        status["ephemeralContainerStatuses"] = ephemerals
    status["qosClass"] = old.get("qosClass") or qos_class(pod)
    generation = pod["metadata"].get("generation")
    if generation is not None:
        status["observedGeneration"] = generation
    return status


def _addresses(pod: Object, facts: Facts, old: Object) -> Object:
    found: Object = {}
    if facts.host_ips:
        found["hostIP"] = facts.host_ips[0]
        found["hostIPs"] = [{"ip": ip} for ip in facts.host_ips]
    sandbox = facts.observed.sandbox
    ips: Sequence[str] = sandbox.ips if sandbox else ()
    if pod["spec"].get("hostNetwork") and sandbox:
        ips = facts.host_ips
    if not ips:
        ips = [entry["ip"] for entry in old.get("podIPs") or []]
    if ips:
        found["podIP"] = ips[0]
        found["podIPs"] = [{"ip": ip} for ip in ips]
    return found


# Container statuses


def container_status(container: Object, pod: Object, facts: Facts, old: Object, *, init: bool = False) -> Object:
    """One entry of containerStatuses."""
    name = container["name"]
    attempts = facts.observed.attempts(name)
    before = _old_entry(old, name)
    newest = attempts[0] if attempts else None
    waiting = facts.waiting.get(name)
    status: Object = {"name": name, **_state(container, pod, facts, attempts, before)}
    running = newest is not None and newest.state is State.RUNNING
    status["ready"] = _is_ready(container, newest, facts, init=init)
    count = newest.attempt if newest else before.get("restartCount", 0)
    status["restartCount"] = max(count, before.get("restartCount", 0))
    status["image"] = newest.image if newest and newest.image else container.get("image", "")
    status["imageID"] = newest.image_id if newest else before.get("imageID", "")
    shown = newest is not None and newest.state is not State.CREATED
    if shown and newest:
        status["containerID"] = f"{facts.id_prefix}://{newest.id}"
    elif before.get("containerID") and not (waiting and waiting.reason == CREATING and not attempts):
        status["containerID"] = before["containerID"]
    status["started"] = _is_started(container, newest, facts, init=init)
    if resources := container.get("resources"):
        if resources.get("requests"):
            status["allocatedResources"] = resources["requests"]
        if running:
            status["resources"] = {k: v for k, v in resources.items() if k in ("limits", "requests")}
    if mounts := _volume_mounts(container):
        status["volumeMounts"] = mounts
    return status


def _volume_mounts(container: Object) -> list[Object]:
    shown = []
    for mount in container.get("volumeMounts") or []:
        entry = {"name": mount["name"], "mountPath": mount["mountPath"]}
        if mount.get("readOnly"):
            entry["readOnly"] = True
            entry["recursiveReadOnly"] = "Disabled"
        shown.append(entry)
    return shown


def _old_entry(old: Object, name: str) -> Object:
    for section in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for entry in old.get(section) or []:
            if entry.get("name") == name:
                return dict(entry)
    return {}


def _state(container: Object, pod: Object, facts: Facts, attempts: Sequence[ContainerStatus], before: Object) -> Object:
    """`state` and `lastState`: a container that waits for its next attempt shows the one before as its last."""
    waiting = facts.waiting.get(container["name"])
    newest = attempts[0] if attempts else None
    if newest is None:
        return _state_unseen(container, pod, facts, before, waiting)
    last = _terminated(attempts[1], facts) if len(attempts) > 1 and attempts[1].state is State.EXITED else None
    if newest.state is State.RUNNING:
        started = rfc3339(newest.started_at) if newest.started_at else None
        return {"state": {"running": {"startedAt": started}}, "lastState": last or before.get("lastState") or {}}
    if newest.state is State.EXITED:
        ended = _terminated(newest, facts)
        again = is_sidecar(container) or restarts(restart_policy(pod), newest)
        if waiting is not None and again and not facts.terminating:
            return {"state": waiting.state(), "lastState": ended}
        return {"state": ended, "lastState": last or {}}
    return {"state": (waiting or Waiting(CREATING)).state(), "lastState": last or {}}


def _state_unseen(container: Object, pod: Object, facts: Facts, before: Object, waiting: Waiting | None) -> Object:
    """The state of a container that the runtime does not know (any more)."""
    state = before.get("state") or {}
    if state.get("terminated"):
        return {"state": state, "lastState": before.get("lastState") or {}}
    if "running" in state:
        lost = {
            "terminated": {
                "exitCode": 137,
                "reason": "ContainerStatusUnknown",
                "message": "The container could not be located when the pod was terminated",
                "startedAt": None,
                "finishedAt": None,
            }
        }
        if facts.terminating or restart_policy(pod) == "Never":
            return {"state": lost, "lastState": {}}
        return {"state": (waiting or Waiting(CREATING)).state(), "lastState": lost}
    if waiting is None:
        first = container["name"] in {c["name"] for c in init_containers(pod)} or not init_containers(pod)
        waiting = Waiting(INITIALIZING if init_containers(pod) else CREATING)
        if first and init_containers(pod):
            waiting = Waiting(INITIALIZING)
    return {"state": waiting.state(), "lastState": before.get("lastState") or {}}


def _terminated(status: ContainerStatus, facts: Facts) -> Object:
    reason = status.reason or ("Completed" if status.exit_code == 0 else "Error")
    message = facts.termination_messages.get(status.id) or status.message
    ended: Object = {"exitCode": status.exit_code, "reason": reason}
    if message:
        ended["message"] = message
    ended["startedAt"] = rfc3339(status.started_at) if status.started_at else None
    ended["finishedAt"] = rfc3339(status.finished_at) if status.finished_at else None
    ended["containerID"] = f"{facts.id_prefix}://{status.id}"
    return {"terminated": ended}


def _is_started(container: Object, status: ContainerStatus | None, facts: Facts, *, init: bool) -> bool:
    if status is None or status.state is not State.RUNNING or container["name"] in facts.known.busy:
        return False
    if init and not is_sidecar(container):
        return False
    return not container.get("startupProbe") or facts.known.startup.get(status.id) is True


def _is_ready(container: Object, status: ContainerStatus | None, facts: Facts, *, init: bool) -> bool:
    if status is None:
        return False
    if init and not is_sidecar(container):
        return status.state is State.EXITED and status.exit_code == 0
    if not _is_started(container, status, facts, init=init):
        return False
    return not container.get("readinessProbe") or facts.ready.get(status.id) is True


# Phase


def _phase(pod: Object, facts: Facts, old: Object, inits: Sequence[Object], mains: Sequence[Object]) -> str:
    if old.get("phase") in ("Failed", "Succeeded") and not facts.observed.running():
        return str(old["phase"])
    if facts.failed:
        return "Failed" if not facts.observed.running() or not old.get("phase") else str(old["phase"])
    phase = _computed_phase(pod, inits, mains)
    if phase in ("Failed", "Succeeded") and facts.observed.running():
        return "Running"  # sidecars are still ending
    if phase == "Pending" and old.get("phase") == "Running":
        return "Running" if any(m["lastState"].get("terminated") for m in mains) else phase
    return phase


def _computed_phase(pod: Object, inits: Sequence[Object], mains: Sequence[Object]) -> str:
    policy = restart_policy(pod)
    sidecars = {c["name"] for c in init_containers(pod) if is_sidecar(c)}
    states = [entry["state"] for entry in mains]
    begun = any(
        "running" in s or "terminated" in s or entry["lastState"].get("terminated")
        for s, entry in zip(states, mains, strict=True)
    )
    for entry in inits:
        ended = entry["state"].get("terminated")
        if entry["name"] in sidecars:
            if not entry["started"] and not begun:
                return "Pending"
        elif ended is None:
            if not begun:
                return "Pending"
        elif ended["exitCode"] != 0:
            return "Failed" if policy == "Never" else "Pending"
    ended_states = [s["terminated"] for s in states if "terminated" in s]
    waiting = [e for e, s in zip(mains, states, strict=True) if "waiting" in s]
    if any(not e["lastState"].get("terminated") for e in waiting):
        return "Pending"  # a container that never ran, or was lost
    if any("running" in s for s in states) or waiting:
        return "Running"
    if policy == "Always":
        return "Running"
    if all(e["exitCode"] == 0 for e in ended_states):
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


# Conditions


def conditions(pod: Object, facts: Facts, phase: str, inits: Sequence[Object], mains: Sequence[Object]) -> list[Object]:
    """The kubelet's own conditions, then those of others unchanged. Transition times move with the status only."""
    old: Sequence[Object] = (pod.get("status") or {}).get("conditions") or []
    containers_ready = _containers_ready(pod, phase, inits, mains)
    own = [
        _condition("PodReadyToStartContainers", _sandbox_ready(facts)),
        _initialized(pod, phase, inits, mains),
        _ready(pod, containers_ready, old),
        containers_ready,
        {"type": "PodScheduled", "status": "True"},
    ]
    generation = pod["metadata"].get("generation")
    made = [_dated(condition, old, facts.now, generation) for condition in own]
    return made + [c for c in old if c.get("type") not in _OWN_CONDITIONS]


def _condition(kind: str, holds: bool, reason: str = "", message: str = "") -> Object:
    made: Object = {"type": kind, "status": "True" if holds else "False"}
    if reason:
        made["reason"] = reason
    if message:
        made["message"] = message
    return made


def _dated(condition: Object, old: Iterable[Object], now: datetime, generation: int | None) -> Object:
    before = next((c for c in old if c.get("type") == condition["type"]), None)
    same = before is not None and before.get("status") == condition["status"]
    condition["lastProbeTime"] = None
    condition["lastTransitionTime"] = (before or {}).get("lastTransitionTime") if same else rfc3339(now)
    if generation is not None:
        condition["observedGeneration"] = generation
    return condition


def _sandbox_ready(facts: Facts) -> bool:
    sandbox = facts.observed.sandbox
    return bool(sandbox and sandbox.ready and (sandbox.ips or sandbox.host_network))


def _initialized(pod: Object, phase: str, inits: Sequence[Object], mains: Sequence[Object]) -> Object:
    if phase == "Succeeded":
        return _condition("Initialized", True, "PodCompleted")
    sidecars = {c["name"] for c in init_containers(pod) if is_sidecar(c)}
    begun = any("running" in e["state"] or "terminated" in e["state"] for e in mains)
    incomplete = [e["name"] for e in inits if not begun and not (e["started"] if e["name"] in sidecars else e["ready"])]
    if incomplete:
        message = f"containers with incomplete status: [{' '.join(incomplete)}]"
        return _condition("Initialized", False, "ContainersNotInitialized", message)
    return _condition("Initialized", True)


def _containers_ready(pod: Object, phase: str, inits: Sequence[Object], mains: Sequence[Object]) -> Object:
    if phase == "Succeeded":
        return _condition("ContainersReady", False, "PodCompleted")
    if phase == "Failed":
        return _condition("ContainersReady", False, "PodFailed")
    sidecars = {c["name"] for c in init_containers(pod) if is_sidecar(c)}
    unready = [e["name"] for e in (*[i for i in inits if i["name"] in sidecars], *mains) if not e["ready"]]
    if unready:
        message = f"containers with unready status: [{' '.join(unready)}]"
        return _condition("ContainersReady", False, "ContainersNotReady", message)
    return _condition("ContainersReady", True)


def _ready(pod: Object, containers_ready: Object, old: Sequence[Object]) -> Object:
    if containers_ready["status"] != "True":
        return {**containers_ready, "type": "Ready"}
    faults = []
    for gate in pod["spec"].get("readinessGates") or []:
        kind = gate["conditionType"]
        found = next((c for c in old if c.get("type") == kind), None)
        if found is None:
            faults.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
        elif found.get("status") != "True":
            faults.append(f'the status of pod readiness gate "{kind}" is not "True", but {found.get("status")}')
    if faults:
        return _condition("Ready", False, "ReadinessGatesNotReady", ", ".join(faults))
    return _condition("Ready", True)


def differs(new: Object, old: Object) -> bool:
    """Whether the API has to be told; null and absent are the same."""
    return bool(_squeezed(new) != _squeezed(old))


def _squeezed(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: s for k, v in value.items() if (s := _squeezed(v)) not in (None, {}, [], "")}
    if isinstance(value, list):
        return [_squeezed(v) for v in value]
    return value


def status_patch(new: Object, old: Object) -> Object:
    """A strategic merge patch of the status: changed fields; null removes one that is gone."""
    patch: Object = {}
    for key in old.keys() - new.keys():
        patch[key] = None
    for key, value in new.items():
        if key == "conditions":
            before = {c.get("type"): c for c in old.get("conditions") or []}
            changed = [
                {**dict.fromkeys(before.get(c["type"], {}).keys() - c.keys()), **c}  # null takes an old reason away
                for c in value
                if _squeezed(before.get(c["type"], {})) != _squeezed(c)
            ]
            if changed:
                patch[key] = changed
        elif _squeezed(old.get(key)) != _squeezed(value):
            # addresses are merged by address: without this an old one would stay
            replace = [{"$patch": "replace"}] if key in _MERGED_BY_ADDRESS and old.get(key) else []
            patch[key] = [*value, *replace] if replace else value
    return patch
