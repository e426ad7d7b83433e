"""A small memory whose entries end by themselves; when it is full, the oldest ones make room."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Expiring(Generic[K, V]):
    """Values by key, each for a time of its own."""

    def __init__(self, most: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._now_s = now_s
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value, if it has not ended."""
        found = self._entries.get(key)
        if found is None:
            return None
        if found[0] <= self._now_s():
            del self._entries[key]
            return None
        return found[1]

    def has(self, key: K) -> bool:
        """Whether there is a value that has not ended; the value may be None."""
        found = self._entries.get(key)
        return found is not None and found[0] > self._now_s()

    def put(self, key: K, value: V, ttl_s: float) -> None:
        """Keeps the value for that long; not at all for none."""
        if ttl_s <= 0:
            return
        self._entries.pop(key, None)
        while len(self._entries) >= self._most:
            self._entries.popitem(last=False)
        self._entries[key] = (self._now_s() + ttl_s, value)

    def clear(self) -> None:
        """Forgets everything."""
        self._entries.clear()
