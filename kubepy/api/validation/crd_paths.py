"""Paths of fields in schemas: `.spec.x`, `.labels['a.b']`; such a path must name a field that the schema knows.

Source: apiextensions-apiserver pkg/apiserver/schema/cel/validation.go, ValidFieldPath.
"""

import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|[.\[\]]|[^.\[\]]+")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "'": "'", "\\": "\\"}


def field_path(text: str, schema: Mapping[str, Any], *, brackets: bool = True) -> tuple[str, Mapping[str, Any]]:
    """The path as faults name it, and the field's schema. Raises ValueError with upstream's reason."""
    path, tokens = "", iter(_TOKEN.findall(text))
    for token in tokens:
        if token == ".":
            name = _next(tokens)
        elif token == "[" and not brackets:
            raise ValueError("array notation is not allowed")
        elif token == "[":
            name = _quoted(_next(tokens))
        else:
            raise ValueError(f"expected [ or . but got: {token}")
        path, schema = _step(path, schema, name)
        if token == "[" and (closing := _next(tokens)) != "]":
            raise ValueError(f"expected ] but got {closing}")
    return path, schema


def _next(tokens: Any) -> str:
    for token in tokens:
        return str(token)
    raise ValueError("unexpected end of JSON path")


def _quoted(token: str) -> str:
    if len(token) < 2 or token[0] != "'" or token[-1] != "'":
        raise ValueError(f"expected single quoted string but got {token}")

    def plain(found: re.Match[str]) -> str:
        if found[1] not in _ESCAPES:
            raise ValueError(f"invalid string literal: invalid escape char {found[0]}")
        return _ESCAPES[found[1]]

    return _ESCAPE.sub(plain, token[1:-1])


def _step(path: str, schema: Mapping[str, Any], name: str) -> tuple[str, Mapping[str, Any]]:
    properties, others = schema.get("properties"), schema.get("additionalProperties")
    if properties is not None:
        if name not in properties:
            raise ValueError("does not refer to a valid field")
        return (f"{path}.{name}" if path else name), properties[name]
    if isinstance(others, dict):
        return f"{path}[{name}]", others
    raise ValueError("does not refer to a valid field")
