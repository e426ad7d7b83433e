"""Rules of custom resources: what they speak of, when they run, what they say, and what they let pass."""

import asyncio
from typing import Any

import pytest

from kubepy.apiserver.cel.pacing import TooLong
from kubepy.apiserver.registry.correlation import ABSENT
from kubepy.apiserver.registry.custom import CompiledRules
from kubepy.apiserver.registry.rule_faults import faults_of_rules
from kubepy.apiserver.registry.rule_tree import Run, compile_rules
from kubepy.lib.beside import beside

Schema = dict[str, Any]


def with_spec(spec: Schema) -> Schema:
    return {"type": "object", "properties": {"spec": spec}}


def obj(properties: Schema, *rules: Schema, **more: Any) -> Schema:
    return {"type": "object", "properties": properties, "x-kubernetes-validations": list(rules), **more}


def rule(text: str, **more: Any) -> Schema:
    return {"rule": text, **more}


def told(schema: Schema, new: Any, old: Any = ABSENT, warnings: list[str] | None = None) -> list[str]:
    tree = compile_rules(schema)
    assert tree is not None
    return [str(fault) for fault in Run(warnings).check(tree, new, old)]


INT, STRING = {"type": "integer"}, {"type": "string"}


@pytest.mark.parametrize(
    ("spec", "value", "message"),
    [
        (obj({"a": INT}, rule("self.a > 1")), {"a": 1}, 'spec: Invalid value: "object": failed rule: self.a > 1'),
        (obj({"a": INT}, rule("self.a > 1", message="too low")), {"a": 1}, 'spec: Invalid value: "object": too low'),
        (
            obj({"a": INT}, rule("self.a > 1", messageExpression="'not %d'.format([self.a])", message="x")),
            {"a": 1},
            'spec: Invalid value: "object": not 1',
        ),
        (
            obj({"a": INT}, rule("self.a > 1", messageExpression="'a\\nb'", message="fallback")),
            {"a": 1},
            'spec: Invalid value: "object": fallback',
        ),
        (
            obj({"a": INT}, rule("self.a > 1", reason="FieldValueForbidden", fieldPath=".a")),
            {"a": 1},
            "spec.a: Forbidden: failed rule: self.a > 1",
        ),
        (
            obj({"a": INT}, rule("self.a > 1")),
            {},
            'spec: Invalid value: "object": no such key: a evaluating rule: self.a > 1',
        ),
        (obj({"a.b": INT}, rule("self.a__dot__b > 1")), {"a.b": 2}, None),
        (obj({"namespace": STRING}, rule("self.__namespace__ == 'x'")), {"namespace": "x"}, None),
        (obj({"a": {"type": "number"}}, rule("self.a * 2.0 == 4.0")), {"a": 2}, None),
        (
            obj({"a": {"type": "string", "format": "date-time"}}, rule("self.a > timestamp('2020-01-01T00:00:00Z')")),
            {"a": "2021-01-01T00:00:00Z"},
            None,
        ),
        (
            obj({"a": {"x-kubernetes-int-or-string": True}}, rule("type(self.a) == int ? self.a < 5 : self.a == 'x'")),
            {"a": "x"},
            None,
        ),
        (
            obj({"a": {"x-kubernetes-int-or-string": True}}, rule("self.a + 1 > 5")),
            {"a": "x"},
            "spec: Invalid value: \"object\": 'no such overload': call arguments did not match a supported operator, "
            "function or macro signature for rule: self.a + 1 > 5",
        ),
        (
            obj({"l": {"type": "array", "items": {**STRING, "x-kubernetes-validations": [rule("self != 'x'")]}}}),
            {"l": ["a", "x"]},
            "spec.l[1]: Invalid value: \"string\": failed rule: self != 'x'",
        ),
        (
            obj({"m": {"type": "object", "additionalProperties": obj({"n": INT}, rule("self.n > 0"))}}),
            {"m": {"k": {"n": 0}}},
            'spec.m[k]: Invalid value: "object": failed rule: self.n > 0',
        ),
        (
            obj({"l": {"type": "array", "x-kubernetes-list-type": "set", "items": STRING}},
                rule("self.l == ['b', 'a']")),
            {"l": ["a", "b"]},
            None,
        ),
        (
            obj({"e": {"type": "object", "x-kubernetes-embedded-resource": True,
                       "x-kubernetes-validations": [rule("self.kind == 'Pod' && self.metadata.name != ''")]}}),
            {"e": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}},
            None,
        ),
    ],
)  # fmt: skip
def test_rule(spec: Schema, value: Any, message: str | None) -> None:
    assert told(with_spec(spec), {"spec": value}) == ([message] if message else [])


def test_rules_at_the_root_see_the_name() -> None:
    schema = obj({}, rule("self.metadata.name.startsWith('a')", message="must start with a"))
    assert told(schema, {"metadata": {"name": "b"}}) == ['<nil>: Invalid value: "object": must start with a']


