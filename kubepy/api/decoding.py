"""Turn parsed JSON into an object as upstream's Go types would hold it: checked, normalised, in place, fast.

Each definition is compiled once, when a field of its type is first met, into a closure over plain dicts and sets. The
closures know no paths: on any fault they raise Mismatch or note an unknown key, and `diagnosis.py` walks again, slowly,
to say where. Decoding is idempotent.

Normalised is what a Go struct forgets or adds: null is absent; an empty list, map, string, 0 or false is absent where
the field is optional and no pointer; a required scalar or a nested struct that is no pointer is written out when
absent. Which fields these are is in zero_values.json (facts of the types that no OpenAPI document carries):
`keep` are optional pointers, `fill` optional yet always written, `unset` required pointers, `structs` no pointers,
`null` times that are no pointers and lists that are always written: their zero is null.

Source: encoding/json as the API types use it (staging/src/k8s.io/api), resource.Quantity, metav1.Time.
"""

import binascii
import importlib.resources
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, Final

import msgspec

from kubepy.api import definitions, instants, quantity
from kubepy.api.definitions import Schema

Decoder = Callable[[Any, list[str]], Any]
"""Takes a value and the list that unknown keys are noted in; answers the value to keep, or DROP."""


class Mismatch(Exception):
    """A value does not fit its type; who wants to know where asks diagnosis.py."""


class _Drop:
    """The value is as good as absent."""


DROP: Final = _Drop()
_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)


class ZeroValues(msgspec.Struct, frozen=True):
    """What a definition's Go struct does with absent and zero values (see the module's docstring)."""

    keep: frozenset[str] = frozenset()
    fill: tuple[str, ...] = ()
    unset: frozenset[str] = frozenset()
    structs: tuple[str, ...] = ()
    null: frozenset[str] = frozenset()


_NO_ZERO_VALUES: Final = ZeroValues()


