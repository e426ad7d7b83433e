import pytest

from kubepy.api.go_values import atoi

MOST = (1 << 63) - 1


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("+5", 5), ("-007", -7), (str(MOST), MOST), (str(-MOST - 1), -MOST - 1), ("0" * 5000 + "1", 1)],
)
def test_integers_are_read_as_go_reads_them(text: str, number: int) -> None:
    assert atoi(text) == number


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "invalid syntax"),
        (" 1", "invalid syntax"),
        ("1_0", "invalid syntax"),
        ("--1", "invalid syntax"),
        ("٣", "invalid syntax"),
        (str(MOST + 1), "value out of range"),
        (str(-MOST - 2), "value out of range"),
        ("9" * 5000, "value out of range"),
        ("0" * 200_000 + "x", "invalid syntax"),
    ],
)
def test_what_is_no_integer_to_go_is_refused_in_its_words(text: str, why: str) -> None:
    with pytest.raises(ValueError, match="strconv") as raised:
        atoi(text)
    assert str(raised.value) == f'strconv.Atoi: parsing "{text}": {why}'
