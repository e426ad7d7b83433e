"""Whether lists that are sets or maps hold nothing twice: whole elements of a set, keys of a map.

Source: apiextensions-apiserver pkg/apiserver/schema/listtype/validation.go.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from kubepy.api.errors import FieldError, duplicate, invalid

Schema = Mapping[str, Any]


def faults_of_lists(schema: Schema, value: Any, path: str = "") -> list[FieldError]:
    """Faults of all lists in a value."""
    faults: list[FieldError] = []
    if isinstance(value, list):
        faults += _twice(schema, value, path)
        if isinstance(items := schema.get("items"), dict):
            for index, each in enumerate(value):
                faults += faults_of_lists(items, each, f"{path}[{index}]")
    elif isinstance(value, dict):
        if isinstance(others := schema.get("additionalProperties"), dict):
            for name, each in value.items():
                faults += faults_of_lists(others, each, f"{path}[{name}]")
        properties = schema.get("properties") or {}
        for name, each in value.items():
            if name in properties and isinstance(each, dict | list):
                faults += faults_of_lists(properties[name], each, f"{path}.{name}" if path else name)
    return faults


def _twice(schema: Schema, value: list[Any], path: str) -> list[FieldError]:
    kind, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys") or ()
    if kind == "set":
        return _repeated(value, path)
    if kind != "map":
        return []
    for index, each in enumerate(value):
        if each is not None and not isinstance(each, dict):
            return [invalid(f"{path}[{index}]", each, "must be an object for an array of list-type map")]
    return _repeated([{key: each[key] for key in keys if key in each} if each else {} for each in value], path)


def _repeated(elements: list[Any], path: str) -> list[FieldError]:
    """A fault where an element comes for the second time; none where it comes once more."""
    times: dict[bytes, int] = {}
    faults: list[FieldError] = []
    for index, each in enumerate(elements):
        told = orjson.dumps(each, option=orjson.OPT_SORT_KEYS)
        times[told] = times.get(told, 0) + 1
        if times[told] == 2:
            faults.append(duplicate(f"{path}[{index}]", each))
    return faults