def test_transition_rules_run_where_there_is_something_to_compare() -> None:
    grows, keyed = rule("self.n >= oldSelf.n"), {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
    element = obj({"k": STRING, "n": INT}, grows)
    schema = with_spec({"type": "object", "properties": {"l": {"type": "array", "items": element, **keyed}}})
    old = {"spec": {"l": [{"k": "a", "n": 5}, {"k": "b", "n": 1}]}}
    new = {"spec": {"l": [{"k": "b", "n": 2}, {"k": "c", "n": 0}, {"k": "a", "n": 4}]}}
    assert told(schema, new) == []
    assert told(schema, new, old) == ['spec.l[2]: Invalid value: "object": failed rule: self.n >= oldSelf.n']


def test_optional_old_self_runs_on_create_too() -> None:
    born_small = rule("oldSelf.hasValue() ? self.n >= oldSelf.value().n : self.n == 1", optionalOldSelf=True)
    schema = with_spec(obj({"n": INT}, born_small))
    assert told(schema, {"spec": {"n": 1}}) == []
    assert len(told(schema, {"spec": {"n": 2}})) == 1
    assert told(schema, {"spec": {"n": 2}}, {"spec": {"n": 1}}) == []
    assert len(told(schema, {"spec": {"n": 1}}, {"spec": {"n": 2}})) == 1


def test_what_has_not_changed_is_let_pass_with_a_warning() -> None:
    schema = obj({"spec": obj({"n": INT}, rule("self.n > 5")), "other": STRING})
    old = {"spec": {"n": 1}, "other": "a"}
    warnings: list[str] = []
    assert told(schema, {"spec": {"n": 1}, "other": "b"}, old, warnings) == []
    assert warnings == ['spec: Invalid value: "object": failed rule: self.n > 5']
    assert len(told(schema, {"spec": {"n": 2}, "other": "a"}, old)) == 1


def test_rules_together_cannot_hold_up_the_server() -> None:
    schema = with_spec(
        obj({"l": {"type": "array", "items": INT}}, rule("self.l.all(a, self.l.all(b, a + b < 0 || true))"))
    )
    faults = told(schema, {"spec": {"l": list(range(3000))}})
    assert len(faults) == 1
    assert "no further validation rules will be run due to call cost exceeds limit" in faults[0]


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        (
            obj({"a": INT}, rule("self.b > 1")),
            "rule",
            "compilation failed: ERROR: <input>:1:5: undefined field 'b'\n | self.b > 1\n | ....^",
        ),
        (obj({"a": INT}, rule("self.a + 1")), "rule", "cel expression must evaluate to a bool"),
        (obj({"a": INT}, rule("true", messageExpression="1")), "messageExpression",
         "messageExpression must evaluate to a string"),
        (obj({"a": INT}, rule("true", fieldPath=".b")), "fieldPath",
         "fieldPath must be a valid path: does not refer to a valid field"),
    ],
)  # fmt: skip
def test_bad_rule_is_refused_with_the_definition(spec: Schema, field: str, message: str) -> None:
    (fault,) = faults_of_rules(with_spec(spec), "spec.validation.openAPIV3Schema")
    assert fault.field == f"spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].{field}"
    assert fault.message.endswith(f": {message}")


def test_transition_rule_in_a_list_without_keys_is_refused() -> None:
    schema = with_spec({"type": "array", "items": obj({"a": INT}, rule("self.a == oldSelf.a"))})
    (fault,) = faults_of_rules(schema, "x")
    assert fault.message.endswith("oldSelf cannot be used on the uncorrelatable portion of the schema within "
                                  "x.properties[spec]")  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            obj({"l": {"type": "array", "items": STRING}}, rule("self.l.all(a, self.l.all(b, a != b))")),
            "estimated rule cost exceeds budget by factor of more than 100x",
        ),
        (
            {"type": "array", "items": {"type": "array", "items": obj({"s": STRING}, rule("self.s.contains('x')"))}},
            "estimated rule cost exceeds budget by factor of more than 100x",
        ),
        (
            obj({"l": {"type": "array", "maxItems": 16, "items": {**STRING, "maxLength": 64}}},
                rule("self.l.all(a, self.l.exists_one(b, a == b))"), rule("self.l.all(a, a.matches('^[a-z]+$'))")),
            None,
        ),
        (obj({"s": STRING, "n": INT}, rule("self.s == 'a' || self.n in [1, 2]")), None),
        (
            obj({"l": {"type": "array", "items": INT}}, rule("self.l.sortBy(x, -x)[0] == self.l.distinct()[0]")),
            "estimated rule cost exceeds budget by factor of more than 100x",
        ),
        (obj({"l": {"type": "array", "maxItems": 99, "items": INT}}, rule("self.l.sort() == self.l.reverse()")), None),
        (
            obj({"l": {"type": "array", "items": STRING}, "m": {"type": "object", "additionalProperties": STRING}},
                rule("self.l.all(a, a in self.m)")),
            None,
        ),
    ],
)  # fmt: skip
def test_rule_that_can_cost_too_much_is_refused(spec: Schema, message: str | None) -> None:
    faults = faults_of_rules(with_spec(spec), "x")
    told_first = [fault.message for fault in faults[:1]]
    assert told_first[0].startswith(f"Forbidden: {message} (try") if message else not faults, faults


def test_rules_that_would_hold_up_the_loop_are_left_to_a_thread() -> None:
    spec = obj({"l": {"type": "array", "items": INT}}, rule("!self.l.exists(a, self.l.exists(b, a + b == 198))"))
    rules = CompiledRules(with_spec(spec))
    large: Schema = {"spec": {"l": list(range(100))}}

    async def on_a_loop() -> list[str]:
        with pytest.raises(TooLong):
            rules.check(large, ABSENT, None)
        return [str(fault) for fault in await beside(lambda: rules.check(large, ABSENT, None))]

    assert len(asyncio.run(on_a_loop())) == len(rules.check(large, ABSENT, None)) == 1
