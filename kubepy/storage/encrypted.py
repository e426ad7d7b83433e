"""A store whose values, below some prefixes, are encrypted on their way in and decrypted on their way out.

Invariant: what is written is under the first transformer of its prefix; what any of them wrote can be read, so keys can
be rotated, while the store is in use, too. A value that none of them can read comes out as it is, told in the log: it
hides one object, not all.
Source: apiserver pkg/storage/value (prefix transformers).
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from kubepy.lib import log
from kubepy.storage.base import Store
from kubepy.storage.translated import TranslatedStore

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


class EncryptedStore(TranslatedStore):
    """`store` with transformers by key prefix; keys of no prefix are stored as they are."""

    def __init__(self, store: Store, transformers: Mapping[str, Sequence[Transformer]]) -> None:
        super().__init__(store)
        self._transformers = dict(transformers)

    def set_transformers(self, transformers: Mapping[str, Sequence[Transformer]]) -> None:
        """Reads and writes with these from now on."""
        self._transformers = dict(transformers)

    async def is_stale(self, key: str) -> bool:
        """See TranslatedStore: it is when another key than the first has sealed it."""
        transformers = self._of(key)
        if not transformers:
            return False
        stored = (await self._store.get(key)).value
        return self._opened(transformers[:1], key, stored) is None

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
