"""Seats, queues and whose turn it is, on a clock of numbers."""

from hypothesis import given, settings
from hypothesis import strategies as st

from kubepy.apiserver.flowcontrol.queue_set import EXEMPT, QueueSet, Queuing, Seating
from kubepy.apiserver.flowcontrol.shuffle_sharding import deal, flow_hash

FOUR = Queuing(queues=4, hand_size=1, length_limit=100)


def enqueue(queues: QueueSet, hand: tuple[int, ...], name: str, now: float = 0.0, width: int = 1) -> Seating:
    made = queues.enqueue(hand, width, now, name)
    assert made is not None
    return made


def test_a_flood_in_one_queue_delays_another_flow_by_one_request() -> None:
    queues = QueueSet(FOUR, 1, 0.0)
    running = queues.seat((0,), 1, 0.0, "flood")
    for _ in range(50):
        enqueue(queues, (0,), "flood")
    enqueue(queues, (1,), "other", 0.1)
    order = []
    now = 0.1
    while queues.waiting:
        now += 0.01
        queues.finish(running, now)
        found = queues.dispatch(now)
        assert found is not None
        running = found
        order.append(running.about)
    assert order.index("other") <= 1
    queues.check()


def test_wide_requests_pay_for_their_width() -> None:
    queues = QueueSet(FOUR, 10, 0.0)
    for _ in range(40):
        enqueue(queues, (0,), "wide", width=10)
        enqueue(queues, (1,), "narrow")
    order = []
    for step in range(22):
        found = queues.dispatch(step * 0.003)
        if found is not None:
            order.append(found.about)
            queues.finish(found, step * 0.003 + 0.003)
    assert order.count("narrow") >= 8 * order.count("wide")


def test_a_request_wider_than_the_level_is_seated_alone() -> None:
    queues = QueueSet(FOUR, 3, 0.0)
    assert queues.has_room(10)
    lonely = queues.seat((0,), 10, 0.0)
    assert not queues.has_room(1)
    queues.finish(lonely, 1.0)
    running = queues.seat((0,), 1, 1.0)
    assert not queues.has_room(10)
    queues.finish(running, 2.0)


def test_a_full_queue_and_a_level_without_queues_turn_away() -> None:
    short = QueueSet(Queuing(queues=1, hand_size=1, length_limit=1), 1, 0.0)
    assert short.enqueue((0,), 1, 0.0) is not None
    assert short.enqueue((0,), 1, 0.0) is None
    assert QueueSet(Queuing(), 1, 0.0).enqueue((), 1, 0.0) is None


def test_an_exempt_level_always_has_room() -> None:
    exempt = QueueSet(Queuing(EXEMPT), 0, 0.0)
    seated = [exempt.seat((), 10, 0.0) for _ in range(9)]
    assert exempt.has_room(10)
    for one in seated:
        exempt.finish(one, 1.0)
    assert exempt.is_idle


def test_demand_is_what_sits_and_waits_over_time() -> None:
    queues = QueueSet(FOUR, 2, 0.0)
    first = queues.seat((0,), 2, 0.0)
    waiting = enqueue(queues, (1,), "x", 5.0, width=2)
    queues.cancel(waiting, 10.0)
    queues.finish(first, 10.0)
    high, average, deviation = queues.demand(10.0)
    assert (high, average, deviation) == (4.0, 3.0, 1.0)
    assert queues.demand(20.0) == (0.0, 0.0, 0.0)


def test_fewer_queues_are_left_when_they_have_emptied() -> None:
    queues = QueueSet(FOUR, 1, 0.0)
    running = queues.seat((3,), 1, 0.0)
    queues.configure(Queuing(queues=2, hand_size=1, length_limit=1))
    assert len(queues.queues) == 4
    queues.finish(running, 1.0)
    assert len(queues.queues) == 2
    queues.check()


def test_hands_are_stable_and_differ() -> None:
    hands = {deal(flow_hash("s", f"user-{number}"), 128, 6) for number in range(500)}
    assert all(len(set(hand)) == 6 and max(hand) < 128 for hand in hands)
    assert len(hands) == 500
    assert deal(flow_hash("s", "a"), 128, 6) == deal(flow_hash("s", "a"), 128, 6)
    assert deal(5, 3, 3) == (2, 1, 0)
    assert deal(2, 3, 3) == (2, 0, 1)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["come", "begin", "end", "leave"]), st.integers(0, 7), st.integers(1, 5)), max_size=80
    )
)
def test_what_is_counted_is_what_is_there(steps: list[tuple[str, int, int]]) -> None:
    queues = QueueSet(Queuing(queues=8, hand_size=2, length_limit=5), 6, 0.0)
    waiting: list[Seating] = []
    seated: list[Seating] = []
    for now, (step, which, width) in enumerate(steps):
        if step == "come" and (made := queues.enqueue((which, (which + 1) % 8), width, float(now))):
            waiting.append(made)
        elif step == "begin" and (found := queues.dispatch(float(now))):
            waiting.remove(found)
            seated.append(found)
        elif step == "end" and seated:
            queues.finish(seated.pop(which % len(seated)), float(now))
        elif step == "leave" and waiting:
            queues.cancel(waiting.pop(which % len(waiting)), float(now))
        queues.check()
        assert queues.seats <= 6
