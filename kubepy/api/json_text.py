"""JSON texts as Go's parser takes them and complains of them.

Source: encoding/json, sigs.k8s.io/json.
"""

import codecs
import json
import math
import re
from typing import Any, Final

import orjson


def parse_json(raw: bytes) -> Any:
    """The parsed text. Raises ValueError in the words of Go's parser where they are known.

    What is nested deeper than can be written again (254 levels) is refused here: it could be read, but never stored.
    As in Go, a byte that is no UTF-8 and half of a surrogate pair stand for U+FFFD.
    """
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError as fault:
        parsed = _parse_leniently(raw, fault)
    if raw.count(b"{") + raw.count(b"[") > _DEPTH:
        try:
            orjson.dumps(parsed)
        except orjson.JSONEncodeError as fault:
            raise ValueError("exceeded max depth") from fault
    return parsed


_DEPTH: Final = 250
_ESCAPE = re.compile(r"\\(?:(u[dD][89abAB]..\\u[dD][c-fC-F]..)|(u[dD][89a-fA-F]..)|.)", re.DOTALL)


def _replace_bytes(fault: UnicodeError) -> tuple[str, int]:
    assert isinstance(fault, UnicodeDecodeError)
    return "\ufffd" * (fault.end - fault.start), fault.end


codecs.register_error("kubepy.go", _replace_bytes)


def _parse_leniently(raw: bytes, fault: orjson.JSONDecodeError) -> Any:
    """What Go takes although orjson does not. Raises ValueError."""
    text = raw.decode(errors="kubepy.go")
    sound = _ESCAPE.sub(lambda escape: "\\ufffd" if escape[2] else escape[0], text)
    if sound == text and text.encode() == raw:
        raise ValueError(_go_syntax(raw, fault)) from fault
    try:
        return orjson.loads(sound)
    except orjson.JSONDecodeError as again:
        raise ValueError(_go_syntax(raw, again)) from again


class _OutOfRange(Exception):
    """A number that no float is near to."""


def _require_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _OutOfRange(text)
    return number


_AFTER = {
    "Expecting property name": "looking for beginning of object key string",
    "Illegal trailing comma": "looking for beginning of object key string",
    "Expecting ':' delimiter": "after object key",
    "Extra data": "after top-level value",
}


def _go_syntax(raw: bytes, fault: orjson.JSONDecodeError) -> str:
    """What Go says of it: Python's own parser tells best what it expected where."""
    text, at, why = raw.decode(errors="surrogateescape"), fault.pos, fault.msg
    try:
        json.loads(text, parse_float=_require_float, parse_int=_require_float)
    except _OutOfRange as found:
        return f"json: cannot unmarshal number {found} into Go value of type float64"
    except json.JSONDecodeError as found:
        at, why = found.pos, found.msg
    except RecursionError:
        return "exceeded max depth"
    if at >= len(text) or not text.strip() or why.startswith("Unterminated string"):
        return "unexpected end of JSON input"
    if why.startswith("Expecting ',' delimiter"):
        place = "after object key:value pair" if _is_in_object(text[:at]) else "after array element"
    else:
        place = next(
            (told for begin, told in _AFTER.items() if why.startswith(begin)), "looking for beginning of value"
        )
    return f"invalid character {_go_quote(text[at])} {place}"


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def _is_in_object(text: str) -> bool:
    """Whether the innermost bracket that is open at the end of `text` is a brace."""
    depth = 0
    for character in reversed(_STRING.sub("", text)):
        if character in "}]":
            depth += 1
        elif character in "{[":
            if depth == 0:
                return character == "{"
            depth -= 1
    return False


def _go_quote(character: str) -> str:
    if character in ("'", "\\"):
        return f"'\\{character}'"
    character = chr(character.encode(errors="surrogateescape")[0])  # Go looks at bytes
    return f"'{character}'" if character.isprintable() else "'" + json.dumps(character)[1:-1] + "'"
