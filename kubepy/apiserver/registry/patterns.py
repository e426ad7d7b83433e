"""Whether text has a pattern of a schema, read as Go reads it.

Python's engine takes what both read alike, `$` apart, which to Python is before a last newline as well. The rest is
RE2's: classes of Unicode and POSIX, flags, and repeated groups, over which Python's could take for ever; and texts so
long that it could try too many ways of dealing them to what is repeated in the pattern.
Source: kube-openapi pkg/validation/validate/values.go, Pattern.
"""

import math
import re
from collections.abc import Callable
from functools import lru_cache

_FOR_RE2 = re.compile(r"\\[A-CE-RT-VX-Za-ce-mo-ru-vx-z]|\[\[:|\(\?|\)[*+{]")
_REPEATS = re.compile(r"[*+?]|,\d*\}")
_TRIES_MOST = 10_000_000
"""Some tens of milliseconds."""
_STEP = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$", re.DOTALL)


@lru_cache(1024)
def matcher(pattern: str) -> Callable[[str], bool]:
    """The test of a pattern: whether it is found anywhere in the text."""
    if not _FOR_RE2.search(pattern):
        try:
            found = re.compile(_STEP.sub(lambda step: r"\Z" if step[0] == "$" else step[0], pattern), re.ASCII)
        except re.error:  # Go's syntax is not all Python's
            pass
        else:
            longest = _longest(len(_REPEATS.findall(pattern)))
            return lambda text: found.search(text) is not None if len(text) <= longest else _by_re2(text, pattern)
    return lambda text: _by_re2(text, pattern)


def _longest(repeats: int) -> int:
    """The length of text to which Python's engine can try all: it is dealt to so many parts, from any place on."""
    parts = repeats + 1
    return int((_TRIES_MOST * math.factorial(parts)) ** (1 / parts)) if parts < 20 else 0


def _by_re2(text: str, pattern: str) -> bool:
    from kubepy.apiserver.cel.library.regexes import matches  # few patterns pay for loading what brings RE2

    return matches(text, pattern)
