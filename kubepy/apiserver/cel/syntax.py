"""The checked syntax tree, read from the bytes in which the checker gives it (cel.expr.CheckedExpr and ParsedExpr).

Read by hand: two dozen message fields are used, and the daemon is spared a set of message classes.
Source: cel-spec proto/cel/expr/syntax.proto and checked.proto.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kubepy.apiserver.cel.values import UInt

Fields = dict[int, list[Any]]


@dataclass(slots=True)
class Node:
    """Any expression; `id` finds its type in `Tree.types`."""

    id: int


@dataclass(slots=True)
class Constant(Node):
    value: Any


@dataclass(slots=True)
class Ident(Node):
    name: str


@dataclass(slots=True)
class Select(Node):
    """`operand.field`, or whether it is there."""

    operand: Node
    field: str
    is_test: bool


@dataclass(slots=True)
class Call(Node):
    target: Node | None
    function: str
    arguments: list[Node]


@dataclass(slots=True)
class ListLiteral(Node):
    """`optional` are the positions of elements written `?x`."""

    elements: list[Node]
    optional: frozenset[int]


@dataclass(slots=True)
class Entry:
    """One entry of a map or message: `key` is a name for a message."""

    key: Node | str
    value: Node
    is_optional: bool


@dataclass(slots=True)
class MapLiteral(Node):
    """A map, or a message when it has a name."""

    name: str
    entries: list[Entry]


@dataclass(slots=True)
class Comprehension(Node):
    """A fold over a list or map: what all macros become."""

    variable: str
    second: str
    range: Node
    accumulator: str
    initial: Node
    condition: Node
    step: Node
    result: Node


@dataclass(slots=True)
class Type:
    """A checked type: its name, and what it is made of. `message` is set for objects with fields."""

    name: str
    parameters: tuple["Type", ...] = ()
    is_message: bool = False


def shown_type(kind: Type) -> str:
    """A type as messages have it: `list(int)`."""
    if not kind.parameters:
        return kind.name
    return f"{kind.name}({', '.join(map(shown_type, kind.parameters))})"


@dataclass(slots=True)
class Tree:
    """A whole expression. `types` is empty when it was not checked; `positions` are where in the text nodes are."""

    root: Node
    types: Mapping[int, Type] = field(default_factory=dict)
    positions: Mapping[int, int] = field(default_factory=dict)


_PRIMITIVES: Final = ("", "bool", "int", "uint", "double", "string", "bytes")
_WELL_KNOWN: Final = ("", "dyn", "google.protobuf.Timestamp", "google.protobuf.Duration")


def _fields(data: bytes) -> Fields:
    """A message's fields by number; nested messages stay bytes."""
    found: Fields = {}
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        value: Any
        if tag & 7 == 0:
            value, at = _varint(data, at)
        elif tag & 7 == 1:
            value, at = data[at : at + 8], at + 8
        else:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        found.setdefault(tag >> 3, []).append(value)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _one(fields: Fields, number: int, otherwise: Any = b"") -> Any:
    return fields[number][-1] if number in fields else otherwise


def _text(fields: Fields, number: int) -> str:
    return str(_one(fields, number), "utf-8")


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number


def read(data: bytes) -> Tree:
    """The tree in what `Expression.serialize` gives: a google.protobuf.Any."""
    outer = _fields(data)
    inner = _fields(_one(outer, 2))
    if not _text(outer, 1).endswith("CheckedExpr"):
        return Tree(_node(_one(inner, 2)))
    types = {}
    for pair in map(_fields, inner.get(3, ())):
        types[_one(pair, 1, 0)] = _type(_one(pair, 2))
    pairs = map(_fields, _fields(_one(inner, 5)).get(4, ()))
    return Tree(_node(_one(inner, 4)), types, {_one(pair, 1, 0): _one(pair, 2, 0) for pair in pairs})


def _type(data: bytes) -> Type:
    fields = _fields(data)
    number, values = next(iter(fields.items()), (1, [b""]))
    value: Any = values[-1]
    if number in (3, 4):
        return Type(_PRIMITIVES[value])
    if number == 5:
        return Type(_WELL_KNOWN[value])
    if number == 6:
        return Type("list", (_type(_one(_fields(value), 1)),))
    if number == 7:
        inner = _fields(value)
        return Type("map", (_type(_one(inner, 1)), _type(_one(inner, 2))))
    if number == 9:
        return Type(str(value, "utf-8"), is_message=True)
    if number == 11:
        return Type("type", (_type(value),))
    if number == 14:
        inner = _fields(value)
        return Type(_text(inner, 1), tuple(map(_type, inner.get(2, ()))))
    return Type("null_type" if number == 2 else "dyn")


def _node(data: bytes) -> Node:
    fields = _fields(data)
    place = _one(fields, 2, 0)
    for number, make in _KINDS.items():
        if number in fields:
            return make(place, _fields(_one(fields, number)))
    raise ValueError("an expression without a kind")


def _constant(place: int, fields: Fields) -> Node:
    number, values = next(iter(fields.items()))
    return Constant(place, _CONSTANTS[number](values[-1]))


def _select(place: int, fields: Fields) -> Node:
    return Select(place, _node(_one(fields, 1)), _text(fields, 2), bool(_one(fields, 3, 0)))


def _call(place: int, fields: Fields) -> Node:
    target = _node(_one(fields, 1)) if 1 in fields else None
    return Call(place, target, _text(fields, 2), [_node(each) for each in fields.get(3, ())])


def _list(place: int, fields: Fields) -> Node:
    optional: set[int] = set()
    for packed in fields.get(2, ()):
        if isinstance(packed, int):
            optional.add(packed)
            continue
        at = 0
        while at < len(packed):
            index, at = _varint(packed, at)
            optional.add(index)
    return ListLiteral(place, [_node(each) for each in fields.get(1, ())], frozenset(optional))


def _map(place: int, fields: Fields) -> Node:
    entries = []
    for entry in map(_fields, fields.get(2, ())):
        key: Node | str = _text(entry, 2) if 2 in entry else _node(_one(entry, 3))
        entries.append(Entry(key, _node(_one(entry, 4)), bool(_one(entry, 5, 0))))
    return MapLiteral(place, _text(fields, 1), entries)


def _comprehension(place: int, fields: Fields) -> Node:
    nodes = [_node(_one(fields, number)) for number in (2, 4, 5, 6, 7)]
    return Comprehension(
        place, _text(fields, 1), _text(fields, 8), nodes[0], _text(fields, 3), nodes[1], nodes[2], nodes[3], nodes[4]
    )


_CONSTANTS: Final[Mapping[int, Any]] = {
    1: lambda _: None,
    2: bool,
    3: _signed,
    4: UInt,
    5: lambda raw: struct.unpack("<d", raw)[0],
    6: lambda raw: str(raw, "utf-8"),
    7: bytes,
}
_KINDS: Final[Mapping[int, Callable[[int, Fields], Node]]] = {
    3: _constant,
    4: lambda place, fields: Ident(place, _text(fields, 1)),
    5: _select,
    6: _call,
    7: _list,
    8: _map,
    9: _comprehension,
}
