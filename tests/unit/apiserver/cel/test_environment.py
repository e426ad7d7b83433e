"""Expressions compile against declared variables, evaluate on plain values, and fail in upstream's words."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from kubepy.apiserver.cel.environment import PER_CALL_LIMIT, Budget, Environment
from kubepy.apiserver.cel.errors import CompileError, CostExceeded, EvaluationError
from kubepy.apiserver.cel.kinds import ListOf, MapOf, Object

SPEC = Object(
    "spec",
    {"replicas": "int", "ports": ListOf("int"), "labels": MapOf("string"), "__namespace__": "string",
     "a__dash__b": "string", "anything": "dyn"},
)  # fmt: skip
ENVIRONMENT = Environment({"self": Object("self_type", {"spec": SPEC}), "any": "dyn", "numbers": "list<int>"})
BINDINGS: Mapping[str, Any] = {
    "self": {"spec": {"replicas": 2, "ports": [80, 443], "labels": {"a": "b"}, "namespace": "ns", "a-b": "dash"}},
    "any": {"text": "hello", "none": None},
    "numbers": [3, 1, 2],
}


def value_of(expression: str) -> Any:
    return ENVIRONMENT.compile(expression).evaluate(BINDINGS)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("self.spec.replicas <= 3 && self.spec.ports.all(p, p > 0)", True),
        ("self.spec.__namespace__ + self.spec.a__dash__b", "nsdash"),
        ("has(self.spec.replicas) && !has(self.spec.anything)", True),
        ("self.spec.labels.map(k, self.spec.labels[k])", ["b"]),
        ("numbers.filter(n, n > 1).map(n, n * 2)", [6, 4]),
        ("numbers.map(n, numbers.map(m, n + m))[0]", [6, 4, 5]),
        ("numbers.exists_one(n, n == 1)", True),
        ("numbers.all(i, n, i < 3 && n > 0)", True),
        ("numbers.transformList(i, n, i > 0, n)", [1, 2]),
        ("numbers.transformMap(i, n, n)", {0: 3, 1: 1, 2: 2}),
        ("any.?missing.orValue('x')", "x"),
        ("[?any.?missing, 1]", [1]),
        ("{?'a': any.?text}", {"a": "hello"}),
        ("any.?text.optMap(t, t + '!').value()", "hello!"),
        ("any.none == null", True),
        ("1 < 1.5 && 2u > 1", True),
        ("dyn(1) == 1.0 && dyn(1) != dyn(true) && dyn('a') != dyn(b'a')", True),
        ("type(any) == map && type(1) == int && type(null) == null_type", True),
        ("-7 / 2 * 10 + -7 % 3", -31),
    ],
)
def test_expression_has_value(expression: str, value: Any) -> None:
    assert value_of(expression) == value


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("any.missing", "no such key: missing"),
        ("numbers[9]", "index out of bounds: 9"),
        ("1 / (numbers[1] - 1)", "division by zero"),
        ("9223372036854775807 + numbers[0]", "integer overflow"),
        ("any.text + 1", "no such overload"),
        ("optional.none().value()", "optional.none() dereference"),
        ("[].min() == 1", "min called on empty list"),
        ("any.text.inner", "no such key: inner"),
        ("any.none[0]", "no such key: 0"),
        ("numbers[any.text]", "unsupported index type 'string' in list"),
        ("numbers[dyn(0.0 / 0.0)]", "unsupported index value nan in list"),
        ("int(any.text)", "type conversion error from 'string' to 'int'"),
        ("int('9223372036854775808')", "type conversion error from 'string' to 'int'"),
        ("uint('18446744073709551616')", "type conversion error from 'string' to 'uint'"),
        ("double('1e999')", "type conversion error from 'string' to 'double'"),
        ("bool(any.text)", "type conversion error from 'string' to 'bool'"),
        ("duration(any.text)", "type conversion error from 'string' to 'google.protobuf.Duration'"),
        ("timestamp(any.text)", "type conversion error from 'string' to 'google.protobuf.Timestamp'"),
        ("numbers.slice(1, 9)", "cannot slice(1, 9), list is length 3"),
        ("numbers.flatten(-1)", "level must be non-negative"),
        ("dyn([1, any.text]).sort()", "list elements must have the same type"),
        ("[1].map(n, any).sort()", "list elements must be comparable"),
    ],
)
def test_evaluation_fails_with_upstreams_text(expression: str, message: str) -> None:
    with pytest.raises(EvaluationError) as raised:
        value_of(expression)
    assert raised.value.message == message


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("self.foo", "ERROR: <input>:1:5: undefined field 'foo'\n | self.foo\n | ....^"),
        ("nobody", "ERROR: <input>:1:1: undeclared reference to 'nobody' (in container '')\n | nobody\n | ^"),
        ("a.b.c == 1", "ERROR: <input>:1:1: undeclared reference to 'a' (in container '')\n | a.b.c == 1\n | ^"),
        ("1 == z.y", "ERROR: <input>:1:6: undeclared reference to 'z' (in container '')\n | 1 == z.y\n | .....^"),
        ("z . y", "ERROR: <input>:1:3: undeclared reference to 'z.y' (in container '')\n | z . y\n | ..^"),
        (
            "self.spec.replicas + 'a'",
            "ERROR: <input>:1:20: found no matching overload for '_+_' applied to '(int, string)'\n"
            " | self.spec.replicas + 'a'\n | ...................^",
        ),
    ],
)
def test_expression_does_not_compile(expression: str, message: str) -> None:
    with pytest.raises(CompileError) as raised:
        ENVIRONMENT.compile(expression)
    assert raised.value.message == message


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("any.text.matches('[')", "1:18: invalid matches argument\n | any.text.matches('[')\n | .................^"),
        ("duration('soon') > duration('1s')", "1:10: invalid duration argument"),
        ("timestamp('now') == null", "1:11: invalid timestamp argument"),
        ("true &&\n 1 in [1, 'a']", "2:11: expected type 'int' but found 'string'\n |  1 in [1, 'a']\n | ..........^"),
        ("{'a': 1, 'b': [1]} == {}", "1:15: expected type 'int' but found 'list(int)'"),
    ],
)
def test_literals_are_judged_when_they_are_written(expression: str, message: str) -> None:
    with pytest.raises(CompileError) as raised:
        ENVIRONMENT.compile(expression)
    assert raised.value.message.startswith(f"ERROR: <input>:{message}")


def test_format_takes_values_of_all_types() -> None:
    assert value_of("'%s %d'.format(['a', 1])") == "a 1"
    assert value_of("[1, any.text].size()") == 2


def test_result_of_another_type_is_refused() -> None:
    with pytest.raises(CompileError, match="must evaluate to bool"):
        ENVIRONMENT.compile("1", result_type="bool")
    assert ENVIRONMENT.compile("any.text", result_type="bool").result_type == "dyn"


def test_either_side_of_a_logical_operator_decides_alone() -> None:
    assert value_of("any.missing || true") is True
    assert value_of("any.missing && false") is False
    assert value_of("numbers.exists(n, 1 / (n - 3) < 0)") is True
    assert value_of("numbers.all(n, 1 / (n - 3) > 0)") is False


def test_variables_of_folds_do_not_outlive_them() -> None:
    environment = Environment({"x": "int"})
    assert environment.compile("[1, 2].map(x, x) == [1, 2] && x == 7").evaluate({"x": 7}) is True


def test_what_holds_nothing_has_no_fields() -> None:
    assert value_of("has(any.text.inner) || has(any.none.inner) || any.?text.?inner.hasValue()") is False


@pytest.mark.parametrize(
    "expression",
    ["{dyn([1]): 2}", "timestamp('0001-01-01T00:00:00Z').getHours('-08:00')", "numbers.map(n, {dyn([n]): n}).size()"],
)
def test_fault_of_our_own_is_one_of_the_expression(expression: str) -> None:
    with pytest.raises(EvaluationError, match="internal error: "):
        value_of(expression)


def test_number_of_too_many_digits_is_no_duration() -> None:
    with pytest.raises(CompileError, match="invalid duration argument"):
        ENVIRONMENT.compile(f"duration('{'9' * 5000}h') == duration(0)")


@pytest.mark.parametrize("expression", ["lists.range(99999999999)", "lists.range(2000).map(i, 0 < i, many).flatten()"])
def test_list_that_nobody_could_pay_for_is_not_made(expression: str) -> None:
    with pytest.raises(CostExceeded):
        Environment({"many": "list<int>"}).compile(expression).evaluate({"many": list(range(1000))})


def test_expression_that_runs_too_long_is_stopped() -> None:
    many = Environment({"l": "list<int>"}).compile("l.all(a, l.all(b, l.all(c, a + b + c >= 0)))")
    with pytest.raises(CostExceeded, match="actual cost limit exceeded"):
        many.evaluate({"l": list(range(1000))})


def test_budget_is_shared() -> None:
    program = Environment({"l": "list<int>"}).compile("l.all(a, a >= 0)")
    budget = Budget(10_000)
    assert program.evaluate({"l": list(range(500))}, budget) is True
    assert 0 < budget.left < 10_000
    budget.left = min(budget.left, 500)
    with pytest.raises(CostExceeded):
        program.evaluate({"l": list(range(500))}, budget)
    assert PER_CALL_LIMIT == 1_000_000


def test_growing_strings_are_paid_for() -> None:
    program = Environment({"s": "string"}).compile("[1,2,3].map(x, (s+s)).map(y, (y+y)).all(z, (z+z).size() > 0)")
    with pytest.raises(CostExceeded):
        program.evaluate({"s": "x" * 4_000_000})


class Lazy(Mapping[str, Any]):
    """Makes its items when they are asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getitem__(self, name: str) -> Any:
        self.asked.append(name)
        return 1

    def __iter__(self) -> Iterator[str]:
        return iter(("a", "b"))

    def __len__(self) -> int:
        return 2


