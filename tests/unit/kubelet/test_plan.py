from datetime import timedelta
from typing import Any

import pytest
from kubelet_pods import NOW, container, exited, known, pod, running, sandbox, seen

from kubepy.kubelet.plan import (
    Action,
    Delay,
    Hold,
    Kill,
    Known,
    MakeSandbox,
    Observed,
    Start,
    StopSandbox,
    is_finished,
    surplus,
    sync,
    terminate,
)

PROBE = {"httpGet": {"port": 80}}


def plan(spec: dict[str, Any], observed: Observed, knowledge: Known | None = None) -> list[Action]:
    return sync(spec, observed, knowledge or known(), NOW)


def test_new_pod_first_gets_a_sandbox() -> None:
    assert plan(pod(), Observed()) == [MakeSandbox(0)]


def test_sandbox_under_way_is_not_made_twice() -> None:
    assert plan(pod(), Observed(), known(busy=frozenset({"sandbox"}))) == []


def test_containers_start_together_once_the_sandbox_is_ready() -> None:
    assert plan(pod(container("a"), container("b")), seen()) == [Start("a", 0), Start("b", 0)]


def test_containers_wait_for_volumes() -> None:
    assert plan(pod(), seen(), known(ready=False)) == []


def test_healthy_pod_needs_nothing() -> None:
    assert plan(pod(), seen(running())) == []


def test_init_containers_run_one_after_the_other() -> None:
    spec = pod(init=[container("i1"), container("i2")])
    assert plan(spec, seen()) == [Start("i1", 0)]
    assert plan(spec, seen(running("i1"))) == []
    assert plan(spec, seen(exited("i1"))) == [Start("i2", 0)]
    assert plan(spec, seen(exited("i1"), exited("i2"))) == [Start("c", 0)]


def test_init_containers_do_not_run_again_beside_a_running_main_container() -> None:
    spec = pod(init=[container("i1")])
    assert plan(spec, seen(running("c"))) == []


def test_init_container_whose_record_is_gone_counts_as_done_when_a_later_one_ran() -> None:
    spec = pod(init=[container("i1"), container("i2")])
    assert plan(spec, seen(running("i2"))) == []


def test_failed_init_container_ends_a_pod_that_never_restarts() -> None:
    spec = pod(init=[container("i1")], restartPolicy="Never")
    assert plan(spec, seen(exited("i1", code=1))) == [StopSandbox("s0")]


def test_failed_init_container_is_tried_again_after_a_delay() -> None:
    spec = pod(init=[container("i1")])
    assert plan(spec, seen(exited("i1", code=1))) == [Start("i1", 1, Delay(10.0, NOW))]


def test_sidecar_must_have_started_before_the_next_container() -> None:
    spec = pod(init=[container("side", restartPolicy="Always", startupProbe=PROBE)])
    assert plan(spec, seen(running("side"))) == []
    assert plan(spec, seen(running("side")), known(startup={"side0": True})) == [Start("c", 0)]


def test_dead_sidecar_is_restarted_beside_the_main_containers() -> None:
    spec = pod(init=[container("side", restartPolicy="Always")])
    assert plan(spec, seen(exited("side"), running("c"))) == [Start("side", 1, Delay(10.0, NOW))]


def test_sidecars_end_when_the_main_containers_are_done() -> None:
    spec = pod(init=[container("side", restartPolicy="Always")], restartPolicy="Never")
    assert plan(spec, seen(running("side"), exited("c"))) == [Kill("side0", "side", "Stopping container side")]


@pytest.mark.parametrize(
    ("policy", "code", "restarts"),
    [("Always", 0, True), ("Always", 1, True), ("OnFailure", 0, False), ("OnFailure", 1, True), ("Never", 1, False)],
)
def test_restart_policy_decides_about_an_ended_container(policy: str, code: int, restarts: bool) -> None:
    actions = plan(pod(restartPolicy=policy), seen(exited(code=code)))
    assert actions == ([Start("c", 1, Delay(10.0, NOW))] if restarts else [StopSandbox("s0")])


