"""What clients saw of a server that crashes, and whether it can be true: pure, over records that clients keep.

A write is acknowledged with its revision, refused, or in doubt: its answer was lost. A watcher's record is what it was
told, in order, and the gaps that it was told of (410, then a new list).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Values = Mapping[str, str | None]
"""By key; None is a key that is not there."""


@dataclass(frozen=True, slots=True)
class Write:
    """`value` None is a delete; `revision` 0: in doubt."""

    key: str
    value: str | None
    revision: int


@dataclass(frozen=True, slots=True)
class Seen:
    """One event; `value` None is a delete."""

    revision: int
    key: str
    value: str | None


@dataclass(slots=True)
class Record:
    """One watcher's: it has lists at the ends of its gaps, the first of which begins at 0."""

    name: str
    events: list[Seen] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    reached: int = 0

    def covers(self, revision: int) -> bool:
        """Whether the watcher must have been told of that revision."""
        return revision <= self.reached and not any(low < revision <= high for low, high in self.gaps)


def lost_writes(writes: Sequence[Write], final: Values) -> list[str]:
    """Keys whose final value is neither that of the last acknowledged write nor of one in doubt after it.

    Each key is written by one client, one write after the other.
    """
    allowed: dict[str, set[str | None]] = {}
    for write in writes:
        if write.revision:
            allowed[write.key] = {write.value}
        else:
            allowed.setdefault(write.key, {None}).add(write.value)
    return [
        f"{key}: {final.get(key)!r} is none of {sorted(map(str, values))}"
        for key, values in allowed.items()
        if final.get(key) not in values
    ]


def disorder(record: Record) -> list[str]:
    """Events of a watcher that came twice or out of order."""
    faults = []
    last = 0
    for event in record.events:
        if event.revision <= last:
            faults.append(f"{record.name}: {event.key} at {event.revision} after {last}")
        last = event.revision
    return faults


def missed(record: Record, writes: Iterable[Write], records: Iterable[Record]) -> list[str]:
    """What a watcher should have been told, and was not, or was told otherwise than others were."""
    told = {event.revision: event for event in record.events}
    faults = []
    for write in writes:
        if write.revision and record.covers(write.revision):
            event = told.get(write.revision)
            if event is None or (event.key, event.value) != (write.key, write.value):
                faults.append(f"{record.name}: {write} was told as {event}")
    for other in records:
        for event in other.events:
            if record.covers(event.revision) and told.get(event.revision) != event:
                faults.append(f"{record.name}: {event} of {other.name} was told as {told.get(event.revision)}")
    return faults


def invented(record: Record, writes: Iterable[Write]) -> list[str]:
    """Values that a watcher was told and that nobody wrote."""
    written = {(write.key, write.value) for write in writes}
    return [f"{record.name}: {event}" for event in record.events if (event.key, event.value) not in written]


def stale(record: Record, final: Values) -> list[str]:
    """Keys that a watcher believes to have another value than they have in the end, though no gap excuses it."""
    last = {event.key: event for event in record.events}
    gap = max((high for _, high in record.gaps), default=0)
    return [
        f"{record.name}: {event}"
        for event in last.values()
        if event.revision > gap and final.get(event.key) != event.value
    ]
