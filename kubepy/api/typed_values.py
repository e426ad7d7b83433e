"""Values under a schema: what a configuration sets, how two differ, how one merges into the other, what to prune.

Structs and maps merge by key, lists by their type (set, map by keys, else as one value); atomic values are never
looked into. All answers speak in field sets (field_sets.py). Pure; unchanged parts are shared with what is given.

Source: structured-merge-diff typed/ (tofieldset.go, merge.go, remove.go, validate.go) and merge/update.go.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from kubepy.api import field_sets
from kubepy.api.definitions import Schema
from kubepy.api.field_sets import FieldSet

_KEY_DEFAULTS: Final = {"protocol": "TCP"}
"""Keys of lists that may be left out; no OpenAPI document that we are made from carries their defaults."""

_MAPS: Final = ("struct", "map")


class Untyped(Exception):
    """A value does not fit its schema; the text says where and why, as upstream does."""


def is_atomic(schema: Schema, value: Any) -> bool:
    """Whether the value is owned as a whole. Below what has no schema, maps merge and all else is atomic."""
    if schema.kind == "any" and not schema.name:
        return not isinstance(value, dict)
    return schema.is_atomic()


def element_of(schema: Schema, item: Any, index: int) -> str:
    """The path element of a list's entry."""
    if schema.list_type == "set":
        return "v:" + orjson.dumps(item).decode()
    if not isinstance(item, dict):
        return f"i:{index}"
    keys = {key: item.get(key, _KEY_DEFAULTS.get(key)) for key in schema.map_keys}
    found = {key: value for key, value in sorted(keys.items()) if value is not None}
    return "k:" + orjson.dumps(found).decode()


def _entries(schema: Schema, items: Iterable[Any] | None) -> dict[str, Any]:
    return {element_of(schema, item, index): item for index, item in enumerate(items or ())}


def _children(schema: Schema, value: Any) -> dict[str, tuple[Schema, Any]]:
    """The parts of a map or list by path element, each with its schema."""
    if isinstance(value, dict):
        return {f"f:{key}": (schema.child(key), inner) for key, inner in value.items()}
    return {element: (schema.items, item) for element, item in _entries(schema, value).items()}


def set_of(schema: Schema, value: Any) -> FieldSet:
    """What a configuration sets: its leaves, the entries of its lists, and maps that it sets empty."""
    if is_atomic(schema, value) or not isinstance(value, dict | list) or not value:
        return {}
    node = {element: set_of(inner, part) for element, (inner, part) in _children(schema, value).items()}
    if schema.kind != "struct":  # keys and entries are owned themselves, fields only through what is in them
        for child in node.values():
            if child:
                child["."] = {}
    return node


def compare(schema: Schema, old: Any, new: Any) -> tuple[FieldSet | None, FieldSet | None]:
    """(what `new` adds or changes, what it no longer has); None for a value is its absence."""
    if old is new or old == new:
        return None, None
    if not old and not new and schema.kind in ("list", "map"):
        return None, None  # decoding makes no difference between an empty list or map and none
    value = old if new is None else new
    turned = old is not None and new is not None and type(old) is not type(new)
    if turned or is_atomic(schema, value) or not isinstance(value, dict | list):
        return (None, {}) if new is None else ({}, None)
    if not old and not new:
        return (None, {}) if new is None else ({}, None)
    return _compare_parts(schema, old, new)


def _compare_parts(schema: Schema, old: Any, new: Any) -> tuple[FieldSet | None, FieldSet | None]:
    before, after = _children(schema, old), _children(schema, new)
    changed: FieldSet = {}
    removed: FieldSet = {}
    for element, (inner, part) in after.items():
        there = before.get(element)
        added, gone = compare(inner, there[1] if there else None, part)
        if added and there is None and old is not None and _is_always_there(schema, inner, element):
            added.pop(".", None)
        if added is not None:
            changed[element] = added
        if gone is not None:
            removed[element] = gone
    for element, (inner, part) in before.items():
        if element not in after:
            removed[element] = compare(inner, part, None)[1]
    if old is None:
        changed["."] = {}
    if new is None:
        removed["."] = {}
    return changed or None, removed or None


def _is_always_there(schema: Schema, inner: Schema, element: str) -> bool:
    """A required list or map of a struct: Go writes it as null before it is set, so setting it does not add it."""
    return inner.kind in ("list", "map") and element.removeprefix("f:") in schema.required


