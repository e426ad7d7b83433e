"""The requests of one priority level: how many seats they sit on, and which of those that wait is next.

A request that finds no seat waits in one of its flow's queues. The next one is the head of the queue whose work would
be finished first if all queues were served at once, each at the same rate: fair queueing, in virtual time (`r`, in
seat-seconds per queue). So a flow with thousands of requests delays another flow by a few of them only.
Never awaits and reads no clock: moments come as arguments, in seconds that do not go backwards.
Source: apiserver pkg/util/flowcontrol/fairqueuing/queueset; KEP-1040, "Fair Queuing for Server Requests".
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final

_SERVICE_S: Final = 0.003
"""What a request is taken to last before it has ended."""
EXEMPT: Final = -1
"""Queues of a level without limits."""


@dataclass(frozen=True, slots=True)
class Queuing:
    """How requests wait: EXEMPT never do, with 0 queues they are turned away at once."""

    queues: int = 0
    hand_size: int = 0
    length_limit: int = 0


class Queue:
    """One of the queues of a level; `next_r` is the virtual time at which its next request would be started."""

    __slots__ = ("executing", "next_r", "seats", "waiting", "waiting_seats")

    def __init__(self) -> None:
        self.waiting: deque[Seating] = deque()
        self.waiting_seats = 0
        self.executing = 0
        self.seats = 0
        self.next_r = 0.0


class Seating:
    """A request that waits for `width` seats or sits on them; `about` is its owner's."""

    __slots__ = ("about", "arrived", "arrived_r", "is_seated", "queue", "started", "width")

    def __init__(self, queue: Queue | None, width: int, arrived: float, about: Any) -> None:
        self.queue = queue
        self.width = width
        self.arrived = arrived
        self.arrived_r = 0.0
        self.started = 0.0
        self.is_seated = False
        self.about = about


