"""Expand $(VAR) in commands, arguments, values and subpaths.

`$$` is a dollar sign; a name that is not defined stays as it is written. Pure.
Source: third_party/forked/golang/expansion.
"""

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


def expand(text: str, values: Mapping[str, str]) -> str:
    """`text` with every $(NAME) that `values` knows replaced."""

    def replace(match: re.Match[str]) -> str:
        if match.group(0) == "$$":
            return "$"
        return values.get(match.group(1), match.group(0))

    return _REFERENCE.sub(replace, text) if "$" in text else text
