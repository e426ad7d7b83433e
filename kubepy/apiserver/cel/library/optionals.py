"""Values that may be absent: optional.of, optional.none, hasValue, value, unwrap, and first and last of lists
(or and orValue are in `control`).

Source: cel-go cel/library.go.
"""

from collections.abc import Mapping
from typing import Any

from kubepy.apiserver.cel.errors import EvaluationError
from kubepy.apiserver.cel.registry import function
from kubepy.apiserver.cel.values import NONE, Duration, Optional


@function("optional:of(A) optional_type<A>", standard=True)
def of(value: Any) -> Optional:
    return Optional(True, value)


@function("optional:none() optional_type<A>", standard=True)
def none() -> Optional:
    return NONE


@function("optional:ofNonZeroValue(A) optional_type<A>", standard=True)
def of_non_zero_value(value: Any) -> Optional:
    is_zero = value is None or value == Duration(0)
    if isinstance(value, bool | int | float | str | bytes | list | Mapping):
        is_zero = not value
    return NONE if is_zero else Optional(True, value)


@function("optional_type<A>.hasValue() bool", standard=True)
def has_value(optional: Optional) -> bool:
    return optional.present


@function("optional_type<A>.value() A", standard=True)
def value(optional: Optional) -> Any:
    return optional.value()


@function("list<T>.first() optional_type<T>", standard=True)
def first(values: list[Any]) -> Optional:
    return Optional(True, values[0]) if values else NONE


@function("list<T>.last() optional_type<T>", standard=True)
def last(values: list[Any]) -> Optional:
    return Optional(True, values[-1]) if values else NONE


@function("optional:unwrap(list<optional_type<V>>) list<V>", "list<optional_type<V>>.unwrapOpt() list<V>")
def unwrap(values: list[Any]) -> list[Any]:
    for value in values:
        if not isinstance(value, Optional):
            raise EvaluationError(f"value {value} is not optional")
    return [value.content for value in values if value.present]
