"""Quantities: one spelling for each number, no number lost."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepy.api import quantity

SUFFIXES = ["", "n", "u", "m", "k", "M", "G", "Ki", "Mi", "Gi", "Ti", "e3", "E-3", "e+2"]
texts = st.builds(
    lambda sign, whole, fraction, suffix: f"{sign}{whole}{'.' + fraction if fraction else ''}{suffix}",
    st.sampled_from(["", "-", "+"]),
    st.integers(0, 10**6).map(str),
    st.one_of(st.just(""), st.integers(0, 999).map(str)),
    st.sampled_from(SUFFIXES),
)


@pytest.mark.parametrize(
    ("given_text", "canonical"),
    [
        ("1000m", "1"), ("0.5", "500m"), ("0.5Gi", "512Mi"), ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("100", "100"),
        ("1e3", "1e3"), ("12e4", "120e3"), ("0", "0"), ("0Ki", "0"), ("1500000k", "1500M"), ("-5", "-5"),
        (".5", "500m"), ("5.", "5."), ("1023", "1023"), ("0.5Ki", "512"), ("1000Ki", "1000Ki"), ("9E", "9E"),
        (0.5, "500m"), (3, "3"), ("0.0000000001", "1n"), ("1e-10", "1e-9"),
    ],
)  # fmt: skip
def test_every_number_has_one_spelling(given_text: str | float, canonical: str) -> None:
    assert quantity.canonical(given_text) == canonical


@pytest.mark.parametrize("text", ["1.500", "+5", "2E9", "00012", "1.250m", "+1Gi", "007Ki", "1e21", "100E", "1.G"])
def test_upstreams_parser_keeps_what_it_takes_for_canonical(text: str) -> None:
    assert quantity.canonical(text) == text


@pytest.mark.parametrize(
    ("text", "rounded"), [("1.500", "1.500"), ("1.500m", "2m"), ("1.500000", "1500m"), ("100n", "1m"), ("0.1", "100m")]
)
def test_rounding_keeps_a_text_that_needs_none(text: str, rounded: str) -> None:
    assert quantity.round_up(text) == rounded


@pytest.mark.parametrize("bad", ["", "a", "--1", "1 ", ".", " 1", "1.2.3", "m"])
def test_what_is_no_number_is_told_the_pattern(bad: str) -> None:
    with pytest.raises(ValueError, match="quantities must match the regular expression"):
        quantity.parse(bad)


@pytest.mark.parametrize("bad", ["1x", "1e", "1ki", "1mi", "1KiB"])
def test_an_unknown_suffix_is_told_so(bad: str) -> None:
    with pytest.raises(ValueError, match="unable to parse quantity's suffix"):
        quantity.parse(bad)


def test_an_exponent_of_many_digits_is_no_attack() -> None:
    assert quantity.canonical("1e" + "9" * 5000) == quantity.canonical("1e64")


def test_parts_of_a_unit_round_away_from_zero() -> None:
    assert quantity.value("1500m") == 2
    assert quantity.milli("1u") == 1
    assert quantity.value("-1500m") == -2
    assert quantity.round_up("1u") == "1m"


def test_a_sum_keeps_the_left_format_unless_it_is_zero() -> None:
    assert quantity.add("1Gi", "512Mi") == "1536Mi"
    assert quantity.add("0", "1Gi") == "1Gi"
    assert quantity.subtract("1", "250m") == "750m"


def test_numbers_come_back_as_quantities() -> None:
    assert quantity.from_milli(1500) == "1500m"
    assert quantity.from_milli(2000) == "2"
    assert quantity.from_value(2**30, binary=True) == "1Gi"
    assert quantity.from_value(1000) == "1k"


@given(texts)
def test_the_canonical_spelling_means_the_same_and_stays(text: str) -> None:
    canonical = quantity.canonical(text)
    assert quantity.canonical(canonical) == canonical
    assert quantity.nano(canonical) == quantity.nano(text)


@given(texts, texts)
def test_order_and_sums_are_those_of_the_numbers(a: str, b: str) -> None:
    left, right = quantity.parse(a), quantity.parse(b)
    assert quantity.compare(a, b) == (left > right) - (left < right)
    assert quantity.nano(quantity.add(a, b)) == quantity.nano(a) + quantity.nano(b)


@given(texts)
def test_milli_and_value_are_the_next_whole_numbers(text: str) -> None:
    exact = Decimal(quantity.parse(text))
    for found, number in ((quantity.value(text), exact), (quantity.milli(text), exact * 1000)):
        assert abs(number) <= abs(found) < abs(number) + 1
