"""A store whose values are translated on their way in and on their way out: encrypted, or of another form.

Invariant: all that a Store promises holds for what is translated; who uses it sees no other form.
"""

from collections.abc import Sequence
from dataclasses import replace

from kubepy.storage.base import Change, Entry, Progress, RevisionConflict, Store, Watch
from kubepy.storage.timing import Durations


class TranslatedStore:
    """`store` with its values as `seal` and `unseal` make them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def seal(self, key: str, value: bytes) -> bytes:
        """The value as it is stored."""
        return value

    def unseal(self, key: str, stored: bytes) -> bytes:
        """The value that was stored."""
        return stored

    async def is_stale(self, key: str) -> bool:
        """Whether the value is kept otherwise than it would be written now. Raises KeyMissing."""
        return isinstance(self._store, TranslatedStore) and await self._store.is_stale(key)

    @property
    def durations(self) -> Durations:
        """See EtcdStore; empty for a store that does not measure."""
        found: Durations = getattr(self._store, "durations", {})
        return found

    async def get(self, key: str) -> Entry:
        """See Store."""
        return self._open(await self._store.get(key))

    async def list(self, prefix: str, *, revision: int = 0) -> tuple[Sequence[Entry], int]:
        """See Store."""
        entries, found = await self._store.list(prefix, revision=revision)
        return [self._open(entry) for entry in entries], found

    async def create(self, key: str, value: bytes, *, ttl_s: int = 0) -> int:
        """See Store."""
        return await self._store.create(key, self.seal(key, value), ttl_s=ttl_s)

    async def update(self, key: str, value: bytes, *, revision: int, ttl_s: int = 0) -> int:
        """See Store."""
        try:
            return await self._store.update(key, self.seal(key, value), revision=revision, ttl_s=ttl_s)
        except RevisionConflict as conflict:
            raise RevisionConflict(self._open(conflict.current)) from conflict

    async def delete(self, key: str, *, revision: int) -> int:
        """See Store."""
        try:
            return await self._store.delete(key, revision=revision)
        except RevisionConflict as conflict:
            raise RevisionConflict(self._open(conflict.current)) from conflict

    def watch(self, prefix: str, *, revision: int) -> Watch:
        """See Store."""
        return _TranslatedWatch(self._store.watch(prefix, revision=revision), self)

    async def revision(self) -> int:
        """See Store."""
        return await self._store.revision()

    async def compact(self, revision: int) -> None:
        """See Store."""
        await self._store.compact(revision)

    async def ping(self) -> None:
        """See Store."""
        await self._store.ping()

    async def close(self) -> None:
        """See Store."""
        await self._store.close()

    def _open(self, entry: Entry) -> Entry:
        value = self.unseal(entry.key, entry.value)
        return entry if value is entry.value else replace(entry, value=value)

    def open_change(self, change: Change) -> Change:
        """A change with its values translated."""
        value = None if change.value is None else self.unseal(change.key, change.value)
        previous = None if change.previous is None else self.unseal(change.key, change.previous)
        if value is change.value and previous is change.previous:
            return change
        return replace(change, value=value, previous=previous)


class _TranslatedWatch:
    """A watch whose changes are translated."""

    def __init__(self, watch: Watch, store: TranslatedStore) -> None:
        self._watch = watch
        self._store = store

    def __aiter__(self) -> "_TranslatedWatch":
        return self

    async def __anext__(self) -> Sequence[Change] | Progress:
        batch = await self._watch.__anext__()
        return batch if isinstance(batch, Progress) else [self._store.open_change(change) for change in batch]

    @property
    def position(self) -> int:
        return self._watch.position

    def request_progress(self, revision: int) -> None:
        self._watch.request_progress(revision)

    async def aclose(self) -> None:
        await self._watch.aclose()
