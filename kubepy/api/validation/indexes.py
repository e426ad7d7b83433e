"""Sets of completion indexes of an Indexed Job as text: `0,2-5,9`.

Source: pkg/apis/batch/validation/validation.go, validateIndexesFormat and its helpers.
"""

from kubepy.api.go_values import atoi

Interval = tuple[int, int]


class BadIndexes(ValueError):
    """Text that is no ascending list of indexes; its text is upstream's."""


def _index(text: str, interval: str) -> int:
    try:
        return atoi(text)
    except ValueError as fault:
        raise BadIndexes(f'cannot convert string to integer for index: "{text}"') from fault


def _interval(text: str, completions: int) -> Interval:
    limits = text.split("-")
    if len(limits) > 2:
        raise BadIndexes(f'the fragment "{text}" violates the requirement that an index interval can have at most '
                         "two parts separated by '-'")  # fmt: skip
    first = _index(limits[0], text)
    if first >= completions:
        raise BadIndexes(f'too large index: "{limits[0]}"')
    if len(limits) == 1:
        return first, first
    last = _index(limits[1], text)
    if last >= completions:
        raise BadIndexes(f'too large index: "{limits[1]}"')
    if first >= last:
        raise BadIndexes(f"non-increasing order, previous: {first}, current: {last}")
    return first, last


def parse_indexes(text: str, completions: int) -> list[Interval]:
    """The intervals of a list of indexes. Raises BadIndexes."""
    intervals: list[Interval] = []
    for part in text.split(",") if text else ():
        interval = _interval(part, completions)
        if intervals and interval[0] <= intervals[-1][1]:
            raise BadIndexes(f"non-increasing order, previous: {intervals[-1][1]}, current: {interval[0]}")
        intervals.append(interval)
    return intervals


def count_indexes(intervals: list[Interval]) -> int:
    """How many indexes there are in all."""
    return sum(last - first + 1 for first, last in intervals)


def first_overlap(left: list[Interval], right: list[Interval]) -> int | None:
    """The smallest index in both, or None."""
    common = [max(a, c) for a, b in left for c, d in right if a <= d and c <= b]
    return min(common, default=None)
