"""What every Store promises (kubepy/storage/base.py), checked on each backend."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvloop

from kubepy.storage.base import (
    VALUE_BYTES_AT_MOST,
    Change,
    Compacted,
    KeyExists,
    KeyMissing,
    Progress,
    RevisionConflict,
    Store,
    TooLarge,
    Watch,
)

Open = Callable[[], Store]


@contextlib.asynccontextmanager
async def opened(open_backend: Open) -> AsyncIterator[Store]:
    store = open_backend()
    try:
        yield store
    finally:
        await store.close()


def on(open_backend: Open, scenario: Callable[[Store], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(30), opened(open_backend) as store:
            await scenario(store)

    uvloop.run(main())


async def take(watch: Watch, count: int) -> list[Change]:
    """The next `count` changes, progress marks left out."""
    found: list[Change] = []
    while len(found) < count:
        batch = await anext(watch)
        if not isinstance(batch, Progress):
            found.extend(batch)
    return found


def test_what_was_created_is_got_and_listed_at_its_revision(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        first = await store.create(prefix + "b", b"1")
        second = await store.create(prefix + "a", b"2")
        assert second > first > 0
        entry = await store.get(prefix + "b")
        assert (entry.key, entry.value, entry.revision) == (prefix + "b", b"1", first)
        entries, revision = await store.list(prefix)
        assert [(e.key, e.value, e.revision) for e in entries] == [
            (prefix + "a", b"2", second),
            (prefix + "b", b"1", first),
        ]
        assert revision >= second

    on(open_backend, scenario)


def test_a_missing_key_raises(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        with pytest.raises(KeyMissing):
            await store.get(prefix + "none")
        with pytest.raises(KeyMissing):
            await store.update(prefix + "none", b"", revision=1)
        with pytest.raises(KeyMissing):
            await store.delete(prefix + "none", revision=1)
        assert (await store.list(prefix))[0] == []

    on(open_backend, scenario)


def test_a_key_is_created_only_once(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        await store.create(prefix + "a", b"1")
        with pytest.raises(KeyExists):
            await store.create(prefix + "a", b"2")
        assert (await store.get(prefix + "a")).value == b"1"

    on(open_backend, scenario)


def test_a_deleted_key_can_be_created_again(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        created = await store.create(prefix + "a", b"1")
        deleted = await store.delete(prefix + "a", revision=created)
        assert deleted > created
        with pytest.raises(KeyMissing):
            await store.get(prefix + "a")
        assert await store.create(prefix + "a", b"2") > deleted

    on(open_backend, scenario)


def test_a_stale_revision_conflicts_and_tells_the_current_entry(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        first = await store.create(prefix + "a", b"1")
        second = await store.update(prefix + "a", b"2", revision=first)
        with pytest.raises(RevisionConflict) as update:
            await store.update(prefix + "a", b"3", revision=first)
        assert (update.value.current.value, update.value.current.revision) == (b"2", second)
        with pytest.raises(RevisionConflict) as delete:
            await store.delete(prefix + "a", revision=first)
        assert delete.value.current.revision == second

    on(open_backend, scenario)


def test_of_racing_writers_exactly_one_wins(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        revision = await store.create(prefix + "a", b"0")
        outcomes = await asyncio.gather(
            *(store.update(prefix + "a", b"%d" % i, revision=revision) for i in range(20)), return_exceptions=True
        )
        won = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, int)]
        assert len(won) == 1
        assert sum(isinstance(outcome, RevisionConflict) for outcome in outcomes) == 19
        assert (await store.get(prefix + "a")).value == b"%d" % won[0]
        created = await asyncio.gather(*(store.create(prefix + "b", b"") for _ in range(20)), return_exceptions=True)
        assert sum(isinstance(outcome, int) for outcome in created) == 1

    on(open_backend, scenario)


def test_a_value_that_is_too_large_is_refused(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        revision = await store.create(prefix + "a", b"x" * VALUE_BYTES_AT_MOST)
        assert await store.update(prefix + "a", b"y" * VALUE_BYTES_AT_MOST, revision=revision) > revision
        with pytest.raises(TooLarge):
            await store.create(prefix + "b", b"x" * (VALUE_BYTES_AT_MOST + 1))
        assert [e.key for e in (await store.list(prefix))[0]] == [prefix + "a"]

    on(open_backend, scenario)


def test_a_list_shows_only_its_prefix(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        for key in ("pods/a/x", "pods/a-b/x", "podsx/a/x", "pod", "pods/a.b/y"):
            await store.create(prefix + key, b"{}")
        entries, _ = await store.list(prefix + "pods/")
        assert [e.key for e in entries] == [prefix + "pods/a-b/x", prefix + "pods/a.b/y", prefix + "pods/a/x"]

    on(open_backend, scenario)


def test_a_list_at_a_revision_shows_the_past(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        a = await store.create(prefix + "a", b"1")
        b = await store.create(prefix + "b", b"1")
        await store.update(prefix + "a", b"2", revision=a)
        gone = await store.delete(prefix + "b", revision=b)
        await store.create(prefix + "c", b"1")
        past, at = await store.list(prefix, revision=b)
        assert at == b
        assert [(e.key, e.value, e.revision) for e in past] == [(prefix + "a", b"1", a), (prefix + "b", b"1", b)]
        at_delete, _ = await store.list(prefix, revision=gone)
        assert [(e.key, e.value) for e in at_delete] == [(prefix + "a", b"2")]

    on(open_backend, scenario)


def test_a_long_list_is_whole_and_sorted(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        keys = [f"{prefix}{i:05}" for i in range(1700)]
        for start in range(0, len(keys), 100):
            await asyncio.gather(*(store.create(key, b"x" * 100) for key in keys[start : start + 100]))
        entries, revision = await store.list(prefix)
        assert [e.key for e in entries] == keys
        assert revision == max(e.revision for e in entries)

    on(open_backend, scenario)


def test_a_watch_tells_changes_after_its_revision_in_order(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        a = await store.create(prefix + "a", b"1")
        watch = store.watch(prefix, revision=a)
        b = await store.create(prefix + "b", b"1")
        a2 = await store.update(prefix + "a", b"2", revision=a)
        await store.create("/elsewhere" + prefix + "c", b"")
        gone = await store.delete(prefix + "b", revision=b)
        assert await take(watch, 3) == [
            Change(prefix + "b", b"1", b, None),
            Change(prefix + "a", b"2", a2, b"1"),
            Change(prefix + "b", None, gone, b"1"),
        ]
        assert watch.position >= gone
        await watch.aclose()

    on(open_backend, scenario)


def test_a_watch_from_the_past_tells_what_it_missed_then_what_comes(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        start = await store.create(prefix + "0", b"")
        other = store.watch(prefix, revision=start)
        revisions = [await store.create(f"{prefix}{i}", b"") for i in range(1, 20)]
        await take(other, 19)
        watch = store.watch(prefix, revision=start)
        assert [c.revision for c in await take(watch, 19)] == revisions
        last = await store.create(prefix + "last", b"")
        assert [c.revision for c in await take(watch, 1)] == [last]

    on(open_backend, scenario)


def test_changes_made_while_a_watch_starts_come_once(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        start = await store.create(prefix + "x", b"")
        writes = [asyncio.ensure_future(store.create(f"{prefix}{i}", b"")) for i in range(50)]
        watches = []
        for _ in range(10):
            watches.append(store.watch(prefix, revision=start))
            await asyncio.sleep(0)
        revisions = sorted(await asyncio.gather(*writes))
        for watch in watches:
            assert [c.revision for c in await take(watch, 50)] == revisions

    on(open_backend, scenario)


def test_a_watch_of_a_future_revision_tells_only_what_follows(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        now = await store.create(prefix + "a", b"")
        watch = store.watch(prefix, revision=now + 2)
        revisions = [await store.create(f"{prefix}{i}", b"") for i in range(4)]
        assert [c.revision for c in await take(watch, len([r for r in revisions if r > now + 2]))] == [
            r for r in revisions if r > now + 2
        ]

    on(open_backend, scenario)


def test_a_watch_tells_its_progress_when_only_other_keys_change(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        start = await store.create(prefix + "mine/a", b"")
        watch = store.watch(prefix + "mine/", revision=start)
        for i in range(5):
            await store.create(f"{prefix}others/{i}", b"")
        target = await store.revision()
        watch.request_progress(target)
        told = await anext(watch)
        assert isinstance(told, Progress)
        assert told.revision >= target
        assert watch.position >= target

    on(open_backend, scenario)


def test_progress_comes_after_the_changes_that_it_covers(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        start = await store.create(prefix + "a", b"")
        watch = store.watch(prefix, revision=start)
        await asyncio.gather(*(store.create(f"{prefix}{i}", b"") for i in range(30)))
        target = await store.revision()
        watch.request_progress(target)
        seen = 0
        while not isinstance(batch := await anext(watch), Progress):
            seen += len(batch)
        assert seen == 30
        assert batch.revision >= target

    on(open_backend, scenario)


def test_history_that_was_compacted_raises(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        a = await store.create(prefix + "a", b"0")
        first = a
        for i in range(1, 10):
            a = await store.update(prefix + "a", b"%d" % i, revision=a)
        b = await store.create(prefix + "b", b"")
        await store.delete(prefix + "b", revision=b)
        now = await store.revision()
        other = store.watch(prefix, revision=now)  # so that a backend that lags behind is up to date
        other.request_progress(now)
        await anext(other)
        await store.compact(now)
        with pytest.raises(Compacted):
            await store.list(prefix, revision=first)
        with pytest.raises(Compacted):
            await anext(store.watch(prefix, revision=first))
        assert [e.value for e in (await store.list(prefix, revision=now))[0]] == [b"9"]
        assert [e.value for e in (await store.list(prefix))[0]] == [b"9"]
        assert await store.update(prefix + "a", b"10", revision=a) > now

    on(open_backend, scenario)


def test_the_revision_is_that_of_the_last_write(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        assert await store.revision() > 0
        written = await store.create(prefix + "a", b"")
        assert await store.revision() == written
        deleted = await store.delete(prefix + "a", revision=written)
        assert await store.revision() == deleted

    on(open_backend, scenario)


def test_a_key_with_a_ttl_goes_away_and_is_told(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        stays = await store.create(prefix + "stays", b"1", ttl_s=1)
        await store.update(prefix + "stays", b"2", revision=stays)  # a write without a TTL lifts it
        created = await store.create(prefix + "event", b"{}", ttl_s=1)
        watch = store.watch(prefix, revision=created)
        gone = (await take(watch, 1))[0]
        assert (gone.key, gone.value, gone.previous) == (prefix + "event", None, b"{}")
        assert gone.revision > created
        with pytest.raises(KeyMissing):
            await store.get(prefix + "event")
        assert (await store.get(prefix + "stays")).value == b"2"

    on(open_backend, scenario)


def test_a_closed_watch_ends(open_backend: Open, prefix: str) -> None:
    async def scenario(store: Store) -> None:
        watch = store.watch(prefix, revision=await store.revision())
        waiting = asyncio.ensure_future(anext(watch, None))
        await asyncio.sleep(0)
        await watch.aclose()
        assert await waiting is None

    on(open_backend, scenario)


def test_closing_the_store_ends_its_watches(open_backend: Open, prefix: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(10):
            store = open_backend()
            watch = store.watch(prefix, revision=await store.revision())
            waiting = asyncio.ensure_future(anext(watch, None))
            await asyncio.sleep(0)
            await store.close()
            assert await waiting is None

    uvloop.run(main())


def test_what_was_written_is_there_after_reopening(open_backend: Open, prefix: str) -> None:
    async def main() -> None:
        async with opened(open_backend) as store:
            kept = await store.create(prefix + "a", b"1")
            gone = await store.create(prefix + "b", b"1")
            gone = await store.delete(prefix + "b", revision=gone)
        async with opened(open_backend) as store:
            entries, revision = await store.list(prefix)
            assert [(e.key, e.value, e.revision) for e in entries] == [(prefix + "a", b"1", kept)]
            assert revision >= gone
            assert await store.update(prefix + "a", b"2", revision=kept) > gone

    uvloop.run(main())


def test_the_backend_answers_a_ping(open_backend: Open) -> None:
    on(open_backend, lambda store: store.ping())
