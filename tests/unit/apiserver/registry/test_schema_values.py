"""Values against the schemas of custom resources: what upstream tells of what is wrong, and where."""

from typing import Any

import pytest

from kubepy.apiserver.registry.embedded_objects import embeds, faults_of_embedded, mistyped_embedded
from kubepy.apiserver.registry.list_types import faults_of_lists
from kubepy.apiserver.registry.schema_values import faults_of_value

SCHEMA: dict[str, Any] = {
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


@pytest.mark.parametrize(
    ("spec", "field", "reason"),
    [
        ({}, "spec.n", "FieldValueRequired"),
        ({"n": 0}, "spec.n", "FieldValueInvalid"),
        ({"n": 10}, "spec.n", "FieldValueInvalid"),
        ({"n": "x"}, "spec.n", "FieldValueTypeInvalid"),
        ({"n": 1.5}, "spec.n", "FieldValueTypeInvalid"),
        ({"n": 1, "s": "b"}, "spec.s", "FieldValueInvalid"),
        ({"n": 1, "s": "aaaa"}, "spec.s", "FieldValueTooLong"),
        ({"n": 1, "e": "z"}, "spec.e", "FieldValueNotSupported"),
        ({"n": 1, "l": ["a", "b", "c"]}, "spec.l", "FieldValueTooMany"),
        ({"n": 1, "l": [1]}, "spec.l[0]", "FieldValueTypeInvalid"),
        ({"n": 1, "m": {"a": "b"}}, "spec.m.a", "FieldValueTypeInvalid"),
        ({"n": 1, "ios": True}, "spec.ios", "FieldValueTypeInvalid"),
    ],
)
def test_faults_are_told_at_their_field(spec: dict[str, Any], field: str, reason: str) -> None:
    assert [(fault.field, fault.reason) for fault in faults_of_value(SCHEMA, {"spec": spec})] == [(field, reason)]


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
    assert faults_of_value(SCHEMA, {"spec": spec}) == []
    assert faults_of_value(SCHEMA, {"spec": {"n": 2.0, "ios": 5}}) == []


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
    assert faults_of_value(schema, {"x": good}) == []
    (fault,) = faults_of_value(schema, {"x": bad})
    assert fault.message == f'Invalid value: "{bad}": x in body must be of type {form}: "{bad}"'


def test_what_has_not_changed_is_let_pass() -> None:
    old = {"spec": {"n": 99, "keyed": [{"k": "a"}, {"k": "a"}], "l": [1]}}
    assert faults_of_value(SCHEMA, {"spec": {**old["spec"], "e": "x"}}, old=old) == []
    assert [fault.field for fault in faults_of_value(SCHEMA, {"spec": {"n": 98, "l": [1, "a"]}}, old=old)] == [
        "spec.n",
        "spec.l[0]",
    ]


@pytest.mark.parametrize(
    ("embedded", "told"),
    [
        ({"apiVersion": 1, "kind": "A"}, "e.apiVersion: Invalid value: 1: must be a string"),
        (
            {"metadata": []},
            "e.metadata: Invalid value: []: json: cannot unmarshal array into Go value of type v1.ObjectMeta",
        ),
        ({"metadata": None}, None),
    ],
)
def test_embedded_objects_must_be_readable_as_such(embedded: dict[str, Any], told: str | None) -> None:
    schema = {"type": "object", "properties": {"e": {"type": "object", "x-kubernetes-embedded-resource": True}}}
    fault = mistyped_embedded(schema, {"e": embedded})
    assert (str(fault) if fault else None) == told
    assert embeds(schema)
    assert not embeds(SCHEMA)


def test_embedded_objects_are_whole() -> None:
    schema = {"type": "object", "properties": {"e": {"type": "object", "x-kubernetes-embedded-resource": True}}}
    faults = faults_of_embedded(schema, {"e": {"kind": "No Kind", "metadata": {"labels": {"a b": "c"}}}})
    assert [(fault.field, fault.reason) for fault in faults] == [
        ("e.apiVersion", "FieldValueRequired"),
        ("e.kind", "FieldValueInvalid"),
        ("e.metadata.labels", "FieldValueInvalid"),
    ]
    assert faults_of_embedded(schema, {"e": {"apiVersion": "v1", "kind": "Pod", "metadata": {}}}) == []


_ONE = '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf).'
_A, _B = {"required": ["a"]}, {"required": ["b"], "properties": {"b": {"type": "string", "minLength": 2}}}


@pytest.mark.parametrize(
    ("logic", "spec", "told"),
    [
        ({"oneOf": [_A, _B]}, {"a": 1}, []),
        (
            {"oneOf": [_A, _B]},
            {},
            [
                f"{_ONE} Found none valid",
                "spec.a: Required value",
            ],
        ),
        (
            {"oneOf": [_A, _B]},
            {"a": 1, "b": "xx"},
            [
                f"{_ONE} Found 2 valid alternatives",
            ],
        ),
        (
            {"anyOf": [_A, _B]},
            {"b": "x"},
            [
                '<nil>: Invalid value: "": "spec" must validate at least one schema (anyOf)',
                'spec.b: Invalid value: "x": spec.b in body should be at least 2 chars long',
            ],
        ),
        (
            {"allOf": [_A, _B]},
            {"a": 1},
            [
                "spec.b: Required value",
                '<nil>: Invalid value: "": "spec" must validate all the schemas (allOf)',
            ],
        ),
        ({"not": _A}, {"a": 1}, ['<nil>: Invalid value: "": "spec" must not validate the schema (not)']),
    ],
)
def test_logic_tells_what_the_nearest_misses(logic: dict[str, Any], spec: dict[str, Any], told: list[str]) -> None:
    schema = {"type": "object", "properties": {"spec": {"type": "object", **logic}}}
    assert [str(fault) for fault in faults_of_value(schema, {"spec": spec})] == told


@pytest.mark.parametrize(
    ("schema", "value", "told"),
    [
        ({"type": "string", "enum": ["a"]}, 1, ["TypeInvalid", "NotSupported"]),
        ({"type": "integer", "enum": [1]}, True, ["TypeInvalid", "NotSupported"]),
        ({"type": "object", "maxProperties": 1}, {"a": 1, "b": 2}, ["TooMany"]),
        ({"type": "string", "maxLength": 1, "pattern": "^a$"}, "bb", ["TooLong"]),
        ({"type": "string", "pattern": "^a$"}, "a\n", ["Invalid"]),
        ({"type": "string", "pattern": "^[[:alpha:]]+$"}, "ab", []),
        ({"type": "string", "pattern": r"^\d$"}, "٣", ["Invalid"]),
        ({"type": "string", "pattern": "^(a+)+$"}, "a" * 40 + "b", ["Invalid"]),
        ({"type": "string", "format": "int-or-whatever"}, "x", []),
        ({"type": "string", "format": "isbn"}, "978-0-306-40615-7", []),
        ({"type": "number", "multipleOf": 0.1}, 0.3, []),
    ],
)
def test_each_kind_of_fault_has_its_reason(schema: dict[str, Any], value: Any, told: list[str]) -> None:
    found = faults_of_value({"type": "object", "properties": {"x": schema}}, {"x": value})
    assert [fault.reason.removeprefix("FieldValue") for fault in found] == told


def test_bounds_are_told_as_go_prints_them() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "number", "minimum": 2000000}}}
    assert [str(fault) for fault in faults_of_value(schema, {"x": 5})] == [
        "x: Invalid value: 5: x in body should be greater than or equal to 2000000"
    ]
    assert [str(fault) for fault in faults_of_value(schema, {"x": 1234567.5})] == [
        "x: Invalid value: 1.2345675e+06: x in body should be greater than or equal to 2e+06"
    ]


