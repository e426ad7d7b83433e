"""Bodies in Kubernetes' protobuf form, read into the plain dicts that their JSON would give.

kubectl from 1.32 on, and upstream's own components, send their typed objects so; answers to them are JSON, which
they all accept (see `protobuf_writing.py` for who does not). What Go writes that JSON leaves out (zero values) is
dropped by decoding against the schema.
Each message is compiled once, when it is first met, into a table by number of how its fields are read.
Source: apimachinery pkg/runtime/serializer/protobuf; gogo/protobuf's decoders for what is refused, and how.
"""

import base64
import struct
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any, NamedTuple

import orjson

from kubepy.api import instants
from kubepy.api.meta import Object
from kubepy.apiserver.http.protobuf_messages import MAGIC, SCHEME, STRING_LISTS, message_of, tables

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_VARINT_BITS = 70
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GO_ZERO_TIME_S = -62135596800
_INT64_SIGN = 1 << 63
_GO_DURATION_UNIT = 1e9


class BrokenMessage(ValueError):
    """The message of an object whose kind was told is none of that kind."""

    def __init__(self, api_version: str, kind: str, why: str) -> None:
        super().__init__(why)
        self.api_version = api_version
        self.kind = kind


class _Field(NamedTuple):
    """How a field is read. `form` is how its type starts in the table; empty for one value."""

    name: str
    wire: int
    form: str
    read: Callable[[Any], Any]


def parse_protobuf(body: bytes) -> Object:
    """The object in a body, with its apiVersion and kind. Raises ValueError, BrokenMessage where the kind is known."""
    if not body.startswith(MAGIC):
        raise ValueError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    envelope = _parts(body[len(MAGIC) :])
    type_meta = _parts(envelope.get(1, b""))
    api_version, kind = type_meta.get(1, b"").decode(), type_meta.get(2, b"").decode()
    message = message_of(api_version, kind)
    if message is None:
        why = f'no kind "{kind}" is registered for version "{api_version}" {SCHEME}'
        raise BrokenMessage(api_version, kind, why) if kind else ValueError(why)
    try:
        return {"apiVersion": api_version, "kind": kind, **_read(message, envelope.get(2, b""))}
    except ValueError as fault:
        raise BrokenMessage(api_version, kind, str(fault)) from fault


