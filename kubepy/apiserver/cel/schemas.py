"""What a structural schema is in expressions: the kind that rules are checked against, and its values as CEL has them.

Only what the schema names can be spoken of: unknown fields that are preserved are not, and a field whose schema says
nothing about its type is not there at all. JSON values are taken as they are but where the schema gives them another
meaning: numbers, formats of time and bytes, lists that are sets or maps.
Source: apiserver pkg/cel/common/schemas.go, values.go.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from kubepy.apiserver.cel.errors import EvaluationError
from kubepy.apiserver.cel.escaping import escape
from kubepy.apiserver.cel.kinds import DURATION, TIMESTAMP, Kind, ListOf, MapOf, Object
from kubepy.apiserver.cel.library.times import parse_duration, parse_timestamp
from kubepy.apiserver.cel.values import equal

Schema = Mapping[str, Any]
Convert = Callable[[Any], Any]
INT_OR_STRING, EMBEDDED = "x-kubernetes-int-or-string", "x-kubernetes-embedded-resource"
_LIST_TYPE, _LIST_KEYS = "x-kubernetes-list-type", "x-kubernetes-list-map-keys"
_FORMATS: Final = {"byte": "bytes", "duration": DURATION, "date": TIMESTAMP, "date-time": TIMESTAMP}
_SCALARS: Final = {"boolean": "bool", "number": "double", "integer": "int"}
_STRING: Final[Schema] = {"type": "string"}
_META: Final[Schema] = {"type": "object", "properties": {"name": _STRING, "generateName": _STRING}}


def resource(schema: Schema) -> Schema:
    """The schema of a whole resource, with the fields that all have."""
    properties = {
        "kind": _STRING, "apiVersion": _STRING, **(schema.get("properties") or {}), "metadata": _META,
    }  # fmt: skip
    return {**schema, "properties": properties}


def kind_of(schema: Schema, name: str, *, is_resource: bool) -> Kind | None:
    """The kind of a schema's values, its objects called `name` and what follows; None if rules cannot speak of it."""
    if schema.get(INT_OR_STRING):
        return "dyn"
    if is_resource:
        schema = resource(schema)
    type_ = schema.get("type")
    if type_ == "array":
        items = schema.get("items")
        element = _inner(items, f"{name}_items") if isinstance(items, dict) else None
        return ListOf(element) if element is not None else None
    if type_ == "object":
        return _object(schema, name)
    if type_ == "string":
        return _FORMATS.get(schema.get("format") or "", "string")
    return _SCALARS.get(type_ or "")


def _inner(schema: Schema, name: str) -> Kind | None:
    return kind_of(schema, name, is_resource=bool(schema.get(EMBEDDED)))


def _object(schema: Schema, name: str) -> Kind | None:
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        value = _inner(others, f"{name}_values")
        return MapOf(value) if value is not None else None
    fields = {}
    for number, (field, inner) in enumerate((schema.get("properties") or {}).items()):
        written = escape(field)
        kind = _inner(inner, f"{name}_{number}_{re.sub(r'[^A-Za-z0-9]', '', field)}")
        if written is not None and kind is not None:
            fields[written] = kind
    return Object(name, fields)


class SetList(list[Any]):
    """A list whose order means nothing."""

    def equals(self, other: list[Any]) -> bool:
        """Whether both have the same elements."""
        return len(self) == len(other) and all(any(equal(one, each) for each in other) for one in self)

    def merged(self, other: list[Any]) -> "SetList":
        """The elements of both, those of this one first."""
        return SetList([*self, *(each for each in other if not any(equal(each, one) for one in self))])


class MapList(list[Any]):
    """A list whose elements are known by some of their fields."""

    def __init__(self, elements: Iterable[Any], keys: tuple[str, ...]) -> None:
        super().__init__(elements)
        self.keys = keys

    def _identity(self, element: Any) -> tuple[Any, ...]:
        return tuple(element.get(key) for key in self.keys) if isinstance(element, dict) else (id(element),)

    def equals(self, other: list[Any]) -> bool:
        """Whether both have equal elements under the same keys."""
        found = {self._identity(each): each for each in other}
        return len(self) == len(other) and all(
            self._identity(one) in found and equal(one, found[self._identity(one)]) for one in self
        )

    def merged(self, other: list[Any]) -> "MapList":
        """The elements of both; under a key that both have, the other's."""
        found = {self._identity(one): one for one in self}
        for each in other:
            found[self._identity(each)] = each
        return MapList(found.values(), self.keys)


def converter(schema: Schema) -> Convert | None:
    """What makes a value of JSON one of CEL; None where they are the same."""
    if schema.get(INT_OR_STRING):
        return None
    type_ = schema.get("type")
    if type_ == "number":
        return lambda value: float(value) if type(value) is int else value
    if type_ == "string":
        return _PARSERS.get(schema.get("format") or "")
    if type_ == "array":
        return _list_converter(schema)
    return _object_converter(schema) if type_ == "object" else None


def _list_converter(schema: Schema) -> Convert | None:
    items = schema.get("items")
    inner = converter(items) if isinstance(items, dict) else None
    keys, list_type = tuple(schema.get(_LIST_KEYS) or ()), schema.get(_LIST_TYPE)
    if inner is None and list_type not in ("set", "map"):
        return None

    def convert(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        elements = value if inner is None else [inner(each) for each in value]
        if list_type == "set":
            return SetList(elements)
        return MapList(elements, keys) if list_type == "map" else elements

    return convert


def _object_converter(schema: Schema) -> Convert | None:
    others = schema.get("additionalProperties")
    rest = converter(others) if isinstance(others, dict) else None
    found = {name: converter(inner) for name, inner in (schema.get("properties") or {}).items()}
    fields = {name: inner for name, inner in found.items() if inner is not None}
    if rest is None and not fields:
        return None

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        made = dict(value)
        for name in made:
            inner = fields.get(name, rest)
            if inner is not None:
                made[name] = inner(made[name])
        return made

    return convert


def _parsed(parse: Convert) -> Convert:
    """Null stays null, and so does what is not of its format: the schema refuses it by itself."""

    def convert(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return parse(value)
        except (EvaluationError, binascii.Error, ValueError):
            return value

    return convert


_PARSERS: Final[Mapping[str, Convert]] = {
    "byte": _parsed(lambda text: base64.b64decode(text, validate=True)),
    "duration": _parsed(parse_duration),
    "date": _parsed(lambda text: parse_timestamp(f"{text}T00:00:00Z")),
    "date-time": _parsed(parse_timestamp),
}
