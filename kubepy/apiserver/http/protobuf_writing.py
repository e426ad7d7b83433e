"""Objects in Kubernetes' protobuf form, for clients that take nothing else.

Who takes JSON as well is given JSON, which is stored as it is sent. Fields that `protobuf_fields.json` does not know
(those of releases after it) are left out, as a client of that release would leave them out.
Source: apimachinery pkg/runtime/serializer/protobuf, pkg/util/framer (LengthDelimitedFramer).
"""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from kubepy.api import instants
from kubepy.api.meta import Object
from kubepy.apiserver.http.protobuf_reading import LISTS, MAGIC, Table, message_of, tables
from kubepy.lib.flags import parse_duration

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def encode_protobuf(obj: Object) -> bytes | None:
    """The object in its envelope; None for a kind that has no message (custom resources)."""
    api_version, kind = obj.get("apiVersion") or "", obj.get("kind") or ""
    message = message_of(api_version, kind)
    if message is None:
        return None
    type_meta = _part(1, api_version.encode()) + _part(2, kind.encode())
    return MAGIC + _part(1, type_meta) + _part(2, _message(obj, tables()[message]))


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


def _part(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)


def _message(obj: Mapping[str, Any], table: Table) -> bytes:
    out: list[bytes] = []
    for number, (name, kind) in table.items():
        if kind[0] == "@":
            inner = _message(obj, tables()[kind[1:]])
            if inner:
                out.append(_part(int(number), inner))
        elif (value := obj.get(name)) is not None:
            out.append(_field(int(number), value, kind))
    return b"".join(out)


def _field(number: int, value: Any, kind: str) -> bytes:
    if kind[0] == "*":
        return b"".join([_field(number, item, kind[1:]) for item in value if item is not None])
    if kind[0] == "{":
        return b"".join(
            [
                _part(number, _part(1, key.encode()) + _field(2, inner, kind[1:]))
                for key, inner in value.items()
                if inner is not None
            ]
        )
    if kind in ("i", "b"):
        return _number(number, int(value))
    return _part(number, _bytes_of(value, kind))


def _bytes_of(value: Any, kind: str) -> bytes:
    if kind == "s":
        return str(value).encode()
    if kind == "y":
        return base64.b64decode(value)
    if special := _SPECIAL.get(kind):
        return special(value)
    if kind in LISTS:
        return b"".join([_part(1, item.encode()) for item in value])
    return _message(value, tables()[kind])


def _time(value: str) -> bytes:
    moment = instants.parse(value)
    if moment is None:
        return b""
    since = moment - _EPOCH
    return _number(1, since.days * 86400 + since.seconds) + _number(2, since.microseconds * 1000)


def _int_or_string(value: int | str) -> bytes:
    return _number(1, 1) + _part(3, value.encode()) if isinstance(value, str) else _number(1, 0) + _number(2, value)


def _raw(value: Any) -> bytes:
    return _part(1, orjson.dumps(value))


_SPECIAL: Mapping[str, Callable[[Any], bytes]] = {
    "meta.v1.Time": _time,
    "meta.v1.MicroTime": _time,
    "resource.Quantity": lambda value: _part(1, str(value).encode()),
    "intstr.IntOrString": _int_or_string,
    "runtime.RawExtension": _raw,
    "meta.v1.FieldsV1": _raw,
    "meta.v1.Duration": lambda value: _number(1, round(parse_duration(value) * 1e9)),
}
