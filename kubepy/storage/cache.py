"""The watch cache of one resource: its objects as bytes ready to be sent, and the recent changes to them.

Reads never decode: an object is decoded once per write, for its labels and fields. The cache follows the store's
watch; what a writer observes ahead of the watch is found by `get` at once, while lists and watches keep to the
watch's order, so that no revision is told before an earlier one.
Invariant: `objects` is the store's state below `prefix` at `revision`; every event after the ring's start was told
to every watcher that selects it, once and in order. When the store has compacted what the cache still lacked, it
lists again and ends all watches: their clients resume, and are told 410 if they are too far behind.
Source: upstream's pkg/storage/cacher (cacher.go, watch_cache.go).
"""

import asyncio
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson

from kubepy.api.selectors import FieldSelector, Selector
from kubepy.lib import log, tasks
from kubepy.lib.backoff import Backoff
from kubepy.lib.clock import SYSTEM, Clock
from kubepy.storage.base import Change, Compacted, Entry, Progress, Store, Unavailable, Watch
from kubepy.storage.cached import CachedObject, Interner, WatchEvent
from kubepy.storage.fanout import Fanout, Group, left, seen_by
from kubepy.storage.faults import too_large, too_old
from kubepy.storage.objects import Objects
from kubepy.storage.ring import Ring, undone
from kubepy.storage.selection import Selection, select
from kubepy.storage.splice import canonical, spliced
from kubepy.storage.watcher import ByteWatcher, EventWatcher

__all__ = ["ByteWatcher", "CachedObject", "EventWatcher", "ResourceCache", "WatchEvent", "too_old"]

Object = dict[str, Any]
Selected = list[CachedObject]
Watchers = list[Any]

BOOKMARK_PERIOD_S = 60.0
FRESH_WITHIN_S = 3.0
"""How long a read waits for the cache to reach its revision, as upstream's blockTimeout."""
KEPT_PERIODS = 5
"""Events older than so many bookmark periods are forgotten, as the store's history is."""

_log = log.get(__name__)
_LOADED_PER_TURN = 256


