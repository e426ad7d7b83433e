"""What keeps the server answering under load, as its flags say: a limiter, deadlines, and the clockwork of both.

Once a second the objects of flow control are looked at, every ten seconds seats are lent between its levels; deadlines
are swept more often where they are short.
"""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final

from kubepy.api.errors import ApiError
from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.flowcontrol.flow_control import FlowControl
from kubepy.apiserver.flowcontrol.levels import Levels
from kubepy.apiserver.flowcontrol.limiting import Limiter
from kubepy.apiserver.flowcontrol.maintaining import LEVELS, SCHEMAS, maintain
from kubepy.apiserver.flowcontrol.max_in_flight import MaxInFlight
from kubepy.apiserver.http.deadlines import Deadlines
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.registry.engine import Engine
from kubepy.client.client import Client
from kubepy.lib import log
from kubepy.lib.clock import SYSTEM, Clock
from kubepy.storage.base import StoreError

_LOOK_S: Final = 1.0
_ADJUST_S: Final = 10.0
_log = log.get(__name__)


class Overload:
    """Made from the flags; `maintain` and `run` are the server's to call."""

    def __init__(self, config: ApiServerConfig, engine: Engine, clock: Clock) -> None:
        self.deadlines = Deadlines(config.request_timeout_s) if config.request_timeout_s else None
        self.flow: FlowControl | None = None
        self.plain: MaxInFlight | None = None
        # Workers share the server's seats: connections are spread over them, and each counts its own.
        reading = -(-config.max_requests_inflight // config.workers)
        mutating = -(-config.max_mutating_requests_inflight // config.workers)
        if config.enable_priority_and_fairness:
            levels = Levels(reading + mutating)
            levels.configure((), (), perf_counter())
            self.flow = FlowControl(levels, _sizes(engine))
        else:
            self.plain = MaxInFlight(reading, mutating)
        self._lookup: Lookup = engine.lookup
        self._clock = clock
        self._seen: tuple[int, int] | None = None

    @property
    def limiter(self) -> Limiter:
        """What hands out seats."""
        if self.flow is not None:
            return self.flow
        assert self.plain is not None
        return self.plain

    def configure(self) -> bool:
        """Takes over what the objects of flow control say, if they have changed; tells whether they had."""
        present = (self._lookup.version(LEVELS), self._lookup.version(SCHEMAS))
        if self.flow is None or present == self._seen:
            return False
        self._seen = present
        self.flow.levels.configure(self._lookup.list(LEVELS), self._lookup.list(SCHEMAS), perf_counter())
        return True

    async def maintain(self, client: Client) -> None:
        """Mends the objects of flow control, and takes them over. Raises ApiError."""
        if self.flow is None:
            return
        # Twice: the conditions are those of schemas that may have just been made.
        for _ in range(2):
            await maintain(client, self._lookup.list(LEVELS), self._lookup.list(SCHEMAS), self._clock.now())
            for resource in (LEVELS, SCHEMAS):
                await self._lookup.fresh(resource)
        self.configure()

    async def run(self, client: Client | None) -> None:
        """The clockwork; returns only when cancelled. With `client` the objects of flow control are mended, too.

        Deadlines pass while the store is away, so that nothing here may wait for it. Real time: load is.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick(), name="overload: deadlines and seats")
            group.create_task(self._look_again(client), name="overload: objects")

    async def _tick(self) -> None:
        period_s = min(_LOOK_S, self.deadlines.period_s if self.deadlines is not None else _LOOK_S)
        adjusted = perf_counter()
        while True:
            await SYSTEM.sleep(period_s)
            now = perf_counter()
            if self.deadlines is not None:
                self.deadlines.sweep()
            if self.flow is not None and now - adjusted >= _ADJUST_S:
                adjusted = now
                self.flow.adjust()

    async def _look_again(self, client: Client | None) -> None:
        while True:
            await SYSTEM.sleep(_LOOK_S)
            await self._look(client)

    async def _look(self, client: Client | None) -> None:
        if not self.configure() or client is None:
            return
        try:
            await self.maintain(client)
        except (ApiError, StoreError) as fault:
            self._seen = None  # so that it is tried again
            _log.warning("flow control not maintained", error=fault)


def _sizes(engine: Engine) -> Callable[[RequestInfo], tuple[int, int] | None]:
    def sizes(info: RequestInfo) -> tuple[int, int] | None:
        served = engine.find(info.group, info.version, info.resource)
        return (len(served.cache), served.cache.mean_bytes()) if served is not None else None

    return sizes
