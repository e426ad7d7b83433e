"""Whether text has a pattern of a schema, read as Go reads it.

Python's engine takes what both read alike, `$` apart, which to Python is before a last newline as well. The rest is
RE2's: classes of Unicode and POSIX, flags, and repeated groups, over which Python's could take for ever.
Source: kube-openapi pkg/validation/validate/values.go, Pattern.
"""

import re
from collections.abc import Callable
from functools import lru_cache

_FOR_RE2 = re.compile(r"\\[A-CE-RT-VX-Za-ce-mo-ru-vx-z]|\[\[:|\(\?|\)[*+{]")
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
            return lambda text: found.search(text) is not None
    from kubepy.apiserver.cel.library.regexes import matches  # few patterns pay for loading what brings RE2

    return lambda text: matches(text, pattern)
