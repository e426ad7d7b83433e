"""Columns of custom resources: the name, then what the definition's version lists, or the age.

Source: apiextensions-apiserver pkg/registry/customresource/tableconvertor/tableconvertor.go.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from kubepy.api.meta import Object, name_of
from kubepy.api.printing.columns import NAME, Cells, Column, Printer
from kubepy.api.printing.durations import UNKNOWN, since
from kubepy.api.printing.json_paths import BadPath, compile_path

_AGE: Mapping[str, Any] = {
    "name": "Age",
    "type": "date",
    "jsonPath": ".metadata.creationTimestamp",
    "description": "The time since the server created the object.",
}


_DESCRIPTION = "Custom resource definition column (in JSONPath format): "


def _nothing(_obj: Any) -> list[Any]:
    return []


def _path_of(column: Mapping[str, Any]) -> Callable[[Any], list[Any]]:
    """The compiled path; one that cannot be read (validation keeps it out of new definitions) finds nothing."""
    try:
        return compile_path(column.get("jsonPath", ""))
    except BadPath:
        return _nothing


def render_cell(values: list[Any], kind: str, now: datetime) -> Any:
    """The cell of a column of this type; None where there is no value of that type."""
    if not values:
        return None
    if kind == "string":
        return _text(values)
    value = values[0]
    if kind == "integer":
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return int(value) if is_number else None
    if kind == "number":
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind == "date":
        age = since(value if isinstance(value, str) else None, now)
        return "<invalid>" if age == UNKNOWN else age
    return None


def _text(values: list[Any]) -> str:
    """All values, as client-go prints them: text as it is, the rest as JSON, space between."""
    return " ".join(value if isinstance(value, str) else _plain(value) for value in values)


def _plain(value: Any) -> str:
    return orjson.dumps(value).decode()


def custom_printer(columns: Iterable[Mapping[str, Any]] | None) -> Printer:
    """The printer of a version with these `additionalPrinterColumns`; its age alone without any."""
    listed = list(columns or ()) or [_AGE]
    shown = tuple(
        Column(
            column["name"],
            column.get("description")
            or f"Custom resource definition column (in JSONPath format): {column['jsonPath']}",
            column.get("type", "string"),
            column.get("format") or "",
            column.get("priority") or 0,
        )
        for column in listed
    )
    paths = [(_path_of(column), column.get("type", "string")) for column in listed]

    def cells(obj: Object, now: datetime) -> Cells:
        return [name_of(obj), *(render_cell(path(obj), kind, now) for path, kind in paths)]

    return Printer((NAME, *shown), cells)
