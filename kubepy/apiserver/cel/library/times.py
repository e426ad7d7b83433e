"""Timestamps and durations: made from strings, written as strings, and their parts.

Source: cel-go common/types/timestamp.go, duration.go; Go's time.ParseDuration.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from kubepy.apiserver.cel.errors import EvaluationError
from kubepy.apiserver.cel.registry import function, traversal
from kubepy.apiserver.cel.values import SECOND, Duration, Timestamp

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_UNITS: Final = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": SECOND, "m": 60 * SECOND,
                 "h": 3600 * SECOND}  # fmt: skip
_PIECE = re.compile(r"(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_DIGITS_MOST: Final = 40
"""More than any duration has."""
_OFFSET = re.compile(r"([+-]?)(\d\d):(\d\d)", re.ASCII)


def parse_timestamp(text: str) -> Timestamp:
    """From RFC 3339. Raises EvaluationError."""
    found = _STAMP.fullmatch(text)
    try:
        moment = datetime.fromisoformat(found[1] + found[3]) if found else None
        passed = moment - _EPOCH if moment is not None else None
    except (ValueError, OverflowError):
        passed = None
    if found is None or passed is None:
        raise EvaluationError("type conversion error from 'string' to 'google.protobuf.Timestamp'")
    seconds = passed.days * 86400 + passed.seconds
    return Timestamp(seconds * SECOND + int((found[2] or "")[:9].ljust(9, "0")))


def parse_duration(text: str) -> Duration:
    """From `1h30m`. Raises EvaluationError."""
    rest = text[1:] if text[:1] in ("+", "-") else text
    total, at = 0, 0
    while rest and rest != "0":
        found = _PIECE.match(rest, at)
        if found is None or not (found[1] or found[2]) or len(found[1]) > _DIGITS_MOST:
            raise _no_duration()
        unit, fraction = _UNITS[found[3]], (found[2] or "")[:_DIGITS_MOST]
        total += int(found[1] or 0) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
        at = found.end()
        if at == len(rest):
            break
    if not rest:
        raise _no_duration()
    return Duration(-total if text.startswith("-") else total)


def _no_duration() -> EvaluationError:
    return EvaluationError("type conversion error from 'string' to 'google.protobuf.Duration'")


def timestamp_text(stamp: Timestamp) -> str:
    """As RFC 3339 writes it, with as much of a fraction as there is."""
    seconds, fraction = divmod(stamp.ns, SECOND)
    moment = _EPOCH + timedelta(seconds=seconds)
    shown = f"{moment.year:04d}{moment:-%m-%dT%H:%M:%S}"
    return f"{shown}.{fraction:09d}".rstrip("0") + "Z" if fraction else f"{shown}Z"


def duration_text(span: Duration) -> str:
    """Its seconds: `90s`, `1.5s`."""
    sign, length = ("-", -span.ns) if span.ns < 0 else ("", span.ns)
    seconds, fraction = divmod(length, SECOND)
    return f"{sign}{seconds}" + (f".{fraction:09d}".rstrip("0") if fraction else "") + "s"


@function("timestamp(string) google.protobuf.Timestamp", cost=traversal, standard=True)
def timestamp(text: str) -> Timestamp:
    return parse_timestamp(text)


@function("timestamp(int) google.protobuf.Timestamp", standard=True)
def timestamp_of_seconds(seconds: int) -> Timestamp:
    return Timestamp(seconds * SECOND)


@function("timestamp(google.protobuf.Timestamp) google.protobuf.Timestamp", standard=True)
def timestamp_itself(stamp: Timestamp) -> Timestamp:
    return stamp


@function("duration(string) google.protobuf.Duration", cost=traversal, standard=True)
def duration(text: str) -> Duration:
    return parse_duration(text)


@function("duration(int) google.protobuf.Duration", standard=True)
def duration_of_nanoseconds(ns: int) -> Duration:
    return Duration(ns)


@function("duration(google.protobuf.Duration) google.protobuf.Duration", standard=True)
def duration_itself(span: Duration) -> Duration:
    return span


def _zone(name: str) -> tzinfo:
    if found := _OFFSET.fullmatch(name):
        offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return timezone(-offset if found[1] == "-" else offset)
    try:
        return ZoneInfo(name) if name else UTC
    except (ValueError, OSError, KeyError):
        raise EvaluationError(f"unknown time zone {name}") from None


def _part(name: str, read: Callable[[datetime], int]) -> None:
    @function(f"google.protobuf.Timestamp.{name}() int", standard=True)
    def part(stamp: Timestamp) -> int:
        return read(_EPOCH + timedelta(microseconds=stamp.ns // 1000))

    @function(f"google.protobuf.Timestamp.{name}(string) int", standard=True)
    def part_there(stamp: Timestamp, zone: str) -> int:
        return read((_EPOCH + timedelta(microseconds=stamp.ns // 1000)).astimezone(_zone(zone)))


for _name, _read in (
    ("getFullYear", lambda moment: moment.year),
    ("getMonth", lambda moment: moment.month - 1),
    ("getDate", lambda moment: moment.day),
    ("getDayOfMonth", lambda moment: moment.day - 1),
    ("getDayOfWeek", lambda moment: moment.isoweekday() % 7),
    ("getDayOfYear", lambda moment: moment.timetuple().tm_yday - 1),
    ("getHours", lambda moment: moment.hour),
    ("getMinutes", lambda moment: moment.minute),
    ("getSeconds", lambda moment: moment.second),
    ("getMilliseconds", lambda moment: moment.microsecond // 1000),
):
    _part(_name, _read)


def _length(name: str, unit: int) -> None:
    @function(f"google.protobuf.Duration.{name}() int", standard=True)
    def length(span: Duration) -> int:
        whole = abs(span.ns) // unit
        return whole if span.ns >= 0 else -whole


for _name, _unit in (("getHours", 3600 * SECOND), ("getMinutes", 60 * SECOND), ("getSeconds", SECOND)):
    _length(_name, _unit)


@function("google.protobuf.Duration.getMilliseconds() int", standard=True)
def milliseconds(span: Duration) -> int:
    whole = abs(span.ns) // 10**6
    return whole if span.ns >= 0 else -whole
