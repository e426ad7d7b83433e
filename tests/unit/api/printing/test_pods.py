"""What `kubectl get pods` says of a pod."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kubepy.api.meta import Object
from kubepy.api.printing.registry import cells, columns, table
from kubepy.api.resources import named

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUNNING = {"running": {}}
DONE = {"terminated": {"exitCode": 0, "reason": "Completed"}}
READY = {"type": "Ready", "status": "True"}


def container(name: str = "c", *, ready: bool = False, restarts: int = 0, last: str = "", **state: Any) -> Object:
    status: Object = {"name": name, "ready": ready, "restartCount": restarts, "state": state}
    if last:
        status["lastState"] = {"terminated": {"finishedAt": last}}
    return status


def pod(phase: str = "Running", *, spec: Object | None = None, deleted: bool = False, **status: Any) -> Object:
    meta = {"name": "p", "creationTimestamp": "2026-01-01T11:55:00Z"}
    if deleted:
        meta["deletionTimestamp"] = "2026-01-01T11:59:00Z"
    found = {"containers": [{"name": "c"}], **(spec or {})}
    return {"metadata": meta, "spec": found, "status": {"phase": phase, **status}}


INIT = {"initContainers": [{"name": "a"}, {"name": "b"}]}
SIDECAR = {"initContainers": [{"name": "s", "restartPolicy": "Always"}]}


@pytest.mark.parametrize(
    ("obj", "ready", "status", "restarts"),
    [
        (pod("Pending"), "0/1", "Pending", "0"),
        (pod("Failed", reason="Evicted"), "0/1", "Evicted", "0"),
        (
            pod("Pending", conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]),
            "0/1",
            "SchedulingGated",
            "0",
        ),
        (pod(containerStatuses=[container(ready=True, **RUNNING)]), "1/1", "Running", "0"),
        (
            pod(containerStatuses=[container(restarts=3, last="2026-01-01T11:54:55Z", waiting={"reason": "Boom"})]),
            "0/1",
            "Boom",
            "3 (5m5s ago)",
        ),
        (pod("Succeeded", containerStatuses=[container(**DONE)]), "0/1", "Completed", "0"),
        (pod("Failed", containerStatuses=[container(terminated={"exitCode": 3})]), "0/1", "ExitCode:3", "0"),
        (pod("Failed", containerStatuses=[container(terminated={"signal": 9})]), "0/1", "Signal:9", "0"),
        (
            pod(
                spec={"containers": [{"name": "c"}, {"name": "d"}]},
                containerStatuses=[container(**DONE), container("d", ready=True, **RUNNING)],
                conditions=[READY],
            ),
            "1/2",
            "Running",
            "0",
        ),
        (
            pod(
                spec={"containers": [{"name": "c"}, {"name": "d"}]},
                containerStatuses=[container(**DONE), container("d", ready=True, **RUNNING)],
            ),
            "1/2",
            "NotReady",
            "0",
        ),
        (
            pod("Pending", spec=INIT, initContainerStatuses=[container("a", **DONE), container("b", **RUNNING)]),
            "0/1",
            "Init:1/2",
            "0",
        ),
        (
            pod("Pending", spec=INIT, initContainerStatuses=[container("a", waiting={"reason": "ErrImagePull"})]),
            "0/1",
            "Init:ErrImagePull",
            "0",
        ),
        (
            pod(
                "Pending",
                spec=INIT,
                initContainerStatuses=[container("a", waiting={"reason": "PodInitializing"}, restarts=2)],
            ),
            "0/1",
            "Init:0/2",
            "2",
        ),
        (
            pod("Pending", spec=INIT, initContainerStatuses=[container("a", terminated={"exitCode": 1})]),
            "0/1",
            "Init:ExitCode:1",
            "0",
        ),
        (
            pod(
                spec=SIDECAR,
                initContainerStatuses=[{**container("s", ready=True, restarts=1, **RUNNING), "started": True}],
                containerStatuses=[container(ready=True, **RUNNING)],
            ),
            "2/2",
            "Running",
            "1",
        ),
        (pod(deleted=True), "0/1", "Terminating", "0"),
        (pod(deleted=True, reason="NodeLost"), "0/1", "Unknown", "0"),
        (pod("Succeeded", deleted=True), "0/1", "Succeeded", "0"),
    ],
)
def test_the_most_telling_state_is_shown(obj: Object, ready: str, status: str, restarts: str) -> None:
    assert cells("", "Pod", obj, NOW)[1:4] == [ready, status, restarts]


def test_wide_columns_say_where_the_pod_is() -> None:
    placed = pod(
        spec={"nodeName": "n1", "readinessGates": [{"conditionType": "x"}, {"conditionType": "y"}]},
        podIPs=[{"ip": "10.0.0.1"}],
        conditions=[{"type": "x", "status": "True"}],
    )
    assert cells("", "Pod", placed, NOW)[4:] == ["5m", "10.0.0.1", "n1", "<none>", "1/2"]
    assert [c["name"] for c in columns("", "Pod") if c["priority"]] == [
        "IP",
        "Node",
        "Nominated Node",
        "Readiness Gates",
    ]


def test_a_row_of_a_pod_that_ended_says_so() -> None:
    shown = table(named("pods"), [pod("Failed"), pod("Running")], now=NOW)
    assert shown["rows"][0]["conditions"][0]["reason"] == "Failed"
    assert "conditions" not in shown["rows"][1]
