"""What the operators of CEL do with values: arithmetic that never wraps, order, membership, access by index."""

import math
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Any, Final

from kubepy.apiserver.cel.errors import EvaluationError, no_such_overload
from kubepy.apiserver.cel.registry import TRAVERSAL, Cost, size
from kubepy.apiserver.cel.values import (
    NONE,
    Duration,
    Optional,
    Timestamp,
    UInt,
    as_int,
    as_uint,
    compare,
    equal,
    is_number,
    type_name,
)


def _number(left: Any, right: Any, result: Any) -> Any:
    """The result of arithmetic on two numbers of one type, as that type."""
    kind = type(left)
    if kind is not type(right):
        raise no_such_overload()
    return as_int(result) if kind is int else as_uint(result) if kind is UInt else result


def add(left: Any, right: Any) -> Any:
    """`+`: numbers, strings, bytes, lists, times."""
    if is_number(left):
        return _number(left, right, left + right if is_number(right) else 0)
    if isinstance(left, list) and isinstance(right, list):
        merge = getattr(left, "merged", None)
        return merge(right) if merge is not None else left + right
    if type(left) is type(right) and isinstance(left, str | bytes):
        return left + right
    match left, right:
        case (Duration(a), Duration(b)):
            return Duration(a + b)
        case (Timestamp(a), Duration(b)) | (Duration(a), Timestamp(b)):
            return Timestamp(a + b)
    raise no_such_overload()


def subtract(left: Any, right: Any) -> Any:
    """`-` with two operands."""
    if is_number(left) and is_number(right):
        return _number(left, right, left - right)
    match left, right:
        case (Duration(a), Duration(b)) | (Timestamp(a), Timestamp(b)):
            return Duration(a - b)
        case (Timestamp(a), Duration(b)):
            return Timestamp(a - b)
    raise no_such_overload()


def multiply(left: Any, right: Any) -> Any:
    """`*`."""
    if not (is_number(left) and is_number(right)):
        raise no_such_overload()
    return _number(left, right, left * right)


def divide(left: Any, right: Any) -> Any:
    """`/`: whole numbers are cut off towards zero, doubles know infinity."""
    if not (is_number(left) and is_number(right) and type(left) is type(right)):
        raise no_such_overload()
    if isinstance(left, float):
        if right:
            return left / right
        return math.nan if not left or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
    if right == 0:
        raise EvaluationError("division by zero")
    whole = abs(left) // abs(right)
    return _number(left, right, whole if (left < 0) == (right < 0) else -whole)


def modulus(left: Any, right: Any) -> Any:
    """`%`, with the sign of the left operand."""
    if type(left) is not type(right) or type(left) not in (int, UInt):
        raise no_such_overload()
    if right == 0:
        raise EvaluationError("modulus by zero")
    rest = abs(left) % abs(right)
    return _number(left, right, rest if left >= 0 else -rest)


def negate(value: Any) -> Any:
    """`-` with one operand."""
    if type(value) is int:
        return as_int(-value)
    if type(value) is float:
        return -value
    raise no_such_overload()


def invert(value: Any) -> bool:
    """`!`."""
    if type(value) is not bool:
        raise no_such_overload()
    return not value


def contains(element: Any, holder: Any) -> bool:
    """`in`: an element of a list, a key of a map."""
    if isinstance(holder, list):
        return any(equal(element, each) for each in holder)
    if isinstance(holder, Mapping):
        return _key(element) in holder
    raise no_such_overload()


def _key(key: Any) -> Any:
    """A key as maps are looked into: doubles that are whole are integers, and True is not 1."""
    if isinstance(key, str | int | bool | float):
        return key
    raise no_such_overload()


def _position(key: Any) -> int:
    """A key as lists are looked into. Raises EvaluationError."""
    if not is_number(key):
        raise EvaluationError(f"unsupported index type '{type_name(key)}' in list")
    if type(key) is float and not key.is_integer():
        raise EvaluationError(f"unsupported index value {key} in list")
    return int(key)


def index(holder: Any, key: Any) -> Any:
    """`holder[key]`."""
    return member(holder, _key(key) if isinstance(holder, Mapping) else key)


def member(holder: Any, key: Any) -> Any:
    """`holder.key` and `holder[key]`, or the same under the value of an optional; what holds nothing has no keys."""
    if isinstance(holder, Mapping):
        try:
            return holder[key]
        except KeyError:
            raise _no_key(key) from None
    if isinstance(holder, list):
        at = _position(key)
        if not 0 <= at < len(holder):
            raise EvaluationError(f"index out of bounds: {at}")
        return holder[at]
    if isinstance(holder, Optional):
        return optional_index(holder, key)
    raise _no_key(key)


def _no_key(key: Any) -> EvaluationError:
    return EvaluationError(f"no such key: {key}")


def has(holder: Any, name: str) -> bool:
    """`has(holder.name)`."""
    if isinstance(holder, Mapping):
        return name in holder
    if isinstance(holder, list):
        return bool(_position(name))
    if isinstance(holder, Optional):
        return holder.present and has(holder.content, name)
    return False


def optional_index(holder: Any, key: Any) -> Optional:
    """`holder[?key]` and `holder.?key`."""
    if isinstance(holder, Optional):
        return optional_index(holder.content, key) if holder.present else NONE
    if isinstance(holder, Mapping):
        return Optional(True, holder[key]) if isinstance(key, Hashable) and key in holder else NONE
    if isinstance(holder, list):
        at = _position(key)
        return Optional(True, holder[at]) if 0 <= at < len(holder) else NONE
    return NONE


def _sum_cost(arguments: tuple[Any, ...], result: Any) -> int:
    return math.ceil(size(result) * TRAVERSAL) if isinstance(result, str | bytes | list) else 1


def _least_cost(arguments: tuple[Any, ...], result: Any) -> int:
    return max(1, math.ceil(min(map(deep_size, arguments)) * TRAVERSAL))


_FLAT: Final = {int, float, bool, type(None)}


def deep_size(value: Any) -> int:
    """What comparing a value may take: its elements' sizes too."""
    if isinstance(value, list):
        return _sizes(value) + len(value)
    if isinstance(value, Mapping):
        return _sizes(value.values()) + len(value)
    return size(value)


def _sizes(values: Collection[Any]) -> int:
    """The sizes of all: at once where they are of one simple type, or comparing would cost less than to know what."""
    kinds = set(map(type, values))
    if kinds <= _FLAT:
        return len(values)
    return sum(map(len, values)) if kinds == {str} else sum(map(deep_size, values))


def _in_cost(arguments: tuple[Any, ...], result: Any) -> int:
    return len(arguments[1]) if isinstance(arguments[1], list) else 1


OPERATORS: Final[Mapping[str, tuple[Callable[..., Any], Cost | None]]] = {
    "_+_": (add, _sum_cost),
    "_-_": (subtract, None),
    "_*_": (multiply, None),
    "_/_": (divide, None),
    "_%_": (modulus, None),
    "-_": (negate, None),
    "!_": (invert, None),
    "_==_": (equal, _least_cost),
    "_!=_": (lambda left, right: not equal(left, right), _least_cost),
    "_<_": (lambda left, right: compare(left, right) < 0, _least_cost),
    "_<=_": (lambda left, right: compare(left, right) <= 0, _least_cost),
    "_>_": (lambda left, right: compare(left, right) > 0, _least_cost),
    "_>=_": (lambda left, right: compare(left, right) >= 0, _least_cost),
    "@in": (contains, _in_cost),
    "_[_]": (index, None),
    "_[?_]": (optional_index, None),
    "_?._": (optional_index, None),
}
