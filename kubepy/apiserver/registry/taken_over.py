"""What upstream's API server has stored, read as this one stores it: an etcd can be taken over as it is.

Upstream stores protobuf, and some kinds at versions that it no longer serves. Invariant: what comes out is JSON at the
version that is stored now, with upstream's defaults; what goes in is JSON, which upstream reads as well. A value that
cannot be read comes out as it is: it hides one object, not all.
Source: apiserver pkg/storage/etcd3 (decode), pkg/server/storage (storage codecs).
"""

import re

import orjson

from kubepy.api import old_versions, schemas
from kubepy.api.defaults.registry import apply_defaults
from kubepy.api.errors import ApiError
from kubepy.api.meta import Object
from kubepy.apiserver.http.protobuf_messages import MAGIC
from kubepy.apiserver.http.protobuf_reading import parse_protobuf
from kubepy.apiserver.registry.codec import encode
from kubepy.lib import log
from kubepy.storage.base import Store
from kubepy.storage.translated import TranslatedStore

_log = log.get(__name__)
_VERSION = re.compile(rb'"apiVersion":"([^"]*)"').search
_WITHIN = 200
"""Bytes of JSON in which its apiVersion is: Go writes it first or second, and this server does."""
_OLD = frozenset(version.encode() for version in old_versions.OLD_VERSIONS)


class TakenOverStore(TranslatedStore):
    """`store` with every value as this server would have written it."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._foreign: set[str] = set()

    async def is_stale(self, key: str) -> bool:
        """See TranslatedStore."""
        return key in self._foreign or await super().is_stale(key)

    def seal(self, key: str, value: bytes) -> bytes:
        """The value as it is stored."""
        self._foreign.discard(key)
        return value

    def unseal(self, key: str, stored: bytes) -> bytes:
        """The value that was stored."""
        if stored.startswith(b"{"):
            found = _VERSION(stored, 0, _WITHIN)
            if found is None or found[1] not in _OLD:
                self._foreign.discard(key)
                return stored
        elif not stored.startswith(MAGIC):
            return stored
        self._foreign.add(key)
        try:
            return _translated(stored)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ApiError) as fault:
            _log.error("stored value cannot be read", key=key, why=str(fault))
            return stored


def _translated(stored: bytes) -> bytes:
    binary = stored.startswith(MAGIC)
    read: Object = parse_protobuf(stored) if binary else orjson.loads(stored)
    obj = old_versions.current(read)
    if obj is None:
        if not binary:
            return stored  # of an old version, but of another kind
        obj = read
    obj.setdefault("metadata", {})
    schemas.decode_kind(obj["apiVersion"], obj["kind"], obj)
    apply_defaults(obj["apiVersion"], obj["kind"], obj)
    return encode(obj)
