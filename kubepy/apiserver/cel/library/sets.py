"""Lists taken as sets: sets.contains, sets.equivalent, sets.intersects.

Source: cel-go ext/sets.go.
"""

from typing import Any

from kubepy.apiserver.cel.registry import function, size
from kubepy.apiserver.cel.values import equal


def _product(arguments: tuple[Any, ...], result: Any) -> int:
    return size(arguments[0]) * size(arguments[1]) + 1


def _covers(holder: list[Any], wanted: list[Any]) -> bool:
    return all(any(equal(each, one) for one in holder) for each in wanted)


@function("sets:contains(list, list) bool", cost=_product, standard=True, is_steep=True)
def contains(holder: list[Any], wanted: list[Any]) -> bool:
    return _covers(holder, wanted)


@function("sets:equivalent(list, list) bool", cost=_product, standard=True, is_steep=True)
def equivalent(left: list[Any], right: list[Any]) -> bool:
    return _covers(left, right) and _covers(right, left)


@function("sets:intersects(list, list) bool", cost=_product, standard=True, is_steep=True)
def intersects(left: list[Any], right: list[Any]) -> bool:
    return any(equal(one, other) for one in left for other in right)
