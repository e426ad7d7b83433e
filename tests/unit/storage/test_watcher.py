import asyncio
from collections.abc import Iterable

from kubepy.storage.cached import WatchEvent
from kubepy.storage.watcher import ByteWatcher
from tests.unit.storage.builders import cached


def watcher(backlog: Iterable[WatchEvent] = ()) -> ByteWatcher:
    return ByteWatcher(
        after=0, bookmarks=False, backlog=iter(backlog), encode=lambda e: e.object.name.encode(), pack=b",".join
    )


def test_what_came_in_one_turn_is_one_batch() -> None:
    async def main() -> None:
        watch = watcher()
        waiting = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(0)
        for item in (b"1", b"2", b"3"):
            watch.push(item, 1)
        assert await waiting == b"1,2,3"
        watch.push(b"4", 1)
        assert await anext(watch) == b"4"

    asyncio.run(main())


def test_the_backlog_comes_before_live_events_and_in_pieces() -> None:
    async def main() -> None:
        big = [WatchEvent("ADDED", cached(f"p{i}")) for i in range(10)]
        for event in big:
            event.object.data = b"x" * 100_000
        watch = watcher(big)
        watch.push(b"live", 4)
        batches = [await anext(watch)]
        while batches[-1] != b"live":
            batches.append(await anext(watch))
        assert len(batches) > 3
        assert b",".join(batches) == b",".join([*(b"p%d" % i for i in range(10)), b"live"])

    asyncio.run(main())


def test_a_slow_consumer_is_cut_off() -> None:
    async def main() -> None:
        watch = watcher()
        ended = []
        watch.closes_with(ended.append)
        watch.most_bytes = 10
        watch.push(b"a", 10)
        assert not watch.cut_off
        watch.push(b"b", 1)
        assert watch.cut_off
        assert ended == [watch]
        assert [batch async for batch in watch] == []

    asyncio.run(main())


def test_reading_frees_the_buffer() -> None:
    async def main() -> None:
        watch = watcher()
        watch.most_bytes = 10
        for _ in range(5):
            watch.push(b"a", 9)
            assert await anext(watch) == b"a"
        assert not watch.cut_off

    asyncio.run(main())


def test_after_its_end_it_hands_out_what_is_buffered() -> None:
    async def main() -> None:
        watch = watcher()
        watch.push(b"a", 1)
        watch.end()
        assert [batch async for batch in watch] == [b"a"]

    asyncio.run(main())


def test_closing_wakes_who_waits() -> None:
    async def main() -> None:
        watch = watcher()
        waiting = asyncio.ensure_future(anext(watch, None))
        await asyncio.sleep(0)
        await watch.aclose()
        assert await waiting is None

    asyncio.run(main())


def test_who_waits_is_handed_batches_without_being_woken() -> None:
    async def main() -> None:
        watch = watcher()
        taken: list[bytes] = []
        watch.push_to(lambda batch: not taken.append(batch))
        watch.push(b"0", 1)
        watch.flush()
        assert await anext(watch) == b"0"  # nobody waited yet
        waiting = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(0)
        watch.push(b"1", 1)
        watch.push(b"2", 1)
        watch.flush()
        watch.push(b"3", 1)
        watch.flush()
        await asyncio.sleep(0)
        assert taken == [b"1,2", b"3"]
        assert not waiting.done()
        watch.push(b"4", 1)
        watch.end()
        assert await waiting == b"4"

    asyncio.run(main())


def test_what_is_not_taken_is_iterated_over_in_its_place() -> None:
    async def main() -> None:
        watch = watcher()
        watch.most_bytes = 10
        is_slow = True
        taken: list[bytes] = []
        watch.push_to(lambda batch: not is_slow and not taken.append(batch))
        waiting = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(0)
        watch.push(b"1", 9)
        watch.flush()
        is_slow = False
        watch.push(b"2", 1)
        watch.flush()
        assert await waiting == b"1,2"
        waiting = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(0)
        for item in (b"3", b"4"):
            watch.push(item, 9)
            watch.flush()
        assert taken == [b"3", b"4"]
        assert not watch.cut_off
        waiting.cancel()

    asyncio.run(main())


def test_it_tells_when_the_backlog_has_been_taken_or_nobody_wants_it() -> None:
    async def main() -> None:
        told: list[str] = []
        big = [WatchEvent("ADDED", cached(f"p{i}")) for i in range(4)]
        for event in big:
            event.object.data = b"x" * 200_000
        taken, left = watcher(big), watcher(big)
        taken.when_caught_up(lambda: told.append("taken"))
        left.when_caught_up(lambda: told.append("left"))
        await anext(taken)
        assert told == []
        await anext(taken)
        taken.push(b"live", 1)
        await anext(taken)
        assert told == ["taken"]
        await left.aclose()
        await taken.aclose()
        assert told == ["taken", "left"]
        left.when_caught_up(lambda: told.append("late"))
        assert told[-1] == "late"

    asyncio.run(main())