class QueueSet:
    """`limit` is how many seats there are at the moment; it is the owner's to set."""

    def __init__(self, queuing: Queuing, limit: int, now: float) -> None:
        self.limit = limit
        self.queuing = queuing
        self.queues: list[Queue] = []
        self.seats = self.executing = self.waiting = self.waiting_seats = 0
        self.r = 0.0
        self._active = 0
        self._dealt = 0
        self._robin = 0
        self._last = self._observed_since = now
        self._high = 0
        self._area = self._squares = 0.0
        self.configure(queuing)

    def configure(self, queuing: Queuing) -> None:
        """Other queues from now on; those that are too many are dropped when they have emptied."""
        self.queuing = queuing
        while len(self.queues) < queuing.queues:
            self.queues.append(Queue())

    @property
    def is_idle(self) -> bool:
        """Whether there is no request at all."""
        return not self.executing and not self.waiting

    # -- a request's way

    def has_room(self, width: int) -> bool:
        """Whether a request so wide can be seated; one that is wider than the level is seated alone."""
        limit = self.limit
        return self.seats + width <= limit or (width > limit and not self.executing) or self.queuing.queues < 0

    def seat(self, hand: tuple[int, ...], width: int, now: float, about: Any = None) -> Seating:
        """A request that need not wait. There must be room, and nobody waiting."""
        self._sync(now)
        queue: Queue | None = None
        if hand:
            self._dealt += 1
            queue = self.queues[hand[self._dealt % len(hand)]]
            if not queue.executing:
                queue.next_r = self.r
                self._active += 1
            queue.next_r += width * _SERVICE_S
        made = Seating(queue, width, now, about)
        self._begin(made, now)
        demand = self.seats + self.waiting_seats
        if demand > self._high:
            self._high = demand
        return made

    def enqueue(self, hand: tuple[int, ...], width: int, now: float, about: Any = None) -> Seating | None:
        """A request that waits; None: it is turned away, for its queue is full, or there are none."""
        if not hand:
            return None
        self._sync(now)
        self._dealt += 1
        offset = self._dealt % len(hand)
        dealt = [self.queues[index] for index in hand[offset:] + hand[:offset]]
        queue = min(dealt, key=lambda one: one.waiting_seats)
        if len(queue.waiting) >= self.queuing.length_limit:
            return None
        made = Seating(queue, width, now, about)
        made.arrived_r = self.r
        if not queue.waiting and not queue.executing:
            queue.next_r = self.r
            self._active += 1
        queue.waiting.append(made)
        queue.waiting_seats += width
        self.waiting += 1
        self.waiting_seats += width
        self._high = max(self._high, self.seats + self.waiting_seats)
        return made

    def dispatch(self, now: float) -> Seating | None:
        """Seats the request that is next; None when nobody waits or it would not fit."""
        if not self.waiting:
            return None
        self._sync(now)
        place = self._next_place()
        queue = self.queues[place]
        head = queue.waiting[0]
        if not self.has_room(head.width):
            return None
        self._robin = place
        self._drop_head(queue)
        self._begin(head, now)
        queue.next_r += head.width * _SERVICE_S
        _bound(queue)
        return head

    def cancel(self, made: Seating, now: float) -> None:
        """A request that no longer waits."""
        self._sync(now)
        queue = made.queue
        assert queue is not None
        queue.waiting.remove(made)
        self._forget_waiting(queue, made)
        if not queue.waiting and not queue.executing:
            self._active -= 1
        _bound(queue)

    def finish(self, made: Seating, now: float) -> None:
        """A request has ended: its seats are free."""
        self._sync(now)
        self.executing -= 1
        self.seats -= made.width
        queue = made.queue
        if queue is None:
            return
        queue.executing -= 1
        queue.seats -= made.width
        if queue.executing or queue.waiting:
            # It was charged an estimate when it was started: now the truth is known.
            queue.next_r -= made.width * (_SERVICE_S - (now - made.started))
            _bound(queue)
        else:
            self._active -= 1
            if len(self.queues) > self.queuing.queues >= 0:
                self._drop_empty()

    # -- observation

    def demand(self, now: float) -> tuple[float, float, float]:
        """Highest, average and standard deviation of the seats asked for since the last call."""
        self._sync(now)
        period = max(now - self._observed_since, 1e-9)
        average = self._area / period
        deviation = sqrt(max(self._squares / period - average * average, 0.0))
        found = (float(self._high), average, deviation)
        self._high = self.seats + self.waiting_seats
        self._area = self._squares = 0.0
        self._observed_since = now
        return found

    def waiters(self) -> Iterator[tuple[int, int, Seating]]:
        """(queue, place in the queue, request) of every request that waits."""
        for index, queue in enumerate(self.queues):
            for place, made in enumerate(queue.waiting):
                yield index, place, made

    def check(self) -> None:
        """Raises AssertionError when what is counted is not what is there; for tests."""
        assert self.waiting == sum(len(queue.waiting) for queue in self.queues)
        assert self.waiting_seats == sum(made.width for _, _, made in self.waiters())
        assert self._active == sum(bool(queue.waiting or queue.executing) for queue in self.queues)
        assert self.seats >= 0
        assert self.executing >= 0
        if self.queues:
            assert self.seats == sum(queue.seats for queue in self.queues)

    # -- inside

    def _sync(self, now: float) -> None:
        demand = self.seats + self.waiting_seats
        if demand:
            passed = now - self._last
            self._area += demand * passed
            self._squares += demand * demand * passed
            if self._active:
                self.r += passed * min(demand, self.limit) / self._active
        self._last = now

    def _begin(self, made: Seating, now: float) -> None:
        made.is_seated = True
        made.started = now
        self.executing += 1
        self.seats += made.width
        queue = made.queue
        if queue is not None:
            queue.executing += 1
            queue.seats += made.width

    def _next_place(self) -> int:
        """The queue whose head would be finished first; of equals, the one that follows the last one served."""
        count = len(self.queues)
        best, best_r = -1, float("inf")
        for step in range(1, count + 1):
            place = (self._robin + step) % count
            queue = self.queues[place]
            if queue.waiting:
                finish_r = queue.next_r + queue.waiting[0].width * _SERVICE_S
                if finish_r < best_r:
                    best, best_r = place, finish_r
        return best

    def _drop_head(self, queue: Queue) -> None:
        self._forget_waiting(queue, queue.waiting.popleft())

    def _forget_waiting(self, queue: Queue, made: Seating) -> None:
        queue.waiting_seats -= made.width
        self.waiting -= 1
        self.waiting_seats -= made.width

    def _drop_empty(self) -> None:
        while len(self.queues) > self.queuing.queues and not (self.queues[-1].waiting or self.queues[-1].executing):
            self.queues.pop()
        self._robin = min(self._robin, max(len(self.queues) - 1, 0))


def _bound(queue: Queue) -> None:
    """Nothing is started before it arrived, or a queue that used less than its part would hoard the rest."""
    if queue.waiting and queue.next_r < queue.waiting[0].arrived_r:
        queue.next_r = queue.waiting[0].arrived_r
