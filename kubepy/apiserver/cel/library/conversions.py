"""From one type to another: int, uint, double, string, bytes, bool, dyn, type.

Source: cel-go common/types/{int,uint,double,string,bytes,bool}.go.
"""

import math
import re
from typing import Any, Final

from kubepy.apiserver.cel.errors import EvaluationError
from kubepy.apiserver.cel.library.formatting import double_text
from kubepy.apiserver.cel.library.times import duration_text, timestamp_text
from kubepy.apiserver.cel.registry import function, traversal
from kubepy.apiserver.cel.values import (
    INT_MAX,
    INT_MIN,
    SECOND,
    UINT_MAX,
    Duration,
    Timestamp,
    TypeValue,
    UInt,
    as_int,
    as_uint,
    type_name,
)

_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_NATURAL = re.compile(r"\+?\d+", re.ASCII)
_REAL = re.compile(r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|inf|infinity|nan)", re.ASCII | re.I)
_TRUE: Final = ("1", "t", "true", "TRUE", "True", "T")
_FALSE: Final = ("0", "f", "false", "FALSE", "False", "F")


def _unfit(kind: str) -> EvaluationError:
    return EvaluationError(f"type conversion error from 'string' to '{kind}'")


@function("int(int) int", standard=True)
def int_itself(value: int) -> int:
    return value


@function("int(uint) int", standard=True)
def int_of_uint(value: UInt) -> int:
    return as_int(int(value))


@function("int(double) int", standard=True)
def int_of_double(value: float) -> int:
    if not math.isfinite(value):
        raise EvaluationError("integer overflow")
    return as_int(int(value))


@function("int(string) int", cost=traversal, standard=True)
def int_of_string(text: str) -> int:
    if not _INTEGER.fullmatch(text) or len(text) > 20:
        raise _unfit("int")
    number = int(text)
    if not INT_MIN <= number <= INT_MAX:
        raise _unfit("int")
    return number


@function("int(google.protobuf.Timestamp) int", standard=True)
def int_of_timestamp(stamp: Timestamp) -> int:
    return stamp.ns // SECOND


@function("int(google.protobuf.Duration) int", standard=True)
def int_of_duration(span: Duration) -> int:
    return span.ns


@function("uint(uint) uint", "uint(int) uint", standard=True)
def uint_of_int(value: int) -> UInt:
    return as_uint(int(value))


@function("uint(double) uint", standard=True)
def uint_of_double(value: float) -> UInt:
    if not math.isfinite(value):
        raise EvaluationError("unsigned integer overflow")
    return as_uint(int(value))


@function("uint(string) uint", cost=traversal, standard=True)
def uint_of_string(text: str) -> UInt:
    if not _NATURAL.fullmatch(text) or len(text) > 20:
        raise _unfit("uint")
    number = int(text)
    if number > UINT_MAX:
        raise _unfit("uint")
    return UInt(number)


@function("double(double) double", "double(int) double", "double(uint) double", standard=True)
def double_of_number(value: float) -> float:
    return float(value)


@function("double(string) double", cost=traversal, standard=True)
def double_of_string(text: str) -> float:
    if not _REAL.fullmatch(text):
        raise _unfit("double")
    number = float(text)
    if math.isinf(number) and text[-1:].isdigit():  # too large for a double
        raise _unfit("double")
    return number


@function("string(string) string")
def string_itself(text: str) -> str:
    return text


@function("string(bool) string")
def string_of_bool(value: bool) -> str:
    return "true" if value else "false"


@function("string(int) string", "string(uint) string")
def string_of_integer(value: int) -> str:
    return str(int(value))


@function("string(double) string")
def string_of_double(value: float) -> str:
    return double_text(value)


@function("string(bytes) string", cost=traversal)
def string_of_bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None


@function("string(google.protobuf.Timestamp) string")
def string_of_timestamp(stamp: Timestamp) -> str:
    return timestamp_text(stamp)


@function("string(google.protobuf.Duration) string")
def string_of_duration(span: Duration) -> str:
    return duration_text(span)


@function("bytes(bytes) bytes", standard=True)
def bytes_itself(value: bytes) -> bytes:
    return value


@function("bytes(string) bytes", cost=traversal, standard=True)
def bytes_of_string(text: str) -> bytes:
    return text.encode()


@function("bool(bool) bool", standard=True)
def bool_itself(value: bool) -> bool:
    return value


@function("bool(string) bool", standard=True)
def bool_of_string(text: str) -> bool:
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise _unfit("bool")


@function("dyn(dyn) dyn", standard=True)
def dyn(value: Any) -> Any:
    return value


@function("type(dyn) type", standard=True)
def type_of(value: Any) -> TypeValue:
    return TypeValue(type_name(value))
