"""A store whose values, below some prefixes, are encrypted on their way in and decrypted on their way out.

Invariant: what is written is under the first transformer of its prefix; what any of them wrote can be read, so keys can
be rotated, while the store is in use, too. A value that none of them can read comes out as it is, told in the log: it
hides one object, not all.
Source: apiserver pkg/storage/value (prefix transformers).
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from kubepy.lib import log
from kubepy.storage.base import Change, Entry, Progress, RevisionConflict, Store, Watch
from kubepy.storage.timing import Durations

REGISTRY, CUSTOM = "/registry/", "/registry/*.*/"
"""What all keys begin with; and in the place of a prefix, those of custom resources: their folder is a domain."""
_log = log.get(__name__)


class Unreadable(ValueError):
    """The value cannot be decrypted with the key that it names."""


class Transformer(Protocol):
    """One way to keep values, recognised by what they begin with."""

    prefix: bytes

    def encrypt(self, value: bytes, key: str) -> bytes:
        """The value as it is stored at `key`, after the prefix."""

    def decrypt(self, stored: bytes, key: str) -> bytes:
        """The value that was stored after the prefix. Raises Unreadable."""


class EncryptedStore:
    """`store` with transformers by key prefix; keys of no prefix are stored as they are."""

    def __init__(self, store: Store, transformers: Mapping[str, Sequence[Transformer]]) -> None:
        self._store = store
        self._transformers = dict(transformers)

    def set_transformers(self, transformers: Mapping[str, Sequence[Transformer]]) -> None:
        """Reads and writes with these from now on."""
        self._transformers = dict(transformers)

    async def is_stale(self, key: str) -> bool:
        """Whether the value is not kept as it would be written now. Raises NotFound."""
        transformers = self._of(key)
        if not transformers:
            return False
        stored = (await self._store.get(key)).value
        return self._opened(transformers[:1], key, stored) is None

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
        return _EncryptedWatch(self._store.watch(prefix, revision=revision), self)

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

    def seal(self, key: str, value: bytes) -> bytes:
        """The value as it is stored."""
        transformers = self._of(key)
        return transformers[0].prefix + transformers[0].encrypt(value, key) if transformers else value

    def unseal(self, key: str, stored: bytes) -> bytes:
        """The value that was stored."""
        transformers = self._of(key)
        if not transformers:
            return stored
        value = self._opened(transformers, key, stored)
        if value is None:
            _log.error("stored value cannot be decrypted", key=key)
            return stored
        return value

    @staticmethod
    def _opened(transformers: Sequence[Transformer], key: str, stored: bytes) -> bytes | None:
        """The value, of the first that can read it: keys of one name, and none at all, look alike; None if none can."""
        for transformer in transformers:
            if stored.startswith(transformer.prefix):
                with suppress(Unreadable):
                    return transformer.decrypt(stored[len(transformer.prefix) :], key)
        return None

    def _of(self, key: str) -> Sequence[Transformer]:
        for prefix, transformers in self._transformers.items():
            if key.startswith(prefix):
                return transformers
        custom = self._transformers.get(CUSTOM)
        return custom if custom and "." in key.removeprefix(REGISTRY).partition("/")[0] else ()

    def _open(self, entry: Entry) -> Entry:
        return replace(entry, value=self.unseal(entry.key, entry.value))

    def open_change(self, change: Change) -> Change:
        """A change with its values decrypted."""
        value, previous = change.value, change.previous
        return replace(
            change,
            value=None if value is None else self.unseal(change.key, value),
            previous=None if previous is None else self.unseal(change.key, previous),
        )


class _EncryptedWatch:
    """A watch whose changes are decrypted."""

    def __init__(self, watch: Watch, store: EncryptedStore) -> None:
        self._watch = watch
        self._store = store

    def __aiter__(self) -> "_EncryptedWatch":
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