def test_second_crash_is_held_back_until_its_delay_is_over() -> None:
    knowledge = known(delays={"c": Delay(10.0, NOW - timedelta(seconds=3))})
    (hold,) = plan(pod(), seen(exited(attempt=1, code=1, ago_s=2)), knowledge)
    assert isinstance(hold, Hold)
    assert hold.until == NOW + timedelta(seconds=8)
    assert hold.message == "back-off 10s restarting failed container=c pod=web_default(u1)"


def test_delay_doubles_up_to_five_minutes() -> None:
    for before, after in ((10.0, 20.0), (160.0, 300.0), (300.0, 300.0)):
        knowledge = known(delays={"c": Delay(before, NOW - timedelta(seconds=400))})
        assert plan(pod(), seen(exited(code=1, ago_s=350)), knowledge) == [Start("c", 1, Delay(after, NOW))]


def test_delay_is_forgotten_after_ten_calm_minutes() -> None:
    knowledge = known(delays={"c": Delay(300.0, NOW - timedelta(seconds=700))})
    assert plan(pod(), seen(exited(code=1, ago_s=1)), knowledge) == [Start("c", 1, Delay(10.0, NOW))]


def test_failed_liveness_probe_kills_with_the_probe_s_own_grace() -> None:
    spec = pod(container("c", livenessProbe={**PROBE, "terminationGracePeriodSeconds": 7}))
    (kill,) = plan(spec, seen(running()), known(liveness={"c0": False}))
    assert kill == Kill("c0", "c", "Container c failed liveness probe, will be restarted", 7)


def test_container_that_is_being_killed_is_left_alone() -> None:
    knowledge = known(liveness={"c0": False}, busy=frozenset({"c0"}))
    assert plan(pod(container("c", livenessProbe=PROBE)), seen(running()), knowledge) == []


def test_new_image_replaces_the_container() -> None:
    (kill,) = plan(pod(container("c", image="app:2")), seen(running()))
    assert kill == Kill("c0", "c", "Container c definition changed, will be restarted")


def test_lost_sandbox_is_replaced_after_its_containers_ended() -> None:
    lost = sandbox(ready=False)
    (kill,) = plan(pod(), seen(lost, running()))
    assert isinstance(kill, Kill)
    assert plan(pod(), seen(lost, exited(code=137))) == [MakeSandbox(1)]


def test_finished_pod_gets_no_new_sandbox() -> None:
    assert plan(pod(restartPolicy="Never"), seen(sandbox(ready=False), exited())) == []


def test_new_sandbox_runs_the_init_containers_again() -> None:
    spec = pod(init=[container("i1")])
    observed = seen(sandbox(1), sandbox(0, ready=False), exited("i1"), exited("c", code=137))
    assert [a for a in plan(spec, observed) if isinstance(a, Start)] == [Start("i1", 1, Delay(10.0, NOW))]


def test_ephemeral_container_starts_once() -> None:
    spec = pod(ephemeralContainers=[container("debug")])
    assert plan(spec, seen(running())) == [Start("debug", 0)]
    assert plan(spec, seen(running(), exited("debug"))) == []


def test_terminating_stops_main_containers_then_sidecars_backwards_then_the_sandbox() -> None:
    side = [container("s1", restartPolicy="Always"), container("s2", restartPolicy="Always")]
    spec = pod(container("a"), container("b"), init=side)

    def names(*records: Any) -> list[str]:
        return [a.name if isinstance(a, Kill) else "sandbox" for a in terminate(spec, seen(*records), known())]

    assert names(running("a"), running("b"), running("s1"), running("s2")) == ["a", "b"]
    assert names(exited("a"), running("s1"), running("s2")) == ["s2"]
    assert names(running("s1"), exited("s2")) == ["s1"]
    assert names(exited("s1")) == ["sandbox"]


def test_terminating_waits_for_work_under_way() -> None:
    assert terminate(pod(), seen(), known(busy=frozenset({"c"}))) == []


def test_pod_is_finished_when_nothing_runs_and_the_sandbox_is_down() -> None:
    assert not is_finished(seen(exited()), known())
    assert is_finished(seen(sandbox(ready=False), exited()), known())


def test_only_the_dead_container_before_the_latest_is_kept() -> None:
    observed = seen(running(attempt=3), exited(attempt=2), exited(attempt=1), exited(attempt=0))
    assert surplus(observed) == ["c1", "c0"]
