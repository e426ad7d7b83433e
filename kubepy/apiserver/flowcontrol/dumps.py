"""/debug/api_priority_and_fairness: what waits and what runs, as aligned comma-separated tables.

Source: apiserver pkg/util/flowcontrol/apf_controller_debug.go.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Final

from kubepy.apiserver.flowcontrol.levels import Level, Levels
from kubepy.apiserver.http.routing import Router
from kubepy.apiserver.registry.context import Context
from kubepy.lib.clock import rfc3339_micro
from kubepy.lib.http import Answer, Response

_ROOT: Final = "/debug/api_priority_and_fairness"
_NARROWEST: Final = 8
_LEVELS = (
    "PriorityLevelName", "ActiveQueues", "IsIdle", "IsQuiescing", "WaitingRequests", "ExecutingRequests",
    "DispatchedRequests", "RejectedRequests", "TimedoutRequests", "CancelledRequests",
)  # fmt: skip
_QUEUES = (
    "PriorityLevelName", "Index", "PendingRequests", "ExecutingRequests", "SeatsInUse", "NextDispatchR",
    "InitialSeatsSum", "MaxSeatsSum", "TotalWorkSum",
)  # fmt: skip
_REQUESTS = (
    "PriorityLevelName", "FlowSchemaName", "QueueIndex", "RequestIndexInQueue", "FlowDistingsher", "ArriveTime",
    "InitialSeats", "FinalSeats", "AdditionalLatency", "StartTime",
)  # fmt: skip
_DETAILS = ("UserName", "Verb", "APIPath", "Namespace", "Name", "APIVersion", "Resource", "SubResource")
_SERVICE_S: Final = 0.003
Row = Sequence[str]


def install(router: Router, levels: Levels) -> None:
    """Adds the three paths."""

    async def show_levels(ctx: Context) -> Answer:
        return _table(_LEVELS, (_level_row(levels, level) for level in levels.by_name.values()))

    async def show_queues(ctx: Context) -> Answer:
        return _table(_QUEUES, (row for level in levels.by_name.values() for row in _queue_rows(level)))

    async def show_requests(ctx: Context) -> Answer:
        details = bool((ctx.params.get("includeRequestDetails") or [""])[0])
        head = _REQUESTS + _DETAILS if details else _REQUESTS
        now = (datetime.now(UTC), perf_counter())
        rows = (row for level in levels.by_name.values() for row in _request_rows(level, now, details=details))
        return _table(head, rows)

    router.paths[f"{_ROOT}/dump_priority_levels"] = show_levels
    router.paths[f"{_ROOT}/dump_queues"] = show_queues
    router.paths[f"{_ROOT}/dump_requests"] = show_requests


def _level_row(levels: Levels, level: Level) -> Row:
    queues = level.queues
    tallies = [tally for (name, _), tally in levels.tallies.items() if name == level.name]
    rejected = [reason for tally in tallies for reason in tally.rejected.items()]
    counts = (
        queues.waiting,
        queues.executing,
        sum(tally.dispatched for tally in tallies),
        sum(count for _, count in rejected),
        sum(count for reason, count in rejected if reason == "time-out"),
        sum(count for reason, count in rejected if reason == "cancelled"),
    )
    active = sum(bool(queue.waiting) for queue in queues.queues)
    flags = (str(flag).lower() for flag in (queues.is_idle, level.is_quiescing))
    return (level.name, str(active), *flags, *map(str, counts))


def _queue_rows(level: Level) -> Iterator[Row]:
    for index, queue in enumerate(level.queues.queues):
        work = f"{queue.waiting_seats * _SERVICE_S:.8f}ss"
        seats = str(queue.waiting_seats)
        counts = (str(index), str(len(queue.waiting)), str(queue.executing), str(queue.seats))
        yield (level.name, *counts, f"{queue.next_r:.8f}ss", seats, seats, work)


def _request_rows(level: Level, now: tuple[datetime, float], *, details: bool) -> Iterator[Row]:
    for index, place, seating in level.queues.waiters():
        ticket = seating.about
        flow, info = ticket.flow, ticket.info
        arrived = rfc3339_micro(now[0] - timedelta(seconds=now[1] - seating.arrived))
        row: tuple[str, ...] = (level.name, flow.schema.name, str(index), str(place), flow.distinguisher, arrived)
        row += (str(seating.width), "0", "0s", "0001-01-01T00:00:00Z")
        if details:
            version = f"{info.group}/{info.version}" if info.group else info.version
            path = (info.path, info.namespace, info.name, version, info.resource, info.subresource)
            row += (ticket.user.name, info.verb, *path)
        yield row


def _table(head: Row, rows: Iterable[Row]) -> Response:
    lines = [head, *rows]
    cells = [[f"{cell}," for cell in line[:-1]] + [line[-1]] for line in lines]
    widths = [max(max(len(line[at]) for line in cells) + 1, _NARROWEST) for at in range(len(head) - 1)]
    text = "".join(
        "".join(cell.ljust(width) for cell, width in zip(line[:-1], widths, strict=True)) + line[-1] + "\n"
        for line in cells
    )
    return Response(200, text.encode(), "text/plain; charset=utf-8")
