"""Quantities ("500m", "1Gi", 0.5): parsed exactly, compared, added, and written in upstream's canonical form.

Invariant: canonical(canonical(q)) == canonical(q), and both mean the same number. Numbers are exact down to a
nano-unit; smaller parts round away from zero, and what does not fit a signed 64-bit integer is capped, as
upstream does. Like upstream's parser, which keeps the text where a quick look finds it canonical, some spellings are
kept that are not: "1.500", "+5", "2E9".

Source: apimachinery pkg/api/resource/quantity.go, suffix.go.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal

Quantity = str | int | float
Format = Literal["DecimalSI", "BinarySI", "DecimalExponent"]

_NANO: Final = 10**9
_MAX: Final = (2**63 - 1) * _NANO
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_SUFFIX: Final = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX: Final = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_PARTS = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([A-Za-z]*[-+]?[0-9]*)").fullmatch
_EXPONENT = re.compile(r"[eE]([-+]?[0-9]+)").fullmatch

FORMAT_FAULT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
SUFFIX_FAULT = "unable to parse quantity's suffix"


@lru_cache(maxsize=8192)
def _read(text: str) -> tuple[int, Format]:
    """(nano-units, format). Raises ValueError with upstream's text."""
    found = _PARTS(text)
    if not found or not (found[2] or found[3]):
        raise ValueError(FORMAT_FAULT)
    sign, whole, fraction, suffix = found[1], found[2], found[3] or "", found[4]
    number = int(whole + fraction)
    if suffix in _BINARY:
        kind: Format = "BinarySI"
        dividend, divisor = (number << _BINARY[suffix]) * _NANO, 10 ** len(fraction)
    else:
        exponent, kind = _decimal_exponent(suffix)
        power = exponent - len(fraction) + 9
        dividend, divisor = (number * 10**power, 1) if power >= 0 else (number, 10**-power)
    nano = min(-(-dividend // divisor), _MAX)
    return (-nano if sign == "-" else nano), kind


def _decimal_exponent(suffix: str) -> tuple[int, Format]:
    if suffix in _DECIMAL:
        return _DECIMAL[suffix], "DecimalSI"
    found = _EXPONENT(suffix)
    if not found:
        raise ValueError(SUFFIX_FAULT)
    # Beyond 64 bits (and below a nano) every exponent means the same: do not let one digit string make huge integers.
    return max(-64, min(64, int(found[1][:6]))), "DecimalExponent"


def _text(quantity: Quantity) -> str:
    if isinstance(quantity, str):
        return quantity
    if isinstance(quantity, float):
        return f"{Decimal(repr(quantity)):f}"
    return str(quantity)


def parse(quantity: Quantity) -> Decimal | int:
    """The exact number: an int where it is whole. Raises ValueError with upstream's text."""
    nano = _read(_text(quantity))[0]
    whole, rest = divmod(nano, _NANO)
    return Decimal(nano).scaleb(-9) if rest else whole


def nano(quantity: Quantity) -> int:
    return _read(_text(quantity))[0]


def milli(quantity: Quantity) -> int:
    """Thousandths (CPU in millicores), rounded away from zero."""
    return _away(_read(_text(quantity))[0], _NANO // 1000)


def value(quantity: Quantity) -> int:
    """Whole units (bytes, pods), rounded away from zero."""
    return _away(_read(_text(quantity))[0], _NANO)


def _away(number: int, unit: int) -> int:
    return -(-number // unit) if number >= 0 else number // unit


def is_quantity(text: Quantity) -> bool:
    try:
        _read(_text(text))
    except ValueError:
        return False
    return True


_DIGITS_BINARY: Final = 15
_DIGITS_DECIMAL: Final = 18
_LONGEST_KEPT: Final = 32
"""Zeros and exponents could be endless; what is longer is told in short."""


@lru_cache(maxsize=8192)
def _kept_scale(text: str) -> int | None:
    """The power of ten that the digits of a text count, if it is kept as it is; else None."""
    found = _PARTS(text)
    if not found:
        return None
    whole, fraction, suffix = found[2].lstrip("0") or "0", found[3] or "", found[4]
    digits = whole + fraction
    if (power := _BINARY.get(suffix)) is not None:
        is_short = not fraction and len(whole) < _DIGITS_BINARY - power * 3 // 10
        return 0 if is_short and int(whole) & 7 else None
    scale = _decimal_exponent(suffix)[0] - len(fraction)
    is_kept = len(digits) <= _DIGITS_DECIMAL and scale >= -9 and scale % 3 == 0
    return scale if is_kept and not digits.endswith("000") and digits[0] != "0" else None


@lru_cache(maxsize=8192)
def _canonical(text: str) -> str:
    read = _read(text)
    return text if _kept_scale(text) is not None and len(text) < _LONGEST_KEPT else _write(*read)


def canonical(quantity: Quantity) -> str:
    """Upstream's spelling of the number: "1000m" is "1", "0.5Gi" is "512Mi", 1e4 stays an exponent ("10e3")."""
    return _canonical(_text(quantity))


def _write(nanos: int, kind: Format) -> str:
    if kind == "BinarySI" and abs(nanos) >= 1024 * _NANO and nanos % _NANO == 0:
        return _write_binary(nanos // _NANO)
    if nanos == 0:
        return "0"
    number, exponent = nanos, -9
    while exponent < 18 and number % 1000 == 0:
        number, exponent = number // 1000, exponent + 3
    if kind == "DecimalExponent":
        while number % 1000 == 0:
            number, exponent = number // 1000, exponent + 3
        return f"{number}e{exponent}" if exponent else str(number)
    return f"{number}{_DECIMAL_SUFFIX[exponent]}"


def _write_binary(number: int) -> str:
    step = 0
    while step < 6 and number % 1024 == 0:
        number, step = number // 1024, step + 1
    return f"{number}{_BINARY_SUFFIX[step]}"


def from_milli(number: int) -> str:
    """Thousandths as a quantity: 1500 is "1500m", 2000 is "2"."""
    return _write(number * (_NANO // 1000), "DecimalSI")


def from_value(number: int, *, binary: bool = False) -> str:
    """Whole units as a quantity; `binary` writes powers of 1024 where they divide it."""
    return _write(number * _NANO, "BinarySI" if binary else "DecimalSI")


def add(left: Quantity, right: Quantity) -> str:
    """The sum in the left one's format (the right one's where the left is zero)."""
    a, kind = _read(_text(left))
    b, other = _read(_text(right))
    return _write(max(-_MAX, min(_MAX, a + b)), kind if a else other)


def subtract(left: Quantity, right: Quantity) -> str:
    """The difference in the left one's format (the right one's where the left is zero)."""
    a, kind = _read(_text(left))
    b, other = _read(_text(right))
    return _write(max(-_MAX, min(_MAX, a - b)), kind if a else other)


def compare(left: Quantity, right: Quantity) -> int:
    """-1, 0 or 1."""
    a, b = _read(_text(left))[0], _read(_text(right))[0]
    return (a > b) - (a < b)


def round_up(quantity: Quantity, *, milli: bool = True) -> str:
    """Rounded away from zero to thousandths (or to whole units), in its own format, canonical."""
    number, kind = _read(_text(quantity))
    scale = _kept_scale(_text(quantity))
    if scale is not None and scale >= (-3 if milli else 0):
        return canonical(quantity)
    unit = _NANO // 1000 if milli else _NANO
    return _write(_away(number, unit) * unit, kind)