def _fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """The fields of a message as (number, wire type, int or bytes). Raises ValueError."""
    at, end = 0, len(data)
    while at < end:
        key = data[at]
        at += 1
        if key > 127:
            key, at = _varint(data, at - 1)
        wire = key & 7
        if wire == _BYTES:
            size, at = _varint(data, at)
            if at + size > end:
                raise ValueError("unexpected EOF")
            yield key >> 3, wire, data[at : at + size]
            at += size
        elif wire == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, wire, value
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
            if at + size > end:
                raise ValueError("unexpected EOF")
            yield key >> 3, wire, data[at : at + size]
            at += size
        else:
            raise ValueError(f"proto: illegal wireType {wire}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("unexpected EOF")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift >= _VARINT_BITS:
            raise ValueError("proto: integer overflow")


def _parts(data: bytes) -> dict[int, bytes]:
    """The fields of a message that are bytes."""
    return {number: value for number, wire, value in _fields(data) if wire == _BYTES}


def _numbers(data: bytes) -> dict[int, int]:
    """The fields of a message that are integers."""
    return {number: _int(value) for number, wire, value in _fields(data) if wire == _VARINT}


@cache
def _compiled(message: str) -> dict[int, _Field]:
    return {int(number): _field(name, kind) for number, (name, kind) in tables()[message].items()}


def _field(name: str, kind: str) -> _Field:
    form, inner = (kind[0], kind[1:]) if kind[0] in "*{@" else ("", kind)
    read = _reader(inner)
    if form == "{":
        return _Field(name, _BYTES, form, partial(_entry, read=read, wire=_wire(inner), empty=_EMPTY.get(inner, b"")))
    return _Field(name, _wire(inner), form, read)


def _wire(kind: str) -> int:
    return _VARINT if kind in ("i", "b") else _FIXED64 if kind == "d" else _BYTES


def _reader(kind: str) -> Callable[[Any], Any]:
    found = _SCALARS.get(kind) or _SPECIAL.get(kind)
    if found is not None:
        return found
    return _strings if kind in STRING_LISTS else partial(_read, kind)


def _read(message: str, data: bytes) -> Object:
    known = _compiled(message)
    found: Object = {}
    for number, wire, value in _fields(data):
        field = known.get(number)
        if field is None:
            continue  # a field of a later release, which an unknown JSON field would be too
        name, expected, form, read = field
        if wire != expected:
            if form == "*" and expected == _VARINT and wire == _BYTES:
                found.setdefault(name, []).extend(map(read, _packed(value)))
                continue
            raise ValueError(f"proto: wrong wireType = {wire} for field {name}")
        if form == "":
            found[name] = read(value)
        elif form == "*":
            items = found.get(name)
            if items is None:
                items = found[name] = []
            items.append(read(value))
        elif form == "{":
            key, inner = read(value)
            found.setdefault(name, {})[key] = inner
        else:
            found.update(read(value))
    return found


def _packed(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _entry(data: bytes, *, read: Callable[[Any], Any], wire: int, empty: Any) -> tuple[str, Any]:
    key, value = b"", empty
    for number, found_wire, found in _fields(data):
        if number == 1 and found_wire == _BYTES:
            key = found
        elif number == 2:
            if found_wire != wire:
                raise ValueError(f"proto: wrong wireType = {found_wire} for field value")
            value = found
    return key.decode(), read(value)


def _int(value: int) -> int:
    value &= (_INT64_SIGN << 1) - 1
    return value - (_INT64_SIGN << 1) if value >= _INT64_SIGN else value


def _strings(data: bytes) -> list[str]:
    return [value.decode() for number, wire, value in _fields(data) if number == 1 and wire == _BYTES]


def _moment(data: bytes) -> datetime | None:
    found = _numbers(data)
    seconds = found.get(1, 0)
    if not data or seconds <= _GO_ZERO_TIME_S:
        return None
    try:
        return _EPOCH + timedelta(seconds=seconds, microseconds=found.get(2, 0) // 1000)
    except OverflowError:
        raise ValueError("Time.MarshalJSON: year outside of range [0,9999]") from None


def _time(data: bytes) -> str | None:
    moment = _moment(data)
    return instants.normal_time(moment) if moment else None


def _micro_time(data: bytes) -> str | None:
    moment = _moment(data)
    return instants.normal_micro_time(moment) if moment else None


def _quantity(data: bytes) -> str:
    return _parts(data).get(1, b"").decode() or "0"


def _int_or_string(data: bytes) -> int | str:
    numbers = _numbers(data)
    return _parts(data).get(3, b"").decode() if numbers.get(1) else numbers.get(2, 0)


def _raw(data: bytes) -> Any:
    raw = _parts(data).get(1, b"")
    if raw.startswith(MAGIC):  # an object in a list of any kinds
        return parse_protobuf(raw)
    return orjson.loads(raw) if raw else None


def _duration(data: bytes) -> str:
    return f"{_numbers(data).get(1, 0) / _GO_DURATION_UNIT:g}s"


def _props_or_array(data: bytes) -> Any:
    schema, many = None, []
    for number, wire, value in _fields(data):
        if wire == _BYTES and number == 1:
            schema = _read(_PROPS, value)
        elif wire == _BYTES and number == 2:
            many.append(_read(_PROPS, value))
    return many if many or schema is None else schema


def _props_or_bool(data: bytes) -> Any:
    parts = _parts(data)
    return _read(_PROPS, parts[2]) if 2 in parts else bool(_numbers(data).get(1))


def _props_or_strings(data: bytes) -> Any:
    strings = [value.decode() for number, wire, value in _fields(data) if number == 2 and wire == _BYTES]
    parts = _parts(data)
    return strings if strings or 1 not in parts else _read(_PROPS, parts[1])


_PROPS = "apiextensions.v1.JSONSchemaProps"
_EMPTY: Mapping[str, Any] = {"i": 0, "b": 0, "d": bytes(8)}
_SCALARS: Mapping[str, Callable[[Any], Any]] = {
    "s": bytes.decode,
    "i": _int,
    "b": bool,
    "y": lambda value: base64.b64encode(value).decode(),
    "d": lambda value: struct.unpack("<d", value)[0],
}
_SPECIAL: Mapping[str, Callable[[bytes], Any]] = {
    "meta.v1.Time": _time,
    "meta.v1.MicroTime": _micro_time,
    "resource.Quantity": _quantity,
    "intstr.IntOrString": _int_or_string,
    "runtime.RawExtension": _raw,
    "meta.v1.FieldsV1": _raw,
    "meta.v1.Duration": _duration,
    "apiextensions.v1.JSON": _raw,
    "apiextensions.v1.JSONSchemaPropsOrArray": _props_or_array,
    "apiextensions.v1.JSONSchemaPropsOrBool": _props_or_bool,
    "apiextensions.v1.JSONSchemaPropsOrStringArray": _props_or_strings,
}
