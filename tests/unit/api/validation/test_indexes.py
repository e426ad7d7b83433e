import pytest

from kubepy.api.validation.indexes import BadIndexes, parse_indexes


def test_indexes_are_read_as_intervals() -> None:
    assert parse_indexes("0,2-5,9", 10) == [(0, 0), (2, 5), (9, 9)]


@pytest.mark.parametrize("text", ["++1", "٣", "9" * 5000, "x"])
def test_what_go_reads_as_no_integer_is_no_index(text: str) -> None:
    with pytest.raises(BadIndexes) as raised:
        parse_indexes(text, 10)
    assert str(raised.value) == f'cannot convert string to integer for index: "{text}"'
