from kubepy.storage.cached import WatchEvent
from kubepy.storage.ring import Ring, undone
from tests.unit.storage.builders import cached


def event(revision: int, name: str = "x", previous: int = 0) -> WatchEvent:
    before = cached(name, revision=previous) if previous else None
    return WatchEvent("MODIFIED" if previous else "ADDED", cached(name, revision=revision), before)


def test_the_events_after_a_revision_come_in_order() -> None:
    ring = Ring(5)
    for revision in (6, 8, 9):
        ring.append(event(revision))
    assert [e.object.revision for e in ring.after(5)] == [6, 8, 9]
    assert [e.object.revision for e in ring.after(7)] == [8, 9]
    assert ring.after(9) == []
    assert ring.start == 5


def test_beyond_its_count_the_oldest_is_forgotten() -> None:
    ring = Ring(5, events=2)
    for revision in (6, 7, 8):
        ring.append(event(revision))
    assert ring.start == 6
    assert [e.object.revision for e in ring.after(6)] == [7, 8]


def test_superseded_bytes_are_bounded() -> None:
    size = len(cached("x").data)
    ring = Ring(1, held_bytes=3 * size)
    for revision in range(2, 10):
        ring.append(event(revision, previous=revision - 1))
    assert len(ring) == 3
    assert ring.start == 6


def test_old_events_can_be_forgotten() -> None:
    ring = Ring(1)
    for revision in (2, 4, 6):
        ring.append(event(revision))
    ring.forget(5)
    assert ring.start == 4
    assert len(ring) == 1


def test_undoing_takes_the_state_before_the_first_change_of_each_key() -> None:
    before = undone([event(5, "a", previous=2), event(6, "b"), event(7, "a", previous=5)])
    assert {key.rpartition("/")[2]: obj and obj.revision for key, obj in before.items()} == {"a": 2, "b": None}
