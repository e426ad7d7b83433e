"""Structural schemas: pruning and defaults."""

from typing import Any

from kubepy.apiserver.registry.default_faults import faults_of_defaults
from kubepy.apiserver.registry.structural import fill_defaults, prune

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
    obj = {"spec": {"n": 1, "s": None, "m": {"a": None, "b": 1}, "l": [None], "unknown": None}}
    fill_defaults(SCHEMA, obj)
    assert obj == {"spec": {"n": 1, "m": {"b": 1}, "l": [None], "unknown": None}}
    bare: dict[str, Any] = {}
    fill_defaults(SCHEMA, bare)
    assert bare == {}


def test_defaults_must_be_allowed() -> None:
    inner = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
    rules = [{"rule": "self.n < 5"}]
    schema = {
        "type": "object",
        "properties": {
            "unknown": {**inner, "default": {"m": 1}},
            "small": {**inner, "default": {"n": 0}},
            "large": {**inner, "default": {"n": 6}, "x-kubernetes-validations": rules},
            "right": {**inner, "default": {"n": 1}, "x-kubernetes-validations": rules},
        },
    }
    assert [str(fault) for fault in faults_of_defaults(schema, "x")] == [
        'x.properties[unknown].default: Invalid value: {"m":1}: must not have unknown fields',
        "x.properties[small].default.n: Invalid value: 0: n in body should be greater than or equal to 1",
        'x.properties[large].default: Invalid value: "object": failed rule: self.n < 5',
    ]
