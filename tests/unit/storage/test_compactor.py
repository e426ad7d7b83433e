import asyncio
from datetime import datetime

import pytest

from kubepy.storage import compactor
from kubepy.storage.base import Compacted, Unavailable
from kubepy.storage.embedded import EmbeddedStore


class Turns:
    """A clock whose sleeps last until the test takes a turn."""

    def __init__(self) -> None:
        self.slept: asyncio.Queue[float] = asyncio.Queue()
        self.wake = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.slept.put_nowait(seconds)
        await self.wake.wait()
        self.wake.clear()

    def now(self) -> datetime:
        raise NotImplementedError

    def monotonic(self) -> float:
        raise NotImplementedError

    async def turn(self) -> None:
        self.wake.set()
        await self.slept.get()


def test_what_is_older_than_an_interval_is_forgotten() -> None:
    async def main() -> None:
        store, clock = EmbeddedStore(), Turns()
        running = asyncio.ensure_future(compactor.run(store, interval_s=7, clock=clock))
        first = await store.create("/a", b"1")
        assert await clock.slept.get() == 7
        second = await store.update("/a", b"2", revision=first)
        await clock.turn()
        assert (await store.list("/", revision=first))[0][0].value == b"1"
        third = await store.update("/a", b"3", revision=second)
        await clock.turn()
        with pytest.raises(Compacted):
            await store.list("/", revision=first)
        assert (await store.list("/", revision=second))[0][0].value == b"2"
        await clock.turn()
        with pytest.raises(Compacted):
            await store.list("/", revision=second)
        assert (await store.list("/", revision=third))[0][0].value == b"3"
        running.cancel()
        await store.close()

    asyncio.run(main())


def test_a_store_that_is_away_is_tried_again() -> None:
    class Away(EmbeddedStore):
        away = True

        async def revision(self) -> int:
            if self.away:
                raise Unavailable("away")
            return await super().revision()

    async def main() -> None:
        store, clock = Away(), Turns()
        running = asyncio.ensure_future(compactor.run(store, clock=clock))
        assert await clock.slept.get() == compactor.INTERVAL_S
        store.away = False
        await clock.turn()
        assert not running.done()
        running.cancel()
        await store.close()

    asyncio.run(main())


def test_an_interval_of_zero_means_never() -> None:
    async def main() -> None:
        store = EmbeddedStore()
        await compactor.run(store, interval_s=0)
        await store.close()

    asyncio.run(main())
