"""Bodies in Kubernetes' protobuf form, read into the plain dicts that their JSON would give.

kubectl from 1.32 on, and upstream's own components, send their typed objects so; answers to them are JSON, which
they all accept (see `protobuf_writing.py` for who does not). What Go writes that JSON leaves out (zero values) is
dropped by decoding against the schema.
The numbers and types of fields are in protobuf_fields.json: per message, number -> [name, type], where a type is
s, i, b, y, d or a message, after `*` for a list, `{` for a map of it, `@` for a message whose fields JSON has inline.
Source: apimachinery pkg/runtime/serializer/protobuf; the generated.proto files of Kubernetes v1.33.
"""

import base64
import importlib.resources
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson

from kubepy.api.meta import Object

MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64_SIGN = 1 << 63
LISTS = frozenset(("authentication.v1.ExtraValue", "authorization.v1.ExtraValue", "certificates.v1.ExtraValue",
                    "meta.v1.Verbs"))  # fmt: skip
Table = Mapping[str, tuple[str, str]]


@cache
def tables() -> dict[str, Table]:
    """The fields of every message by number: see the module's docstring."""
    text = importlib.resources.files("kubepy.apiserver.http").joinpath("protobuf_fields.json").read_bytes()
    found: dict[str, Table] = orjson.loads(text)
    return found


def parse_protobuf(body: bytes) -> Object:
    """The object in a body, with its apiVersion and kind. Raises ValueError."""
    if not body.startswith(MAGIC):
        raise ValueError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    envelope: dict[int, Any] = dict(_fields(body[len(MAGIC) :]))
    api_version, kind = _type_meta(envelope.get(1, b""))
    message = message_of(api_version, kind)
    if message is None:
        raise ValueError(f'no kind "{kind}" is registered for version "{api_version}"')
    return {"apiVersion": api_version, "kind": kind, **_object(envelope.get(2, b""), tables()[message])}


def message_of(api_version: str, kind: str) -> str | None:
    """The message that a kind is sent as, or None."""
    group, _, version = api_version.rpartition("/")
    short = group.partition(".")[0] or "core"
    for name in (f"{short}.{version}.{kind}", f"meta.v1.{kind}"):
        if name in tables():
            return name
    return None


def _type_meta(data: bytes) -> tuple[str, str]:
    found = {number: bytes(value).decode() for number, value in _fields(data)}
    return found.get(1, ""), found.get(2, "")


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message as (number, int or bytes). Raises ValueError."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        wire = key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif wire == _BYTES:
            size, at = _varint(data, at)
            if at + size > end:
                raise ValueError("unexpected EOF")
            yield key >> 3, data[at : at + size]
            at += size
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
            yield key >> 3, int.from_bytes(data[at : at + size], "little")
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


def _object(data: bytes, table: Table) -> Object:
    found: Object = {}
    for number, value in _fields(data):
        row = table.get(str(number))
        if row is None:
            continue  # a field of a later release, which an unknown JSON field would be too
        name, kind = row
        first = kind[0]
        if first == "*":
            found.setdefault(name, []).append(_value(value, kind[1:]))
        elif first == "{":
            key, inner = _entry(value, kind[1:])
            found.setdefault(name, {})[key] = inner
        elif first == "@":
            found.update(_object(value, tables()[kind[1:]]))
        else:
            found[name] = _value(value, kind)
    return found


def _entry(data: bytes, kind: str) -> tuple[str, Any]:
    pair = dict(_fields(data))
    empty: Any = 0 if kind in ("i", "b") else b""
    return bytes(pair.get(1, b"")).decode(), _value(pair.get(2, empty), kind)


def _value(value: Any, kind: str) -> Any:
    if kind == "s":
        return value.decode()
    if kind == "i":
        return value - (_INT64_SIGN << 1) if value >= _INT64_SIGN else value
    if kind == "b":
        return bool(value)
    if kind == "y":
        return base64.b64encode(value).decode()
    special = _SPECIAL.get(kind)
    if special is not None:
        return special(value)
    if kind in LISTS:
        return [bytes(item).decode() for _, item in _fields(value)]
    return _object(value, tables()[kind])


def _moment(data: bytes) -> datetime | None:
    found = dict(_fields(data))
    seconds = _value(found.get(1, 0), "i")
    if not data or seconds <= -62135596800:  # Go's zero time
        return None
    return _EPOCH + timedelta(seconds=seconds, microseconds=found.get(2, 0) // 1000)


def _time(data: bytes) -> str | None:
    moment = _moment(data)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def _micro_time(data: bytes) -> str | None:
    moment = _moment(data)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None


def _quantity(data: bytes) -> str:
    return bytes(dict(_fields(data)).get(1, b"0")).decode() or "0"


def _int_or_string(data: bytes) -> int | str:
    found = dict(_fields(data))
    if found.get(1):
        return bytes(found.get(3, b"")).decode()
    return int(_value(found.get(2, 0), "i"))


def _raw(data: bytes) -> Any:
    raw = dict(_fields(data)).get(1, b"")
    return orjson.loads(raw) if raw else None


def _duration(data: bytes) -> str:
    return f"{_value(dict(_fields(data)).get(1, 0), 'i') / 1e9:g}s"


_SPECIAL: Mapping[str, Callable[[bytes], Any]] = {
    "meta.v1.Time": _time,
    "meta.v1.MicroTime": _micro_time,
    "resource.Quantity": _quantity,
    "intstr.IntOrString": _int_or_string,
    "runtime.RawExtension": _raw,
    "meta.v1.FieldsV1": _raw,
    "meta.v1.Duration": _duration,
}
