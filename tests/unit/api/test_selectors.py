"""Selectors: what they match, how they are spelled, and upstream's words for what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepy.api import selectors
from kubepy.api.selectors import parse_field_selector, parse_label_selector

keys = st.from_regex(r"[a-z]([a-z0-9.]{0,5}[a-z0-9])?", fullmatch=True).filter(lambda key: key not in ("in", "notin"))
values = st.from_regex(r"[a-z0-9]{0,4}", fullmatch=True)
terms = st.one_of(
    st.builds(lambda k, op, v: f"{k}{op}{v}", keys, st.sampled_from(["=", "==", "!="]), values),
    st.builds(
        lambda k, op, vs: f"{k} {op} ({','.join(vs)})",
        keys, st.sampled_from(["in", "notin"]), st.lists(values, min_size=1).filter(any),
    ),
    keys,
    keys.map(lambda key: "!" + key),
    st.builds(lambda k, op, n: f"{k}{op}{n}", keys, st.sampled_from(["<", ">"]), st.integers(0, 99)),
)  # fmt: skip
IN_X = {"key": "a", "operator": "In", "values": ["x"]}
labels = st.dictionaries(keys, values, max_size=4)


@pytest.mark.parametrize(
    ("text", "matching", "other"),
    [
        ("a=b", {"a": "b"}, {"a": "c"}),
        ("a==b", {"a": "b"}, {}),
        ("a!=b", {}, {"a": "b"}),
        ("a in (b, c)", {"a": "c"}, {}),
        ("a notin (b,c)", {}, {"a": "b"}),
        ("a", {"a": ""}, {}),
        ("!a", {}, {"a": ""}),
        ("a>5", {"a": "6"}, {"a": "5"}),
        ("a<5", {"a": "4"}, {"a": "x"}),
        ("a=,b", {"a": "", "b": "x"}, {"b": "x"}),
        ("in in (in)", {"in": "in"}, {"in": "out"}),
        ("a in (,b)", {"a": ""}, {"a": "c"}),
    ],
)
def test_a_selector_matches(text: str, matching: dict[str, str], other: dict[str, str]) -> None:
    selector = parse_label_selector(text)
    assert selector.matches(matching)
    assert not selector.matches(other)


def test_the_empty_selector_matches_everything_and_none_nothing() -> None:
    assert parse_label_selector("").matches({})
    assert parse_label_selector(" ").is_everything
    assert selectors.from_label_selector({}).is_everything
    assert not selectors.from_label_selector(None).matches({"a": "b"})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a===b", "unable to parse requirement: found '=', expected: identifier"),
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("!a=b", "found '=', expected: ',' or 'end of string'"),
        ("a>b", "unable to parse requirement: values[0]: Invalid value: \"b\": "
                "for 'Gt', 'Lt' operators, the value must be an integer"),
        ("x in ()", "unable to parse requirement: values: Invalid value: []: "
                    "for 'in', 'notin' operators, values set can't be empty"),
    ],
)  # fmt: skip
def test_what_is_no_selector_is_told_why(text: str, why: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011  # the whole text is compared below
        parse_label_selector(text)
    assert str(raised.value) == why


def test_a_bad_key_and_a_bad_value_are_told_where() -> None:
    with pytest.raises(ValueError, match='key: Invalid value: "-a": name part must consist'):
        parse_label_selector("-a=b")
    with pytest.raises(ValueError, match=r"values\[0\]\[a\]: Invalid value: \"-b\""):
        parse_label_selector("a=-b")


@given(st.lists(terms, max_size=4), labels)
def test_a_selector_reads_back_from_its_text(parts: list[str], found: dict[str, str]) -> None:
    selector = parse_label_selector(",".join(parts))
    again = parse_label_selector(str(selector))
    assert str(again) == str(selector)
    assert again.matches(found) == selector.matches(found)


@given(labels, labels)
def test_match_labels_match_supersets(wanted: dict[str, str], others: dict[str, str]) -> None:
    selector = selectors.from_label_selector({"matchLabels": wanted})
    assert selector.matches({**others, **wanted})
    assert selector.matches(others) == (wanted.items() <= others.items())


def naive_match(term: tuple[str, str, list[str]], found: dict[str, str]) -> bool:
    """What the reference says of each operator, word by word."""
    key, operator, wanted = term
    if operator == "exists":
        return key in found
    if operator == "!":
        return key not in found
    if operator in ("in", "=", "=="):
        return key in found and found[key] in wanted
    if operator in ("notin", "!="):
        return key not in found or found[key] not in wanted
    if key not in found or not found[key].isdecimal():
        return False
    return int(found[key]) > int(wanted[0]) if operator == ">" else int(found[key]) < int(wanted[0])


def spelled(term: tuple[str, str, list[str]]) -> str:
    key, operator, wanted = term
    if operator in ("exists", "!"):
        return key if operator == "exists" else f"!{key}"
    return f"{key} {operator} ({','.join(wanted)})" if operator in ("in", "notin") else f"{key}{operator}{wanted[0]}"


few_keys = st.sampled_from(["a", "b.c", "d/e"])
few_values = st.sampled_from(["", "x", "y", "7", "12"])
meant = st.one_of(
    st.tuples(few_keys, st.sampled_from(["exists", "!"]), st.just([])),
    st.tuples(few_keys, st.sampled_from(["=", "==", "!="]), st.lists(few_values, min_size=1, max_size=1)),
    st.tuples(few_keys, st.sampled_from(["in", "notin"]), st.lists(few_values, min_size=1, max_size=3).filter(any)),
    st.tuples(few_keys, st.sampled_from(["<", ">"]), st.integers(0, 20).map(lambda number: [str(number)])),
)


@given(st.lists(meant, max_size=3), st.dictionaries(few_keys, few_values, max_size=3))
def test_a_selector_matches_what_its_terms_mean(terms: list[tuple[str, str, list[str]]], found: dict[str, str]) -> None:
    selector = parse_label_selector(",".join(map(spelled, terms)))
    assert selector.matches(found) == all(naive_match(term, found) for term in terms)


def test_expressions_of_a_label_selector() -> None:
    selector = selectors.from_label_selector({"matchExpressions": [IN_X, {"key": "b", "operator": "DoesNotExist"}]})
    assert selector.matches({"a": "x"})
    assert not selector.matches({"a": "x", "b": ""})
    with pytest.raises(ValueError, match='"Near" is not a valid label selector operator'):
        selectors.from_label_selector({"matchExpressions": [{"key": "a", "operator": "Near"}]})


def test_field_selectors() -> None:
    selector = parse_field_selector("metadata.name=a,spec.nodeName!=n,status.phase==Running")
    assert selector.matches({"metadata.name": "a", "status.phase": "Running"})
    assert not selector.matches({"metadata.name": "a", "status.phase": "Running", "spec.nodeName": "n"})
    assert selector.exact("metadata.name") == "a"
    assert selector.exact("spec.nodeName") is None
    assert parse_field_selector("").is_everything


@given(st.dictionaries(st.from_regex(r"[a-z.]{1,6}", fullmatch=True), st.text(max_size=6), max_size=3))
def test_field_values_are_escaped_both_ways(fields: dict[str, str]) -> None:
    text = ",".join(f"{key}={selectors.escape_field_value(value)}" for key, value in fields.items())
    assert {term.field: term.value for term in parse_field_selector(text).terms} == fields


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("foo", "invalid selector: 'foo'; can't understand 'foo'"),
        ("a=b=c", "invalid field selector: unescaped special character in value: ="),
        ("a=b\\", "invalid field selector: unterminated escape sequence"),
    ],
)
def test_what_is_no_field_selector_is_told_why(text: str, why: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011  # the whole text is compared below
        parse_field_selector(text)
    assert str(raised.value) == why
