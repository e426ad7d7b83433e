"""Work that would hold up the loop, done beside it: in one thread, one thing after the other.

While that thread works, Python's threads take turns more often than usual: the loop is let in again within a
millisecond, however much there is to do. What waits for disks or sockets, not for Python, is `asyncio.to_thread`'s.
"""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final, TypeVar

T = TypeVar("T")
_TURN_S: Final = 0.001


async def beside(call: Callable[[], T]) -> T:
    """What the call gives, or raises."""
    return await asyncio.get_running_loop().run_in_executor(_pool(), _with_short_turns, call)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="beside")


def _with_short_turns(call: Callable[[], T]) -> T:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_S)
    try:
        return call()
    finally:
        sys.setswitchinterval(usual)
