"""What the watch cache keeps of an object, and what it tells of a change.

Memory matters here: there is one CachedObject for every object of the cluster. Equal label and field maps are
one dict, and their strings are interned; all of them are shared and read-only.
"""

import sys
from dataclasses import dataclass
from typing import NamedTuple

_SHARED_AT_MOST = 50_000


@dataclass(slots=True)
class CachedObject:
    """One object at one revision; `data` is its JSON with the resourceVersion in it.

    `fields` are what field selectors select by; metadata.name and metadata.namespace are not repeated there.
    """

    key: str
    namespace: str
    name: str
    revision: int
    data: bytes
    labels: dict[str, str]
    fields: dict[str, str]


class WatchEvent(NamedTuple):
    """A change as a watcher sees it: `type` is ADDED, MODIFIED, DELETED or BOOKMARK.

    `object` is the new state; of DELETED the last one, at the revision of the delete; of BOOKMARK an object of
    which only `revision` and `data` count. `previous` is the state before, None for ADDED and BOOKMARK.
    """

    type: str
    object: CachedObject
    previous: CachedObject | None = None

    def encoded(self) -> bytes:
        """The line that a watch of JSON sends."""
        return b'{"type":"%b","object":%b}\n' % (self.type.encode(), self.object.data)


class Interner:
    """Makes equal maps one."""

    def __init__(self) -> None:
        self._maps: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}

    def shared(self, found: dict[str, str]) -> dict[str, str]:
        """`found`, or the equal map that was seen before."""
        items = tuple(found.items())
        known = self._maps.get(items)
        if known is None:
            if len(self._maps) >= _SHARED_AT_MOST:
                self._maps.clear()
            known = {sys.intern(key): sys.intern(value) for key, value in items}
            self._maps[tuple(known.items())] = known
        return known
