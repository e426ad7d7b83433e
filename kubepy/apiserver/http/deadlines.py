"""Requests end in time: one that takes longer than it may is cancelled, and its client told so with 504.

What has an end by itself gets --request-timeout, or the `timeout` of its query where that is shorter; what streams is
left alone. A request pays for an entry in a set: one sweep a second looks for those that are late.
Source: apiserver pkg/endpoints/filters/request_deadline.go, pkg/server/filters/timeout.go.
"""

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from time import perf_counter
from typing import Final

from kubepy.api.errors import BadRequest, Timeout
from kubepy.lib.flags import parse_duration

_MESSAGE: Final = "Timeout: request did not complete within the allotted timeout"


_PRESENT: ContextVar["Deadline | None"] = ContextVar("deadline", default=None)


def present_left_s() -> float | None:
    """Seconds that the request which is being served here has left; None where it has no deadline."""
    deadline = _PRESENT.get()
    return deadline.left_s() if deadline is not None else None


class Deadline:
    """One request's. `has_passed` tells its cancellation from others."""

    __slots__ = ("at", "has_passed", "task", "timer")

    def __init__(self, task: "asyncio.Task[object]", at: float) -> None:
        self.task = task
        self.at = at
        self.has_passed = False
        self.timer: asyncio.TimerHandle | None = None

    def left_s(self) -> float:
        """Seconds until it passes."""
        return self.at - perf_counter()


class Deadlines:
    """All requests that are under way; `timeout_s` is the longest that one may take."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._under_way: set[Deadline] = set()

    def begin(self, params: Mapping[str, list[str]], started: float) -> Deadline:
        """The deadline of the request that the present task serves. Raises BadRequest."""
        task = asyncio.current_task()
        assert task is not None
        timeout_s = self.timeout_s
        deadline = Deadline(task, started + timeout_s)
        if "timeout" in params and (wanted_s := parse_timeout(params["timeout"][0])):
            timeout_s = min(timeout_s, wanted_s)
            deadline.at = started + timeout_s
        if timeout_s < self.timeout_s:  # what was asked for is kept to the millisecond
            deadline.timer = asyncio.get_running_loop().call_later(timeout_s, self._pass, deadline)
        self._under_way.add(deadline)
        _PRESENT.set(deadline)
        return deadline

    def end(self, deadline: Deadline) -> None:
        """The request has been answered."""
        self._under_way.discard(deadline)
        _PRESENT.set(None)
        if deadline.timer is not None:  # it would keep the whole request until its time has come
            deadline.timer.cancel()

    def sweep(self) -> None:
        """Cancels what is late."""
        now = perf_counter()
        for deadline in [one for one in self._under_way if one.at <= now]:
            self._pass(deadline)

    def _pass(self, deadline: Deadline) -> None:
        if deadline in self._under_way:
            self._under_way.discard(deadline)
            deadline.has_passed = True
            deadline.task.cancel()

    @property
    def period_s(self) -> float:
        """How often to sweep."""
        return min(1.0, self.timeout_s / 10)


def parse_timeout(text: str) -> float:
    """Seconds of a request's `timeout` parameter; 0 leaves it to the server. Raises BadRequest."""
    if not text:
        return 0.0
    try:
        return max(parse_duration(text), 0.0)
    except ValueError as fault:
        raise BadRequest(f"invalid timeout specified in the request URL - {fault}") from fault


def timed_out() -> Timeout:
    """The fault that a client is told of."""
    return Timeout(_MESSAGE)
