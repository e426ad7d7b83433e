"""Lists: isSorted, sum, min, max, indexOf, lastIndexOf, and size of all that has one.

Source: apiserver pkg/cel/library/lists.go.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from kubepy.apiserver.cel.errors import EvaluationError
from kubepy.apiserver.cel.operators import add
from kubepy.apiserver.cel.registry import elements, function
from kubepy.apiserver.cel.values import compare, equal

_SUMMABLE: Final = ("int", "uint", "double", "google.protobuf.Duration")
_COMPARABLE: Final = (*_SUMMABLE, "bool", "google.protobuf.Timestamp", "string", "bytes")


def _each(template: str, kinds: tuple[str, ...]) -> Iterator[str]:
    return (template.replace("T", kind) for kind in kinds)


def _is_sorted(values: list[Any]) -> bool:
    return all(compare(one, other) <= 0 for one, other in pairwise(values))


def _sum(values: list[Any]) -> Any:
    if not values:
        return 0
    total = values[0]
    for value in values[1:]:
        total = add(total, value)
    return total


def _extreme(values: list[Any], name: str, sign: int) -> Any:
    if not values:
        raise EvaluationError(f"{name} called on empty list")
    found = values[0]
    for value in values[1:]:
        if compare(value, found) * sign > 0:
            found = value
    return found


# The checker picks by the type of the elements; at run time one overload serves them all.
for _kind in _SUMMABLE:
    function(f"list<{_kind}>.sum() {_kind}", cost=elements)(_sum)
for _text in _each("list<T>.isSorted() bool", _COMPARABLE):
    function(_text, cost=elements)(_is_sorted)
for _kind in _COMPARABLE:
    function(f"list<{_kind}>.min() {_kind}", cost=elements)(lambda values: _extreme(values, "min", -1))
    function(f"list<{_kind}>.max() {_kind}", cost=elements)(lambda values: _extreme(values, "max", 1))


@function("list<A>.indexOf(A) int", cost=elements)
def index_of(values: list[Any], wanted: Any) -> int:
    return next((at for at, value in enumerate(values) if equal(value, wanted)), -1)


@function("list<A>.lastIndexOf(A) int", cost=elements)
def last_index_of(values: list[Any], wanted: Any) -> int:
    return next((at for at in range(len(values) - 1, -1, -1) if equal(values[at], wanted)), -1)


@function("size(list) int", "size(map) int", "size(string) int", "size(bytes) int", standard=True)
def size(value: list[Any] | Mapping[Any, Any] | str | bytes) -> int:
    return len(value)
