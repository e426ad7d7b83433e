"""Strings: charAt, indexOf, join, replace, split, substring, trim, format and the like.

Source: cel-go ext/strings.go (version 2), common/types/string.go.
"""

import math
from typing import Any

from kubepy.apiserver.cel.errors import EvaluationError
from kubepy.apiserver.cel.library.formatting import format_string
from kubepy.apiserver.cel.registry import TRAVERSAL, function, made, size, traversal, twice


def _sought(arguments: tuple[Any, ...], result: Any) -> int:
    """Looking for one string in another."""
    return math.ceil(size(arguments[0]) * TRAVERSAL) * math.ceil(size(arguments[1]) * TRAVERSAL) or 1


def _affix(arguments: tuple[Any, ...], result: Any) -> int:
    return math.ceil(size(arguments[1]) * TRAVERSAL) or 1


@function("string.contains(string) bool", cost=_sought, standard=True)
def contains(text: str, part: str) -> bool:
    return part in text


@function("string.startsWith(string) bool", cost=_affix, standard=True)
def starts_with(text: str, prefix: str) -> bool:
    return text.startswith(prefix)


@function("string.endsWith(string) bool", cost=_affix, standard=True)
def ends_with(text: str, suffix: str) -> bool:
    return text.endswith(suffix)


@function("string.charAt(int) string")
def char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise EvaluationError(f"index out of range: {index}")
    return text[index : index + 1]


@function("string.indexOf(string) int", cost=traversal)
def index_of(text: str, part: str) -> int:
    return text.find(part)


def _offset(text: str, offset: int) -> None:
    if not 0 <= offset <= len(text):
        raise EvaluationError(f"index out of range: {offset}")


@function("string.indexOf(string, int) int", cost=traversal)
def index_of_from(text: str, part: str, offset: int) -> int:
    _offset(text, offset)
    return text.find(part, offset) if part else offset


@function("string.lastIndexOf(string) int", cost=traversal)
def last_index_of(text: str, part: str) -> int:
    return text.rfind(part)


@function("string.lastIndexOf(string, int) int", cost=traversal)
def last_index_of_from(text: str, part: str, offset: int) -> int:
    _offset(text, offset)
    return text.rfind(part, 0, offset + len(part))


@function("string.lowerAscii() string", cost=traversal)
def lower_ascii(text: str) -> str:
    return "".join(each.lower() if each.isascii() else each for each in text)


@function("string.upperAscii() string", cost=traversal)
def upper_ascii(text: str) -> str:
    return "".join(each.upper() if each.isascii() else each for each in text)


@function("string.replace(string, string) string", cost=twice)
def replace(text: str, old: str, new: str) -> str:
    return _replaced(text, old, new, -1)


@function("string.replace(string, string, int) string", cost=twice)
def replace_some(text: str, old: str, new: str, limit: int) -> str:
    return _replaced(text, old, new, limit)


_LONGEST = 16 * 1024 * 1024


def _replaced(text: str, old: str, new: str, limit: int) -> str:
    """Refuses what would grow beyond all measure before it is made: its cost could only be told afterwards."""
    times = text.count(old) if limit < 0 else min(limit, text.count(old))
    if len(text) + times * (len(new) - len(old)) > _LONGEST:
        raise EvaluationError("the result of replace is too long")
    return text.replace(old, new, limit if limit >= 0 else -1)


@function("string.split(string) list<string>", cost=twice)
def split(text: str, separator: str) -> list[str]:
    return _split(text, separator, -1)


@function("string.split(string, int) list<string>", cost=twice)
def split_some(text: str, separator: str, limit: int) -> list[str]:
    return _split(text, separator, limit)


def _split(text: str, separator: str, limit: int) -> list[str]:
    if limit == 0:
        return []
    if separator:
        return text.split(separator, limit - 1 if limit > 0 else -1)
    if limit < 0 or limit >= len(text):
        return list(text)
    return [*text[: limit - 1], text[limit - 1 :]]


@function("string.substring(int) string", cost=traversal)
def substring(text: str, start: int) -> str:
    _offset(text, start)
    return text[start:]


@function("string.substring(int, int) string", cost=traversal)
def substring_between(text: str, start: int, end: int) -> str:
    if start > end:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {end}")
    _offset(text, start)
    _offset(text, end)
    return text[start:end]


@function("string.trim() string", cost=traversal)
def trim(text: str) -> str:
    return text.strip()


@function("list<string>.join() string", cost=made)
def join(values: list[Any]) -> str:
    return _joined(values, "")


@function("list<string>.join(string) string", cost=made)
def join_with(values: list[Any], separator: str) -> str:
    return _joined(values, separator)


def _joined(values: list[Any], separator: str) -> str:
    if not all(isinstance(value, str) for value in values):
        raise EvaluationError("no such overload")
    if sum(map(len, values)) + len(separator) * len(values) > _LONGEST:
        raise EvaluationError("the result of join is too long")
    return separator.join(values)


_ESCAPES = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\",
            '"': '\\"'}  # fmt: skip


@function("strings:quote(string) string", cost=twice)
def quote(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(each, each) for each in text) + '"'


@function("string.format(list) string", cost=made)
def format_with(text: str, values: list[Any]) -> str:
    return format_string(text, values)
