"""The Store contract: a revisioned key-value store of JSON bytes, as etcd is one.

What every backend promises, and `tests/contract/test_store.py` checks on each:
- A revision is a positive integer that grows with every write; a write that was acknowledged is never lost.
- `create`, `update` and `delete` compare and set atomically; of two that race, exactly one wins.
- `watch` tells each change after its start exactly once and in order, whatever the connection does meanwhile,
  or raises `Compacted`; it never skips one.
- The loss of the backend is waited for and retried inside; only a deadline that passes raises `Unavailable`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

VALUE_BYTES_AT_MOST: Final = (1536 << 10) - 4096
"""etcd's default limit of a request, less room for what is around the value; the same for every backend."""


class StoreError(Exception):
    """A fault of the store itself."""


class KeyExists(StoreError):
    """`create` found the key."""


class KeyMissing(StoreError):
    """`get`, `update` or `delete` found no such key."""


class RevisionConflict(StoreError):
    """The key is not at the expected revision; `current` is the entry that was found."""

    def __init__(self, current: "Entry") -> None:
        super().__init__(f"{current.key}: found revision {current.revision}")
        self.current = current


class Compacted(StoreError):
    """The revision asked for is gone; `revision` is the oldest that is left."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"compacted up to revision {revision}")
        self.revision = revision


class TooLarge(StoreError):
    """The value is larger than a store takes."""

    def __init__(self, key: str) -> None:
        super().__init__("etcdserver: request is too large")
        self.key = key


class Unavailable(StoreError):
    """The backend did not answer in time. A write may or may not have happened."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its value and the revision of its last change."""

    key: str
    value: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class Change:
    """One change: `value` is None for a delete, `previous` None for a create. `revision` is the change's own."""

    key: str
    value: bytes | None
    revision: int
    previous: bytes | None


@dataclass(frozen=True, slots=True)
class Progress:
    """Every change up to `revision` has been told."""

    revision: int


class Watch(Protocol):
    """Changes in batches that never split a revision, with progress marks between; an async iterator.

    Iteration raises Compacted when the changes asked for are gone, and ends when the store is closed.
    """

    def __aiter__(self) -> "Watch": ...

    async def __anext__(self) -> Sequence[Change] | Progress: ...

    @property
    def position(self) -> int:
        """Every change up to this revision was handed over; it grows without a batch when others' keys change."""

    def request_progress(self, revision: int) -> None:
        """Asks for a Progress as soon as every change up to `revision` was handed over."""

    async def aclose(self) -> None:
        """Ends the iteration and frees what it holds."""


class Store(Protocol):
    """See the module's docstring for the promises; keys are `/registry/...` paths."""

    async def get(self, key: str) -> Entry:
        """The entry. Raises KeyMissing."""

    async def list(self, prefix: str, *, revision: int = 0) -> tuple[Sequence[Entry], int]:
        """All entries below `prefix` in key order, and the revision they were read at (`revision`, if given).

        Raises Compacted for a revision that is gone.
        """

    async def create(self, key: str, value: bytes, *, ttl_s: int = 0) -> int:
        """Stores a key, gone after `ttl_s` seconds unless that is 0; the new revision. Raises KeyExists, TooLarge."""

    async def update(self, key: str, value: bytes, *, revision: int, ttl_s: int = 0) -> int:
        """Replaces the value if the key is at `revision`; the new revision.

        Raises RevisionConflict, KeyMissing, TooLarge.
        """

    async def delete(self, key: str, *, revision: int) -> int:
        """Removes the key if it is at `revision`; the delete's revision. Raises RevisionConflict, KeyMissing."""

    def watch(self, prefix: str, *, revision: int) -> Watch:
        """Changes after `revision` below `prefix`, from the moment of the call on."""

    async def revision(self) -> int:
        """The revision of the last write, read from a quorum."""

    async def compact(self, revision: int) -> None:
        """Forgets history before `revision`."""

    async def ping(self) -> None:
        """Returns when the backend serves; raises Unavailable."""

    async def close(self) -> None:
        """Ends every watch and lets go of the backend."""
