"""What a pod amounts to: quality of service, resources in all, readiness."""

from typing import Any

import pytest

from kubepy.api import pods


def container(name: str = "c", *, always: bool = False, limits: dict[str, str] | None = None, **requests: str) -> Any:
    resources = {"requests": requests} if requests else {}
    made: dict[str, Any] = {"name": name, "resources": {**resources, **({"limits": limits} if limits else {})}}
    return {**made, "restartPolicy": "Always"} if always else made


@pytest.mark.parametrize(
    ("expected", "spec"),
    [
        ("BestEffort", {"containers": [container()]}),
        ("BestEffort", {"containers": [container(cpu="0")]}),
        ("Burstable", {"containers": [container(cpu="1")]}),
        ("Guaranteed", {"containers": [container(cpu="1", memory="1Gi", limits={"cpu": "1000m", "memory": "1Gi"})]}),
        ("Burstable", {"containers": [container(cpu="500m", memory="1Gi", limits={"cpu": "1", "memory": "1Gi"})]}),
        ("Burstable", {"containers": [container(cpu="1", limits={"cpu": "1"})]}),
        (
            "Burstable",
            {"containers": [container(cpu="1", memory="1Gi", limits={"cpu": "1", "memory": "1Gi"}), container("d")]},
        ),
        ("Burstable", {"containers": [container()], "initContainers": [container("i", memory="1")]}),
        (
            "Guaranteed",
            {
                "containers": [container()],
                "resources": {"requests": {"cpu": "1", "memory": "1"}, "limits": {"cpu": "1", "memory": "1"}},
            },
        ),
    ],
)
def test_quality_of_service_follows_requests_and_limits(expected: str, spec: Any) -> None:
    assert pods.qos_class(spec) == expected


def test_requests_are_those_of_all_containers_or_of_the_greediest_init_container() -> None:
    spec = {
        "initContainers": [container("i1", cpu="3", memory="10"), container("i2", cpu="1", memory="500")],
        "containers": [container("a", cpu="1", memory="100"), container("b", cpu="500m", memory="100")],
    }
    assert pods.pod_requests({"spec": spec}) == {"cpu": 3, "memory": 500}


def test_sidecars_count_beside_main_containers_and_beside_later_init_containers() -> None:
    spec = {
        "initContainers": [container("side", always=True, cpu="1"), container("i", cpu="4")],
        "containers": [container("a", cpu="2")],
    }
    assert pods.pod_requests({"spec": spec}) == {"cpu": 5}
    assert pods.pod_requests({"spec": {**spec, "initContainers": spec["initContainers"][:1]}}) == {"cpu": 3}


def test_overhead_is_added_to_requests_and_to_limits_that_are_there() -> None:
    spec = {"containers": [container(cpu="1", limits={"cpu": "2"})], "overhead": {"cpu": "250m", "memory": "1"}}
    assert pods.pod_requests({"spec": spec}) == {"cpu": pytest.approx(1.25), "memory": 1}
    assert pods.pod_limits({"spec": spec}) == {"cpu": pytest.approx(2.25)}
    assert pods.pod_requests({"spec": spec}, overhead=False) == {"cpu": 1}


def test_requests_of_the_pod_itself_replace_those_of_its_containers() -> None:
    spec = {"containers": [container(cpu="1", memory="5")], "resources": {"requests": {"cpu": "3"}}}
    assert pods.pod_requests({"spec": spec}) == {"cpu": 3, "memory": 5}


def test_a_pod_being_resized_counts_with_what_it_is_allocated() -> None:
    pod = {
        "spec": {"containers": [container("a", cpu="1")]},
        "status": {"containerStatuses": [{"name": "a", "allocatedResources": {"cpu": "2"}}]},
    }
    assert pods.pod_requests(pod, use_status=True) == {"cpu": 2}
    assert pods.pod_requests(pod) == {"cpu": 1}


def test_ready_means_the_condition_is_true() -> None:
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert pods.is_ready(ready)
    assert not pods.is_ready({"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    assert not pods.is_ready({})


def test_a_pod_is_active_until_it_ends_or_is_deleted() -> None:
    assert pods.is_active({})
    assert not pods.is_active({"status": {"phase": "Failed"}})
    assert not pods.is_active({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
    assert pods.is_terminal({"status": {"phase": "Succeeded"}})
    assert not pods.is_terminal({"status": {"phase": "Running"}})
