import asyncio

import orjson

from kubepy.api.selectors import parse_field_selector, parse_label_selector
from kubepy.storage.cached import CachedObject, WatchEvent
from kubepy.storage.fanout import GATHER_FROM, Fanout, seen_by
from kubepy.storage.selection import Selection, select
from kubepy.storage.watcher import ByteWatcher
from tests.unit.storage.builders import cached

WEB = select(selector=parse_label_selector("app=web")).test()


def modified(new: CachedObject, old: CachedObject) -> WatchEvent:
    return WatchEvent("MODIFIED", new, old)


def test_an_object_that_enters_a_selection_is_added() -> None:
    seen = seen_by(WEB, modified(cached("x", revision=2, app="web"), cached("x", app="db")))
    assert seen is not None
    assert (seen.type, seen.object.revision) == ("ADDED", 2)


def test_an_object_that_leaves_a_selection_is_deleted_as_it_last_was_at_the_changes_revision() -> None:
    old = cached("x", revision=1, app="web")
    seen = seen_by(WEB, modified(cached("x", revision=25, app="db"), old))
    assert seen is not None
    assert (seen.type, seen.object.revision, seen.object.labels) == ("DELETED", 25, {"app": "web"})
    assert orjson.loads(seen.object.data)["metadata"]["resourceVersion"] == "25"


def test_a_change_within_and_outside_a_selection() -> None:
    inside = modified(cached("x", revision=2, app="web"), cached("x", app="web"))
    assert seen_by(WEB, inside) is inside
    assert seen_by(WEB, modified(cached("x", revision=2), cached("x"))) is None
    assert seen_by(WEB, WatchEvent("ADDED", cached("x"))) is None
    assert seen_by(WEB, WatchEvent("DELETED", cached("x"), cached("x"))) is None
    gone = WatchEvent("DELETED", cached("x", revision=2, app="web"), cached("x", app="web"))
    assert seen_by(WEB, gone) is gone


class Sink:
    """A watcher of the fan-out that notes what it is pushed."""

    def __init__(self, fanout: Fanout, selection: Selection, after: int = 0) -> None:
        self.lines: list[bytes] = []
        self.group = fanout.group(selection)
        self.watcher = ByteWatcher(
            after=after, bookmarks=True, backlog=iter(()), encode=WatchEvent.encoded, pack=self.group.pack
        )
        self.group.byte_watchers.append(self.watcher)

    @property
    def types(self) -> list[str]:
        return [orjson.loads(line)["type"] for line in self.watcher._buffer]


def test_every_watcher_gets_the_same_bytes() -> None:
    fanout = Fanout()
    sinks = [Sink(fanout, select()), Sink(fanout, select()), Sink(fanout, select("a")), Sink(fanout, select("b"))]
    fanout.dispatch(WatchEvent("ADDED", cached("x", "a")))
    first = sinks[0].watcher._buffer[0]
    assert sinks[1].watcher._buffer[0] is first
    assert sinks[2].watcher._buffer[0] is first
    assert sinks[3].watcher._buffer == []
    assert orjson.loads(first) == {"type": "ADDED", "object": {"metadata": {"resourceVersion": "1", "name": "x"}}}


def test_watchers_that_lag_equally_share_the_joined_bytes() -> None:
    fanout = Fanout()
    sinks = [Sink(fanout, select()) for _ in range(3)]
    for revision in (1, 2):
        fanout.dispatch(WatchEvent("ADDED", cached("x", revision=revision)))
    joined = [sink.group.pack(sink.watcher._buffer) for sink in sinks]
    assert joined[0] is joined[1] is joined[2]
    assert joined[0].count(b"\n") == 2
    fanout.dispatch(WatchEvent("ADDED", cached("x", revision=3)))
    assert sinks[0].group.pack(sinks[0].watcher._buffer).count(b"\n") == 3


def test_a_pinned_field_finds_those_who_lose_and_those_who_gain() -> None:
    fanout = Fanout()
    n1, n2, n3 = (
        Sink(fanout, select(fields=parse_field_selector(f"spec.nodeName={node}"))) for node in ("n1", "n2", "n3")
    )
    fanout.dispatch(WatchEvent("ADDED", cached("x", node="n1")))
    fanout.dispatch(modified(cached("x", revision=2, node="n2"), cached("x", node="n1")))
    assert n1.types == ["ADDED", "DELETED"]
    assert n2.types == ["ADDED"]
    assert n3.types == []


def test_a_name_is_watched_in_its_namespace_only() -> None:
    fanout = Fanout()
    one = Sink(fanout, select("a", "x"))
    for namespace, name in (("a", "x"), ("b", "x"), ("a", "y")):
        fanout.dispatch(WatchEvent("ADDED", cached(name, namespace)))
    assert one.types == ["ADDED"]


def test_events_from_before_its_start_are_not_told() -> None:
    fanout = Fanout()
    sink = Sink(fanout, select(), after=5)
    for revision in (4, 5, 6):
        fanout.dispatch(WatchEvent("ADDED", cached("x", revision=revision)))
    assert len(sink.types) == 1


def test_a_group_without_watchers_is_dropped() -> None:
    fanout = Fanout()
    selections = [select("a"), select(), select("a", "x"), select(fields=parse_field_selector("spec.nodeName=n"))]
    for selection in selections:
        sink = Sink(fanout, selection)
        fanout.discard(selection)
        assert fanout.group(selection) is sink.group
        sink.group.byte_watchers.clear()
        fanout.discard(selection)
    assert len(fanout) == 0
    assert fanout._groups == {}
    assert fanout._by_place == {}
    assert fanout._fields == {}


def test_fast_events_to_many_watchers_are_told_together_the_first_at_once() -> None:
    async def test(watchers: int) -> list[list[bytes]]:
        now_s = 100.0
        fanout = Fanout(lambda: now_s)
        sinks = [Sink(fanout, select()) for _ in range(watchers)]
        written: list[list[bytes]] = [[] for _ in sinks]
        for sink, lines in zip(sinks, written, strict=True):
            waiting = asyncio.ensure_future(anext(sink.watcher))
            await asyncio.sleep(0)
            sink.watcher.push_to(lambda batch, lines=lines: lines.append(batch) or True)  # type: ignore[misc]
            waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        for revision in range(1, 6):
            fanout.dispatch(WatchEvent("ADDED", cached(f"x{revision}", revision=revision)))
            fanout.flush()
        assert all(len(lines) == (1 if watchers >= GATHER_FROM else 5) for lines in written)
        while len(written[-1]) < 2:
            await asyncio.sleep(0)  # what is awaited is the loop's own clock
        now_s += 10
        fanout.dispatch(WatchEvent("ADDED", cached("y", revision=6)))
        fanout.flush()
        fanout.end()
        return written

    def told(batches: list[bytes]) -> list[list[str]]:
        return [[orjson.loads(line)["object"]["metadata"]["name"] for line in each.splitlines()] for each in batches]

    many = asyncio.run(test(GATHER_FROM))
    assert all(told(batches) == [["x1"], ["x2", "x3", "x4", "x5"], ["y"]] for batches in many)
    few = asyncio.run(test(GATHER_FROM - 1))
    assert all(told(batches) == [["x1"], ["x2"], ["x3"], ["x4"], ["x5"], ["y"]] for batches in few)
