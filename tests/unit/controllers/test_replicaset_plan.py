"""Which pods a ReplicaSet makes and deletes."""

from kubepy.controllers.replicaset.plan import is_available, least_wanted, plan_replicas, plan_status
from tests.unit.controllers.builders import EARLIER, NOW, pod, replica_set


def names(pods: list[dict]) -> list[str]:  # type: ignore[type-arg]
    return [p["metadata"]["name"] for p in pods]


def test_missing_pods_are_made() -> None:
    assert plan_replicas(3, [pod("a")], NOW).create == 2


def test_a_set_of_the_right_size_is_left_alone() -> None:
    plan = plan_replicas(1, [pod("a")], NOW)
    assert (plan.create, plan.delete) == (0, [])


def test_pods_that_serve_are_the_last_to_go() -> None:
    pods = [
        pod("serving"),
        pod("waiting", ready=False),
        pod("starting", phase="Pending", ready=False),
        pod("unplaced", node="", phase="Pending", ready=False),
    ]
    assert names(least_wanted(pods, 4, NOW)) == ["unplaced", "starting", "waiting", "serving"]


def test_the_cheaper_pod_goes_first() -> None:
    cost = {"controller.kubernetes.io/pod-deletion-cost": "-5"}
    pods = [pod("dear"), pod("cheap", annotations=cost)]
    assert names(least_wanted(pods, 1, NOW)) == ["cheap"]


def test_crowded_nodes_are_thinned_out() -> None:
    pods = [pod("alone", node="n2"), pod("crowd-1"), pod("crowd-2")]
    assert names(least_wanted(pods, 1, NOW))[0].startswith("crowd")


def test_a_pod_is_available_after_it_was_ready_long_enough() -> None:
    assert is_available(pod("a"), 3600, NOW)
    assert not is_available(pod("a"), 10**6, NOW)


def test_the_status_counts_and_keeps_the_time_of_a_failure() -> None:
    owner = replica_set("rs", 2, generation=4)
    failed = plan_status(owner, [pod("a"), pod("b", ready=False)], ("FailedCreate", "quota"), NOW)
    assert (failed["replicas"], failed["readyReplicas"], failed["observedGeneration"]) == (2, 1, 4)
    again = plan_status({**owner, "status": failed}, [], ("FailedCreate", "quota"), NOW.replace(year=2027))
    assert again["conditions"] == failed["conditions"]
    assert "conditions" not in plan_status({**owner, "status": failed}, [], None, NOW)
    assert EARLIER not in str(failed)
