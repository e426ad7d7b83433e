"""Say where an object does not fit its schema, in the words of upstream's decoder.

The slow twin of decoding.py: walks the object in the order of its fields, knows the path of each, finds the first value
of a wrong type and the names of all unknown fields. Only called when decoding found that something is wrong.

Source: Go's encoding/json (UnmarshalTypeError) and its strict fork sigs.k8s.io/json; the texts reach users in 400s.
"""

import binascii
import re
from collections.abc import Iterator
from typing import Any, Final

from kubepy.api import definitions, instants, quantity
from kubepy.api.definitions import Schema
from kubepy.api.go_values import json_type

_GO_TYPES: Final = {
    "boolean": "bool", "bytes": "[]uint8", "int32": "int32", "int64": "int64", "number": "float64", "string": "string",
}  # fmt: skip
_BITS: Final = {"int32": 31, "int64": 63}
_ACCEPTED: Final[dict[str, tuple[type, ...]]] = {
    "boolean": (bool,), "bytes": (str,), "list": (list,), "map": (dict,), "number": (int, float), "string": (str,),
    "struct": (dict,),
}  # fmt: skip


def go_type(schema: Schema) -> str:
    """The Go type that upstream's messages name: int32, []v1.Container, map[string]string, v1.PodSpec."""
    if schema.name:
        return ".".join(schema.name.split(".")[-2:])
    if schema.kind == "list":
        return f"[]{go_type(schema.items)}"
    if schema.kind == "map":
        return f"map[string]{go_type(schema.items)}"
    return _GO_TYPES.get(schema.kind, "interface {}")


def type_fault(schema: Schema, value: Any) -> str | None:
    """The first value that does not fit, in upstream's words; None when all do."""
    return next(_faults(schema, value, "", ()), None)


def _unmarshal(value: str, owner: str, path: tuple[str, ...], kind: str) -> str:
    place = f"Go struct field {owner}.{'.'.join(path)}" if owner else "Go value"
    return f"json: cannot unmarshal {value} into {place} of type {kind}"


def _faults(schema: Schema, value: Any, owner: str, path: tuple[str, ...]) -> Iterator[str]:
    """`owner` is the innermost struct's name, `path` the names of the fields down to here (no indexes, no keys)."""
    kind = schema.kind
    if value is None or kind == "any":
        return
    if kind == "props-or":
        schema = definitions.definition(definitions.JSON_SCHEMA_PROPS)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from _faults(schema, item, owner, path)
        return
    scalar = _scalar_fault(kind, value, owner, path)
    if scalar is not None:
        yield scalar
    accepted = _ACCEPTED.get(kind)
    if accepted and type(value) not in accepted:
        yield _unmarshal(json_type(value), owner, path, go_type(schema))
    elif kind == "struct":
        name = schema.name.rpartition(".")[2]
        for field, inner in value.items():
            if field in schema.properties:
                yield from _faults(schema.properties[field], inner, name, (*path, field))
    elif kind in ("list", "map"):
        for inner in value if kind == "list" else value.values():
            yield from _faults(schema.items, inner, owner, path)


def _scalar_fault(kind: str, value: Any, owner: str, path: tuple[str, ...]) -> str | None:
    if kind in _BITS:
        return _integer_fault(kind, value, owner, path)
    if kind == "quantity":
        return _quantity_fault(value)
    if kind in ("time", "micro-time"):
        if not isinstance(value, str):
            return _unmarshal(json_type(value), "", (), "string")
        return None if instants.parse(value) else instants.parse_fault(value)
    if kind == "int-or-string" and type(value) is not str:
        return _integer_fault("int32", value, "", ())
    if kind == "bytes" and isinstance(value, str):
        return _base64_fault(value)
    return None


def _integer_fault(kind: str, value: Any, owner: str, path: tuple[str, ...]) -> str | None:
    if type(value) is int:
        limit = 1 << _BITS[kind]
        return None if -limit <= value < limit else _unmarshal(f"number {value}", owner, path, kind)
    shown = f"number {value}" if type(value) is float else json_type(value)
    return _unmarshal(shown, owner, path, kind)


def _quantity_fault(value: Any) -> str | None:
    if type(value) not in (str, int, float):
        return quantity.FORMAT_FAULT
    try:
        quantity.canonical(value.strip() if isinstance(value, str) else value)
    except ValueError as fault:
        return str(fault)
    return None


def _base64_fault(value: str) -> str | None:
    text = value.replace("\n", "").replace("\r", "")
    try:
        binascii.a2b_base64(text.encode(), strict_mode=True)
    except ValueError:
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        at = next((i for i, character in enumerate(text) if character not in alphabet), len(text))
        return f"illegal base64 data at input byte {at}"
    return None


def drop_unknown(schema: Schema, value: Any, path: str = "") -> list[str]:
    """The paths (`spec.containers[0].foo`) of all fields that the schema does not know; they are removed in place."""
    if isinstance(value, dict) and schema.kind == "props-or":
        schema = definitions.definition(definitions.JSON_SCHEMA_PROPS)
    found: list[str] = []
    if isinstance(value, dict) and schema.kind in ("struct", "map"):
        known = schema.properties if schema.kind == "struct" else None
        for field in list(value):
            inner = f"{path}.{field}" if path else field
            if known is not None and field not in known:
                if not schema.preserve_unknown:
                    del value[field]
                    found.append(inner)
                continue
            found += drop_unknown(schema.child(field), value[field], inner)
    elif isinstance(value, list) and schema.kind in ("list", "props-or"):
        item = schema.items if schema.kind == "list" else schema
        for index, entry in enumerate(value):
            found += drop_unknown(item, entry, f"{path}[{index}]")
    return found


_UNMARSHAL = re.compile(r"json: cannot unmarshal (\w+)(?: \S+)? into Go .* of type (\S+)")
_GO_KINDS: Final = {"object": "map", "array": "slice", "bool": "bool", "string": "string", "number": "int64"}


def restoring_fault(fault: str) -> str:
    """The fault of `type_fault` as upstream words it for maps, which is what strategic merges work on.

    Source: apimachinery pkg/runtime/converter.go (fromUnstructured).
    """
    found = _UNMARSHAL.search(fault)
    if not found:
        return fault
    value, kind = _GO_KINDS.get(found[1], found[1]), found[2]
    if kind.startswith("map["):
        return f"cannot restore map from {value}"
    if kind.startswith("[]"):
        return f"cannot restore slice from {value}"
    if "." in kind:
        return f"cannot restore struct from: {value}"
    return f"cannot convert {value} to {kind}" if (value, kind) == ("int64", "string") else f"unrecognized type: {kind}"