@cache
def _zero_values() -> dict[str, ZeroValues]:
    data = importlib.resources.files("kubepy.api").joinpath("zero_values.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, ZeroValues])


def any_value(value: Any, unknown: list[str]) -> Any:
    return value


def _bytes(value: Any, unknown: list[str]) -> Any:
    if value.__class__ is not str:
        raise Mismatch
    # base64 may come wrapped into lines, as the command of that name prints it: Go reads over the line ends
    text = value.replace("\n", "").replace("\r", "") if "\n" in value or "\r" in value else value
    try:
        binascii.a2b_base64(text.encode(), strict_mode=True)
    except ValueError:
        raise Mismatch from None
    return text


def _number(value: Any, unknown: list[str]) -> Any:
    if value.__class__ is float or value.__class__ is int:
        return value
    raise Mismatch


def _int32(value: Any, unknown: list[str]) -> Any:
    if value.__class__ is int and value in _INT32:
        return value
    raise Mismatch


def _int64(value: Any, unknown: list[str]) -> Any:
    if value.__class__ is int and value in _INT64:
        return value
    raise Mismatch


def _string(value: Any, unknown: list[str]) -> Any:
    if value.__class__ is str:
        return value
    raise Mismatch


def _boolean(value: Any, unknown: list[str]) -> Any:
    if value.__class__ is bool:
        return value
    raise Mismatch


def _quantity(value: Any, unknown: list[str]) -> Any:
    kind = value.__class__
    if kind is not str and kind is not int and kind is not float:
        raise Mismatch
    try:
        written = quantity.canonical(value.strip() if kind is str else value)
    except ValueError:
        raise Mismatch from None
    return value if written == value else written


def _int_or_string(value: Any, unknown: list[str]) -> Any:
    if value.__class__ is str or (value.__class__ is int and value in _INT32):
        return value
    raise Mismatch


def _time(value: Any, unknown: list[str]) -> Any:
    return _instant(value, instants.normal_time)


def _micro_time(value: Any, unknown: list[str]) -> Any:
    return _instant(value, instants.normal_micro_time)


def _instant(value: Any, normal: Callable[[datetime], str]) -> Any:
    if value.__class__ is not str:
        raise Mismatch
    moment = instants.parse(value)
    if moment is None:
        raise Mismatch
    written = normal(moment)
    if written.startswith("0001-01-01T00:00:00"):
        return DROP
    return value if written == value else written


_SCALARS: Final[dict[str, Decoder]] = {
    "any": any_value,
    "boolean": _boolean,
    "bytes": _bytes,
    "int-or-string": _int_or_string,
    "int32": _int32,
    "int64": _int64,
    "micro-time": _micro_time,
    "number": _number,
    "quantity": _quantity,
    "string": _string,
    "time": _time,
}
_ZEROES: Final[dict[str, Callable[[], Any]]] = {
    "boolean": bool, "bytes": str, "int-or-string": int, "int32": int, "int64": int, "number": int,
    "quantity": lambda: "0", "string": str,
}  # fmt: skip
_PLAIN: Final = {"string": str, "boolean": bool}


def _zero_of(schema: Schema) -> Any:
    """What null stands for inside a list or a map."""
    make = _ZEROES.get(schema.kind)
    if make is not None:
        return make()
    return decoder_of(schema)({}, []) if schema.kind in ("struct", "map") else None


def _list(schema: Schema) -> Decoder:
    items = schema.items
    decode = decoder_of(items)

    def decode_list(value: Any, unknown: list[str]) -> Any:
        if value.__class__ is not list:
            raise Mismatch
        for index, item in enumerate(value):
            kept = _zero_of(items) if item is None else decode(item, unknown)
            if kept is not item:
                value[index] = None if kept is DROP else kept
        return value

    return decode_list


def _string_list(value: Any, unknown: list[str]) -> Any:
    if value.__class__ is not list:
        raise Mismatch
    for index, item in enumerate(value):
        if item.__class__ is not str:
            if item is not None:
                raise Mismatch
            value[index] = ""
    return value


def _map(schema: Schema) -> Decoder:
    items = schema.items
    decode = decoder_of(items)

    def decode_map(value: Any, unknown: list[str]) -> Any:
        if value.__class__ is not dict:
            raise Mismatch
        for key, item in value.items():
            kept = _zero_of(items) if item is None else decode(item, unknown)
            if kept is not item:
                value[key] = None if kept is DROP else kept
        return value

    return decode_map


def _string_map(value: Any, unknown: list[str]) -> Any:
    if value.__class__ is not dict:
        raise Mismatch
    for key, item in value.items():
        if item.__class__ is not str:
            if item is not None:
                raise Mismatch
            value[key] = ""
    return value


def _optional(decode: Decoder) -> Decoder:
    """Zero, empty or DROP: all are absent."""

    def decode_optional(value: Any, unknown: list[str]) -> Any:
        return decode(value, unknown) or DROP

    return decode_optional


def _props_or(value: Any, unknown: list[str]) -> Any:
    """A JSONSchemaProps, or a boolean, a list of such or a list of strings."""
    if value.__class__ is dict:
        return decoder_of(definitions.definition(definitions.JSON_SCHEMA_PROPS))(value, unknown)
    if value.__class__ is list:
        for item in value:
            _props_or(item, unknown)
    elif value.__class__ is not bool and value.__class__ is not str:
        raise Mismatch
    return value


class _Fields:
    """What a struct's closure needs of its fields; decoders of fields that are structs are made when first met."""

    def __init__(self, schema: Schema) -> None:
        zero = _zero_values().get(schema.name, _NO_ZERO_VALUES)
        self.plain: dict[str, type] = {}
        self.decoders: dict[str, Decoder] = {}
        self.keep = (schema.required | zero.keep | frozenset(zero.fill)) - zero.null
        for field, node in schema.properties.items():
            if node.kind in _PLAIN:
                self.plain[field] = _PLAIN[node.kind]
            else:
                self.decoders[field] = self._field_decoder(field, node)
        self.fill: tuple[tuple[str, Callable[[], Any]], ...] = tuple(self._fillers(schema, zero))

    def _field_decoder(self, field: str, node: Schema) -> Decoder:
        kept = field in self.keep
        if node.kind in _SCALARS:
            decode = _SCALARS[node.kind]
            # a quantity or a time is a struct in Go: its zero is written; bytes that are empty are not
            droppable = node.kind in ("int32", "int64", "number", "bytes")
            return _optional(decode) if droppable and not kept else decode

        def decode_first(value: Any, unknown: list[str]) -> Any:
            decode = decoder_of(node)
            if node.kind in ("list", "map") and not kept:
                decode = _optional(decode)
            self.decoders[field] = decode
            return decode(value, unknown)

        return decode_first

    @staticmethod
    def _fillers(schema: Schema, zero: ZeroValues) -> list[tuple[str, Callable[[], Any]]]:
        found: list[tuple[str, Callable[[], Any]]] = []
        for field, node in schema.properties.items():
            if field in zero.structs:
                found.append((field, _empty_struct(node)))
            elif field in zero.null:
                found.append((field, _nothing))
            elif (field in schema.required and field not in zero.unset) or field in zero.fill:
                make = _ZEROES.get(node.kind)
                told = field in zero.fill and node.kind == "quantity"
                if make is not None and (told or node.kind not in ("bytes", "int-or-string", "quantity")):
                    found.append((field, make))
        return found


def _nothing() -> None:
    return None


def _empty_struct(node: Schema) -> Callable[[], Any]:
    return lambda: decoder_of(node)({}, [])


def _struct(schema: Schema) -> Decoder:
    fields = _Fields(schema)
    plain, decoders, keep, fill = fields.plain, fields.decoders, fields.keep, fields.fill

    def decode_struct(obj: Any, unknown: list[str]) -> Any:
        if obj.__class__ is not dict:
            raise Mismatch
        drop: list[str] = []
        for key, value in obj.items():
            if value.__class__ is plain.get(key):
                if value or key in keep:
                    continue
            elif value is None:
                if key not in plain and key not in decoders:
                    unknown.append(key)
                    continue
            else:
                decode = decoders.get(key)
                if decode is None:
                    if key in plain:
                        raise Mismatch
                    unknown.append(key)
                    continue
                kept = decode(value, unknown)
                if kept is value:
                    continue
                if kept is not DROP:
                    obj[key] = kept
                    continue
            drop.append(key)
        for key in drop:
            del obj[key]
        for key, make in fill:
            if key not in obj:
                obj[key] = make()
        return obj

    return decode_struct


_STRUCTS: dict[str, Decoder] = {}


def decoder_of(schema: Schema) -> Decoder:
    """The compiled decoder of a node; one per definition, shared by all its uses."""
    kind = schema.kind
    if kind == "struct":
        if not schema.name:
            return _struct(schema)
        found = _STRUCTS.get(schema.name)
        if found is None:
            found = _STRUCTS[schema.name] = _struct(schema)
        return found
    if kind == "list":
        return _string_list if schema.items.kind == "string" else _list(schema)
    if kind == "map":
        return _string_map if schema.items.kind == "string" else _map(schema)
    return _props_or if kind == "props-or" else _SCALARS[kind]
