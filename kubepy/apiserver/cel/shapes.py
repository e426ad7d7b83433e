"""How large values can be that a structural schema allows: what the cost of rules is estimated by before they run.

A list without maxItems holds as many of its smallest elements as a request can, and so on for maps and strings.
Source: apiserver pkg/cel/common/schemas.go (estimateMax...), pkg/cel/limits.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kubepy.apiserver.cel.schemas import EMBEDDED, INT_OR_STRING, resource

REQUEST_MOST: Final = 3 * 1024 * 1024
_SMALLEST: Final = {"boolean": 4, "number": 1, "integer": 1}
_TEXT_MOST: Final = {"duration": 32, "date": 12, "date-time": 34}
_TEXT_LEAST: Final = {"duration": 4, "date": 12, "date-time": 22}


@dataclass(slots=True)
class Shape:
    """`most` are the elements or bytes that a value can have, `least` the bytes that it has at least as JSON."""

    most: int = 0
    least: int = 0
    fields: Mapping[str, "Shape"] = field(default_factory=dict)
    element: "Shape | None" = None

    @property
    def cardinality(self) -> int:
        """How many of these one request can hold."""
        return (REQUEST_MOST - 2) // (self.least + 1)


def shape_of(schema: Mapping[str, Any], *, is_resource: bool = False) -> Shape:
    """The shape of a schema's values."""
    if schema.get(INT_OR_STRING):
        return Shape(_text_most(schema), 1)
    if is_resource:
        schema = resource(schema)
    type_ = schema.get("type")
    if type_ == "array":
        items = _inner(schema.get("items"))
        most = schema.get("maxItems")
        return Shape(items.cardinality if most is None else most, 2, element=items)
    if type_ == "object":
        return _object(schema)
    if type_ == "string":
        least = _TEXT_LEAST.get(schema.get("format") or "", 2)
        return Shape(_text_most(schema), least)
    return Shape(0, _SMALLEST.get(type_ or "", 0))


def _inner(schema: Any) -> Shape:
    return shape_of(schema, is_resource=bool(schema.get(EMBEDDED))) if isinstance(schema, dict) else Shape()


def _object(schema: Mapping[str, Any]) -> Shape:
    if isinstance(others := schema.get("additionalProperties"), dict):
        value, most = _inner(others), schema.get("maxProperties")
        return Shape((REQUEST_MOST - 2) // (value.least + 6) if most is None else most, 2, element=value)
    properties: Mapping[str, Any] = schema.get("properties") or {}
    fields = {name: _inner(inner) for name, inner in properties.items()}
    needed = [name for name in schema.get("required") or () if name in fields and "default" not in properties[name]]
    return Shape(0, 2 + sum(len(name) + fields[name].least + 4 for name in needed), fields)


def _text_most(schema: Mapping[str, Any]) -> int:
    kind = schema.get("format") or ""
    if kind in _TEXT_MOST:
        return _TEXT_MOST[kind]
    if (most := schema.get("maxLength")) is not None:
        return int(most) * (1 if kind == "byte" else 4)
    if enum := schema.get("enum"):
        return max((len(value) for value in enum if isinstance(value, str)), default=0)
    return REQUEST_MOST - 2
