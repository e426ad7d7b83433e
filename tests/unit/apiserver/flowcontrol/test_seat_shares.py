"""Seats of the levels: nominal, lent and borrowed."""

from hypothesis import given
from hypothesis import strategies as st

from kubepy.api import flow_objects
from kubepy.apiserver.flowcontrol.seat_shares import Bounds, Demand, allocate, bounds_of, first_limit


def default_bounds(seats: int = 600) -> dict[str, Bounds]:
    return bounds_of({obj["metadata"]["name"]: obj["spec"] for obj in flow_objects.priority_levels()}, seats)


def test_default_levels_have_upstreams_seats() -> None:
    found = default_bounds()
    assert found["node-high"] == Bounds(98, 73, 698, 10)
    assert found["leader-election"] == Bounds(25, 25, 625, 4)
    assert found["workload-low"] == Bounds(245, 24, 845, 10)
    assert found["exempt"] == Bounds(0, 0, 600, 10)
    assert found["catch-all"] == Bounds(13, 13, 613, 10)
    assert first_limit(found["workload-low"]) == 135


def test_a_borrowing_limit_bounds_what_is_borrowed() -> None:
    spec = {"type": "Limited", "limited": {"nominalConcurrencyShares": 1, "borrowingLimitPercent": 50}}
    assert bounds_of({"a": spec}, 100)["a"].most == 150


def test_what_others_do_not_need_is_borrowed_and_given_back() -> None:
    found = default_bounds()
    names = list(found)
    bounds = list(found.values())
    idle = [Demand() for _ in names]
    busy = [Demand(500, 500, 0, 500) if name == "global-default" else Demand() for name in names]
    at = names.index("global-default")
    assert allocate(bounds, busy)[at] > 2 * bounds[at].nominal
    # Who comes back finds at least what was never lendable, at once, and its nominal seats after one period.
    high = names.index("node-high")
    assert allocate(bounds, busy)[high] == bounds[high].least
    both = [Demand(98, 98, 0, 98) if name == "node-high" else one for name, one in zip(names, busy, strict=True)]
    assert allocate(bounds, both)[high] >= bounds[high].nominal
    assert sum(allocate(bounds, idle)) <= sum(one.nominal for one in bounds) + len(bounds)


def test_demand_grows_at_once_and_shrinks_slowly() -> None:
    demand = Demand().next(10, 8, 1)
    assert demand.smoothed == 9
    after = demand.next(0, 0, 0)
    assert 8.5 < after.smoothed < 9


LEVELS = st.lists(
    st.tuples(st.integers(0, 100), st.integers(0, 100), st.integers(0, 300), st.floats(0, 400), st.floats(0, 400)),
    min_size=1,
    max_size=8,
)


@given(LEVELS)
def test_limits_keep_to_their_bounds_and_add_up(levels: list[tuple[int, int, int, float, float]]) -> None:
    bounds = [
        Bounds(nominal, nominal * (100 - lends) // 100, nominal + borrows, 1) for nominal, lends, borrows, *_ in levels
    ]
    demands = [Demand(high=high, smoothed=smoothed) for *_, high, smoothed in levels]
    limits = allocate(bounds, demands)
    for one, limit in zip(bounds, limits, strict=True):
        assert one.least <= limit <= one.most
    total = sum(one.nominal for one in bounds)
    assert abs(sum(limits) - total) <= len(levels)
