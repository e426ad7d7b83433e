"""Types of variables, as callers declare them: a type's name, or objects, lists and maps of such.

A name is `int`, `string`, `list<string>`, `map<string, dyn>`, `dyn`, `kubernetes.Quantity` and so on. An Object has
fields, and an expression that names another one does not compile; its values are plain dicts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from kubepy.apiserver.cel.registry import split


@dataclass(frozen=True, slots=True)
class Object:
    """An object with known fields (under escaped names); `name` is what messages call its type."""

    name: str
    fields: Mapping[str, "Kind"]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one kind."""

    element: "Kind"


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map from strings to one kind."""

    value: "Kind"


@dataclass(frozen=True, slots=True)
class OptionalOf:
    """A value of one kind that may be absent."""

    value: "Kind"


Kind = str | Object | ListOf | MapOf | OptionalOf
TIMESTAMP: Final = "google.protobuf.Timestamp"
DURATION: Final = "google.protobuf.Duration"


def objects(kind: Kind) -> Iterator[Object]:
    """All objects in a kind, inner ones first."""
    match kind:
        case Object(fields=fields):
            for inner in fields.values():
                yield from objects(inner)
            yield kind
        case ListOf(element=inner) | MapOf(value=inner) | OptionalOf(value=inner):
            yield from objects(inner)


def spec(kind: Kind) -> dict[str, object]:
    """A kind as the checker's configuration writes it."""
    match kind:
        case Object(name=name):
            return {"type_name": name}
        case ListOf(element=inner):
            return {"type_name": "list", "params": [spec(inner)]}
        case MapOf(value=inner):
            return {"type_name": "map", "params": [{"type_name": "string"}, spec(inner)]}
        case OptionalOf(value=inner):
            return {"type_name": "optional_type", "params": [spec(inner)]}
    assert isinstance(kind, str)
    base, _, rest = kind.partition("<")
    if len(base) == 1:
        return {"type_name": base, "is_type_param": True}
    if not rest:
        return {"type_name": base}
    return {"type_name": base, "params": [spec(each) for each in split(rest.removesuffix(">"))]}
