"""Tasks with an owner, a name and an end: the only place where a bare task is made.

A task that fails is always heard: its owner awaits it, or the log tells its name and trace.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from kubepy.lib import log

T = TypeVar("T")

_log = log.get(__name__)
_STUCK_AFTER_S = 10.0


def spawn(work: Coroutine[Any, Any, T], *, name: str) -> "asyncio.Task[T]":
    """A named task that runs beside its owner, who cancels and awaits it (`cancel`); a failure is logged."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    task.add_done_callback(_tell_failure)
    return task


def _tell_failure(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("task failed", task=task.get_name(), error=error)


async def cancel(*tasks: "asyncio.Task[Any] | None") -> None:
    """Cancels the tasks and waits for their ends; their results and failures are not raised here."""
    alive = [task for task in tasks if task is not None]
    for task in alive:
        task.cancel()
    waiting = set(alive)
    while waiting:
        _, waiting = await asyncio.wait(waiting, timeout=_STUCK_AFTER_S)
        for task in waiting:
            _log.warning("task does not end", task=task.get_name())


class Scope:
    """Tasks that come and go while their owner lives: `start` adds one, `close` ends all of them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T], *, name: str) -> "asyncio.Task[T]":
        task = spawn(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def drain(self) -> None:
        """Returns when all that have been started have ended."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        await cancel(*self._tasks)
