"""Quantities: quantity, isQuantity, compareTo, add, sub, asInteger and the like.

Source: apiserver pkg/cel/library/quantity.go.
"""

from dataclasses import dataclass
from typing import Final

from kubepy.api import quantity as quantities
from kubepy.apiserver.cel.errors import EvaluationError
from kubepy.apiserver.cel.registry import function, opaque, traversal
from kubepy.apiserver.cel.values import INT_MAX, INT_MIN

_NANO: Final = 10**9


@opaque
@dataclass(frozen=True, slots=True, order=True)
class Quantity:
    """An amount, in billionths."""

    CEL_TYPE = "kubernetes.Quantity"
    nano: int


@function("quantity(string) kubernetes.Quantity", cost=traversal)
def parse(text: str) -> Quantity:
    try:
        return Quantity(quantities.nano(text))
    except ValueError as fault:
        raise EvaluationError(str(fault)) from None


@function("isQuantity(string) bool", cost=traversal)
def is_quantity(text: str) -> bool:
    return quantities.is_quantity(text)


@function("sign(kubernetes.Quantity) int")
def sign(amount: Quantity) -> int:
    return (amount.nano > 0) - (amount.nano < 0)


@function("kubernetes.Quantity.isGreaterThan(kubernetes.Quantity) bool")
def is_greater_than(amount: Quantity, other: Quantity) -> bool:
    return amount > other


@function("kubernetes.Quantity.isLessThan(kubernetes.Quantity) bool")
def is_less_than(amount: Quantity, other: Quantity) -> bool:
    return amount < other


@function("kubernetes.Quantity.compareTo(kubernetes.Quantity) int")
def compare_to(amount: Quantity, other: Quantity) -> int:
    return (amount > other) - (amount < other)


@function("kubernetes.Quantity.asApproximateFloat() double")
def as_approximate_float(amount: Quantity) -> float:
    return amount.nano / _NANO


def _is_whole(amount: Quantity) -> bool:
    return amount.nano % _NANO == 0 and INT_MIN <= amount.nano // _NANO <= INT_MAX


@function("kubernetes.Quantity.isInteger() bool")
def is_integer(amount: Quantity) -> bool:
    return _is_whole(amount)


@function("kubernetes.Quantity.asInteger() int")
def as_integer(amount: Quantity) -> int:
    if not _is_whole(amount):
        raise EvaluationError("cannot convert value to integer")
    return amount.nano // _NANO


@function("kubernetes.Quantity.add(kubernetes.Quantity) kubernetes.Quantity")
def add(amount: Quantity, other: Quantity) -> Quantity:
    return Quantity(amount.nano + other.nano)


@function("kubernetes.Quantity.add(int) kubernetes.Quantity")
def add_int(amount: Quantity, other: int) -> Quantity:
    return Quantity(amount.nano + other * _NANO)


@function("kubernetes.Quantity.sub(kubernetes.Quantity) kubernetes.Quantity")
def sub(amount: Quantity, other: Quantity) -> Quantity:
    return Quantity(amount.nano - other.nano)


@function("kubernetes.Quantity.sub(int) kubernetes.Quantity")
def sub_int(amount: Quantity, other: int) -> Quantity:
    return Quantity(amount.nano - other * _NANO)
