"""Which writes have had their answer: so that of two that would store the very same, only one is told that it did.

A write that was tried again, for the answer to its first try was lost, finds its own value there. But another client
may have written the same bytes over the same revision: a counter that two have raised at once. Each revision that a
write was answered with is remembered, and nobody else's.
"""

from collections import deque
from typing import Final

_REMEMBERED: Final = 4096


class Claims:
    """The revisions of this process's latest writes."""

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._order: deque[int] = deque()

    def add(self, revision: int) -> bool:
        """Takes the revision for a write; False when another one has it."""
        if revision in self._known:
            return False
        self._known.add(revision)
        self._order.append(revision)
        if len(self._order) > _REMEMBERED:
            self._known.discard(self._order.popleft())
        return True
