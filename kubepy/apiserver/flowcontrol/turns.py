"""Turns on the event loop: so that requests wait in their queues, not in the loop's.

Everything runs on one loop. A request that waits for nothing runs to its end within one callback, so a hundred clients
that ask at once would keep it from reading the hundred-and-first for as long as all of theirs take, however many seats
there are. So once the requests of one round of the loop have used up its slice of time, those that follow wait in the
queues of their priority levels; each further round begins some of them, as the levels say which, and reads what has
come in meanwhile. A loop that is not busy never gets there: most requests pay for one comparison, and one of each slice
for a call that tells that the loop has come round.
"""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final

SLICE_S: Final = 0.004
"""How long the requests of one round may run before others have to wait for the next one."""
_MOST_A_ROUND: Final = 64


class Turns:
    """`begin_one` begins one request of those that wait, and tells whether there was one."""

    def __init__(self, begin_one: Callable[[], bool], slice_s: float = SLICE_S) -> None:
        self._begin_one = begin_one
        self._slice_s = slice_s
        self._in_round = False
        self._began = 0.0
        self._quota = 1
        self.is_behind = False

    def is_free(self, now: float) -> bool:
        """Whether a request that has just come may begin; otherwise it is to be queued, and `wait` to be called."""
        if self.is_behind:
            return False
        if now - self._began < self._slice_s:
            return True
        if self._in_round:  # the loop has not come round since the slice began
            return False
        self._in_round = True
        self._began = now
        asyncio.get_running_loop().call_soon(self._round)
        return True

    def wait(self) -> None:
        """A request is queued that a later round is to begin."""
        self.is_behind = True
        if not self._in_round:
            self._in_round = True
            asyncio.get_running_loop().call_soon(self._round)

    def _round(self) -> None:
        """Comes after what the round before it has begun, and after the loop has read its sockets."""
        self._in_round = False
        if not self.is_behind:
            return
        now = perf_counter()
        self._quota = min(self._quota * 2, _MOST_A_ROUND) if now - self._began < self._slice_s else 1
        self._began = now
        for _ in range(self._quota):
            if not self._begin_one():
                self.is_behind = False
                return
        self._in_round = True
        asyncio.get_running_loop().call_soon(self._round)
