"""Values of CEL as Python has them: equality, order, names of types.

bool, int, float, str, bytes, list, dict and None are themselves; what Python lacks is made here. A bool is never a
number, and numbers of all types compare by what they mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kubepy.apiserver.cel.errors import EvaluationError, no_such_overload

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
UINT_MAX: Final = 2**64 - 1
SECOND: Final = 10**9
# What Go's durations hold, and the years 1 to 9999, in nanoseconds.
_TIME_MIN: Final = -62135596800 * SECOND
_TIME_MAX: Final = 253402300800 * SECOND - 1


class UInt(int):
    """An unsigned integer: a type of its own in CEL."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """Nanoseconds since 1970, UTC."""

    ns: int

    def __post_init__(self) -> None:
        if not _TIME_MIN <= self.ns <= _TIME_MAX:
            raise EvaluationError("timestamp overflow")


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """Nanoseconds."""

    ns: int

    def __post_init__(self) -> None:
        if not INT_MIN <= self.ns <= INT_MAX:
            raise EvaluationError("duration overflow")


@dataclass(frozen=True, slots=True)
class TypeValue:
    """A type as a value: what `type(x)` answers and what `int` means."""

    name: str


@dataclass(frozen=True, slots=True)
class Optional:
    """A value that may be absent."""

    present: bool
    content: Any = None

    def value(self) -> Any:
        """The value. Raises EvaluationError when there is none."""
        if not self.present:
            raise EvaluationError("optional.none() dereference")
        return self.content


NONE: Final = Optional(False)

_NAMES: Final[Mapping[type, str]] = {
    bool: "bool",
    int: "int",
    UInt: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    type(None): "null_type",
    Timestamp: "google.protobuf.Timestamp",
    Duration: "google.protobuf.Duration",
    TypeValue: "type",
    Optional: "optional_type",
}


def type_name(value: Any) -> str:
    """The name of a value's type."""
    if name := _NAMES.get(type(value)):
        return name
    if isinstance(value, list):
        return "list"
    if isinstance(value, Mapping):
        return "map"
    return str(getattr(value, "CEL_TYPE", "dyn"))


def as_int(number: int) -> int:
    """The number, if 64 bits hold it."""
    if INT_MIN <= number <= INT_MAX:
        return number
    raise EvaluationError("integer overflow")


def as_uint(number: int) -> UInt:
    """The number, if 64 bits without a sign hold it."""
    if 0 <= number <= UINT_MAX:
        return UInt(number)
    raise EvaluationError("unsigned integer overflow")


def is_number(value: Any) -> bool:
    """Whether a value is an int, uint or double."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(left: Any, right: Any) -> bool:
    """CEL's ==: deep; values of different types are different, but for numbers."""
    kind = type(left)
    if kind is type(right) and kind is not list and kind is not dict:
        return bool(left == right)
    if isinstance(left, list) and isinstance(right, list):
        return _equal_lists(left, right)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return len(left) == len(right) and all(key in right and equal(left[key], right[key]) for key in left)
    return is_number(left) and is_number(right) and left == right


_SIMPLE: Final = {str, int, bool}
"""Types of which Python's own comparison means the same."""


def _equal_lists(left: list[Any], right: list[Any]) -> bool:
    for one, other in ((left, right), (right, left)):
        if (compared := getattr(one, "equals", None)) is not None:
            return bool(compared(other))
    if len(left) != len(right):
        return False
    kinds = set(map(type, left))
    if kinds <= _SIMPLE and len(kinds) == 1 and set(map(type, right)) == kinds:
        return left == right
    return all(map(equal, left, right))


def compare(left: Any, right: Any) -> int:
    """Less than, equal to or greater than zero. Raises EvaluationError where there is no order."""
    is_ordered = type(left) is type(right) and isinstance(left, bool | str | bytes | Timestamp | Duration)
    if not is_ordered and not (is_number(left) and is_number(right)):
        raise no_such_overload()
    return int(left > right) - int(left < right)
