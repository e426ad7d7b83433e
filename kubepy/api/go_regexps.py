"""Why Go cannot read a regular expression, in Go's words.

The reading is Go's, from left to right, so the first fault is the one that is told. Nothing is matched here.
Source: Go's regexp/syntax, parse.go, with Perl's flags.
"""

import re
import string

_OPERATORS = "*+?"
_MOST_REPEATS = 1000
_REPEAT_DIGITS = len(str(_MOST_REPEATS))
_REPEAT = re.compile(r"\{(0|[1-9][0-9]*)(?:(,)(0|[1-9][0-9]*)?)?\}", re.ASCII)
_NAMED = re.compile(r"\(\?P?<")
_NAME = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
_POSIX = re.compile(
    r"\[:\^?(alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit):\]", re.ASCII
)
_CATEGORY = re.compile(r"C[cfnos]?|L[Clmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?", re.ASCII)
_SCRIPT = re.compile(r"[A-Z][A-Za-z_]{2,}", re.ASCII)
_ESCAPE = re.compile(r"\\([0-7]{2,3}|0|x[0-9A-Fa-f]{2}|x\{[0-9A-Fa-f]+\}|[afnrtv]|[^A-Za-z0-9])", re.ASCII | re.DOTALL)
_HEX = frozenset(string.hexdigits)
_LAST_CHARACTER = 0x10FFFF
_LETTERS = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}


class _Fault(Exception):
    pass


def regexp_fault(pattern: str) -> str | None:
    """What `regexp.Compile` says of the pattern; None if it is a good one."""
    try:
        _read(pattern)
    except _Fault as fault:
        return f"error parsing regexp: {fault}"
    return None


def _fault(code: str, shown: str) -> _Fault:
    return _Fault(f"{code}: `{shown}`")


def _read(pattern: str) -> None:
    at, last_repeat = 0, -1
    top = 0  # how often what was read last is repeated inside; 0 where there is nothing to repeat
    groups: list[int] = []  # of each open group, the same of what precedes its last alternative
    most = 0
    while at < len(pattern):
        start, character = at, pattern[at]
        found = _REPEAT.match(pattern, at) if character == "{" else None
        if character in _OPERATORS or found:
            times = _times(found) if found else 1
            at = found.end() if found else at + 1
            at += pattern.startswith("?", at)
            if last_repeat >= 0:
                raise _fault("invalid nested repetition operator", pattern[last_repeat:at])
            if not top:
                raise _fault("missing argument to repetition operator", pattern[start:at])
            top *= max(times, 1)
            if top > _MOST_REPEATS:
                raise _fault("invalid repeat count", pattern[start:at])
            last_repeat = start
            most = max(most, top)
            continue
        last_repeat = -1
        if character == "(":
            at, opens = _open(pattern, at)
            if opens:
                groups.append(most)
                top = most = 0
        elif character == ")":
            if not groups:
                raise _fault("unexpected )", pattern)
            at, top = at + 1, max(most, 1)
            most = max(groups.pop(), top)
        elif character == "|":
            at, top = at + 1, 0
        else:
            quoted = pattern.startswith(r"\Q\E", at) or pattern[at:] == r"\Q"
            at = _class_end(pattern, at) if character == "[" else _atom_end(pattern, at)
            top = top if quoted else 1
    if groups:
        raise _fault("missing closing )", pattern)


def _times(found: re.Match[str]) -> int:
    if max(len(found[1]), len(found[3] or "")) > _REPEAT_DIGITS:
        raise _fault("invalid repeat count", found[0])
    least, most = int(found[1]), int(found[3]) if found[3] else -1
    if not found[2]:
        most = least
    if least > _MOST_REPEATS or most > _MOST_REPEATS or 0 <= most < least:
        raise _fault("invalid repeat count", found[0])
    return least if most < 0 else most


