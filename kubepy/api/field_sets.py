"""Sets of field paths in the very form that managedFields stores them (FieldsV1), and their algebra.

A node is a dict from path element to node. Elements are `f:NAME` (a field or key), `k:{...}` (an entry of a list by its
keys), `v:VALUE` (an entry of a set) and `i:INDEX`. A node is a member when it is empty or has `.`; one that is not only
leads to members below. The empty set is None, never {}. Nothing is changed in place: results share parts with what
they were made from, and work goes by the smaller operand, so a write costs what it changes, not what is owned.

Source: structured-merge-diff fieldpath/set.go, serialize-pe.go.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, reduce
from typing import Any, Final

import orjson

FieldSet = dict[str, Any]
Filter = Callable[[FieldSet | None], FieldSet | None]
"""What of a set counts."""
_NOTHING: Final[FieldSet] = {}
ANY: Final = "*"
"""In a path: whatever is there."""


def is_member(node: FieldSet) -> bool:
    return not node or "." in node


def is_field_set(value: Any) -> bool:
    """Whether a value of unknown origin is a field set."""
    if not isinstance(value, dict):
        return False
    return all(is_field_set(child) and (key == "." or _is_element(key)) for key, child in value.items())


def _is_element(text: str) -> bool:
    kind, colon, rest = text.partition(":")
    if not colon:
        return False
    if kind == "f":
        return True
    try:
        parsed = orjson.loads(rest)
    except ValueError:
        return False
    if kind == "k":
        return isinstance(parsed, dict)
    return kind == "v" or (kind == "i" and type(parsed) is int)


def _node(children: FieldSet, member: bool) -> FieldSet | None:
    """The node with these children; None when it is neither a member nor leads to one."""
    if not children:
        return {} if member else None
    return {".": {}, **children} if member else children


def ordered(node: FieldSet, known: FieldSet | None = None) -> FieldSet:
    """The set as upstream writes it: itself first, then by name, by the values of keys or by value.

    What it shares with `known`, a set that is in order, is left as it is. Clients written in Go see these very bytes;
    the algebra keeps the order of what was in order.
    """
    if node is known:
        return node
    known = known or _NOTHING
    keys = sorted(node)
    if len(keys) > 1 and keys[-1][0] in "kvi":
        keys.sort(key=_rank)
    return {key: child and ordered(child, known.get(key)) for key in keys for child in (node[key],)}


def _rank(element: str) -> tuple[int, Any]:
    return _known_rank(element) if len(element) < _LONG else _new_rank(element)


def _new_rank(element: str) -> tuple[int, Any]:
    kind, _, text = element.partition(":")
    if kind in (".", "f"):
        return ".f".index(kind), text
    value = orjson.loads(text)
    if kind == "k":
        return 2, [(key, _value_rank(value[key])) for key in sorted(value)]
    return 3 + (kind == "i"), _value_rank(value)


_LONG: Final = 128
_known_rank = lru_cache(maxsize=4096)(_new_rank)  # most are names of containers, ports and variables, again and again


def _value_rank(value: Any) -> tuple[int, Any]:
    """Numbers before strings before truth values; the rest by its text."""
    if isinstance(value, bool):
        return 2, value
    if isinstance(value, int | float):
        return 0, value
    return (1, value) if isinstance(value, str) else (3, orjson.dumps(value))


def union(left: FieldSet | None, right: FieldSet | None) -> FieldSet | None:
    if left is None or right is None:
        return right if left is None else left
    both = {key: child for key, child in left.items() if key != "."}
    for key, child in right.items():
        if key != ".":
            both[key] = union(both[key], child) if key in both else child
    return _node(both, is_member(left) or is_member(right))


def difference(left: FieldSet | None, right: FieldSet | None) -> FieldSet | None:
    """The members of `left` that are not members of `right`; what is below a member of `right` stays."""
    if left is None or right is None:
        return left
    rest = {key: child for key, child in left.items() if key != "."}
    for key, child in right.items():
        if key in rest:
            kept = difference(rest[key], child)
            if kept is None:
                del rest[key]
            else:
                rest[key] = kept
    return _node(rest, is_member(left) and not is_member(right))


def intersection(left: FieldSet | None, right: FieldSet | None) -> FieldSet | None:
    if left is None or right is None:
        return None
    small, large = (left, right) if len(left) <= len(right) else (right, left)
    both: FieldSet = {}
    for key, child in small.items():
        if key != "." and key in large:
            kept = intersection(child, large[key])
            if kept is not None:
                both[key] = kept
    return _node(both, is_member(left) and is_member(right))


def excluding(paths: Iterable[tuple[str, ...]]) -> Filter:
    """What leaves out these fields, each a path of names, and everything below them."""
    excluded = tuple(paths)

    def filtered(node: FieldSet | None) -> FieldSet | None:
        return reduce(_without, excluded, node)

    return filtered


def _without(node: FieldSet | None, path: tuple[str, ...]) -> FieldSet | None:
    key = f"f:{path[0]}"
    if node is None or key not in node:
        return node
    rest = {other: child for other, child in node.items() if other not in (key, ".")}
    below = _without(node[key], path[1:]) if len(path) > 1 else None
    if below is not None:
        rest[key] = below
    return _node(rest, is_member(node))


def including(paths: Iterable[tuple[str, ...]]) -> Filter:
    """What leaves only these fields, what is below them and what leads to them; ANY stands for any one element."""
    included = tuple(paths)

    def filtered(node: FieldSet | None) -> FieldSet | None:
        return _within(node, included)

    return filtered


def _within(node: FieldSet | None, paths: tuple[tuple[str, ...], ...]) -> FieldSet | None:
    if node is None or () in paths:
        return node
    kept: FieldSet = {}
    for key, child in node.items():
        below = tuple(path[1:] for path in paths if path[0] in (ANY, key.removeprefix("f:")))
        if key != "." and below and (inner := _within(child, below)) is not None:
            kept[key] = inner
    return _node(kept, is_member(node))


def paths(node: FieldSet | None, prefix: str = "") -> Iterator[str]:
    """The members as upstream writes them: .spec.containers[name="c"].image."""
    for key in sorted(node or {}):
        if key != ".":
            child = (node or {})[key]
            path = prefix + element_text(key)
            if is_member(child):
                yield path
            yield from paths(child, path)


def element_text(element: str) -> str:
    kind, _, text = element.partition(":")
    if kind == "f":
        return f".{text}"
    if kind == "k":
        keys = orjson.loads(text)
        return "[" + ",".join(f"{key}={orjson.dumps(keys[key]).decode()}" for key in sorted(keys)) + "]"
    return f"[={text}]" if kind == "v" else f"[{text}]"
