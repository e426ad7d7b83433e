"""Lists as CEL's own extension has them: slice, flatten, distinct, reverse, sort, sortBy, lists.range.

The checker knows their types and what `sortBy` stands for: a call of `@sortByAssociatedKeys` on the keys.
Source: cel-go ext/lists.go (version 3).
"""

from collections.abc import Iterator
from functools import cmp_to_key
from typing import Any, Final

from kubepy.apiserver.cel.errors import CostExceeded, EvaluationError
from kubepy.apiserver.cel.frame import LIST_COST
from kubepy.apiserver.cel.registry import TRAVERSAL, function
from kubepy.apiserver.cel.values import Duration, Timestamp, compare, equal, type_name

_MOST: Final = 1_000_000
"""Elements that a list can have that one evaluation may pay for: more are not even made."""
_COMPARABLE: Final = (bool, int, float, str, bytes, Timestamp, Duration)


def _made(arguments: tuple[Any, ...], result: Any) -> int:
    """Making as many elements as there are."""
    return len(result) + LIST_COST + 1


def _flattened(arguments: tuple[Any, ...], result: Any) -> int:
    depth = arguments[1] if len(arguments) > 1 else 1
    return len(arguments[0]) * depth + LIST_COST + 1


def _compared(arguments: tuple[Any, ...], result: Any) -> int:
    """Comparing all elements of the last list with each other."""
    keys = arguments[-1]
    factor = 2 + TRAVERSAL if keys and isinstance(keys[0], str | bytes) else 2
    return int(len(keys) ** 2 * factor) + LIST_COST + 1


@function("lists:range(int) list<int>", cost=_made, standard=True)
def numbers(count: int) -> list[int]:
    if count > _MOST:
        raise CostExceeded
    return list(range(count))


@function("list<T>.reverse() list<T>", cost=_made, standard=True)
def reverse(values: list[Any]) -> list[Any]:
    return values[::-1]


@function("list<T>.slice(int, int) list<T>", cost=_made, standard=True)
def part(values: list[Any], start: int, end: int) -> list[Any]:
    why = ""
    if start < 0 or end < 0:
        why = "negative indexes not supported"
    elif start > end:
        why = "start index must be less than or equal to end index"
    elif len(values) < end:
        why = f"list is length {len(values)}"
    if why:
        raise EvaluationError(f"cannot slice({start}, {end}), {why}")
    return values[start:end]


@function("list<T>.flatten() list<T>", cost=_flattened, standard=True)
def flatten(values: list[Any]) -> list[Any]:
    return flatten_to(values, 1)


@function("list<dyn>.flatten(int) list<dyn>", cost=_flattened, standard=True)
def flatten_to(values: list[Any], depth: int) -> list[Any]:
    if depth < 0:
        raise EvaluationError("level must be non-negative")
    found: list[Any] = []
    for value in _leaves(values, depth):
        found.append(value)
        if len(found) > _MOST:
            raise CostExceeded
    return found


def _leaves(values: list[Any], depth: int) -> Iterator[Any]:
    for value in values:
        if depth and isinstance(value, list):
            yield from _leaves(value, depth - 1)
        else:
            yield value


@function("list<T>.distinct() list<T>", cost=_compared, standard=True, is_steep=True)
def distinct(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if not any(equal(value, each) for each in found):
            found.append(value)
    return found


@function("list<T>.sort() list<T>", cost=_compared, standard=True, is_steep=True)
def sort(values: list[Any]) -> list[Any]:
    return sort_by(values, values)


@function("list<T>.@sortByAssociatedKeys(list<U>) list<T>", cost=_compared, standard=True, is_steep=True)
def sort_by(values: list[Any], keys: list[Any]) -> list[Any]:
    if keys and not isinstance(keys[0], _COMPARABLE):
        raise EvaluationError("list elements must be comparable")
    if any(type_name(key) != type_name(keys[0]) for key in keys):
        raise EvaluationError("list elements must have the same type")
    pairs = sorted(zip(keys, values, strict=True), key=cmp_to_key(_by_key))
    return [value for _, value in pairs]


def _by_key(one: tuple[Any, Any], other: tuple[Any, Any]) -> int:
    return compare(one[0], other[0])
