"""Structural schemas: pruning, defaults, validation."""

from typing import Any

import pytest

from kubepy.apiserver.registry.default_faults import faults_of_defaults
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
    obj = {"spec": {"n": 1, "s": None, "m": {"a": None, "b": 1}, "l": [None], "unknown": None}}
    fill_defaults(SCHEMA, obj)
    assert obj == {"spec": {"n": 1, "m": {"b": 1}, "l": [None], "unknown": None}}
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


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        ("date-time", "2020-01-01T00:00:00Z", "yesterday"),
        ("date", "2020-01-31", "2020-02-31"),
        ("duration", "1h30m", "soon"),
        ("byte", "aGk=", "?"),
        ("ipv4", "1.2.3.4", "1.2.3"),
        ("ipv6", "::1", "1.2.3.4"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("uri", "https://a/b", "a b"),
        ("email", "a@b.c", "nobody"),
        ("hostname", "a.b-c", "-a"),
        ("mac", "00:11:22:aa:bb:cc", "00:11"),
        ("uuid4", "123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"),
    ],
)
def test_formats_are_checked(form: str, good: str, bad: str) -> None:
    schema = {"type": "object", "properties": {"x": {"type": "string", "format": form}}}
    assert validate(schema, {"x": good}) == []
    (fault,) = validate(schema, {"x": bad})
    assert fault.message == f'Invalid value: "{bad}": x in body must be of type {form}: "{bad}"'


def test_what_has_not_changed_is_let_pass() -> None:
    old = {"spec": {"n": 99, "keyed": [{"k": "a"}, {"k": "a"}], "l": [1]}}
    assert validate(SCHEMA, {"spec": {**old["spec"], "e": "x"}}, old=old) == []
    assert [fault.field for fault in validate(SCHEMA, {"spec": {"n": 98, "l": [1, "a"]}}, old=old)] == [
        "spec.n",
        "spec.l[0]",
    ]


def test_embedded_objects_are_whole() -> None:
    schema = {"type": "object", "properties": {"e": {"type": "object", "x-kubernetes-embedded-resource": True}}}
    faults = validate(schema, {"e": {"kind": "No Kind"}})
    assert [(fault.field, fault.reason) for fault in faults] == [
        ("e.apiVersion", "FieldValueRequired"),
        ("e.kind", "FieldValueInvalid"),
    ]


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
        "x.properties[small].default.n: Invalid value: 0: x.properties[small].default.n in body should be greater than "
        "or equal to 1",
        'x.properties[large].default: Invalid value: "object": failed rule: self.n < 5',
    ]
