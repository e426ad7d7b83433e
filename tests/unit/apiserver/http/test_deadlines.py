"""How requests end in time, and what is left of those that ended before."""

import asyncio
import gc
import weakref
from time import perf_counter

from kubepy.apiserver.http.deadlines import Deadlines


def test_a_request_that_ended_before_its_time_is_not_kept_until_then() -> None:
    async def one(deadlines: Deadlines) -> "weakref.ref[asyncio.Task[object]]":
        deadline = deadlines.begin({"timeout": ["50s"]}, perf_counter())
        deadlines.end(deadline)
        return weakref.ref(deadline.task)

    async def run() -> None:
        request = await asyncio.create_task(one(Deadlines(60.0)))
        await asyncio.sleep(0)  # the loop itself lets go of it
        gc.collect()
        assert request() is None

    asyncio.run(run())
