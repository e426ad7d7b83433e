"""Evaluations that take long run beside the loop, so that others are answered meanwhile.

Nobody can tell beforehand what an expression costs. So each begins on the loop, and one that has used up its Slice
there is begun anew in a thread (lib/beside.py): expressions have no effects, nothing is done twice but work.
"""

import asyncio
from typing import Final

SLICE: Final = 20_000
"""What evaluations may cost on the loop at one go; some ten milliseconds."""


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
