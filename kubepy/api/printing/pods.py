"""The Pod's row: what a user reads first. Ready and total containers, one word of status, restarts.

The word starts as the phase and is overridden by the most telling thing below it: a scheduling gate, the first init
container that is not through, the first app container that waits or ended, at last the deletion.
Source: pkg/printers/internalversion/printers.go, printPod.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kubepy.api.meta import Object, name_of
from kubepy.api.printing.columns import AGE, NAME, STATUS, Cells, Column, Printer, Printers, wide
from kubepy.api.printing.durations import since
from kubepy.api.printing.text import NONE, age_of, condition_status, part

_NODE_LOST = "NodeLost"
_TERMINAL = ("Succeeded", "Failed")


@dataclass(slots=True)
class _Tally:
    """What the walk over the container statuses finds."""

    reason: str
    ready: int = 0
    restarts: int = 0
    last_restart: str = ""

    def count(self, status: Mapping[str, Any]) -> None:
        """Adds a container's restarts and remembers the latest end of a former run (RFC 3339 sorts as text)."""
        self.restarts += int(status.get("restartCount") or 0)
        ended = part(status, "lastState").get("terminated") or {}
        self.last_restart = max(self.last_restart, ended.get("finishedAt") or "")


def _ended(terminated: Mapping[str, Any]) -> str:
    if reason := terminated.get("reason"):
        return str(reason)
    if signal := terminated.get("signal"):
        return f"Signal:{signal}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _sidecars(pod: Object) -> set[str]:
    """Names of the restartable init containers."""
    init = part(pod, "spec").get("initContainers") or []
    return {container["name"] for container in init if container.get("restartPolicy") == "Always"}


def _walk_init(pod: Object, tally: _Tally, sidecar_tally: _Tally) -> bool:
    """Tallies the init containers up to the first that is not through; whether there is such a one."""
    sidecars, total = _sidecars(pod), len(part(pod, "spec").get("initContainers") or [])
    for index, status in enumerate(part(pod, "status").get("initContainerStatuses") or []):
        state, is_sidecar = part(status, "state"), status.get("name") in sidecars
        tally.count(status)
        if is_sidecar:
            sidecar_tally.count(status)
        terminated, waiting = state.get("terminated"), state.get("waiting") or {}
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if is_sidecar and status.get("started"):
            tally.ready += bool(status.get("ready"))
            continue
        if terminated is not None:
            tally.reason = f"Init:{_ended(terminated)}"
        elif waiting.get("reason") not in (None, "", "PodInitializing"):
            tally.reason = f"Init:{waiting['reason']}"
        else:
            tally.reason = f"Init:{index}/{total}"
        return True
    return False


def _walk_containers(pod: Object, tally: _Tally) -> None:
    """Tallies the app containers, last to first, so that the first one's trouble is what is shown."""
    status, running = part(pod, "status"), False
    for container in reversed(status.get("containerStatuses") or []):
        state = part(container, "state")
        tally.count(container)
        waiting, terminated = state.get("waiting") or {}, state.get("terminated")
        if waiting.get("reason"):
            tally.reason = waiting["reason"]
        elif terminated is not None:
            tally.reason = _ended(terminated)
        elif container.get("ready") and state.get("running") is not None:
            running = True
            tally.ready += 1
    if tally.reason == "Completed" and running:
        ready = condition_status(status.get("conditions"), "Ready") == "True"
        tally.reason = "Running" if ready else "NotReady"


def _first_reason(pod: Object) -> str:
    status = part(pod, "status")
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            return "SchedulingGated"
    return str(status.get("reason") or status.get("phase") or "")


def _tally(pod: Object) -> _Tally:
    status = part(pod, "status")
    tally, sidecars = _Tally(_first_reason(pod)), _Tally("")
    initializing = _walk_init(pod, tally, sidecars)
    if not initializing or condition_status(status.get("conditions"), "Initialized") == "True":
        tally.restarts, tally.last_restart = sidecars.restarts, sidecars.last_restart
        _walk_containers(pod, tally)
    if part(pod, "metadata").get("deletionTimestamp"):
        if status.get("reason") == _NODE_LOST:
            tally.reason = "Unknown"
        elif status.get("phase") not in _TERMINAL:
            tally.reason = "Terminating"
    return tally


def _restarts_text(tally: _Tally, now: datetime) -> str:
    if not tally.restarts or not tally.last_restart:
        return str(tally.restarts)
    return f"{tally.restarts} ({since(tally.last_restart, now)} ago)"


def _gates_text(pod: Object) -> str:
    gates = part(pod, "spec").get("readinessGates")
    if not gates:
        return NONE
    conditions = part(pod, "status").get("conditions")
    met = sum(condition_status(conditions, gate.get("conditionType", "")) == "True" for gate in gates)
    return f"{met}/{len(gates)}"


def status_word(pod: Object) -> str:
    """The STATUS of `kubectl get pods`."""
    return _tally(pod).reason


def _pod_ip(status: Mapping[str, Any]) -> Iterator[str]:
    yield from (entry.get("ip", "") for entry in (status.get("podIPs") or [])[:1])
    yield status.get("podIP") or ""
    yield NONE


def pod_cells(pod: Object, now: datetime) -> Cells:
    """The row of a Pod."""
    tally, spec, status = _tally(pod), part(pod, "spec"), part(pod, "status")
    total = len(spec.get("containers") or []) + len(_sidecars(pod))
    return [
        name_of(pod),
        f"{tally.ready}/{total}",
        tally.reason,
        _restarts_text(tally, now),
        age_of(pod, now),
        next(filter(None, _pod_ip(status))),
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _gates_text(pod),
    ]


_ENDS = {"Succeeded": "The pod has completed successfully.", "Failed": "The pod failed."}


def _conditions(pod: Object) -> list[dict[str, str]]:
    phase = part(pod, "status").get("phase")
    if phase not in _ENDS:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": _ENDS[phase]}]


PRINTERS: Printers = {
    ("", "Pod"): Printer(
        (
            NAME,
            Column("Ready", "The aggregate readiness state of this pod for accepting traffic."),
            STATUS,
            Column("Restarts", "How often the pod's containers have been restarted, and when one last was."),
            AGE,
            wide("IP", "The first address of the pod."),
            wide("Node", "The node that the pod is bound to."),
            wide("Nominated Node", "The node on which room is being made for the pod."),
            wide("Readiness Gates", "How many of the pod's readiness gates are met."),
        ),
        pod_cells,
        conditions=_conditions,
    ),
}
