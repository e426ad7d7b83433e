"""What `'%s is %d'.format([name, count])` makes.

Source: cel-go ext/formatting.go.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from kubepy.apiserver.cel.errors import EvaluationError
from kubepy.apiserver.cel.library.times import duration_text, timestamp_text
from kubepy.apiserver.cel.values import Duration, Timestamp, TypeValue, UInt, is_number, type_name

_CLAUSE = re.compile(r"%(?:(%)|(?:\.(\d+))?([a-zA-Z])|(.?))", re.DOTALL)
_MOST_DIGITS: Final = 1000


def format_string(text: str, values: list[Any]) -> str:
    """The text with its clauses filled in. Raises EvaluationError."""
    rest = iter(values)

    def fill(found: re.Match[str]) -> str:
        if found[1]:
            return "%"
        if found[3] not in _CLAUSES:
            raise EvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{found[0][1:]}"')
        try:
            value = next(rest)
        except StopIteration:
            raise EvaluationError(f"index {len(values)} out of range") from None
        try:
            return _CLAUSES[found[3]](value, min(int(found[2]), _MOST_DIGITS) if found[2] else None)
        except _Unfit as fault:
            raise EvaluationError(f"error during formatting: {fault}") from None

    return _CLAUSE.sub(fill, text)


class _Unfit(Exception):
    """A value that a clause does not take."""


def _show(value: Any, precision: int | None = None) -> str:
    """%s: any value as people read it."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return double_text(value)
        case str():
            return value
        case bytes():
            return value.decode("utf-8", "replace")
        case Timestamp():
            return timestamp_text(value)
        case Duration():
            return duration_text(value)
        case TypeValue(name=name):
            return name
        case list():
            return "[" + ", ".join(map(_show, value)) + "]"
        case Mapping():
            return "{" + ", ".join(sorted(f"{_show(key)}: {_show(inner)}" for key, inner in value.items())) + "}"
    if is_number(value):
        return str(int(value))
    raise _Unfit(f"string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, "
                 f"durations, and timestamps, was given {type_name(value)}")  # fmt: skip


def double_text(value: float) -> str:
    """A double as Go writes it in few characters."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e21 else repr(value)


def _decimal(value: Any, precision: int | None) -> str:
    if type(value) in (int, UInt):
        return str(int(value))
    if type(value) is float and not math.isfinite(value):
        return double_text(value)
    raise _Unfit(f"decimal clause can only be used on integers, was given {type_name(value)}")


def _fixed(value: Any, precision: int | None) -> str:
    return f"{_real(value, 'fixed-point'):.{6 if precision is None else precision}f}"


def _scientific(value: Any, precision: int | None) -> str:
    return f"{_real(value, 'scientific'):.{6 if precision is None else precision}e}"


def _real(value: Any, clause: str) -> float:
    if is_number(value):
        return float(value)
    raise _Unfit(f"{clause} clause can only be used on doubles, was given {type_name(value)}")


def _based(base: str, name: str) -> Callable[[Any, int | None], str]:
    def show(value: Any, precision: int | None) -> str:
        if isinstance(value, bool) and base == "b":
            return str(int(value))
        if type(value) in (int, UInt):
            return format(int(value), base)
        if base in "xX" and isinstance(value, str | bytes):
            digits = (value.encode() if isinstance(value, str) else value).hex()
            return digits.upper() if base == "X" else digits
        raise _Unfit(f"{name} clause can only be used on integers, was given {type_name(value)}")

    return show


_CLAUSES: Final[Mapping[str, Callable[[Any, int | None], str]]] = {
    "s": _show,
    "d": _decimal,
    "f": _fixed,
    "e": _scientific,
    "b": _based("b", "binary"),
    "o": _based("o", "octal"),
    "x": _based("x", "hex"),
    "X": _based("X", "hex"),
}
