"""Columns of custom resources: the name, then what the definition's version lists, or the age.

Source: apiextensions-apiserver pkg/registry/customresource/tableconvertor/tableconvertor.go.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from kubepy.api.go_values import show
from kubepy.api.meta import Object, name_of
from kubepy.api.printing.columns import NAME, Cells, Column, Printer
from kubepy.api.printing.durations import UNKNOWN, since
from kubepy.api.printing.json_paths import BadPath, compile_path

_AGE: Mapping[str, Any] = {
    "name": "Age",
    "type": "date",
    "jsonPath": ".metadata.creationTimestamp",
    "documented": "creationTimestamp",
}


def _nothing(_obj: Any) -> list[Any]:
    return []


def _path_of(column: Mapping[str, Any]) -> Callable[[Any], list[Any]]:
    """The compiled path; one that cannot be read (validation keeps it out of new definitions) finds nothing."""
    try:
        return compile_path(column.get("jsonPath", ""))
    except BadPath:
        return _nothing


def render_cell(values: list[Any], kind: str, now: datetime) -> Any:
    """The cell of a column of this type, of the first value; None where there is none of that type."""
    if not values:
        return None
    value = values[0]
    if kind == "string":
        return _text(value)
    if kind == "integer":
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return int(value) if is_number else None
    if kind == "number":
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    return _age(value, now) if kind == "date" and isinstance(value, str) else None


def _age(text: str, now: datetime) -> str:
    age = since(text, now)
    return "<invalid>" if text and age == UNKNOWN else age


def _text(value: Any) -> str:
    """As client-go prints it: objects and lists as JSON, the rest as it is."""
    if not isinstance(value, dict | list):
        return show(value)
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _description(column: Mapping[str, Any]) -> str:
    if "documented" in column:
        return ""
    usual = f"Custom resource definition column (in JSONPath format): {column['jsonPath']}"
    return column.get("description") or usual


def custom_printer(columns: Iterable[Mapping[str, Any]] | None) -> Printer:
    """The printer of a version with these `additionalPrinterColumns`; its age alone without any."""
    listed = list(columns or ()) or [_AGE]
    shown = tuple(
        Column(
            column["name"],
            _description(column),
            column.get("type", "string"),
            column.get("format") or "",
            column.get("priority") or 0,
            column.get("documented") or "",
        )
        for column in listed
    )
    paths = [(_path_of(column), column.get("type", "string")) for column in listed]

    def cells(obj: Object, now: datetime) -> Cells:
        return [name_of(obj), *(render_cell(path(obj), kind, now) for path, kind in paths)]

    return Printer((NAME, *shown), cells)


SCALE = custom_printer(
    (
        {"name": "Desired", "type": "integer", "jsonPath": ".spec.replicas"},
        {"name": "Available", "type": "integer", "jsonPath": ".status.replicas"},
        _AGE,
    )
)
"""The printer of a custom object's Scale, which is shown by paths as the object is."""
