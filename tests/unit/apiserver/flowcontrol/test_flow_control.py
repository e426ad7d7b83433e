"""Requests against seats and turns on a real loop: who runs, who waits, who is turned away."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import pytest
import uvloop

from kubepy.api import flow_objects
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.flowcontrol import flow_control, turns
from kubepy.apiserver.flowcontrol.flow_control import FlowControl, Ticket
from kubepy.apiserver.flowcontrol.levels import Levels
from kubepy.apiserver.flowcontrol.limiting import Overloaded
from kubepy.apiserver.flowcontrol.max_in_flight import MaxInFlight
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.lib.http import Request

ALICE, BOB = (UserInfo(name, groups=("system:authenticated",)) for name in ("alice", "bob"))
NODE = UserInfo("system:node:n1", groups=("system:nodes", "system:authenticated"))
ADMIN = UserInfo("admin", groups=("system:masters",))
GET = RequestInfo("get", "", True, "", "v1", "pods", "", "default", "p")
WATCH = RequestInfo("watch", "", True, "", "v1", "pods", "", "default")
LOG = RequestInfo("get", "", True, "", "v1", "pods", "log", "default", "p")
LEASE = RequestInfo("update", "", True, "coordination.k8s.io", "v1", "leases", "", "kube-node-lease", "n1")


def control(seats: int = 600, **queuing: int) -> FlowControl:
    """With upstream's objects; `queuing` changes the queues of global-default."""
    levels = flow_objects.priority_levels()
    for level in levels:
        if queuing and level["metadata"]["name"] == "global-default":
            level["spec"]["limited"]["limitResponse"]["queuing"].update(queuing)
    found = Levels(seats)
    found.configure(levels, flow_objects.flow_schemas(), perf_counter())
    return FlowControl(found, lambda info: (2000, 5000))


def begin(flow: FlowControl, info: RequestInfo, user: UserInfo) -> Ticket:
    ticket = flow.begin(info, {}, user)
    assert ticket is not None
    return ticket


async def run_one(flow: FlowControl, user: UserInfo, info: RequestInfo, work: Callable[[], None]) -> None:
    """A request that waits for nothing but its turn."""
    ticket = begin(flow, info, user)
    if ticket.waiter is not None:
        await flow.wait(ticket, Request("GET", "/"), 60)
    work()
    ticket.release()


