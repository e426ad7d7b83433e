"""Bounds of YAML texts: how deeply they are nested, and what their aliases expand to.

The parser recurses in C, where nothing stops it: a text that may be nested too deeply is first read event by event.
"""

from typing import Any, Final

import yaml

_DEPTH: Final = 254
"""Levels that can be written as JSON again."""
_EXPANDED_BYTES: Final = 3 << 20
"""What a text's aliases may make of it: as much as a body may have in the first place."""


def check_depth(text: bytes) -> None:
    """Raises ValueError, YAMLError on a text that is nested too deeply to be parsed."""
    if depth_bound(text) <= _DEPTH:
        return
    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEPTH:
                raise ValueError("error converting YAML to JSON: yaml: exceeded max depth")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def depth_bound(text: bytes) -> int:
    """Levels that the text is nested in at most: by its brackets, its indentation, its dashes in one line."""
    deepest = 0
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip(b" \t"))
        deepest = max(deepest, 2 * (indent + 1) + line.count(b"- ") + line.count(b"? "))
    return deepest + text.count(b"[") + text.count(b"{")


def check_aliases(text: bytes, parsed: Any) -> None:
    """Raises ValueError when what was parsed would be much larger, or endless, if it were written without aliases."""
    if b"&" in text and b"*" in text:
        _weigh(parsed, {})


def _weigh(node: Any, known: dict[int, int | None]) -> int:
    """Bytes of the node, its aliases expanded."""
    if isinstance(node, str):
        return len(node)
    if not isinstance(node, list | dict):
        return 1
    if id(node) in known:
        weight = known[id(node)]
        if weight is None:
            raise ValueError("error converting YAML to JSON: yaml: anchor value contains itself")
        return weight
    known[id(node)] = None
    weight = 1
    for child in node if isinstance(node, list) else [*node.keys(), *node.values()]:
        weight += _weigh(child, known)
        if weight > _EXPANDED_BYTES:
            raise ValueError("error converting YAML to JSON: yaml: document contains excessive aliasing")
    known[id(node)] = weight
    return weight