def _open(pattern: str, at: int) -> tuple[int, bool]:
    """Where what follows a `(` begins, and whether it opens a group or only sets flags."""
    if not pattern.startswith("(?", at):
        return at + 1, True
    if named := _NAMED.match(pattern, at):
        end = pattern.find(">", at)
        if end < 0:
            raise _fault("invalid named capture", pattern[at:])
        if not _NAME.fullmatch(pattern, named.end(), end):
            raise _fault("invalid named capture", pattern[at : end + 1])
        return end + 1, True
    step, negated, flagged = at + 2, False, True
    while step < len(pattern):
        character = pattern[step]
        step += 1
        if character in "imsU":
            flagged = True
        elif character == "-" and not negated:
            negated, flagged = True, False
        elif character in ":)" and flagged:
            return step, character == ":"
        else:
            break
    raise _fault("invalid or unsupported Perl syntax", pattern[at:step])


def _atom_end(pattern: str, at: int) -> int:
    if pattern[at] != "\\":
        return at + 1
    following = pattern[at + 1 : at + 2]
    if following == "Q":
        end = pattern.find(r"\E", at + 2)
        return len(pattern) if end < 0 else end + 2
    if following and following in "AbBz":
        return at + 2
    if following == "C":
        raise _fault("invalid escape sequence", pattern[at : at + 2])
    return _set_end(pattern, at) or _escape(pattern, at)[0]


def _set_end(pattern: str, at: int) -> int:
    r"""The end of a `\d` or a `\p{Greek}`; 0 if it is neither."""
    following = pattern[at + 1 : at + 2]
    if following and following in "dDsSwW":
        return at + 2
    if following not in ("p", "P"):
        return 0
    end = at + 3
    name = pattern[at + 2 : end]
    if name == "{":
        end = pattern.find("}", at) + 1
        if not end:
            raise _fault("invalid character class range", pattern[at:])
        name = pattern[at + 3 : end - 1]
    name = name.removeprefix("^")
    if not _CATEGORY.fullmatch(name) and not _SCRIPT.fullmatch(name):
        raise _fault("invalid character class range", pattern[at:end])
    return end


def _escape(pattern: str, at: int) -> tuple[int, int]:
    """The end of an escaped character, and its number."""
    if at + 1 == len(pattern):
        raise _fault("trailing backslash at end of expression", "")
    found = _ESCAPE.match(pattern, at)
    number = _number(found[1]) if found else -1
    if not found or not 0 <= number <= _LAST_CHARACTER:
        raise _fault("invalid escape sequence", pattern[at : _escape_shown(pattern, at)])
    return found.end(), number


def _number(text: str) -> int:
    if text[0] in string.octdigits:
        return int(text, 8)
    if text[0] == "x":
        return int(text[1:].strip("{}"), 16)
    if text in _LETTERS:
        return _LETTERS[text]
    return ord(text) if text.isascii() else -1


def _escape_shown(pattern: str, at: int) -> int:
    r"""How far Go reads in an escape that is none: of `\x` as many characters as it needs to know."""
    if pattern[at + 1] != "x":
        return at + 2
    if not pattern.startswith("{", at + 2):
        return min(at + 4, len(pattern))
    end, number = at + 3, 0
    while end < len(pattern) and pattern[end] in _HEX:
        number = number * 16 + int(pattern[end], 16)
        if number > _LAST_CHARACTER:
            break
        end += 1
    return min(end + 1, len(pattern))


def _class_end(pattern: str, at: int) -> int:
    step = at + 1 + pattern.startswith("^", at + 1)
    first = step
    while step == first or not pattern.startswith("]", step):
        if pattern.startswith("[:", step) and (end := pattern.find(":]", step + 2)) > 0:
            if not _POSIX.fullmatch(pattern, step, end + 2):
                raise _fault("invalid character class range", pattern[step : end + 2])
            step = end + 2
        elif pattern.startswith("\\", step) and (end := _set_end(pattern, step)):
            step = end
        else:
            step = _range_end(pattern, step, at)
    return step + 1


def _range_end(pattern: str, at: int, whole: int) -> int:
    end, low = _class_character(pattern, at, whole)
    if not pattern.startswith("-", end) or pattern[end + 1 : end + 2] in ("", "]"):
        return end
    end, high = _class_character(pattern, end + 1, whole)
    if high < low:
        raise _fault("invalid character class range", pattern[at:end])
    return end


def _class_character(pattern: str, at: int, whole: int) -> tuple[int, int]:
    if at >= len(pattern):
        raise _fault("missing closing ]", pattern[whole:])
    return _escape(pattern, at) if pattern[at] == "\\" else (at + 1, ord(pattern[at]))
