"""When a request that was turned away should come again: the more are turned away, the later.

Source: apiserver pkg/util/flowcontrol/dropped_requests_tracker.go.
"""

from collections import deque
from typing import Final

MOST_S: Final = 32


class RetryAfter:
    """Of one priority level. `seconds` doubles while requests are dropped and falls by one when hardly any are."""

    def __init__(self) -> None:
        self.seconds = 1
        self._history: deque[tuple[int, int]] = deque()
        self._second = self._count = self._raised = 0

    def dropped(self, now_s: int) -> None:
        """Counts a request that was turned away in that second."""
        if now_s == self._second:
            self._count += 1
            return
        self._history.append((self._second, self._count))
        while now_s - self._history[0][0] > MOST_S and len(self._history) > 1:
            self._history.popleft()
        self._second, self._count = now_s, 1
        self._adapt(now_s)

    def _adapt(self, now_s: int) -> None:
        dropped = sum(count for second, count in self._history if now_s - self.seconds <= second < now_s)
        if now_s - self._raised >= self.seconds and dropped >= 3 * self.seconds:
            self.seconds = min(self.seconds * 2, MOST_S)
            self._raised = now_s
        elif dropped < self.seconds and self.seconds > 1:
            self.seconds -= 1
