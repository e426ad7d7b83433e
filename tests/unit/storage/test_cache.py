import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest

from kubepy.api.errors import Expired, Timeout
from kubepy.api.selectors import parse_field_selector, parse_label_selector
from kubepy.storage.base import Change, Compacted, Unavailable
from kubepy.storage.cache import ByteWatcher, ResourceCache
from kubepy.storage.embedded import EmbeddedStore
from kubepy.storage.ring import Ring
from tests.unit.storage.builders import PREFIX, fields, pod

Scenario = Callable[[EmbeddedStore, ResourceCache], Awaitable[None]]


@contextlib.asynccontextmanager
async def running(store: EmbeddedStore) -> AsyncIterator[ResourceCache]:
    cache = ResourceCache(store, PREFIX, fields=fields)
    await cache.start()
    try:
        yield cache
    finally:
        await cache.stop()


def on_cache(scenario: Scenario) -> None:
    async def main() -> None:
        store = EmbeddedStore()
        async with asyncio.timeout(20), running(store) as cache:
            await scenario(store, cache)
        await store.close()

    asyncio.run(main())


async def events(watcher: ByteWatcher, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < count:
        found += [orjson.loads(line) for line in (await anext(watcher)).splitlines()]
    return found


def told(found: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    return [
        (e["type"], e["object"]["metadata"]["name"], int(e["object"]["metadata"]["resourceVersion"])) for e in found
    ]


async def write(store: EmbeddedStore, name: str, namespace: str = "a", **rest: Any) -> int:
    """Creates or updates a pod."""
    key = f"{PREFIX}{namespace}/{name}"
    current = store._revisions.get(key, 0)
    value = pod(name, namespace, **rest)
    return await (store.update(key, value, revision=current) if current else store.create(key, value))


async def remove(store: EmbeddedStore, name: str, namespace: str = "a") -> int:
    key = f"{PREFIX}{namespace}/{name}"
    return await store.delete(key, revision=store._revisions[key])


def names(found: "tuple[list[Any], int]") -> list[str]:
    return [obj.name for obj in found[0]]


def test_what_was_stored_before_the_start_and_after_is_read() -> None:
    async def main() -> None:
        store = EmbeddedStore()
        before = await write(store, "before", app="web")
        async with running(store) as cache:
            after = await write(store, "after", "b", node="n1")
            await cache.fresh()
            found = cache.get(f"{PREFIX}a/before")
            assert found is not None
            assert (found.namespace, found.name, found.revision, found.labels) == (
                "a",
                "before",
                before,
                {"app": "web"},
            )
            assert orjson.loads(found.data)["metadata"]["resourceVersion"] == str(before)
            assert names(cache.list()) == ["before", "after"]
            assert names(cache.list("b")) == ["after"]
            assert names(cache.list(fields=parse_field_selector("spec.nodeName=n1"))) == ["after"]
            assert cache.revision >= after
            assert cache.get(f"{PREFIX}a/after") is None
        await store.close()

    asyncio.run(main())


def test_a_fresh_read_sees_the_writes_before_it_even_to_other_resources() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        for number in range(30):
            revision = await write(store, f"p{number}")
            await cache.fresh()
            assert cache.get(f"{PREFIX}a/p{number}") is not None
            elsewhere = await store.create(f"/registry/secrets/a/{number}", b"{}")
            await cache.fresh()
            assert cache.revision >= elsewhere > revision

    on_cache(scenario)


def test_only_changes_of_its_own_objects_move_the_mark_of_the_last_change() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        before = cache.changed_at
        await store.create("/registry/other/x", b"{}")
        await cache.fresh()
        assert cache.changed_at == before
        revision = await write(store, "a")
        await cache.fresh()
        assert cache.changed_at == revision

    on_cache(scenario)


def test_a_writer_sees_its_write_before_the_watch_tells_it() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        key = f"{PREFIX}a/x"
        watcher = cache.watch()
        ahead = cache.revision + 5
        made = cache.observe(Change(key, pod("x"), ahead, None))
        assert cache.get(key) is made
        assert orjson.loads(made.data)["metadata"]["resourceVersion"] == str(ahead)
        assert cache.list() == ([], 0)
        gone = cache.observe(Change(key, None, ahead + 1, None))
        assert gone.revision == ahead + 1
        assert orjson.loads(gone.data)["metadata"]["name"] == "x"
        assert cache.get(key) is None
        cache._apply(Change(key, pod("x"), ahead, None))
        assert cache.get(key) is None
        cache._apply(Change(key, None, ahead + 1, pod("x")))
        assert cache._ahead == {}
        assert [kind for kind, *_ in told(await events(watcher, 2))] == ["ADDED", "DELETED"]

    on_cache(scenario)


def test_a_delete_that_was_observed_late_does_not_hide_what_was_made_since() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        key = f"{PREFIX}a/x"
        made = await write(store, "x")
        cache.observe(Change(key, None, made + 1, None))
        assert cache.get(key) is None
        assert await write(store, "y") == made + 1
        await cache.fresh()
        found = cache.get(key)
        assert found is not None
        assert found.revision == made

    on_cache(scenario)


def test_what_was_observed_is_not_made_again_when_the_watch_tells_it() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        key, ahead = f"{PREFIX}a/x", cache.revision + 1
        made = cache.observe(Change(key, pod("x"), ahead, None))
        assert await write(store, "x") == ahead
        await cache.fresh()
        assert cache.get(key) is made
        assert cache.list()[0][0] is made
        assert cache.observe(Change(key, pod("x"), ahead, None)) is made

    on_cache(scenario)


def test_observing_what_is_old_changes_nothing() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        first = await write(store, "x", app="1")
        second = await write(store, "x", app="2")
        await cache.fresh()
        old = cache.observe(Change(f"{PREFIX}a/x", pod("x", app="1"), first, None))
        assert old.labels == {"app": "1"}
        cache.observe(Change(f"{PREFIX}a/x", None, first, None))
        now = cache.get(f"{PREFIX}a/x")
        assert now is not None
        assert now.revision == second

    on_cache(scenario)


def test_a_list_comes_in_pages_and_tells_what_remains() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        for number in range(7):
            await write(store, f"p{number}", app="web" if number % 2 else "db")
        await cache.fresh()
        first, remaining = cache.list("a", limit=3)
        assert (names((first, 0)), remaining) == (["p0", "p1", "p2"], 4)
        rest, remaining = cache.list("a", limit=4, after_key=first[-1].key)
        assert (names((rest, 0)), remaining) == (["p3", "p4", "p5", "p6"], 0)
        web = parse_label_selector("app=web")
        page, remaining = cache.list(selector=web, limit=2)
        assert (names((page, 0)), remaining) == (["p1", "p3"], 1)

    on_cache(scenario)


def test_a_page_shows_the_state_of_the_first_page() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        for number in range(6):
            await write(store, f"p{number}", app="old")
        await cache.fresh()
        at = cache.revision
        await remove(store, "p4")
        await write(store, "p5", app="new")
        await write(store, "p3b")
        await cache.fresh()
        old = parse_label_selector("app=old")
        key = f"{PREFIX}a/p2"
        assert names(await cache.list_at(at, after_key=key)) == ["p3", "p4", "p5"]
        assert names(await cache.list_at(at, selector=old, after_key=key, limit=1)) == ["p3"]
        assert names(await cache.list_at(at, selector=old, after_key=key)) == ["p3", "p4", "p5"]
        assert names(cache.list(after_key=key)) == ["p3", "p3b", "p5"]
        cache._ring.forget(cache.revision)  # the cache no longer knows: the store does
        assert names(await cache.list_at(at, selector=old, after_key=key)) == ["p3", "p4", "p5"]
        await store.compact(cache.revision)
        cache._past = None
        with pytest.raises(Expired, match="too old resource version"):
            await cache.list_at(at)

    on_cache(scenario)


def test_the_past_is_undone_exactly_whatever_happened() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        chance = random.Random(5)
        revisions = [cache.revision]
        for step in range(200):
            name = f"p{chance.randrange(12)}"
            if store._revisions.get(f"{PREFIX}a/{name}") and chance.random() < 0.3:
                revisions.append(await remove(store, name))
            else:
                revisions.append(await write(store, name, app=chance.choice("xyz"), tier=str(step)))
        await cache.fresh()
        selector = parse_label_selector("app=x")
        for revision in revisions:
            from_ring = await cache.list_at(revision, selector=selector)
            stored, _ = await store.list(PREFIX, revision=revision)
            expected = [
                (e.key, e.revision) for e in stored if orjson.loads(e.value)["metadata"]["labels"]["app"] == "x"
            ]
            assert [(o.key, o.revision) for o in from_ring[0]] == expected

    on_cache(scenario)


def test_a_revision_that_does_not_come_times_out_with_upstreams_text() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        with pytest.raises(Timeout, match=r"^Timeout: Too large resource version: 900, current: 1$") as fault:
            await cache.wait_revision(900, timeout_s=0.01)
        assert fault.value.status()["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
        assert fault.value.retry_after_s == 1

    on_cache(scenario)


def test_a_watch_tells_each_change_once_and_in_order() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        watcher = cache.watch(cache.revision)
        a = await write(store, "x")
        b = await write(store, "x", app="web")
        c = await remove(store, "x")
        assert told(await events(watcher, 3)) == [("ADDED", "x", a), ("MODIFIED", "x", b), ("DELETED", "x", c)]

    on_cache(scenario)


def test_a_watch_resumes_from_a_revision_it_saw() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        a = await write(store, "x", app="web")
        b = await write(store, "y", app="web")
        c = await write(store, "x", app="db")
        await cache.fresh()
        web = parse_label_selector("app=web")
        assert told(await events(cache.watch(a), 2)) == [("ADDED", "y", b), ("MODIFIED", "x", c)]
        assert told(await events(cache.watch(a, selector=web), 2)) == [("ADDED", "y", b), ("DELETED", "x", c)]
        resumed = cache.watch(b)
        d = await write(store, "z")
        assert told(await events(resumed, 2)) == [("MODIFIED", "x", c), ("ADDED", "z", d)]

    on_cache(scenario)


def test_a_watch_from_too_long_ago_is_expired() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        cache._ring = Ring(cache.revision, events=2)
        start = cache.revision
        revisions = [await write(store, f"p{number}") for number in range(4)]
        await cache.fresh()
        with pytest.raises(Expired, match=rf"^too old resource version: {start} \({revisions[1]}\)$"):
            cache.watch(start)
        assert told(await events(cache.watch(revisions[1]), 2)) == [("ADDED", "p2", 4), ("ADDED", "p3", 5)]
        assert cache.watchers == 1

    on_cache(scenario)


def test_a_watch_of_the_future_tells_only_what_follows() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        watcher = cache.watch(cache.revision + 1)
        await write(store, "x")
        second = await write(store, "y")
        assert told(await events(watcher, 1)) == [("ADDED", "y", second)]

    on_cache(scenario)


def test_initial_events_come_first_and_their_end_is_marked() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        for name in ("x", "y"):
            await write(store, name)
        await cache.fresh()
        watcher = cache.watch(initial_events=True, end_bookmark=True, bookmarks=True)
        later = await write(store, "z")
        found = await events(watcher, 4)
        assert told([found[0], found[1], found[3]]) == [("ADDED", "x", 2), ("ADDED", "y", 3), ("ADDED", "z", later)]
        assert found[2] == {
            "type": "BOOKMARK",
            "object": {
                "kind": "Pod",
                "apiVersion": "v1",
                "metadata": {"resourceVersion": "3", "annotations": {"k8s.io/initial-events-end": "true"}},
            },
        }
        legacy = cache.watch(initial_events=True)
        assert [name for _, name, _ in told(await events(legacy, 3))] == ["x", "y", "z"]

    on_cache(scenario)


def test_bookmarks_tell_the_revision_even_when_only_others_changed() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        cache.serves("v1", "Pod")
        marked, plain = cache.watch(bookmarks=True), cache.watch()
        elsewhere = await store.create("/registry/secrets/a/x", b"{}")
        cache.send_bookmarks()
        found = (await events(marked, 1))[0]
        assert (found["type"], found["object"]["kind"]) == ("BOOKMARK", "Pod")
        assert int(found["object"]["metadata"]["resourceVersion"]) >= elsewhere
        last = await write(store, "x")
        assert told(await events(plain, 1)) == [("ADDED", "x", last)]

    on_cache(scenario)


def test_bookmarks_come_by_themselves() -> None:
    class Minute:
        """A clock whose sleeps end when the test says so."""

        def __init__(self) -> None:
            self.ticks: asyncio.Queue[None] = asyncio.Queue()
            self.slept: list[float] = []

        async def sleep(self, seconds: float) -> None:
            self.slept.append(seconds)
            await self.ticks.get()

        def now(self) -> Any:
            raise NotImplementedError

        def monotonic(self) -> float:
            raise NotImplementedError

    async def main() -> None:
        store, clock = EmbeddedStore(), Minute()
        cache = ResourceCache(store, PREFIX, fields=fields, clock=clock)
        await cache.start()
        watcher = cache.watch(bookmarks=True)
        first = await write(store, "x")
        assert told(await events(watcher, 1)) == [("ADDED", "x", first)]
        for _ in range(6):
            clock.ticks.put_nowait(None)
            assert (await events(watcher, 1))[0]["type"] == "BOOKMARK"
        assert clock.slept[0] == 60
        with pytest.raises(Expired):  # events of five minutes ago are forgotten
            cache.watch(first - 1)
        await cache.stop()
        await store.close()

    asyncio.run(main())


def test_event_watchers_get_the_objects() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        watcher = cache.watch_events(cache.revision, "a", selector=parse_label_selector("app=web"))
        await write(store, "x", app="web")
        await write(store, "y", app="db")
        await write(store, "x", app="db")
        await cache.fresh()
        found = list(await anext(watcher))
        if len(found) < 2:
            found += await anext(watcher)
        assert [(e.type, e.object.name) for e in found] == [("ADDED", "x"), ("DELETED", "x")]
        assert found[1].previous is found[0].object

    on_cache(scenario)


def test_closed_watchers_are_forgotten() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        watchers = [cache.watch(namespace="a"), cache.watch(namespace="a"), cache.watch_events()]
        assert cache.watchers == 3
        for watcher in watchers:
            await watcher.aclose()
        assert cache.watchers == 0

    on_cache(scenario)


def test_when_its_history_is_compacted_the_cache_starts_again_and_ends_its_watches() -> None:
    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        await write(store, "x")
        await cache.fresh()
        watcher = cache.watch()
        cache.synced.clear()
        store._hub.end(Compacted(1))
        assert [batch async for batch in watcher] == []
        await cache.synced.wait()
        last = await write(store, "y")
        await cache.fresh()
        assert names(cache.list()) == ["x", "y"]
        assert cache.revision >= last
        with pytest.raises(Expired):
            cache.watch(1)

    on_cache(scenario)


def test_a_store_that_is_away_at_the_start_is_waited_for() -> None:
    class Away(EmbeddedStore):
        tries = 0

        async def list(self, prefix: str, *, revision: int = 0) -> Any:
            self.tries += 1
            if self.tries == 1:
                raise Unavailable("away")
            return await super().list(prefix, revision=revision)

    async def main() -> None:
        store = Away()
        await write(store, "x")
        async with asyncio.timeout(5), running(store) as cache:
            assert store.tries == 2
            assert names(cache.list()) == ["x"]
        await store.close()

    asyncio.run(main())


def test_a_stored_value_that_is_no_object_is_passed_over() -> None:
    async def main() -> None:
        store = EmbeddedStore()
        await store.create(f"{PREFIX}a/bad", b"k8s\0protobuf")
        await write(store, "good")
        async with running(store) as cache:
            await store.create(f"{PREFIX}a/worse", b"[]")
            await cache.fresh()
            assert names(cache.list()) == ["good"]
        await store.close()

    asyncio.run(main())


def test_values_are_transformed_before_they_are_read() -> None:
    async def main() -> None:
        store = EmbeddedStore()
        cache = ResourceCache(store, PREFIX, fields=fields, transform=lambda value: value[::-1])
        await store.create(f"{PREFIX}a/x", pod("x", app="web")[::-1])
        await cache.start()
        assert names(cache.list(selector=parse_label_selector("app=web"))) == ["x"]
        await cache.stop()
        await store.close()

    asyncio.run(main())


def test_watchers_that_replay_end_with_the_present_state() -> None:
    """Random writes; each watcher, whatever it selects and whenever it came, can rebuild what a list shows."""

    async def scenario(store: EmbeddedStore, cache: ResourceCache) -> None:
        chance = random.Random(11)
        selectors = [parse_label_selector(text) for text in ("", "app=x", "app!=x", "app in (x,y)")]
        nodes = [parse_field_selector(text) for text in ("", "spec.nodeName=n1", "spec.nodeName!=n1")]
        replicas: list[tuple[Any, Any, dict[str, int], ByteWatcher]] = []
        for step in range(400):
            if step % 20 == 0:
                selector, node = chance.choice(selectors), chance.choice(nodes)
                watcher = cache.watch(namespace="a", selector=selector, fields=node, initial_events=True)
                replicas.append((selector, node, {}, watcher))
            name = f"p{chance.randrange(15)}"
            if store._revisions.get(f"{PREFIX}a/{name}") and chance.random() < 0.25:
                await remove(store, name)
            else:
                await write(store, name, app=chance.choice("xyz"), node=chance.choice(["n1", "n2", ""]))
        await cache.fresh()
        for selector, node, state, watcher in replicas:
            watcher.end()
            async for batch in watcher:
                for kind, name, revision in told([orjson.loads(line) for line in batch.splitlines()]):
                    assert (name in state) == (kind != "ADDED")
                    state[name] = revision
                    if kind == "DELETED":
                        del state[name]
            assert state == {obj.name: obj.revision for obj in cache.list("a", selector, node)[0]}

    on_cache(scenario)