def on_loop(test: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(20):
            await test()

    uvloop.run(run())


def fill(flow: FlowControl, user: UserInfo = ALICE) -> list[Ticket]:
    """Tickets on every seat of the user's level."""
    limit = flow.levels.flow_of(user, GET).level.queues.limit
    taken = []
    while len(taken) < limit:
        ticket = begin(flow, GET, user)
        if ticket.waiter is not None:
            assert ticket.seating is not None
            flow._turns.is_behind = True
        taken.append(ticket)
    return taken


def test_seats_are_bounded_and_who_waits_gets_the_next_one() -> None:
    async def test() -> None:
        flow = control(seats=20)
        taken = fill(flow)
        await asyncio.gather(*(ticket.waiter for ticket in taken if ticket.waiter is not None))
        late = begin(flow, GET, BOB)
        assert late.waiter is not None
        waiting = asyncio.ensure_future(flow.wait(late, Request("GET", "/"), 60))
        await asyncio.sleep(0)
        assert not waiting.done()
        taken.pop().release()
        await waiting
        for ticket in [late, *taken]:
            ticket.release()
        assert flow.levels.by_name["global-default"].queues.is_idle

    on_loop(test)


def test_a_level_that_is_full_does_not_delay_another() -> None:
    async def test() -> None:
        flow = control(seats=20)
        fill(flow)
        begin(flow, GET, ALICE)
        await asyncio.sleep(0.01)
        node = begin(flow, LEASE, NODE)
        if node.waiter is not None:
            await flow.wait(node, Request("PUT", "/"), 60)
        node.release()

    on_loop(test)


def test_who_waits_too_long_is_turned_away_and_forgotten() -> None:
    async def test() -> None:
        flow = control(seats=20)
        fill(flow)
        late = begin(flow, GET, BOB)
        with pytest.raises(Overloaded) as refusal:
            await flow.wait(late, Request("GET", "/"), 0.01)
        assert refusal.value.response().headers["Retry-After"] == "1"
        tally = late.flow.tally
        assert tally.rejected == {"time-out": 1}
        assert tally.waiting == 0

    on_loop(test)


def test_a_full_queue_turns_away_and_says_so_as_upstream_does() -> None:
    async def test() -> None:
        flow = control(seats=20, queues=1, handSize=1, queueLengthLimit=2)
        fill(flow)
        refused = 0
        for _ in range(9):
            try:
                flow.begin(GET, {}, ALICE)
            except Overloaded as refusal:
                refused += 1
                answer = refusal.response()
        assert refused
        assert answer.status == 429
        assert answer.body == b"Too many requests, please try again later.\n"
        assert "X-Kubernetes-Pf-Flowschema-Uid" in answer.headers

    on_loop(test)


def test_a_request_whose_client_has_gone_does_not_run() -> None:
    async def test() -> None:
        flow = control(seats=20)
        taken = fill(flow)
        late = begin(flow, GET, BOB)
        waiting = asyncio.ensure_future(flow.wait(late, Request("GET", "/", gone=lambda: True), 60))
        await asyncio.sleep(0)
        for ticket in taken:
            if ticket.waiter is not None:
                await ticket.waiter
            ticket.release()
        with pytest.raises(Overloaded):
            await waiting
        assert flow.levels.by_name["global-default"].queues.is_idle

    on_loop(test)


def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    async def test() -> None:
        flow = control(seats=20)
        taken = fill(flow)
        late = asyncio.ensure_future(run_one(flow, BOB, GET, lambda: None))
        await asyncio.sleep(0)
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        for ticket in taken:
            if ticket.waiter is not None:
                await ticket.waiter
            ticket.release()
        queues = flow.levels.by_name["global-default"].queues
        assert queues.is_idle
        queues.check()

    on_loop(test)


def test_a_seat_that_comes_as_its_request_is_turned_away_holds_up_nobody() -> None:
    async def test() -> None:
        flow = control(seats=20)
        taken = fill(flow)
        await asyncio.gather(*(ticket.waiter for ticket in taken if ticket.waiter is not None))
        late, other = (asyncio.ensure_future(run_one(flow, user, GET, lambda: None)) for user in (BOB, ALICE))
        await asyncio.sleep(0)
        late.cancel()
        for ticket in taken:  # before the one that was cancelled has heard of it
            ticket.release()
        flow.begin_one()
        flow.begin_one()
        await asyncio.gather(late, return_exceptions=True)
        await other
        assert flow.levels.by_name["global-default"].queues.is_idle

    on_loop(test)


def test_turns_let_another_level_in_between_requests_that_never_wait() -> None:
    """Five hundred requests come at once; a lease that comes a moment later is not behind all of them."""

    async def test() -> None:
        flow = control(queueLengthLimit=1000)
        order: list[str] = []

        def work(who: str) -> None:
            until = perf_counter() + 0.001
            while perf_counter() < until:
                pass
            order.append(who)

        flood = [asyncio.ensure_future(run_one(flow, ALICE, GET, lambda: work("flood"))) for _ in range(500)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await run_one(flow, NODE, LEASE, lambda: work("lease"))
        at = order.index("lease")
        await asyncio.gather(*flood)
        assert at < 100
        assert len(order) == 501

    on_loop(test)


def test_turns_are_shared_between_users_of_a_level(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = perf_counter()
    for module in (flow_control, turns):  # what else the machine does takes none of the requests' time
        monkeypatch.setattr(module, "perf_counter", lambda: now_s)

    async def test() -> None:
        flow = control(queueLengthLimit=1000)
        order: list[str] = []

        def work(who: str) -> None:
            nonlocal now_s
            now_s += 0.0005
            order.append(who)

        flood = [asyncio.ensure_future(run_one(flow, ALICE, GET, lambda: work("alice"))) for _ in range(300)]
        await asyncio.sleep(0)
        few = [asyncio.ensure_future(run_one(flow, BOB, GET, lambda: work("bob"))) for _ in range(10)]
        await asyncio.gather(*few)
        assert len(order) < 200
        await asyncio.gather(*flood)

    on_loop(test)


def test_exempt_and_long_running_requests_take_no_seats() -> None:
    async def test() -> None:
        flow = control(seats=20)
        fill(flow)
        assert begin(flow, GET, ADMIN).waiter is None
        assert flow.begin(LOG, {}, ALICE) is None
        assert begin(flow, WATCH, NODE).seating is not None  # at its start alone

    on_loop(test)


def test_plain_limits_count_reads_and_writes_apart() -> None:
    plain = MaxInFlight(2, 1)
    held = [plain.begin(GET, {}, ALICE) for _ in range(2)]
    with pytest.raises(Overloaded):
        plain.begin(GET, {}, ALICE)
    assert plain.begin(GET, {}, ADMIN) is not None
    assert plain.begin(WATCH, {}, ALICE) is None
    writing = plain.begin(LEASE, {}, NODE)
    with pytest.raises(Overloaded):
        plain.begin(LEASE, {}, NODE)
    assert writing is not None
    writing.release()
    assert plain.begin(LEASE, {}, NODE) is not None
    assert held[0] is not None
    assert MaxInFlight(0, 0).begin(GET, {}, ALICE) is None


def objects(*names: str) -> list[dict[str, Any]]:
    return [obj for obj in flow_objects.priority_levels() if obj["metadata"]["name"] in names]


def test_a_level_that_is_gone_goes_on_until_its_last_request_has_ended() -> None:
    async def test() -> None:
        flow = control()
        ticket = begin(flow, GET, ALICE)
        flow.levels.configure(objects("node-high"), flow_objects.flow_schemas(), perf_counter())
        assert flow.levels.by_name["global-default"].is_quiescing
        assert flow.levels.flow_of(ALICE, GET).level.name == "catch-all"
        ticket.release()
        flow.levels.configure((), (), perf_counter())
        assert set(flow.levels.by_name) == {"exempt", "catch-all"}

    on_loop(test)


def test_broken_objects_are_ignored() -> None:
    broken: list[dict[str, Any]] = [{"metadata": {"name": "broken"}, "spec": {}}]
    levels = Levels(600)
    levels.configure([*flow_objects.priority_levels(), *broken], [*flow_objects.flow_schemas(), *broken], 0.0)
    assert "broken" not in levels.by_name
    assert len(levels.schemas) == 13
