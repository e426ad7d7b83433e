"""Evaluations that take long run beside the loop, so that others are answered meanwhile.

Nobody can tell beforehand what an expression costs. So each begins on the loop, and one that has used up its Slice
there is begun anew in a thread: expressions have no effects, nothing is done twice but work. There is one such thread,
and while it works Python's threads take turns more often: the loop is let in again within a millisecond.
"""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final, TypeVar

T = TypeVar("T")
SLICE: Final = 20_000
"""What evaluations may cost on the loop at one go; some ten milliseconds."""
_TURN_S: Final = 0.001


class TooLong(Exception):
    """A slice is used up before the value is there; to be evaluated again without one, `beside` the loop."""


class Slice:
    """What evaluations one after the other may still cost until the loop must have its turn."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = SLICE

    @property
    def is_low(self) -> bool:
        """Whether more than half is used up: to be renewed before the next evaluation."""
        return self.left < SLICE // 2

    async def renew(self) -> None:
        """Gives the loop its turn."""
        await asyncio.sleep(0)
        self.left = SLICE


def slice_here() -> Slice | None:
    """A new one on a loop; None in a thread, where nobody waits."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return None
    return Slice()


async def beside(call: Callable[[], T]) -> T:
    """What the call gives; it runs in a thread, one after the other."""
    return await asyncio.get_running_loop().run_in_executor(_pool(), _with_short_turns, call)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="cel")


def _with_short_turns(call: Callable[[], T]) -> T:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_S)
    try:
        return call()
    finally:
        sys.setswitchinterval(usual)
