"""What a node's silence means."""

import ipaddress
from datetime import timedelta

import pytest

from kubepy.api.taints import is_tolerated
from kubepy.controllers.node_ipam import CidrAllocator
from kubepy.controllers.node_lifecycle import plan
from kubepy.controllers.node_lifecycle.taint_eviction import eviction_delay_s
from kubepy.controllers.pod_gc import plan_garbage
from kubepy.lib.clock import rfc3339
from tests.unit.controllers.builders import EARLIER, NOW, Object


def node(ready: str = "True", *, taints: list[Object] | None = None, **spec: object) -> Object:
    condition = {"type": "Ready", "status": ready, "lastHeartbeatTime": EARLIER, "lastTransitionTime": EARLIER}
    return {
        "metadata": {"name": "n", "creationTimestamp": EARLIER},
        "spec": {"taints": taints or [], **spec},
        "status": {"conditions": [condition]},
    }


def keys(taints: list[Object]) -> set[tuple[str, str]]:
    return {(t["key"].removeprefix("node.kubernetes.io/"), t["effect"]) for t in taints}


def test_all_that_a_silent_kubelet_told_is_unknown() -> None:
    conditions = {c["type"]: c for c in plan.silent_conditions(node(), NOW)}
    assert {c["status"] for c in conditions.values()} == {"Unknown"}
    assert conditions["Ready"]["reason"] == "NodeStatusUnknown"
    assert conditions["DiskPressure"]["reason"] == "NodeStatusNeverUpdated"


def test_a_kubelet_that_never_told_a_time_was_last_heard_of_when_its_node_was_made() -> None:
    silent = node()
    del silent["status"]["conditions"][0]["lastHeartbeatTime"]
    assert {c["lastHeartbeatTime"] for c in plan.silent_conditions(silent, NOW)} == {EARLIER}


def test_a_second_look_changes_nothing() -> None:
    silent = node()
    silent["status"]["conditions"] = plan.silent_conditions(silent, NOW)
    assert plan.silent_conditions(silent, NOW + timedelta(hours=1)) == silent["status"]["conditions"]


@pytest.mark.parametrize(("ready", "key"), [("False", "not-ready"), ("Unknown", "unreachable")])
def test_a_node_that_is_not_ready_is_tainted(ready: str, key: str) -> None:
    assert keys(plan.plan_taints(node(ready), NOW, evict=True)) == {(key, "NoSchedule"), (key, "NoExecute")}
    assert keys(plan.plan_taints(node(ready), NOW, evict=False)) == {(key, "NoSchedule")}


def test_an_eviction_that_began_goes_on() -> None:
    tainted = node("Unknown", taints=plan.plan_taints(node("Unknown"), NOW, evict=True))
    assert plan.plan_taints(tainted, NOW + timedelta(minutes=1), evict=False) == tainted["spec"]["taints"]


def test_a_node_that_is_back_loses_our_taints_and_no_other() -> None:
    own = {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}
    tainted = plan.plan_taints(node("Unknown", taints=[own]), NOW, evict=True)
    assert plan.plan_taints(node("True", taints=tainted), NOW, evict=True) == [own]


def test_a_cordoned_node_is_tainted() -> None:
    assert keys(plan.plan_taints(node(unschedulable=True), NOW, evict=False)) == {("unschedulable", "NoSchedule")}


@pytest.mark.parametrize(
    ("ready", "silent", "state"),
    [
        (3, 0, "Normal"),
        (1, 2, "Normal"),
        (2, 3, "PartialDisruption"),
        (0, 1, "FullDisruption"),
        (0, 5, "FullDisruption"),
    ],
)
def test_a_zone_is_judged_by_how_many_are_silent(ready: int, silent: int, state: str) -> None:
    assert plan.zone_state([node("True")] * ready + [node("Unknown")] * silent, 0.55) == state


def test_nothing_is_evicted_when_every_zone_is_down() -> None:
    assert plan.eviction_interval_s("FullDisruption", 3, all_zones_down=True) is None
    assert plan.eviction_interval_s("FullDisruption", 3, all_zones_down=False) == 10


TAINT = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": rfc3339(NOW)}


def test_a_pod_without_toleration_goes_at_once() -> None:
    assert eviction_delay_s([TAINT], [], NOW) == 0


def test_a_toleration_for_a_time_counts_from_the_taint() -> None:
    toleration = {"key": TAINT["key"], "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    assert eviction_delay_s([TAINT], [toleration], NOW + timedelta(seconds=100)) == 200
    assert eviction_delay_s([TAINT], [toleration], NOW + timedelta(seconds=999)) == 0


def test_a_toleration_for_ever_keeps_the_pod() -> None:
    assert eviction_delay_s([TAINT], [{"operator": "Exists"}], NOW) is None


@pytest.mark.parametrize(
    ("toleration", "covers"),
    [
        ({"key": "k", "value": "v"}, True),
        ({"key": "k", "value": "w"}, False),
        ({"key": "k", "operator": "Exists", "effect": "NoSchedule"}, False),
        ({"operator": "Exists"}, True),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_tolerations_cover_taints_as_documented(toleration: Object, covers: bool) -> None:
    assert is_tolerated({"key": "k", "value": "v", "effect": "NoExecute"}, [toleration]) is covers


def test_ranges_are_given_once_and_again_when_free() -> None:
    allocator = CidrAllocator(ipaddress.ip_network("10.244.0.0/22"), 24)
    allocator.occupy("10.244.1.0/24")
    given = [allocator.allocate() for _ in range(4)]
    assert given == ["10.244.0.0/24", "10.244.2.0/24", "10.244.3.0/24", None]
    allocator.release("10.244.2.0/24")
    assert allocator.allocate() == "10.244.2.0/24"


def test_pods_of_a_node_that_is_gone_are_garbage_and_the_oldest_finished_over_the_limit() -> None:
    def pod(name: str, node: str, phase: str = "Running", **meta: object) -> Object:
        created = {"creationTimestamp": f"2026-01-01T00:00:0{name[-1]}Z"}
        return {"metadata": {"name": name, **created, **meta}, "spec": {"nodeName": node}, "status": {"phase": phase}}

    found = plan_garbage(
        [
            pod("lost-1", "gone"),
            pod("fine-2", "n1"),
            pod("done-4", "n1", "Succeeded"),
            pod("done-3", "n1", "Failed"),
            pod("never-5", "", deletionTimestamp=EARLIER),
        ],
        {"gone"},
        1,
    )
    assert [[p["metadata"]["name"] for p in part] for part in (found.lost, found.unplaced, found.finished)] == [
        ["lost-1"], ["never-5"], ["done-3"],
    ]  # fmt: skip
