"""Priority and fairness at work: a request finds its flow, sits down or waits, and gives its seats back.

A request may begin when its level has seats for it and the loop has time for it (`turns.py`); otherwise it waits in
its level's queues. Of the levels in which a request could begin, the one is next that was given least for its share.
Seats are kept until the answer has been written, so that large lists on their way to slow clients are bounded too.
Source: apiserver pkg/util/flowcontrol/apf_filter.go, pkg/server/filters/priority-and-fairness.go.
"""

import asyncio
from collections.abc import Mapping
from time import perf_counter, time
from typing import Final

from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.flowcontrol import limiting
from kubepy.apiserver.flowcontrol.levels import Flow, Level, Levels
from kubepy.apiserver.flowcontrol.limiting import Overloaded, is_long_running
from kubepy.apiserver.flowcontrol.queue_set import Seating
from kubepy.apiserver.flowcontrol.turns import Turns
from kubepy.apiserver.flowcontrol.width import Sizes, list_seats, seats_of_bytes
from kubepy.apiserver.http.options import Params
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.lib.http import Request

_WIDE: Final = frozenset(("list", "watch"))


class Ticket:
    """One request's; `waiter` answers whether it was seated."""

    __slots__ = ("_control", "flow", "headers", "info", "seating", "user", "waiter")

    def __init__(self, control: "FlowControl", flow: Flow, info: RequestInfo, user: UserInfo) -> None:
        self._control = control
        self.flow = flow
        self.info = info
        self.user = user
        self.headers: Mapping[str, str] = flow.headers
        self.waiter: asyncio.Future[bool] | None = None
        self.seating: Seating | None = None

    def release(self) -> None:
        """The request has ended."""
        self._control.release(self)


class FlowControl:
    """A Limiter; `sizes` tells how many objects a list would show."""

    def __init__(self, levels: Levels, sizes: Sizes, turns: Turns | None = None) -> None:
        self.levels = levels
        self._sizes = sizes
        self._turns = turns or Turns(self.begin_one)
        self._turn = 0.0

    def begin(self, info: RequestInfo, params: Params, user: UserInfo, *, body_bytes: int = 0) -> Ticket | None:
        """See Limiter."""
        flow = self.levels.flow_of(user, info)
        verb = info.verb
        if info.subresource and verb != "watch" and is_long_running(info):
            return None
        level = flow.level
        queues = level.queues
        width = 1
        if verb in _WIDE and info.is_resource:
            width = list_seats(info, params, self._sizes, level.bounds.widest)
        elif body_bytes:
            width = seats_of_bytes(body_bytes, level.bounds.widest)
        ticket = Ticket(self, flow, info, user)
        now = perf_counter()
        if level.is_exempt or (not queues.waiting and queues.has_room(width) and self._turns.is_free(now)):
            ticket.seating = queues.seat(flow.hand, width, now, ticket)
            self._started(flow, width)
        elif not flow.hand and queues.has_room(width):  # a level that cannot let it wait for the loop
            ticket.seating = queues.seat((), width, now, ticket)
            self._started(flow, width)
        else:
            self._enqueue(ticket, width, now)
        return ticket

    def _started(self, flow: Flow, width: int) -> None:
        tally = flow.tally
        tally.dispatched += 1
        tally.executing += 1
        tally.seats += width
        tally.widths.add(width)

    def _enqueue(self, ticket: Ticket, width: int, now: float) -> None:
        flow = ticket.flow
        level, tally = flow.level, flow.tally
        seating = level.queues.enqueue(flow.hand, width, now, ticket)
        if seating is None:
            raise self._refusal(flow, "queue-full" if flow.hand else "concurrency-limit")
        if level.queues.waiting == 1:
            level.turn = max(level.turn, self._turn)
        ticket.seating = seating
        ticket.waiter = asyncio.get_running_loop().create_future()
        tally.waiting += 1
        tally.waiting_seats += width
        assert seating.queue is not None
        tally.lengths.add(len(seating.queue.waiting))
        self._turns.wait()

    def _refusal(self, flow: Flow, reason: str) -> Overloaded:
        flow.tally.reject(reason)
        flow.level.retry_after.dropped(int(time()))
        return Overloaded(flow.level.retry_after.seconds, flow.headers)

    async def wait(self, ticket: limiting.Ticket, request: Request, patience_s: float) -> None:
        """See Limiter; who waits longer than `patience_s`, or has gone meanwhile, is turned away."""
        assert isinstance(ticket, Ticket)
        waiter, seating, flow = ticket.waiter, ticket.seating, ticket.flow
        assert waiter is not None
        assert seating is not None
        timer = asyncio.get_running_loop().call_later(patience_s, _expire, waiter)
        try:
            is_seated = await waiter
        except asyncio.CancelledError:
            self._give_up(ticket, "cancelled")
            raise
        finally:
            timer.cancel()
        if not is_seated:
            self._give_up(ticket, "time-out")
            flow.level.retry_after.dropped(int(time()))
            raise Overloaded(flow.level.retry_after.seconds, flow.headers)
        if request.gone is not None and request.gone():
            self.release(ticket)
            raise Overloaded(1)

    def _give_up(self, ticket: Ticket, reason: str) -> None:
        seating, tally = ticket.seating, ticket.flow.tally
        assert seating is not None
        if seating.is_seated:  # it was about to begin
            self.release(ticket)
            return
        now = perf_counter()
        ticket.flow.level.queues.cancel(seating, now)
        self._left(ticket.flow, seating)
        tally.waited_in_vain.add(now - seating.arrived)
        tally.reject(reason)

    @staticmethod
    def _left(flow: Flow, seating: Seating) -> None:
        flow.tally.waiting -= 1
        flow.tally.waiting_seats -= seating.width

    def begin_one(self) -> bool:
        """Begins the request that is next; False when none of those that wait could begin."""
        waiting = [level for level in self.levels.by_name.values() if level.queues.waiting]
        for level in sorted(waiting, key=_turn):
            now = perf_counter()
            seating = level.queues.dispatch(now)
            if seating is not None:
                self._seated(level, seating, now)
                return True
        return False

    def _seated(self, level: Level, seating: Seating, now: float) -> None:
        ticket: Ticket = seating.about
        self._turn = level.turn
        level.turn += seating.width / max(level.bounds.nominal, 1)
        self._left(ticket.flow, seating)
        ticket.flow.tally.waited.add(now - seating.arrived)
        self._started(ticket.flow, seating.width)
        assert ticket.waiter is not None
        if not ticket.waiter.done():  # or else it has just given up, and gives the seats back when it hears of that
            ticket.waiter.set_result(True)

    def release(self, ticket: Ticket) -> None:
        """A request has ended."""
        seating, flow = ticket.seating, ticket.flow
        assert seating is not None
        queues, tally = flow.level.queues, flow.tally
        now = perf_counter()
        queues.finish(seating, now)
        tally.executing -= 1
        tally.seats -= seating.width
        tally.executed.add(now - seating.started)
        if queues.waiting:
            self._turns.wait()

    def adjust(self) -> None:
        """Lends and borrows seats between the levels; to be called every ten seconds."""
        self.levels.adjust(perf_counter())
        self._turns.wait()


def _turn(level: Level) -> float:
    return level.turn


def _expire(waiter: "asyncio.Future[bool]") -> None:
    if not waiter.done():
        waiter.set_result(False)
