"""Bring each event to the watchers that select it, encoded at most once per type.

Watchers with equal selections form a group; an event is tested once a group, however many watchers it has. Groups
that pin a name or a field are found through an index, so thousands of kubelets that each watch the pods of their
own node cost an event nothing. A change that makes an object enter a selection is ADDED there, one that makes it
leave is DELETED, with its last selected state at the revision of the change.
A write to each of a hundred connections costs more than what is written. So while events of a selection with many
watchers come fast, they are told together: the first at once, those that follow within GATHER_S as one batch.
Source: upstream's cacher.go, convertToWatchEvent; watcher triggers of pkg/registry/core/pod.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

from kubepy.storage.cached import CachedObject, WatchEvent
from kubepy.storage.selection import Selection, Test
from kubepy.storage.splice import respliced
from kubepy.storage.watcher import ByteWatcher, EventWatcher

GATHER_S: Final = 0.02
"""How long at most an event waits for others: far less than what its watchers do with it takes."""
GATHER_FROM: Final = 32
"""So many watchers of one selection are worth it."""
_Place = tuple[str, str]
_EVERYWHERE: _Place = ("", "")


def seen_by(test: Test, event: WatchEvent) -> WatchEvent | None:
    """The event as a watch with this test is told of it, or None."""
    kind, obj, previous = event
    if kind == "ADDED":
        return event if test(obj) else None
    was = previous is not None and test(previous)
    if kind == "DELETED":
        return event if was else None
    if test(obj):
        return event if was else WatchEvent("ADDED", obj)
    if not was or previous is None:
        return None
    return left(previous, obj.revision)


def left(last: CachedObject, revision: int) -> WatchEvent:
    """DELETED at `revision`, of an object last seen as `last`."""
    gone = CachedObject(
        last.key, last.namespace, last.name, revision, respliced(last.data, revision), last.labels, last.fields
    )
    return WatchEvent("DELETED", gone, last)


class Group:
    """The watchers of one selection."""

    __slots__ = ("_joined", "byte_watchers", "event_watchers", "flushed_at_s", "selection", "test")

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.test = selection.test()
        self.byte_watchers: list[ByteWatcher] = []
        self.event_watchers: list[EventWatcher] = []
        self.flushed_at_s = 0.0
        self._joined: tuple[bytes, bytes, int, bytes] = (b"", b"", 0, b"")

    def pack(self, lines: list[bytes]) -> bytes:
        """The lines as one; watchers that lag equally share the result."""
        if len(lines) == 1:
            return lines[0]
        first, last, count, joined = self._joined
        if first is not lines[0] or last is not lines[-1] or count != len(lines):
            joined = b"".join(lines)
            self._joined = (lines[0], lines[-1], len(lines), joined)
        return joined

    def flush(self, now_s: float) -> None:
        """Lets go of what was pushed: watchers that were told the same share the bytes."""
        self.flushed_at_s = now_s
        for watcher in self.byte_watchers.copy():
            watcher.flush()

    def push(self, event: WatchEvent, line: bytes) -> None:
        """Hands the event to all; `line` is its encoding, or empty when there is no byte watcher."""
        revision, size = event.object.revision, len(event.object.data)
        for watcher in self.byte_watchers.copy():
            if watcher.after < revision:
                watcher.push(line, size)
        for listener in self.event_watchers.copy():
            if listener.after < revision:
                listener.push(event, size)


class Fanout:
    """All watchers of one resource; `now_s` is a clock of seconds that do not go backwards."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._gathering: asyncio.TimerHandle | None = None
        self._groups: dict[Selection, tuple[Group, _Place]] = {}
        self._by_place: dict[_Place, list[Group]] = {}
        self._fields: dict[str, int] = {}
        self.told = 0
        self._unflushed: dict[Group, None] = {}

    def group(self, selection: Selection) -> Group:
        """The group of the selection; it stays while it has watchers, which `discard` takes out."""
        known = self._groups.get(selection)
        if known is not None:
            return known[0]
        group, place = Group(selection), _place_of(selection)
        self._groups[selection] = (group, place)
        self._by_place.setdefault(place, []).append(group)
        if place[0] not in ("", "/name", "/namespace"):
            self._fields[place[0]] = self._fields.get(place[0], 0) + 1
        return group

    def discard(self, selection: Selection) -> None:
        """Drops the group of the selection if nobody is left in it."""
        known = self._groups.get(selection)
        if known is None or known[0].byte_watchers or known[0].event_watchers:
            return
        group, place = self._groups.pop(selection)
        self._by_place[place].remove(group)
        if not self._by_place[place]:
            del self._by_place[place]
        if place[0] in self._fields:
            self._fields[place[0]] -= 1
            if not self._fields[place[0]]:
                del self._fields[place[0]]

    def dispatch(self, event: WatchEvent) -> None:
        """Tells every watcher that selects the event; `flush` follows when the last one of a batch was told."""
        lines: dict[str, bytes] = {}
        for group in self._concerned(event):
            seen = seen_by(group.test, event)
            if seen is None:
                continue
            line = b""
            if group.byte_watchers:
                line = lines.get(seen.type, b"")
                if not line:
                    line = lines[seen.type] = seen.encoded()
                self._unflushed[group] = None
            group.push(seen, line)
            self.told += len(group.byte_watchers) + len(group.event_watchers)

    def flush(self) -> None:
        """Lets go of what was told; what should wait for more of its kind, a little later."""
        if not self._unflushed:
            return
        now_s = self._now_s()
        groups, self._unflushed = self._unflushed, {}
        for group in groups:
            if len(group.byte_watchers) >= GATHER_FROM and now_s - group.flushed_at_s < GATHER_S:
                self._unflushed[group] = None
            else:
                group.flush(now_s)
        if self._unflushed and self._gathering is None:
            self._gathering = asyncio.get_running_loop().call_later(GATHER_S, self._flush_gathered)

    def _flush_gathered(self) -> None:
        self._gathering = None
        groups, self._unflushed = self._unflushed, {}
        for group in groups:
            group.flush(self._now_s())

    def bookmark(self, mark: WatchEvent) -> None:
        """Tells those who take bookmarks."""
        line, size = mark.encoded(), len(mark.object.data)
        for watcher in self._watchers():
            if watcher.bookmarks and watcher.after <= mark.object.revision:
                watcher.push(line, size)
                watcher.flush()
        for listener in self._listeners():
            if listener.bookmarks and listener.after <= mark.object.revision:
                listener.push(mark, size)

    def end(self) -> None:
        """Ends every watch; what they were told and had to wait for, they still get."""
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        for watcher in self._watchers():
            watcher.end()
        for listener in self._listeners():
            listener.end()

    def by_scope(self) -> dict[str, int]:
        """How many watches select one name, one namespace, or neither."""
        found: dict[str, int] = {}
        for group, _ in self._groups.values():
            scope = "resource" if group.selection.name else "namespace" if group.selection.namespace else "cluster"
            found[scope] = found.get(scope, 0) + len(group.byte_watchers) + len(group.event_watchers)
        return found

    def __len__(self) -> int:
        return len(self._watchers()) + len(self._listeners())

    def _watchers(self) -> list[ByteWatcher]:
        return [watcher for group, _ in self._groups.values() for watcher in group.byte_watchers]

    def _listeners(self) -> list[EventWatcher]:
        return [listener for group, _ in self._groups.values() for listener in group.event_watchers]

    def _concerned(self, event: WatchEvent) -> Iterable[Group]:
        """The groups that the event may matter to; each once, for a group has one place."""
        obj, previous, places = event.object, event.previous, self._by_place
        found = list(places.get(_EVERYWHERE, ()))
        found += places.get(("/name", obj.name), ())
        if obj.namespace:
            found += places.get(("/namespace", obj.namespace), ())
        for field in self._fields:
            value = obj.fields.get(field, "")
            found += places.get((field, value), ())
            if previous is not None and (was := previous.fields.get(field, "")) != value:
                found += places.get((field, was), ())
        return found


def _place_of(selection: Selection) -> _Place:
    """Where an event finds the group: its most telling pin."""
    if selection.name is not None:
        return ("/name", selection.name)
    for pin in selection.pins():
        if not pin.of_labels and len(pin.values) == 1:
            return (pin.name, pin.values[0])
    return ("/namespace", selection.namespace) if selection.namespace else _EVERYWHERE
