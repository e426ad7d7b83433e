"""Structural schemas: pruning, defaults, validation."""

from typing import Any

import pytest

from kubepy.apiserver.registry.structural import fill_defaults, prune, validate

SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["n"],
            "properties": {
                "n": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
                "s": {"type": "string", "pattern": "^a+$", "maxLength": 3},
                "e": {"type": "string", "enum": ["x", "y"]},
                "l": {"type": "array", "maxItems": 2, "items": {"type": "string"}},
                "m": {"type": "object", "additionalProperties": {"type": "integer"}},
                "o": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "ios": {"x-kubernetes-int-or-string": True},
                "keyed": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["k"],
                    "items": {"type": "object", "properties": {"k": {"type": "string"}}},
                },
            },
        }
    },
}


def test_unknown_fields_go_unless_the_schema_keeps_them() -> None:
    obj: dict[str, Any] = {
        "metadata": {"any": 1},
        "top": 1,
        "spec": {"n": 1, "bad": 2, "o": {"kept": 1}, "m": {"a": 1}},
    }
    assert prune(SCHEMA, obj) == ["top", "spec.bad"]
    assert obj == {"metadata": {"any": 1}, "spec": {"n": 1, "o": {"kept": 1}, "m": {"a": 1}}}


def test_defaults_fill_what_is_absent_or_null() -> None:
    for spec in ({}, {"n": None}):
        obj: dict[str, Any] = {"spec": dict(spec)}
        fill_defaults(SCHEMA, obj)
        assert obj == {"spec": {"n": 3}}
    bare: dict[str, Any] = {}
    fill_defaults(SCHEMA, bare)
    assert bare == {}


@pytest.mark.parametrize(
    ("spec", "field", "reason"),
    [
        ({}, "spec.n", "FieldValueRequired"),
        ({"n": 0}, "spec.n", "FieldValueInvalid"),
        ({"n": 10}, "spec.n", "FieldValueInvalid"),
        ({"n": "x"}, "spec.n", "FieldValueInvalid"),
        ({"n": 1.5}, "spec.n", "FieldValueInvalid"),
        ({"n": 1, "s": "b"}, "spec.s", "FieldValueInvalid"),
        ({"n": 1, "s": "aaaa"}, "spec.s", "FieldValueTooLong"),
        ({"n": 1, "e": "z"}, "spec.e", "FieldValueNotSupported"),
        ({"n": 1, "l": ["a", "b", "c"]}, "spec.l", "FieldValueTooMany"),
        ({"n": 1, "l": [1]}, "spec.l[0]", "FieldValueInvalid"),
        ({"n": 1, "m": {"a": "b"}}, "spec.m.a", "FieldValueInvalid"),
        ({"n": 1, "ios": True}, "spec.ios", "FieldValueInvalid"),
        ({"n": 1, "keyed": [{"k": "a"}, {"k": "a"}]}, "spec.keyed[1]", "FieldValueDuplicate"),
    ],
)
def test_faults_are_told_at_their_field(spec: dict[str, Any], field: str, reason: str) -> None:
    assert [(fault.field, fault.reason) for fault in validate(SCHEMA, {"spec": spec})] == [(field, reason)]


def test_what_fits_has_no_faults() -> None:
    spec = {
        "n": 9,
        "s": "aaa",
        "e": "x",
        "l": ["a"],
        "m": {"a": 1},
        "o": {"a": [1]},
        "ios": "5%",
        "keyed": [{"k": "a"}],
    }
    assert validate(SCHEMA, {"spec": spec}) == []
    assert validate(SCHEMA, {"spec": {"n": 2.0, "ios": 5}}) == []
