import asyncio
from collections.abc import Sequence

import pytest

from kubepy.storage.base import Change, Compacted, Progress
from kubepy.storage.hub import Hub


def change(key: str, revision: int) -> Change:
    return Change(key, b"", revision, None)


async def no_history(prefix: str, after: int, until: int) -> Sequence[Change]:
    raise AssertionError(f"history of {prefix} from {after} to {until} was not asked for")


def test_a_change_goes_to_each_watch_of_a_folder_above_it() -> None:
    async def main() -> None:
        hub = Hub(1)
        prefixes = ("/registry/", "/registry/pods/", "/registry/pods/a/", "/registry/pod", "/registry/secrets/")
        watches = {prefix: hub.attach(prefix, 1, no_history) for prefix in prefixes}
        hub.publish([change("/registry/pods/a/x", 2)], 2)
        hub.publish([change("/registry/podtemplates/a/x", 3)], 3)
        seen = {prefix: [c.revision for c in watch._queue] for prefix, watch in watches.items()}
        assert seen == {
            "/registry/": [2, 3],
            "/registry/pods/": [2],
            "/registry/pods/a/": [2],
            "/registry/pod": [2, 3],
            "/registry/secrets/": [],
        }

    asyncio.run(main())


def test_a_watch_ahead_of_the_hub_is_told_only_what_is_after_its_start() -> None:
    async def main() -> None:
        hub = Hub(1)
        watch = hub.attach("/a/", 3, no_history)
        hub.publish([change("/a/x", revision) for revision in (2, 3, 4)], 4)
        assert [c.revision for c in await anext(watch)] == [4]  # type: ignore[union-attr]

    asyncio.run(main())


def test_what_a_watch_missed_comes_before_what_happens_meanwhile() -> None:
    async def main() -> None:
        hub = Hub(5)
        reading = asyncio.Event()

        async def history(prefix: str, after: int, until: int) -> Sequence[Change]:
            await reading.wait()
            return [change("/a/x", revision) for revision in range(after + 1, until + 1)]

        watch = hub.attach("/a/", 2, history)
        first = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(0)
        hub.publish([change("/a/x", 6)], 6)
        assert watch.position == 2
        reading.set()
        assert [c.revision for c in await first] == [3, 4, 5]  # type: ignore[union-attr]
        assert watch.position == 5
        assert [c.revision for c in await anext(watch)] == [6]  # type: ignore[union-attr]
        assert watch.position == 6

    asyncio.run(main())


def test_the_position_grows_with_others_changes_but_not_past_what_is_queued() -> None:
    async def main() -> None:
        hub = Hub(1)
        watch = hub.attach("/a/", 1, no_history)
        hub.publish([change("/b/x", 2)], 2)
        assert watch.position == 2
        hub.publish([change("/a/x", 4), change("/a/y", 5)], 5)
        assert watch.position == 3
        hub.publish([change("/b/x", 6)], 6)
        assert watch.position == 3
        await anext(watch)
        assert watch.position == 6

    asyncio.run(main())


def test_progress_is_told_when_it_is_reached() -> None:
    async def main() -> None:
        hub = Hub(1)
        watch = hub.attach("/a/", 1, no_history)
        told = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(0)
        watch.request_progress(3)
        hub.publish([change("/b/x", 2)], 2)
        await asyncio.sleep(0)
        assert not told.done()
        hub.publish([change("/b/x", 3)], 3)
        assert await told == Progress(3)
        assert not hub.asking

    asyncio.run(main())


def test_an_error_reaches_every_watch_and_frees_it() -> None:
    async def main() -> None:
        hub = Hub(1)
        watches = [hub.attach("/a/", 1, no_history), hub.attach("/a", 1, no_history)]
        hub.end(Compacted(7))
        for watch in watches:
            with pytest.raises(Compacted):
                await anext(watch)
        fresh = hub.attach("/a/", 1, no_history)
        hub.publish([change("/a/x", 2)], 2)
        assert len(await anext(fresh)) == 1  # type: ignore[arg-type]
        await fresh.aclose()
        assert hub._by_folder == {}

    asyncio.run(main())
