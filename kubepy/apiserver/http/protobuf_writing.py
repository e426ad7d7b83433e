"""Objects in Kubernetes' protobuf form, for clients that take nothing else.

Who takes JSON as well is given JSON, which is stored as it is sent. Each message is compiled once, when it is first
met, into how its fields are written.
Source: apimachinery pkg/runtime/serializer/protobuf, pkg/util/framer (LengthDelimitedFramer).
"""

import base64
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

import orjson

from kubepy.api import instants
from kubepy.api.meta import Object
from kubepy.apiserver.http.protobuf_messages import MAGIC, STRING_LISTS, message_of, tables
from kubepy.lib.flags import parse_duration

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VARINT, _FIXED64, _BYTES = 0, 1, 2
Write = Callable[[Any], bytes]
"""What a value is after its key: a number, or bytes with their length."""


def encode_protobuf(obj: Object) -> bytes | None:
    """The object in its envelope; None for a kind that has no message (custom resources)."""
    api_version, kind = obj.get("apiVersion") or "", obj.get("kind") or ""
    message = message_of(api_version, kind)
    if message is None:
        return None
    type_meta = _part(1, api_version.encode()) + _part(2, kind.encode())
    return MAGIC + _part(1, type_meta) + _part(2, _message(message, obj)) + _part(3, b"") + _part(4, b"")


def encode_event(kind: str, obj: Object) -> bytes:
    """A watch's event as a frame of its stream."""
    event = _part(1, kind.encode()) + _part(2, _part(1, encode_protobuf(obj) or b""))
    return len(event).to_bytes(4, "big") + event


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _int(value: Any) -> bytes:
    return _varint(int(value) & 0xFFFF_FFFF_FFFF_FFFF)


def _sized(data: bytes) -> bytes:
    return _varint(len(data)) + data


def _part(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _sized(data)


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _int(value)


@cache
def _compiled(message: str) -> tuple[tuple[str, str, bytes, Write], ...]:
    """(name, form, key, write) of every field; `form` is a list, a map, inline, or empty for one value."""
    return tuple(_field(int(number), name, kind) for number, (name, kind) in tables()[message].items())


def _field(number: int, name: str, kind: str) -> tuple[str, str, bytes, Write]:
    form, inner = (kind[0], kind[1:]) if kind[0] in "*{@" else ("", kind)
    key = _varint(number << 3 | (_BYTES if form == "{" else _wire(inner)))
    write = _writer(inner)
    return name, form, key, partial(_entry, key=_varint(2 << 3 | _wire(inner)), write=write) if form == "{" else write


def _wire(kind: str) -> int:
    return _VARINT if kind in ("i", "b") else _FIXED64 if kind == "d" else _BYTES


def _writer(kind: str) -> Write:
    if kind in _SCALARS:
        return _SCALARS[kind]
    make = _SPECIAL.get(kind) or (_strings if kind in STRING_LISTS else partial(_message, kind))
    return lambda value: _sized(make(value))


def _message(message: str, obj: Mapping[str, Any]) -> bytes:
    out: list[bytes] = []
    for name, form, key, write in _compiled(message):
        if form == "@":
            out.append(key + write(obj))
            continue
        value = obj.get(name)
        if value is None:
            continue
        if form == "":
            out.append(key + write(value))
        elif form == "*":
            out.extend([key + write(item) for item in value if item is not None])
        else:
            out.extend([key + write(item) for item in value.items() if item[1] is not None])
    return b"".join(out)


def _entry(item: tuple[str, Any], *, key: bytes, write: Write) -> bytes:
    return _sized(_part(1, item[0].encode()) + key + write(item[1]))


def _strings(value: list[str]) -> bytes:
    return b"".join([_part(1, item.encode()) for item in value])


def _time(value: str) -> bytes:
    moment = instants.parse(value)
    if moment is None:
        return b""
    since = moment - _EPOCH
    return _number(1, since.days * 86400 + since.seconds) + _number(2, since.microseconds * 1000)


def _int_or_string(value: int | str) -> bytes:
    if isinstance(value, str):
        return _number(1, 1) + _number(2, 0) + _part(3, value.encode())
    return _number(1, 0) + _number(2, value) + _part(3, b"")


def _raw(value: Any) -> bytes:
    return _part(1, orjson.dumps(value))


def _props_or(value: Any, *, schema: int, other: int) -> bytes:
    """A JSONSchemaProps, or a boolean, a list of such or a list of strings."""
    if isinstance(value, dict):
        return (_number(other, 1) if schema == 2 else b"") + _part(schema, _message(_PROPS, value))
    if isinstance(value, bool):
        return _number(other, value)
    items = value if isinstance(value, list) else []
    return b"".join(
        [_part(other, item.encode() if isinstance(item, str) else _message(_PROPS, item)) for item in items]
    )


_PROPS = "apiextensions.v1.JSONSchemaProps"
_SCALARS: Mapping[str, Write] = {
    "s": lambda value: _sized(str(value).encode()),
    "i": _int,
    "b": _int,
    "y": lambda value: _sized(base64.b64decode(value)),
    "d": lambda value: struct.pack("<d", value),
}
_SPECIAL: Mapping[str, Write] = {
    "meta.v1.Time": _time,
    "meta.v1.MicroTime": _time,
    "resource.Quantity": lambda value: _part(1, str(value).encode()),
    "intstr.IntOrString": _int_or_string,
    "runtime.RawExtension": _raw,
    "meta.v1.FieldsV1": _raw,
    "meta.v1.Duration": lambda value: _number(1, round(parse_duration(value) * 1e9)),
    "apiextensions.v1.JSON": _raw,
    "apiextensions.v1.JSONSchemaPropsOrArray": partial(_props_or, schema=1, other=2),
    "apiextensions.v1.JSONSchemaPropsOrBool": partial(_props_or, schema=2, other=1),
    "apiextensions.v1.JSONSchemaPropsOrStringArray": partial(_props_or, schema=1, other=2),
}
