"""The simple JSON paths of custom resources: `.spec.n`, `.status.conditions[?(@.type=="Ready")].status`, `['a.b']`.

Source: apiextensions-apiserver (additionalPrinterColumns, scale paths); client-go util/jsonpath for the syntax.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

_STEP = re.compile(
    r"""\.(?P<name>[A-Za-z0-9_\-/]+|\*)|\[(?P<index>-?\d+|\*)\]|\['(?P<quoted>[^']+)'\]"""
    r"""|\[\?\(@(?P<field>\.[^=!<>]+?)\s*==\s*["'](?P<value>[^"']*)["']\)\]"""
)
Step = Callable[[Any], list[Any]]


def find(path: str, obj: Any) -> list[Any]:
    """Every value at the path; empty where there is none, or the path cannot be read."""
    found = [obj]
    for step in _steps(path):
        found = [inner for value in found for inner in step(value)]
    return found


@lru_cache(512)
def _steps(path: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    at = 0
    text = path.strip("{}")
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            return (lambda value: [],)
        steps.append(_step(found))
        at = found.end()
    return tuple(steps)


def _step(found: "re.Match[str]") -> Step:
    if found["field"]:
        field, wanted = found["field"], found["value"]
        return lambda value: [entry for entry in _entries(value) if wanted in map(str, find(field, entry))]
    if found["index"] and found["index"] != "*":
        index = int(found["index"])
        return lambda value: value[index : index + 1 or None] if isinstance(value, list) else []
    if found["index"] == "*" or found["name"] == "*":
        return _entries
    name = found["name"] or found["quoted"]
    return lambda value: [value[name]] if isinstance(value, dict) and name in value else []


def _entries(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return list(value.values()) if isinstance(value, dict) else []


def put(path: str, obj: dict[str, Any], value: Any) -> None:
    """Sets the value at a path of plain names, making the objects on the way."""
    *parents, last = [name for name in path.split(".") if name]
    for name in parents:
        obj = obj.setdefault(name, {})
    obj[last] = value
