"""Put the resourceVersion into an object's JSON bytes without decoding them.

Stored bytes carry no resourceVersion: it is the store's revision. It goes in as the first field of `metadata`,
which every object of ours, and every one that upstream wrote, has right after apiVersion and kind (in either
order). Bytes of any other shape are re-encoded into this one first.
"""

from typing import Any, Final

import orjson

_METADATA: Final = b'"metadata":{'
_SPLICED: Final = b'"metadata":{"resourceVersion":"'
_HEAD_AT_MOST: Final = 320
_HEADS_AT_MOST: Final = 4096

_known_heads: set[bytes] = set()


def _is_head(head: bytes) -> bool:
    """Whether `head` is all of an object up to its metadata's first field, and nothing but type and metadata."""
    if head in _known_heads:
        return True
    try:
        found = orjson.loads(head + b"}}")
    except orjson.JSONDecodeError:
        return False
    good = isinstance(found, dict) and found.pop("metadata", None) == {} and found.keys() <= {"apiVersion", "kind"}
    if good and len(_known_heads) < _HEADS_AT_MOST:
        _known_heads.add(head)
    return good


def canonical(value: bytes, decoded: dict[str, Any] | None = None) -> bytes:
    """The object with apiVersion, kind and metadata first, a metadata that is not empty, and no resourceVersion."""
    obj = dict(orjson.loads(value) if decoded is None else decoded)
    metadata = {k: v for k, v in (obj.pop("metadata", None) or {}).items() if k != "resourceVersion"}
    head = {k: obj.pop(k) for k in ("apiVersion", "kind") if k in obj}
    return orjson.dumps({**head, "metadata": metadata or {"name": ""}, **obj})


def spliced(value: bytes, revision: int) -> bytes:
    """The stored object with `revision` as its resourceVersion."""
    start = value.find(_METADATA, 0, _HEAD_AT_MOST) + len(_METADATA)
    head = value[:start]
    if head not in _known_heads and (start < len(_METADATA) or not _is_head(head)):
        return spliced(canonical(value), revision)
    end = len(value)
    while value[end - 1] == 10:  # upstream's encoder ends an object with a newline
        end -= 1
    if value[start] != 34 or value.startswith(b'"resourceVersion"', start):
        return spliced(canonical(value), revision)
    return b'%b"resourceVersion":"%d",%b' % (head, revision, value[start:end])


def respliced(data: bytes, revision: int) -> bytes:
    """What `spliced` made, with another resourceVersion."""
    start = data.index(_SPLICED) + len(_SPLICED)
    return b"%b%d%b" % (data[:start], revision, data[data.index(b'"', start) :])


def unspliced(data: bytes) -> bytes:
    """The stored bytes that `spliced` was given (without a newline at their end)."""
    start = data.index(_SPLICED) + len(_METADATA)
    return data[:start] + data[data.index(b",", start) + 1 :]