def test_many_faults_are_told_in_time() -> None:
    faults = faults_of_value({"type": "array", "items": {"type": "string"}}, [1] * 20_000)
    assert len(faults) == 20_000
    assert faults[-1].field == "[19999]"


def test_large_lists_are_held_against_what_they_were_in_time() -> None:
    element = {"type": "object", "properties": {"k": {"type": "integer"}, "v": {"type": "string"}}}
    keyed = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": element}
    old = [{"k": number, "v": 1} for number in range(20_000)]
    faults = faults_of_value(keyed, [*reversed(old), {"k": 20_000, "v": 1}], old=old)
    assert [fault.field for fault in faults] == ["[20000].v"]


@pytest.mark.parametrize("pattern", ["^a*a*a*a*b$", "a*b", "a{0,}a{1,}a+[ab]*b$"])
def test_patterns_are_looked_for_in_long_texts_in_time(pattern: str) -> None:
    schema = {"type": "string", "pattern": pattern}
    assert faults_of_value(schema, "a" * 100_000 + "b") == []
    [fault] = faults_of_value(schema, "a" * 100_000)
    assert "should match" in fault.message


@pytest.mark.parametrize("step", [1e-300, 5e-324])
def test_numbers_that_hold_too_many_steps_to_count_are_no_multiples(step: float) -> None:
    [fault] = faults_of_value({"type": "number", "multipleOf": step}, 1e308)
    assert "should be a multiple of" in fault.message


def test_metadata_is_judged_where_the_schema_speaks_of_it() -> None:
    name = {"type": "string", "maxLength": 3}
    schema = {"type": "object", "properties": {"metadata": {"type": "object", "properties": {"name": name}}}}
    assert [fault.field for fault in faults_of_value(schema, {"metadata": {"name": "long"}})] == ["metadata.name"]


def test_faults_of_defaults_are_named_within_the_default() -> None:
    schema = {"type": "array", "items": {"type": "integer"}, "minItems": 3}
    assert [str(fault) for fault in faults_of_value(schema, ["a"], "x.default")] == [
        'x.default.[0]: Invalid value: "string": [0] in body must be of type integer: "string"',
        "x.default: Invalid value: 1:  in body should have at least 3 items",
    ]


def test_lists_that_are_sets_or_maps_hold_nothing_twice() -> None:
    keyed = SCHEMA["properties"]["spec"]["properties"]["keyed"]
    schema = {
        "type": "object",
        "properties": {
            "keyed": keyed,
            "sets": {
                "type": "object",
                "additionalProperties": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            },
        },
    }
    value = {"keyed": [{"k": "a"}, {"k": "a", "x": 1}, {"k": "a"}], "sets": {"s": ["a", "b", "a"]}}
    assert [str(fault) for fault in faults_of_lists(schema, value)] == [
        'keyed[1]: Duplicate value: {"k":"a"}',
        'sets[s][2]: Duplicate value: "a"',
    ]
    assert [str(fault) for fault in faults_of_lists(schema, {"keyed": [1]})] == [
        "keyed[0]: Invalid value: 1: must be an object for an array of list-type map"
    ]