def merge(schema: Schema, live: Any, config: Any) -> Any:
    """`live` with everything that `config` sets."""
    if is_atomic(schema, config) or type(live) is not type(config) or not isinstance(config, dict | list):
        return config
    if isinstance(config, dict):
        merged = dict(live)
        for key, value in config.items():
            merged[key] = merge(schema.child(key), live[key], value) if key in live else value
        return merged
    return _merge_lists(schema, live, config)


def _merge_lists(schema: Schema, live: list[Any], config: list[Any]) -> list[Any]:
    """In the configuration's order; entries that only live has keep their places between."""
    ours, theirs = _entries(schema, config), _entries(schema, live)
    merged = {key: merge(schema.items, theirs[key], item) if key in theirs else item for key, item in ours.items()}
    left, right = list(theirs), list(ours)
    out: list[Any] = []
    done: set[str] = set()
    while left or right:
        if left and left[0] in done:
            left.pop(0)
        elif left and left[0] not in ours:
            out.append(theirs[left.pop(0)])
        else:
            key = right.pop(0)
            done.add(key)
            out.append(merged[key])
    return out


def prune(schema: Schema, value: Any, last: FieldSet, owned: FieldSet) -> Any:
    """`value` without what is in `last` (what a manager set before) and nobody owns any more, it or a part of it."""
    parts = _children(schema, value) if isinstance(value, dict | list) else {}
    gone: set[str] = set()
    replaced: dict[str, Any] = {}
    for element, before in last.items():
        if element == "." or element not in parts:
            continue
        still = owned.get(element)
        if still is None:
            gone.add(element)
            continue
        inner, part = parts[element]
        kept = prune(inner, part, before, still) if before and not is_atomic(inner, part) else part
        if kept is not part:
            replaced[element] = kept
    if not gone and not replaced:
        return value
    left = {key: replaced.get(key, part) for key, (_, part) in parts.items() if key not in gone}
    return {key[2:]: part for key, part in left.items()} if isinstance(value, dict) else list(left.values())


def check(schema: Schema, value: Any) -> None:
    """Raises Untyped for fields that the schema does not declare, wrong types, or list entries without their keys."""
    faults = list(_faults(schema, value, ""))
    if faults:
        raise Untyped(faults[0] if len(faults) == 1 else "\n  ".join(["errors:", *faults]))


def _faults(schema: Schema, value: Any, path: str) -> Iterator[str]:
    kind = schema.kind
    if value is None or kind == "any":
        return
    if kind in _MAPS:
        if not isinstance(value, dict):
            yield f"{path or '.'}: expected map, got {_shown(value)}"
            return
        for key, inner in value.items():
            if kind == "struct" and key not in schema.properties and not schema.preserve_unknown:
                yield f"{path}.{key}: field not declared in schema"
            else:
                yield from _faults(schema.child(key), inner, f"{path}.{key}")
    elif kind == "list":
        if isinstance(value, list):
            yield from _list_faults(schema, value, path)
        else:
            yield f"{path}: expected list, got {_shown(value)}"
    else:
        yield from _scalar_faults(kind, value, path)


def _list_faults(schema: Schema, items: list[Any], path: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, item in enumerate(items):
        if schema.list_type not in ("set", "map"):
            yield from _faults(schema.items, item, f"{path}[{index}]")
            continue
        lacks = _missing_key(schema, item)
        if lacks is not None:
            yield (
                f"{path}: element {index}: associative list with keys has an element that omits key field "
                f'"{lacks}" (and doesn\'t have default value)'
            )
            continue
        element = element_of(schema, item, index)
        shown = field_sets.element_text(element)
        if element in seen:
            yield f"{path}: duplicate entries for key {shown}"
        seen.add(element)
        yield from _faults(schema.items, item, f"{path}{shown}")


def _missing_key(schema: Schema, item: Any) -> str | None:
    if schema.list_type != "map":
        return None
    if not isinstance(item, dict):
        return schema.map_keys[0]
    return next((key for key in schema.map_keys if item.get(key) is None and key not in _KEY_DEFAULTS), None)


def _scalar_faults(kind: str, value: Any, path: str) -> Iterator[str]:
    if kind in ("string", "bytes", "time", "micro-time") and not isinstance(value, str):
        yield f"{path}: expected string, got {_shown(value)}"
    if kind == "boolean" and not isinstance(value, bool):
        yield f"{path}: expected boolean, got {_shown(value)}"
    if kind in ("int32", "int64", "number") and (isinstance(value, bool) or not isinstance(value, int | float)):
        yield f"{path}: expected numeric (int or float), got {_shown(value)}"


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "boolean"
    return "map" if isinstance(value, dict) else "list" if isinstance(value, list) else "numeric"
