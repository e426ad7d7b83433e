"""Doing many alike things carefully: one, then two, then four at a time, stopping at the first failure.

So a quota that is used up, or a template that is refused, costs one request and not a thousand.
Source: pkg/controller/replicaset/replica_set.go, slowStartBatch.
"""

import asyncio
from collections.abc import Awaitable, Callable

_FIRST_BATCH = 1
_MOST_AT_ONCE = 32


async def run_slow_start(count: int, act: Callable[[], Awaitable[None]]) -> None:
    """Calls `act` `count` times in growing batches; after a batch with a failure, raises the first of them."""
    left, size = count, _FIRST_BATCH
    while left > 0:
        batch = min(left, size)
        results = await asyncio.gather(*(act() for _ in range(batch)), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        left -= batch
        size = min(size * 2, _MOST_AT_ONCE)