def test_bindings_may_be_lazy() -> None:
    lazy, environment = Lazy(), Environment({"variables": Object("variables_type", {"a": "int", "b": "int"})})
    assert environment.compile("variables.a == 2 && variables.b == 1").evaluate({"variables": lazy}) is False
    assert lazy.asked == ["a"]


def test_dynamic_expressions_make_objects() -> None:
    environment = Environment({"object": "dyn"}, dynamic=True)
    made = environment.compile("Object{spec: Object.spec{replicas: object.spec.replicas + 1, ?x: object.?x}}")
    assert made.evaluate({"object": {"spec": {"replicas": 1}}}) == {"spec": {"replicas": 2}}
    assert environment.compile("jsonpatch.escapeKey('a/b~c')").evaluate({}) == "a~1b~0c"
    with pytest.raises(CompileError, match="undeclared reference to 'nobody'"):
        environment.compile("nobody + 1")


def test_fields_that_differ_only_in_how_words_are_joined_are_two() -> None:
    kind = Object(
        "Twins", {"foo_bar": "int", "fooBar": "string", "a_b": MapOf("int"), "aB": MapOf("string"), "AbEntry": "int"}
    )
    environment = Environment({"self": kind})
    program = environment.compile("self.foo_bar == 1 && self.fooBar == 'x' && self.a_b['k'] == 2 && self.aB.k == 'y'")
    assert (
        program.evaluate({"self": {"foo_bar": 1, "fooBar": "x", "a_b": {"k": 2}, "aB": {"k": "y"}, "AbEntry": 3}})
        is True
    )
