"""What a controller has done and its informer has not shown yet.

A controller that created three pods plans again before the watch tells of them; without remembering it would
create three more. Expectations expire, so that a lost event costs a delay and never a deadlock.
Source: pkg/controller/controller_utils.go, ControllerExpectations.
"""

from dataclasses import dataclass, field

from kubepy.lib.clock import SYSTEM, Clock

_EXPIRE_S = 300.0


@dataclass(slots=True)
class _Expected:
    set_at: float
    creations: int = 0
    deletions: set[str] = field(default_factory=set)


class Expectations:
    """Pending creations (counted) and deletions (by uid) of each key."""

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._expected: dict[str, _Expected] = {}

    def satisfied(self, key: str) -> bool:
        """Everything done for `key` was seen, or is so long ago that it will not be."""
        expected = self._expected.get(key)
        if expected is None:
            return True
        if expected.creations <= 0 and not expected.deletions:
            del self._expected[key]
            return True
        return self._clock.monotonic() - expected.set_at > _EXPIRE_S

    def expect_creations(self, key: str, count: int) -> None:
        self._entry(key).creations += count

    def expect_deletion(self, key: str, uid: str) -> None:
        self._entry(key).deletions.add(uid)

    def creation_seen(self, key: str) -> None:
        """The watch told of one, or it failed and will not come."""
        if expected := self._expected.get(key):
            expected.creations -= 1

    def deletion_seen(self, key: str, uid: str) -> None:
        """The watch told of it, or it failed and will not come."""
        if expected := self._expected.get(key):
            expected.deletions.discard(uid)

    def forget(self, key: str) -> None:
        """The key's object is gone."""
        self._expected.pop(key, None)

    def _entry(self, key: str) -> _Expected:
        entry = self._expected.setdefault(key, _Expected(self._clock.monotonic()))
        entry.set_at = self._clock.monotonic()
        return entry
