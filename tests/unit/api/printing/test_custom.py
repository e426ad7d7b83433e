"""Printer columns of custom resources, and the paths that they are made of."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kubepy.api.printing.custom import custom_printer
from kubepy.api.printing.json_paths import BadPath, compile_path

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
OBJ: dict[str, Any] = {
    "metadata": {"name": "w", "creationTimestamp": "2026-01-01T11:00:00Z", "labels": {"a.b/c": "v"}},
    "spec": {"n": 2, "on": True, "list": [{"k": "x", "p": 1}, {"k": "y", "p": 5}, {"k": "z"}], "f": 1.5, "null": None},
}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (".spec.n", [2]),
        ("{.spec.n}", [2]),
        ("$.spec.n", [2]),
        (".spec.missing.n", []),
        (".spec.null", []),
        (".spec.list[0].k", ["x"]),
        (".spec.list[-1].k", ["z"]),
        (".spec.list[7].k", []),
        (".spec.list[0:2].k", ["x", "y"]),
        (".spec.list[0,2].k", ["x", "z"]),
        (".spec.list[*].k", ["x", "y", "z"]),
        (".spec.list[?(@.k=='y')].p", [5]),
        ('.spec.list[?(@.k=="y")].p', [5]),
        (".spec.list[?(@.p>=1)].k", ["x", "y"]),
        (".spec.list[?(@.p)].k", ["x", "y"]),
        (".metadata.labels['a.b/c']", ["v"]),
        (".metadata.labels.a\\.b/c", ["v"]),
        ("..k", ["x", "y", "z"]),
        (".", [OBJ]),
    ],
)
def test_a_path_finds_values(path: str, values: list[Any]) -> None:
    assert compile_path(path)(OBJ) == values


@pytest.mark.parametrize("path", [".spec[", ".a[?(b==1)]", ".a[]", ".a[1:x]"])
def test_a_path_that_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(BadPath):
        compile_path(path)


@pytest.mark.parametrize(
    ("kind", "path", "cell"),
    [
        ("integer", ".spec.n", 2),
        ("integer", ".spec.on", None),
        ("number", ".spec.f", 1.5),
        ("boolean", ".spec.on", True),
        ("integer", ".spec.f", 1),
        ("number", ".spec.n", 2.0),
        ("string", ".spec.list[*].k", "x"),
        ("string", ".spec.list", '[{"k":"x","p":1},{"k":"y","p":5},{"k":"z"}]'),
        ("string", ".spec.f", "1.5"),
        ("string", ".spec.on", "true"),
        ("string", ".spec.missing", None),
        ("date", ".metadata.creationTimestamp", "60m"),
        ("date", ".spec.n", None),
        ("date", ".metadata.name", "<invalid>"),
        ("string", ".a[", None),
    ],
)
def test_a_cell_has_the_type_of_its_column(kind: str, path: str, cell: Any) -> None:
    printer = custom_printer([{"name": "C", "type": kind, "jsonPath": path}])
    assert printer.cells(OBJ, NOW) == ["w", cell]


def test_without_columns_the_age_is_shown() -> None:
    printer = custom_printer(None)
    assert [column.name for column in printer.columns] == ["Name", "Age"]
    described = [column.definition()["description"] for column in printer.columns]
    assert described[0].startswith("Name must be unique within a namespace. Is required when creating resources")
    assert described[1].startswith("CreationTimestamp is a timestamp representing the server time")
    assert printer.cells(OBJ, NOW) == ["w", "60m"]


def test_columns_keep_format_priority_and_description() -> None:
    column = {"name": "N", "type": "integer", "jsonPath": ".spec.n", "format": "int32", "priority": 1}
    assert custom_printer([column]).columns[1].definition() == {
        "name": "N",
        "type": "integer",
        "format": "int32",
        "description": "Custom resource definition column (in JSONPath format): .spec.n",
        "priority": 1,
    }
