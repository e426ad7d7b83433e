"""What the value of a mutation's expression makes of an object. Pure.

Source: apiserver pkg/admission/plugin/policy/mutating/patch.
"""

import base64
from collections.abc import Mapping
from typing import Any

from kubepy.api import patches, typed_values
from kubepy.api.definitions import Schema
from kubepy.api.json_patches import Unfit
from kubepy.api.meta import Object
from kubepy.apiserver.cel.library.times import duration_text, timestamp_text
from kubepy.apiserver.cel.making import name_fault
from kubepy.apiserver.cel.values import Duration, Timestamp


class BadMutation(Exception):
    """What an expression made cannot be applied; the message is upstream's."""


def check_names(value: Any) -> None:
    """Raises BadMutation for an object whose type is not named after its place."""
    values = [each.get("value") for each in value if isinstance(each, Mapping)] if isinstance(value, list) else [value]
    for each in values:
        if (why := name_fault(each)) is not None:
            raise BadMutation(f"type mismatch: {why}")


def plain(value: Any) -> Any:
    """A value of CEL as JSON has it. Raises BadMutation for what JSON has not."""
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise _no_json()
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Timestamp):
        return timestamp_text(value)
    if isinstance(value, Duration):
        return duration_text(value)
    if value is None or isinstance(value, bool | str | float):
        return value
    if isinstance(value, int):
        return int(value)
    raise _no_json()


def _no_json() -> BadMutation:
    return BadMutation("JSONPath valueExpression evaluated to a type that could not marshal to JSON")


def applied_configuration(value: Any, view: Object, schema: Schema | None) -> Object:
    """The object with a configuration merged into it as by server-side apply. Raises BadMutation."""
    if not isinstance(value, Mapping):
        raise BadMutation("must evaluate to Object")
    if schema is None:
        raise BadMutation("error applying patch: type converter must not be nil")
    config = {**value, "apiVersion": view["apiVersion"], "kind": view["kind"]}
    try:
        typed_values.check(schema, config)
    except typed_values.Untyped as fault:
        raise BadMutation(f"error applying patch: failed to convert patch object to typed object: {fault}") from fault
    if atomics := sorted(_atomics(schema, config, "")):
        text = ", ".join(atomics)
        raise BadMutation(
            f"error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {text}"
        )
    merged: Object = typed_values.merge(schema, view, config)
    return merged


def _atomics(schema: Schema, value: Any, path: str) -> list[str]:
    """The paths of lists and maps that would be replaced as wholes."""
    if not isinstance(value, dict | list):
        return []
    found = [path] if path and typed_values.is_atomic(schema, value) else []
    if isinstance(value, dict):
        parts = [(schema.child(key), inner, f"{path}.{key}") for key, inner in value.items()]
    else:
        parts = [(schema.items, inner, f"{path}[{index}]") for index, inner in enumerate(value)]
    return found + [each for inner, part, at in parts for each in _atomics(inner, part, at)]


def applied_operations(value: Any, view: Object) -> Object:
    """The object after a JSON patch; as it was where a test fails. Raises BadMutation."""
    if not isinstance(value, list) or not all(isinstance(operation, Mapping) for operation in value):
        raise BadMutation("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch")
    try:
        patched = patches.json_patch(view, value)
    except Unfit as fault:
        if fault.is_test:
            return view
        raise BadMutation(f"JSON Patch: {fault.why}") from fault
    if not isinstance(patched, dict):
        raise BadMutation("JSON Patch: the patch does not leave an object")
    return patched
