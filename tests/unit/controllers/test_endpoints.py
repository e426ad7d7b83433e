"""Which pods stand behind a Service, in slices and in Endpoints."""

import asyncio
import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepy.api import resources
from kubepy.controllers.controller import Context, Informers
from kubepy.controllers.endpoints.backends import backends
from kubepy.controllers.endpoints.base import ServiceController, rest_s
from kubepy.controllers.endpoints.endpoints import plan_subsets
from kubepy.controllers.endpoints.slices import MOST_ENDPOINTS, SlicePlan, plan_slices
from tests.unit.controllers.builders import EARLIER, Object, pod, service

SERVICES = resources.named("services")


def plan(found: list[Object], current: list[Object], **spec: object) -> SlicePlan:
    owner = service(**spec)
    return plan_slices(owner, SERVICES, "IPv4", backends(owner, found, "IPv4"), current, {"n1": "z1"})


def apply(current: list[Object], change: SlicePlan) -> list[Object]:
    gone = {s["metadata"]["uid"] for s in (*change.delete, *change.update)}
    made = copy.deepcopy(change.create)
    for number, created in enumerate(made):
        created["metadata"]["uid"] = f"slice-{len(current)}-{number}"
    return [s for s in current if s["metadata"]["uid"] not in gone] + change.update + made


def test_a_named_port_is_looked_up_in_each_pod() -> None:
    other = pod("b")
    other["spec"]["containers"][0]["ports"][0]["containerPort"] = 9090
    slices = plan([pod("a"), other], []).create
    assert sorted(s["ports"][0]["port"] for s in slices) == [8080, 9090]


def test_a_pod_that_is_not_ready_is_listed_as_such() -> None:
    (found,) = plan([pod("a", ready=False)], []).create
    assert found["endpoints"][0]["conditions"] == {"ready": False, "serving": False, "terminating": False}
    assert found["endpoints"][0]["zone"] == "z1"


def test_a_pod_on_its_way_out_still_serves_but_takes_no_more() -> None:
    (found,) = plan([pod("a", deletionTimestamp=EARLIER)], []).create
    assert found["endpoints"][0]["conditions"] == {"ready": False, "serving": True, "terminating": True}


def test_a_service_that_publishes_all_counts_them_ready() -> None:
    (found,) = plan([pod("a", ready=False)], [], publishNotReadyAddresses=True).create
    assert found["endpoints"][0]["conditions"]["ready"] is True


def test_a_service_without_pods_has_one_empty_slice() -> None:
    first = plan([], [])
    assert [s["endpoints"] for s in first.create] == [[]]
    second = plan([], apply([], first))
    assert (second.create, second.update, second.delete) == ([], [], [])


@given(st.lists(st.sets(st.integers(0, 400), max_size=400), min_size=1, max_size=4))
def test_every_pod_is_in_one_slice_and_a_second_look_changes_nothing(rounds: list[set[int]]) -> None:
    current: list[Object] = []
    for members in rounds:
        pods = [pod(f"p{number}") for number in sorted(members)]
        current = apply(current, plan(pods, current))
        listed = [e["targetRef"]["name"] for s in current for e in s["endpoints"]]
        assert sorted(listed) == sorted(p["metadata"]["name"] for p in pods)
        assert all(len(s["endpoints"]) <= MOST_ENDPOINTS for s in current)
        again = plan(pods, current)
        assert (again.create, again.update, again.delete) == ([], [], [])


def test_endpoints_keep_the_ready_apart() -> None:
    owner = service()
    (subset,) = plan_subsets(owner, backends(owner, [pod("a"), pod("b", ready=False)], "IPv4"))
    assert [a["targetRef"]["name"] for a in subset["addresses"]] == ["a"]
    assert [a["targetRef"]["name"] for a in subset["notReadyAddresses"]] == ["b"]
    assert subset["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]


def test_finished_pods_stand_behind_nothing() -> None:
    owner = service()
    assert backends(owner, [pod("a", phase="Succeeded")], "IPv4") == []


class Watch:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = 100.0

    def monotonic(self) -> float:
        return self.at


class Looks(ServiceController):
    """Counts how often a Service was looked at."""

    name = "looks"
    count = 0

    async def sync(self, key: str) -> None:
        found = self._services.get(key)
        assert found is not None
        self.selected_pods(found)
        self.count += 1


@pytest.mark.parametrize(("pods", "looks"), [(3, [1, 2, 3]), (150, [1, 1, 2])])
def test_a_service_of_many_pods_is_looked_at_again_after_a_rest(pods: int, looks: list[int]) -> None:
    async def scenario() -> list[int]:
        watch = Watch()
        context = Context(client=None, informers=Informers(None), clock=watch)  # type: ignore[arg-type]
        loop = Looks(context)
        web = service()
        web["metadata"]["resourceVersion"] = "1"
        loop._services._put(web)
        for number in range(pods):
            loop._pods._put(pod(f"p{number}", labels={"app": "web"}, resourceVersion="1"))
        counts = []
        for later_s in (0.0, 0.1, 0.1):
            watch.at += later_s
            await loop._sync("default/web")
            counts.append(loop.count)
        loop.queue.close()
        return counts

    assert asyncio.run(scenario()) == looks


def test_only_a_service_of_many_pods_rests_between_two_looks() -> None:
    assert [rest_s(count) for count in (0, 3, 100)] == [0.0] * 3
    assert rest_s(1000) == pytest.approx(1.0)
