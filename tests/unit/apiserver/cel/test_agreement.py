"""Our closures and the library's own evaluator agree on the language itself: values, and that something fails.

(Not on what Go, and so Kubernetes, does otherwise: a duration is an integer too, and its getMilliseconds is all of it.)
Expressions are made at random from small parts, over variables of every type.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from cel_expr_python import cel
from hypothesis import given, settings
from hypothesis import strategies as st

from kubepy.apiserver.cel.environment import Environment
from kubepy.apiserver.cel.errors import CompileError, EvaluationError
from kubepy.apiserver.cel.values import SECOND, Duration, Timestamp

# Maps have one entry each: the order of several is nobody's promise.
BINDINGS: dict[str, Any] = {
    "i": 7, "j": -3, "d": 2.5, "s": "héllo", "t": "", "b": True, "l": [3, 1, 2], "e": [], "m": {"a": 1},
    "x": [1, "a", None, True, 2.5], "n": None, "o": {"k": {"v": 1}},
}  # fmt: skip
KINDS = {
    "i": "int", "j": "int", "d": "double", "s": "string", "t": "string", "b": "bool", "l": "list<int>",
    "e": "list<int>", "m": "map<string, int>", "x": "dyn", "n": "dyn", "o": "dyn",
}  # fmt: skip
TYPES = {
    "int": cel.Type.INT, "double": cel.Type.DOUBLE, "string": cel.Type.STRING, "bool": cel.Type.BOOL,
    "list<int>": cel.Type.List(cel.Type.INT), "map<string, int>": cel.Type.Map(cel.Type.STRING, cel.Type.INT),
    "dyn": cel.Type.DYN,
}  # fmt: skip
FAILED = "failed"
OURS = Environment(KINDS)
THEIRS = cel.NewEnv(
    config=cel.NewEnvConfigFromYaml("extensions: [{name: optional}, {name: two-var-comprehensions}, {name: sets}]"),
    variables={name: TYPES[kind] for name, kind in KINDS.items()},
)

leaves = st.sampled_from(
    ["i", "j", "d", "s", "t", "b", "l", "e", "m", "x", "o", "n", "o.k", "o.gone", "m.a",
     "0", "1", "2", "-1", "1.5", "''", "'a'", "'l'", "true", "null", "[1, 2]", "{'a': 1}", "9223372036854775807",
     "duration('90m')", "timestamp('2024-02-29T12:30:45Z')"]
)  # fmt: skip


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions made of smaller ones."""
    binary = st.sampled_from(["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in"])
    call = st.sampled_from(
        ["size({0})", "{0}.size()", "string({0})", "int({0})", "double({0})", "type({0}) == type({1})", "!{0}", "-{0}",
         "dyn({0}) == {1}", "{0}[{1}]", "{0}.contains({1})", "{0}.startsWith({1})", "{0}.endsWith({1})",
         "{0}.matches('^h.*o$')", "{0}.getFullYear()", "{0}.getHours()", "{0}.getDayOfWeek()",
         "{0}[?{1}].orValue({2})", "optional.of({0}).hasValue()", "sets.contains({0}, {1})", "bool({0})"]
    )  # fmt: skip
    fold = st.sampled_from(
        ["{0}.all(v, v != {1})", "{0}.exists(v, v == {1})", "{0}.exists_one(v, v == {1})", "{0}.map(v, [v, {1}])",
         "{0}.filter(v, {1} == v)", "{0}.map(v, v == {1}, v)", "{0}.all(k, v, v != {1} || k == {2})",
         "{0}.transformList(k, v, v == {1})", "{0}.exists(v, 1 / v == {1})"]
    )  # fmt: skip
    parts = st.tuples(inner, inner, inner)
    return st.one_of(
        st.tuples(inner, binary, inner).map(lambda three: f"({three[0]} {three[1]} {three[2]})"),
        parts.map(lambda three: f"({three[0]} ? {three[1]} : {three[2]})"),
        st.tuples(call, parts).map(lambda two: two[0].format(*two[1])),
        st.tuples(fold, parts).map(lambda two: two[0].format(*two[1])),
    )


def plain(value: Any) -> Any:
    """A value of theirs or of ours, in one form in which types count."""
    match value:
        case datetime():
            return ("time", round((value - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)))
        case timedelta():
            return ("span", round(value / timedelta(microseconds=1)))
        case Timestamp(ns=ns):
            return ("time", round(ns * 10**6 / SECOND))
        case Duration(ns=ns):
            return ("span", round(ns * 10**6 / SECOND))
        case list():
            return [plain(each) for each in value]
        case dict():
            return sorted((repr(plain(key)), plain(each)) for key, each in value.items())
    return (type(value).__name__, repr(value))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.recursive(leaves, larger, max_leaves=6))
def test_both_evaluators_agree(expression: str) -> None:
    if "duration(" in expression and "int(" in expression:
        return
    try:
        ours = OURS.compile(expression)
        theirs = THEIRS.compile(expression)
    except (CompileError, RuntimeError):
        return  # not an expression, or one that only one of the two checkers takes (order among mixed numbers)
    answer = theirs.eval(data=BINDINGS)
    wanted = FAILED if answer.type().name() == "ERROR" else plain(answer.plain_value())
    try:
        found = plain(ours.evaluate(BINDINGS))
    except EvaluationError:
        found = FAILED
    assert found == wanted
