"""Types of variables, as callers declare them: a type's name, or objects, lists and maps of such.

A name is `int`, `string`, `list<string>`, `map<string, dyn>`, `dyn`, `kubernetes.Quantity` and so on. An Object has
fields, and an expression that names another one does not compile; its values are plain dicts.
"""

from collections.abc import Iterable, Iterator, Mapping
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


_SCALARS: Final = frozenset(("bool", "int", "uint", "double", "string", "bytes", TIMESTAMP, DURATION))


def of_type(shown: str, known: Iterable[Kind]) -> Kind:
    """The kind of a field that holds values of a type, as the checker names it: `list(string)`.

    Objects are looked for in the known kinds; `dyn` for what no field can be declared to hold.
    """
    return _of_type(
        shown.replace("(", "<").replace(")", ">"), {each.name: each for kind in known for each in objects(kind)}
    )


def _of_type(text: str, known: Mapping[str, Object]) -> Kind:
    if text in _SCALARS:
        return text
    base, _, rest = text.partition("<")
    inner = split(rest.removesuffix(">"))
    if base not in ("list", "map") or (base == "map" and inner[0] != "string"):
        return known.get(text, "dyn")
    held = _of_type(inner[-1], known)
    if isinstance(held, ListOf | MapOf):
        return "dyn"
    return ListOf(held) if base == "list" else MapOf(held)


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