class ResourceCache:
    """Objects below `prefix` (which ends in a slash); `fields` tells what field selectors select an object by.

    `transform` turns stored bytes into the object's JSON, where the store keeps them in another form.
    """

    def __init__(
        self,
        store: Store,
        prefix: str,
        *,
        fields: Callable[[Object], dict[str, str]],
        transform: Callable[[bytes], bytes] | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self.prefix = prefix
        self.synced = asyncio.Event()
        self._store = store
        self._fields = fields
        self._transform = transform
        self._clock = clock
        self._interner = Interner()
        self._objects = Objects(prefix)
        self._ahead: dict[str, CachedObject | int] = {}
        self._ring = Ring(0)
        self._fanout = Fanout()
        self._applied = 0
        self._changed_at = 0
        self._watch: Watch | None = None
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._past: tuple[int, Objects] | None = None
        self._marks: list[int] = []
        self._api_version = self._kind = ""
        self._task: asyncio.Task[None] | None = None

    # -- life

    async def start(self) -> None:
        """Runs beside its owner, who calls `stop`; returns when the cache can be read."""
        self._task = tasks.spawn(self.run(), name=f"cache {self.prefix}")
        await self.synced.wait()

    async def stop(self) -> None:
        """Ends every watch, and the cache."""
        await tasks.cancel(self._task)
        self._task = None
        self._fanout.end()

    @property
    def ready(self) -> bool:
        """Whether it can be read: the first list has come."""
        return self.synced.is_set()

    async def run(self) -> None:
        """Keeps up with the store until cancelled; the loss of the store is waited for."""
        backoff = Backoff(0.1, 5.0)
        marking = tasks.spawn(self._mark_periodically(), name=f"bookmarks {self.prefix}")
        try:
            while True:
                try:
                    await self._load()
                    backoff.reset()
                    await self._follow()
                    return
                except Compacted as gone:
                    _log.warning("cache starts again: what it lacked was compacted", prefix=self.prefix, why=gone)
                except Unavailable as error:
                    _log.warning("cache cannot read the store", prefix=self.prefix, error=error)
                    await self._clock.sleep(backoff.next())
        finally:
            await tasks.cancel(marking)

    async def _load(self) -> None:
        listed, revision = await self._store.list(self.prefix)
        entries = list(reversed(listed))
        del listed
        loaded = []
        while entries:
            entry = entries.pop()  # lets go of the stored bytes one by one, so that they never are there twice
            obj = self._cached(entry.key, entry.value, entry.revision)
            if obj is not None:
                loaded.append(obj)
            if len(entries) % _LOADED_PER_TURN == 0:
                await asyncio.sleep(0)
        self._watch = self._store.watch(self.prefix, revision=revision)
        self._objects = Objects(self.prefix, loaded)
        self._ring = Ring(revision)
        self._past = None
        self._changed_at = revision
        self._marks.clear()
        self._fanout.end()
        self._advance(revision)
        self.synced.set()

    async def _follow(self) -> None:
        watch = self._watch
        assert watch is not None
        try:
            async for batch in watch:
                if isinstance(batch, Progress):
                    self._advance(batch.revision)
                    continue
                for change in batch:
                    self._apply(change)
                self._fanout.flush()
                self._advance(batch[-1].revision)
        finally:
            await watch.aclose()

    # -- reading

    @property
    def revision(self) -> int:
        """The cache shows the state of this revision."""
        return max(self._applied, self._watch.position) if self._watch is not None else self._applied

    @property
    def changed_at(self) -> int:
        """The revision of the last change of an object here: what was made of `list` is right as long as this stays."""
        return self._changed_at

    def __len__(self) -> int:
        return len(self._objects)

    def mean_bytes(self) -> int:
        """Mean size of an object, by a sample."""
        return self._objects.mean_bytes()

    def get(self, key: str) -> CachedObject | None:
        """The newest state of the object that this process knows of."""
        if self._ahead:
            ahead = self._ahead.get(key)
            if ahead is not None:
                return ahead if isinstance(ahead, CachedObject) else None
        return self._objects.get(key)

    def list(
        self,
        namespace: str | None = None,
        selector: Selector | None = None,
        fields: FieldSelector | None = None,
        limit: int = 0,
        after_key: str = "",
        *,
        name: str | None = None,
    ) -> tuple[Selected, int]:
        """What is selected at `revision`, in key order: at most `limit` after the key, and how many remain."""
        return _page(self._objects.select(select(namespace, name, selector, fields)), limit, after_key)

    async def list_at(
        self,
        revision: int,
        namespace: str | None = None,
        selector: Selector | None = None,
        fields: FieldSelector | None = None,
        limit: int = 0,
        after_key: str = "",
        *,
        name: str | None = None,
    ) -> tuple[Selected, int]:
        """`list` as it was at exactly this revision. Raises Expired when that is gone, Timeout when it never came."""
        await self.wait_revision(revision)
        selection = select(namespace, name, selector, fields)
        if revision >= self._ring.start:
            found = self._select_past(selection, revision)
        else:
            found = (await self._stored_past(revision)).select(selection)
        return _page(found, limit, after_key)

    async def fresh(self) -> None:
        """Returns when the cache shows all that was acknowledged before the call. Raises Timeout, Unavailable."""
        revision = await self._store.revision()
        if self.revision < revision:
            await self.wait_revision(revision)

    async def wait_revision(self, revision: int, timeout_s: float = FRESH_WITHIN_S) -> None:
        """Returns when the cache has reached the revision. Raises Timeout with upstream's text."""
        if self.revision >= revision:
            return
        reached = asyncio.get_running_loop().create_future()
        waiting = (revision, reached)
        self._waiting.append(waiting)
        if self._watch is not None:
            self._watch.request_progress(revision)
        try:
            async with asyncio.timeout(timeout_s):
                await reached
        except TimeoutError:
            raise too_large(revision, self.revision) from None
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)

    # -- watching

    def watch(
        self,
        revision: int | None = None,
        namespace: str | None = None,
        name: str | None = None,
        selector: Selector | None = None,
        fields: FieldSelector | None = None,
        *,
        bookmarks: bool = False,
        initial_events: bool = False,
        end_bookmark: bool = False,
    ) -> ByteWatcher:
        """Batches of JSON lines, one an event; from `revision` on (None: from now), or first the present state.

        With `initial_events` every selected object comes as ADDED first; `end_bookmark` marks the end of these.
        The caller closes it (`aclose`). Raises Expired.
        """
        selection = select(namespace, name, selector, fields)
        backlog, after = self._backlog(selection, revision, initial_events, end_bookmark)
        group = self._fanout.group(selection)
        watcher = ByteWatcher(
            after=after, bookmarks=bookmarks, backlog=backlog, encode=WatchEvent.encoded, pack=group.pack
        )
        group.byte_watchers.append(watcher)
        watcher.closes_with(lambda ended: self._leave(group, group.byte_watchers, ended))
        return watcher

    def watch_events(
        self,
        revision: int | None = None,
        namespace: str | None = None,
        name: str | None = None,
        selector: Selector | None = None,
        fields: FieldSelector | None = None,
        *,
        bookmarks: bool = False,
        initial_events: bool = False,
        end_bookmark: bool = False,
    ) -> EventWatcher:
        """`watch` for who sends another representation: batches of WatchEvents."""
        selection = select(namespace, name, selector, fields)
        backlog, after = self._backlog(selection, revision, initial_events, end_bookmark)
        group = self._fanout.group(selection)
        watcher = EventWatcher(after=after, bookmarks=bookmarks, backlog=backlog, encode=_same, pack=_same_batch)
        group.event_watchers.append(watcher)
        watcher.closes_with(lambda ended: self._leave(group, group.event_watchers, ended))
        return watcher

    @property
    def watchers(self) -> int:
        """How many watches are open."""
        return len(self._fanout)

    @property
    def events_told(self) -> int:
        """How many events watchers were told, each counted once a watcher."""
        return self._fanout.told

    def watchers_by_scope(self) -> dict[str, int]:
        """How many watches are open on one object (`resource`), a `namespace`, or everything (`cluster`)."""
        return self._fanout.by_scope()

    def bookmark(self, *, ends_initial_events: bool = False) -> WatchEvent:
        """A BOOKMARK at the present revision."""
        metadata: Object = {"resourceVersion": str(self.revision)}
        if ends_initial_events:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        data = orjson.dumps({"kind": self._kind, "apiVersion": self._api_version, "metadata": metadata})
        return WatchEvent("BOOKMARK", CachedObject("", "", "", self.revision, data, {}, {}))

    def send_bookmarks(self) -> None:
        """Tells every watcher that takes bookmarks how far it is."""
        if len(self._fanout):
            self._fanout.bookmark(self.bookmark())

    def send_bookmark(self, watcher: ByteWatcher | EventWatcher) -> None:
        """Tells one watcher how far it is, if it takes bookmarks."""
        watcher.mark(self.bookmark())

    def serves(self, api_version: str, kind: str) -> None:
        """Says what its bookmarks are made out to, before an object has told."""
        self._api_version, self._kind = api_version, kind

    # -- writing through

    def observe(self, change: Change, obj: Object | None = None) -> CachedObject:
        """The object as written; `get` knows it from now on. `obj` saves decoding the value.

        Of a delete: the last state at the revision of the delete.
        """
        known = self.get(change.key)
        if known is not None and known.revision == change.revision:
            return known
        newer = known is not None and known.revision > change.revision
        seen = change.revision <= self.revision or newer
        if change.value is None:
            if not seen:
                self._ahead[change.key] = change.revision
            return self._gone(change, known)
        made = self._cached(change.key, change.value, change.revision, obj)
        if made is None:
            raise ValueError(f"{change.key}: not an object")
        if not seen:
            self._ahead[change.key] = made
        return made

    # -- following the store

    def _apply(self, change: Change) -> None:
        key, revision = change.key, change.revision
        ahead = self._ahead.get(key, 0) if self._ahead else 0
        if ahead and _revision(ahead) <= revision:
            del self._ahead[key]
        previous = self._objects.get(key)
        if previous is not None and previous.revision >= revision:
            return
        if change.value is not None:
            known = isinstance(ahead, CachedObject) and ahead.revision == revision
            obj = ahead if known else self._cached(key, change.value, revision)
            if not isinstance(obj, CachedObject):
                return
            event = WatchEvent("ADDED" if previous is None else "MODIFIED", obj, previous)
            self._objects.put(obj)
        elif previous is not None:
            event = left(previous, revision)
            self._objects.pop(key)
        else:
            return
        self._changed_at = revision
        self._ring.append(event)
        self._fanout.dispatch(event)

    def _advance(self, revision: int) -> None:
        self._applied = max(self._applied, revision)
        if self._ahead:  # a delete whose answer was lost is observed late, and never told of at that revision
            self._ahead = {k: o for k, o in self._ahead.items() if _revision(o) > self._applied}
        if not self._waiting:
            return
        reached = self.revision
        for waiting in self._waiting.copy():
            if waiting[0] <= reached:
                self._waiting.remove(waiting)
                if not waiting[1].done():
                    waiting[1].set_result(None)

    def _cached(self, key: str, value: bytes, revision: int, obj: Object | None = None) -> CachedObject | None:
        """The object of stored bytes; None, told in the log, when they are none."""
        if self._transform is not None:
            value = self._transform(value)
        try:
            decoded: Object = orjson.loads(value) if obj is None else obj
            metadata: Object = decoded["metadata"]
            labels, fields = metadata.get("labels") or {}, self._fields(decoded)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            _log.error("stored value is no object", key=key, error=error)
            return None
        if obj is None and "resourceVersion" in metadata:
            value = canonical(value, decoded)
        if not self._kind:
            self.serves(decoded.get("apiVersion", ""), decoded.get("kind", ""))
        fields = {k: v for k, v in fields.items() if k != "metadata.name" and k != "metadata.namespace"}
        namespace, _, name = key[len(self.prefix) :].rpartition("/")
        share = self._interner.shared
        return CachedObject(
            key, sys.intern(namespace), name, revision, spliced(value, revision), share(labels), share(fields)
        )

    def _gone(self, change: Change, known: CachedObject | None) -> CachedObject:
        if known is not None:
            return left(known, change.revision).object
        namespace, _, name = change.key[len(self.prefix) :].rpartition("/")
        return CachedObject(change.key, namespace, name, change.revision, b"{}", {}, {})

    async def _mark_periodically(self) -> None:
        while True:
            await self._clock.sleep(BOOKMARK_PERIOD_S)
            self.send_bookmarks()
            self._past = None
            self._marks.append(self._applied)
            if len(self._marks) > KEPT_PERIODS:
                self._ring.forget(self._marks.pop(0))

    # -- the past

    def _select_past(self, selection: Selection, revision: int) -> Selected:
        found = self._objects.select(selection)
        before = undone(self._ring.after(revision))
        if not before:
            return found
        test = selection.test()
        found = [obj for obj in found if obj.key not in before]
        found += [obj for obj in before.values() if obj is not None and test(obj)]
        found.sort(key=lambda obj: obj.key)
        return found

    async def _stored_past(self, revision: int) -> Objects:
        """The state at a revision that only the store still has; the last one is kept for the next page."""
        if self._past is None or self._past[0] != revision:
            try:
                entries, _ = await self._store.list(self.prefix, revision=revision)
            except Compacted as gone:
                raise too_old(revision, gone.revision) from gone
            self._past = (revision, Objects(self.prefix, filter(None, map(self._of_entry, entries))))
        return self._past[1]

    def _of_entry(self, entry: Entry) -> CachedObject | None:
        return self._cached(entry.key, entry.value, entry.revision)

    def _backlog(
        self, selection: Selection, revision: int | None, initial_events: bool, end_bookmark: bool
    ) -> tuple[Iterator[WatchEvent], int]:
        """What a watch is told first, and the revision that live events count from."""
        if initial_events:
            present = [WatchEvent("ADDED", obj) for obj in self._objects.select(selection)]
            ends = [self.bookmark(ends_initial_events=True)] if end_bookmark else []
            return iter(present + ends), self._applied
        if revision is None or revision >= self._applied:
            return iter(()), max(revision or 0, self._applied)
        if revision < self._ring.start:
            raise too_old(revision, self._ring.start)
        test = selection.test()
        missed = (seen_by(test, event) for event in self._ring.after(revision))
        return filter(None, missed), self._applied

    def _leave(self, group: Group, watchers: Watchers, ended: Any) -> None:
        if ended in watchers:
            watchers.remove(ended)
        self._fanout.discard(group.selection)


def _revision(ahead: CachedObject | int) -> int:
    return ahead if isinstance(ahead, int) else ahead.revision


def _same(event: WatchEvent) -> WatchEvent:
    return event


def _same_batch(events: Sequence[WatchEvent]) -> Sequence[WatchEvent]:
    return events


def _page(found: Selected, limit: int, after_key: str) -> tuple[Selected, int]:
    if after_key:
        found = found[bisect_right(found, after_key, key=lambda obj: obj.key) :]
    if not limit or len(found) <= limit:
        return found, 0
    return found[:limit], len(found) - limit
