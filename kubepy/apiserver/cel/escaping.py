"""How names of fields that are no identifiers are written in expressions: `a.b` as `a__dot__b`, `namespace` quoted.

Source: apiserver pkg/cel/escaping.go.
"""

import re
from typing import Final

_RESERVED: Final = frozenset(
    ("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
     "let", "loop", "package", "namespace", "return", "var", "void", "while")
)  # fmt: skip
_SIGNS: Final = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_PLAIN: Final = {written: sign for sign, written in _SIGNS.items()}
_TO_ESCAPE = re.compile(r"__|[./-]")
_ESCAPED = re.compile(r"__(?:underscores|dot|dash|slash)__")
_IDENTIFIER = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_FIRST_AND_REST = re.compile(r"[a-zA-Z_][a-zA-Z0-9_./-]*")


def escape(name: str) -> str | None:
    """The name in an expression; None when it cannot be written there."""
    if name in _RESERVED:
        return f"__{name}__"
    if not _FIRST_AND_REST.fullmatch(name):
        return None
    return _TO_ESCAPE.sub(lambda found: _SIGNS[found[0]], name)


def unescape(name: str) -> str:
    """The field's name, from how an expression writes it."""
    if "__" not in name:
        return name
    if name.startswith("__") and name.endswith("__") and name[2:-2] in _RESERVED:
        return name[2:-2]
    return _ESCAPED.sub(lambda found: _PLAIN[found[0]], name)
