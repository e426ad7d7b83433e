"""Check and normalise an object by its kind's schema: the front of definitions, decoding and diagnosis.

`decode` is on the path of every write: it must not walk an object twice unless something is wrong with it.

Source: apimachinery pkg/runtime/serializer/json (strict decoding), apiserver pkg/endpoints/handlers/create.go.
"""

import json
from collections.abc import Iterable
from typing import Any, Final

from kubepy.api.decoding import DROP, Mismatch, decoder_of
from kubepy.api.definitions import Schema, schema_of
from kubepy.api.diagnosis import drop_unknown, type_fault
from kubepy.api.errors import BadRequest
from kubepy.api.meta import HasKind, Object

__all__ = ["Schema", "decode", "decode_fault", "decode_kind", "duplicate_fields", "schema_of", "strict_error"]


def decode(resource: HasKind, obj: Object, *, strict: bool = False) -> list[str]:
    """Make `obj` what upstream's types would hold, in place; the faults that only strict decoding minds.

    Those are texts such as `unknown field "spec.foo"`; the fields themselves are gone afterwards. With `strict` they
    are raised instead. A value of a wrong type raises BadRequest. A kind without a schema passes as it is.
    """
    return decode_kind(resource.api_version, resource.kind, obj, strict=strict)


def decode_kind(api_version: str, kind: str, obj: Object, *, strict: bool = False) -> list[str]:
    """As `decode`, for an object of a kind that is no resource (DeleteOptions, Scale, Binding)."""
    schema = schema_of(api_version, kind)
    if schema is None:
        return []
    faults = normalise(schema, obj, api_version, kind)
    if strict and faults:
        raise strict_error(faults)
    return faults


def normalise(schema: Schema, obj: Object, api_version: str, kind: str) -> list[str]:
    """As `decode`, for any schema; `api_version` and `kind` are only for the message."""
    unknown: list[str] = []
    try:
        kept = decoder_of(schema)(obj, unknown)
    except RecursionError:
        raise decode_fault(api_version, kind, "exceeded max depth") from None
    except Mismatch:
        raise decode_fault(api_version, kind, type_fault(schema, obj) or "json: cannot unmarshal the object") from None
    if unknown and kept is not DROP:
        return [f'unknown field "{path}"' for path in drop_unknown(schema, obj)][:_FAULTS_TOLD]
    return []


def decode_fault(api_version: str, kind: str, why: str, *, into: str = "") -> BadRequest:
    """What of a kind could not be read as an `into`; as that kind itself where none is named."""
    version = api_version.rpartition("/")[2]
    return BadRequest(f'{kind} in version "{version}" cannot be handled as a {into or kind}: {why}')


def strict_error(faults: Iterable[str]) -> BadRequest:
    return BadRequest(f"strict decoding error: {', '.join(faults)}")


_FAULTS_TOLD: Final = 100
"""How many faults strict decoding tells of."""
_TRAPS: Final = (b'\\\\"', b" :", b"\t:", b"\r:", b"\n:")


def duplicate_fields(raw: bytes, obj: Any) -> list[str]:
    r"""The fields that the JSON text names twice, as `duplicate field "spec.replicas"`.

    `obj` is what the text parsed to, before `decode`. Counting settles nearly every text: one with as many `":` as the
    object has keys repeats none (`\":` is inside of a string; where a string ends in a backslash, or a space stands
    before a colon, counting tells nothing).
    """
    written = raw.count(b'":') - raw.count(b'\\":')
    if written == _count_keys(obj) and not any(trap in raw for trap in _TRAPS):
        return []
    try:
        pairs = json.loads(raw, object_pairs_hook=_Pairs)
    except ValueError:  # orjson and json disagree on odd texts only; such a text has been parsed once already
        return []
    found: list[str] = []
    _collect_duplicates(pairs, "", found)
    return found


def _count_keys(obj: Any) -> int:
    count, pending = 0, [obj]
    while pending:
        value = pending.pop()
        if value.__class__ is dict:
            count += len(value)
            pending += [inner for inner in value.values() if inner.__class__ is dict or inner.__class__ is list]
        elif value.__class__ is list:
            pending += [inner for inner in value if inner.__class__ is dict or inner.__class__ is list]
    return count


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its keys as often as they are written."""


def _collect_duplicates(value: Any, path: str, found: list[str]) -> None:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, inner in value:
            place = f"{path}.{key}" if path else key
            if key in seen:
                text = f'duplicate field "{place}"'
                if text not in found:
                    found.append(text)
            seen.add(key)
            _collect_duplicates(inner, place, found)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _collect_duplicates(inner, f"{path}[{index}]", found)
