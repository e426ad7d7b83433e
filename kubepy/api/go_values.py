"""How Go names, prints and reads values: upstream's messages contain what it says of them.

Source: fmt's %v of maps, slices and scalars; encoding/json's names of JSON types; strconv.
"""

import re
from decimal import Decimal
from typing import Any, Final

_INTEGER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_DIGITS_INT64: Final = 19


def atoi(text: str) -> int:
    """The number in a text, as `strconv.Atoi` reads it. Raises ValueError in its words.

    Unlike int() it takes no spaces and no digits of other scripts, and has no limit of its own to zeros in front.
    """
    if not _INTEGER.fullmatch(text):
        raise ValueError(f'strconv.Atoi: parsing "{text}": invalid syntax')
    number = int(text.lstrip("+-").lstrip("0")[: _DIGITS_INT64 + 1] or "0") * (-1 if text[0] == "-" else 1)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f'strconv.Atoi: parsing "{text}": value out of range')
    return number


def json_type(value: Any) -> str:
    """What encoding/json calls the value: object, array, string, number, bool."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "number"


def go_type(value: Any) -> str:
    """The Go type that the value has after parsing."""
    names = {dict: "map[string]interface {}", list: "[]interface {}", str: "string", bool: "bool", int: "int64"}
    return "<nil>" if value is None else names.get(type(value), "float64")


def show(value: Any) -> str:
    """`%v`: map[a:1 b:[x y]], true, <nil>; the keys of maps are sorted."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{show(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(show, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return show_float(value)
    return "<nil>" if value is None else str(value)


def show_float(value: float) -> str:
    """`%v` of a float64: 1.5, 2, 1e+06; the exponent is told below 1e-04 and from 1e+06 on."""
    exact = Decimal(repr(value)).normalize()
    power = exact.adjusted()
    if not value or -5 < power < 6:
        return f"{exact:f}"
    digits = f"{exact:e}".partition("e")[0]
    return f"{digits}e{'-' if power < 0 else '+'}{abs(power):02d}"
