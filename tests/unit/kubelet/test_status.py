from typing import Any

import pytest
from kubelet_pods import NOW, container, exited, known, pod, running, sandbox, seen

from kubepy.kubelet.status import Facts, Waiting, differs, pod_status, status_patch

PROBE = {"httpGet": {"port": 80}}


def told(spec: dict[str, Any], *records: Any, **facts: Any) -> dict[str, Any]:
    defaults = {"observed": seen(*records), "known": known(), "now": NOW, "host_ips": ("192.0.2.1",)}
    return pod_status(spec, Facts(**{**defaults, **facts}))


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(c for c in status["conditions"] if c["type"] == kind)


@pytest.mark.parametrize(
    ("policy", "records", "phase"),
    [
        ("Always", [], "Pending"),
        ("Always", [running()], "Running"),
        ("Always", [exited(code=1)], "Running"),
        ("OnFailure", [exited(code=1)], "Running"),
        ("OnFailure", [exited()], "Succeeded"),
        ("Never", [exited()], "Succeeded"),
        ("Never", [exited(code=1)], "Failed"),
    ],
)
def test_phase_follows_containers_and_restart_policy(policy: str, records: list[Any], phase: str) -> None:
    assert told(pod(restartPolicy=policy), *records)["phase"] == phase


def test_one_container_that_never_ran_keeps_the_pod_pending() -> None:
    assert told(pod(container("a"), container("b")), running("a"))["phase"] == "Pending"


def test_terminal_phase_is_never_left() -> None:
    assert told(pod(status={"phase": "Succeeded"}))["phase"] == "Succeeded"


def test_pod_given_up_fails_with_the_reason() -> None:
    status = told(pod(), exited(), failed=("DeadlineExceeded", "too long"))
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", "DeadlineExceeded", "too long")


def test_running_container_without_readiness_probe_is_ready() -> None:
    status = told(pod(), running())
    assert status["containerStatuses"][0]["ready"] is True
    assert condition(status, "Ready")["status"] == "True"
    assert status["podIP"] == "10.0.0.5"
    assert status["hostIPs"] == [{"ip": "192.0.2.1"}]


def test_readiness_probe_decides_readiness() -> None:
    spec = pod(container("c", readinessProbe=PROBE))
    assert condition(told(spec, running()), "Ready")["message"] == "containers with unready status: [c]"
    assert condition(told(spec, running(), ready={"c0": True}), "Ready")["status"] == "True"


def test_startup_probe_comes_before_started() -> None:
    spec = pod(container("c", startupProbe=PROBE))
    assert told(spec, running())["containerStatuses"][0]["started"] is False
    assert told(spec, running(), known=known(startup={"c0": True}))["containerStatuses"][0]["started"] is True


def test_crash_loop_shows_the_end_before_as_last_state() -> None:
    status = told(pod(), exited(attempt=2, code=3), waiting={"c": Waiting("CrashLoopBackOff", "back-off 10s")})
    (entry,) = status["containerStatuses"]
    assert entry["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    assert entry["lastState"]["terminated"]["exitCode"] == 3
    assert entry["restartCount"] == 2


def test_a_container_that_cannot_start_and_is_not_to_be_restarted_ends_its_pod() -> None:
    fault = {"c": Waiting("RunContainerError", "no such file")}
    status = told(pod(restartPolicy="Never"), exited(code=127), waiting=fault)
    assert status["phase"] == "Failed"
    assert status["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 127
    again = told(pod(restartPolicy="OnFailure"), exited(code=127), waiting=fault)
    assert again["containerStatuses"][0]["state"]["waiting"]["reason"] == "RunContainerError"


def test_termination_message_is_shown() -> None:
    status = told(pod(restartPolicy="Never"), exited(code=3), termination_messages={"c0": "bye"})
    assert status["containerStatuses"][0]["state"]["terminated"]["message"] == "bye"


def test_waiting_reasons_before_anything_ran() -> None:
    assert told(pod())["containerStatuses"][0]["state"]["waiting"]["reason"] == "ContainerCreating"
    status = told(pod(init=[container("i")]), running("i"))
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"
    assert condition(status, "Initialized")["message"] == "containers with incomplete status: [i]"


def test_container_lost_by_the_runtime_is_told_as_unknown() -> None:
    before = {"phase": "Running", "containerStatuses": [{"name": "c", "restartCount": 4, "state": {"running": {}}}]}
    (entry,) = told(pod(status=before, restartPolicy="Never"))["containerStatuses"]
    assert entry["state"]["terminated"]["reason"] == "ContainerStatusUnknown"
    assert entry["restartCount"] == 4


def test_readiness_gate_must_be_true() -> None:
    spec = pod(readinessGates=[{"conditionType": "example.com/lb"}])
    assert condition(told(spec, running()), "Ready")["reason"] == "ReadinessGatesNotReady"
    spec["status"] = {"conditions": [{"type": "example.com/lb", "status": "True"}]}
    status = told(spec, running())
    assert condition(status, "Ready")["status"] == "True"
    assert condition(status, "example.com/lb")["status"] == "True"


def test_sandbox_without_address_is_not_ready_to_start_containers() -> None:
    assert condition(told(pod(), sandbox(ready=False)), "PodReadyToStartContainers")["status"] == "False"


def test_transition_time_moves_only_with_the_status() -> None:
    spec = pod()
    first = told(spec, running())
    spec["status"] = first
    again = told(spec, running(), now=NOW.replace(hour=9))
    assert again["conditions"] == first["conditions"]
    assert not differs(again, first)
    assert status_patch(again, first) == {}


def test_patch_takes_the_reason_of_a_condition_away() -> None:
    spec = pod(container("c", readinessProbe=PROBE))
    old = told(spec, running())
    new = told({**spec, "status": old}, running(), ready={"c0": True})
    (ready,) = [c for c in status_patch(new, old)["conditions"] if c["type"] == "Ready"]
    assert ready["status"] == "True"
    assert ready["reason"] is None


def test_patch_replaces_addresses_instead_of_merging_them() -> None:
    patch = status_patch({"podIPs": [{"ip": "10.0.0.6"}]}, {"podIPs": [{"ip": "10.0.0.5"}]})
    assert patch["podIPs"] == [{"ip": "10.0.0.6"}, {"$patch": "replace"}]
