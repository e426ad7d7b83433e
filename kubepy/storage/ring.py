"""The recent events of one resource: what a watch resumes from, and what undoes the present to show the past.

Invariant: every event after `start` is in the ring, in order. It is bounded by count and by the bytes of the
superseded versions that only it keeps alive; forgetting an event moves `start` up to that event's revision.
"""

from collections import deque
from collections.abc import Sequence

from kubepy.storage.cached import CachedObject, WatchEvent

EVENTS_AT_MOST = 10_000
BYTES_AT_MOST = 16 << 20


class Ring:
    """`start` is the oldest revision that can be resumed from."""

    def __init__(self, start: int, *, events: int = EVENTS_AT_MOST, held_bytes: int = BYTES_AT_MOST) -> None:
        self.start = start
        self._events: deque[WatchEvent] = deque()
        self._most = events
        self._most_bytes = held_bytes
        self._held_bytes = 0

    def __len__(self) -> int:
        return len(self._events)

    def append(self, event: WatchEvent) -> None:
        """Adds the newest event; forgets the oldest ones beyond the bounds."""
        self._events.append(event)
        self._held_bytes += _held(event)
        while len(self._events) > self._most or self._held_bytes > self._most_bytes:
            self._forget()

    def forget(self, revision: int) -> None:
        """Forgets the events up to `revision`."""
        while self._events and self._events[0].object.revision <= revision:
            self._forget()

    def after(self, revision: int) -> list[WatchEvent]:
        """The events after `revision`, which must not be before `start`, oldest first."""
        found = []
        for event in reversed(self._events):
            if event.object.revision <= revision:
                break
            found.append(event)
        found.reverse()
        return found

    def _forget(self) -> None:
        event = self._events.popleft()
        self._held_bytes -= _held(event)
        self.start = event.object.revision


def _held(event: WatchEvent) -> int:
    held = len(event.previous.data) if event.previous is not None else 0
    return held + len(event.object.data) if event.type == "DELETED" else held


def undone(events: Sequence[WatchEvent]) -> dict[str, CachedObject | None]:
    """The keys that the events changed, each with its state before the first of them."""
    before: dict[str, CachedObject | None] = {}
    for event in events:
        before.setdefault(event.object.key, event.previous)
    return before
