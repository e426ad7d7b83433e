"""Structural schemas of custom resources: prune what they do not know, fill in defaults, validate the rest.

Pure; interpreted, not compiled: custom objects are few. Each walk takes the raw schema beside the value.
Messages are upstream's (kube-openapi pkg/validation, apiextensions-apiserver pkg/apiserver/schema).
"""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from kubepy.api.errors import FieldError, duplicate, invalid, not_supported, required
from kubepy.api.names import is_dns1035_label
from kubepy.apiserver.registry.correlation import ABSENT, element, field, is_same

Schema = Mapping[str, Any]
_KEEPS, _INT_OR_STRING = "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"
_EMBEDDED = "x-kubernetes-embedded-resource"
RULES = "x-kubernetes-validations"
_OBJECT_FIELDS = frozenset(("apiVersion", "kind", "metadata"))


def has_rules(schema: Any) -> bool:
    """Whether a schema has rules in CEL, anywhere."""
    if isinstance(schema, dict):
        return bool(schema.get(RULES)) or any(map(has_rules, schema.values()))
    return isinstance(schema, list) and any(map(has_rules, schema))


def prune(schema: Schema, value: Any, path: str = "", *, root: bool = True) -> list[str]:
    """Drops unknown fields in place; their paths."""
    if isinstance(value, dict):
        return _prune_object(schema, value, path, is_object=root or bool(schema.get(_EMBEDDED)))
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [
            dropped
            for index, entry in enumerate(value)
            for dropped in prune(schema["items"], entry, f"{path}[{index}]", root=False)
        ]
    return []


def _prune_object(schema: Schema, value: dict[str, Any], path: str, *, is_object: bool) -> list[str]:
    properties: Mapping[str, Any] = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    dropped: list[str] = []
    for name in list(value):
        place = f"{path}.{name}" if path else name
        if is_object and name in _OBJECT_FIELDS:
            continue
        if name in properties:
            dropped += prune(properties[name], value[name], place, root=False)
        elif isinstance(others, dict):
            dropped += prune(others, value[name], place, root=False)
        elif others is not True and not schema.get(_KEEPS):
            del value[name]
            dropped.append(place)
    return dropped


def metadata_in(
    schema: Schema, value: Any, path: str = "", *, root: bool = True
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The metadata of the object itself and of every object in it, with their paths."""
    if isinstance(value, dict):
        meta = value.get("metadata")
        if (root or schema.get(_EMBEDDED)) and isinstance(meta, dict):
            yield (f"{path}.metadata" if path else "metadata"), meta
        others = schema.get("additionalProperties")
        for name, inner in value.items():
            known = (schema.get("properties") or {}).get(name, others)
            if isinstance(known, dict):
                yield from metadata_in(known, inner, f"{path}.{name}" if path else name, root=False)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, entry in enumerate(value):
            yield from metadata_in(schema["items"], entry, f"{path}[{index}]", root=False)


def fill_defaults(schema: Schema, value: Any) -> None:
    """Sets defaults in place; a null where none may be counts as absent, and goes if there is no default."""
    if isinstance(value, dict):
        properties: Mapping[str, Any] = schema.get("properties") or {}
        for name, inner in properties.items():
            if "default" in inner and (name not in value or (value[name] is None and not inner.get("nullable"))):
                value[name] = copy.deepcopy(inner["default"])
        others = schema.get("additionalProperties")
        for name in list(value):
            known = properties.get(name, others)
            if not isinstance(known, dict):
                continue
            if value[name] is None and not known.get("nullable") and not _may_be_null(known):
                del value[name]
            else:
                fill_defaults(known, value[name])
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for entry in value:
            fill_defaults(schema["items"], entry)


def _may_be_null(schema: Schema) -> bool:
    """A schema that says nothing of a type lets null be."""
    return not schema.get("type") and not schema.get(_INT_OR_STRING)


def validate(schema: Schema, value: Any, path: str = "", old: Any = ABSENT) -> list[FieldError]:
    """Every fault of a value; none of one that is as it was before, when it was let in (ratcheting)."""
    if (value is None and schema.get("nullable")) or is_same(value, old):
        return []
    found = _type_of(value)
    wanted = ["integer", "string"] if schema.get(_INT_OR_STRING) else [schema["type"]] if schema.get("type") else []
    if wanted and found not in wanted and not (found == "integer" and wanted == ["number"]):
        text = f'{path} in body must be of type {",".join(wanted)}: "{found}"'
        return [invalid(path, found, text)]
    faults: list[FieldError] = []
    if "enum" in schema and value not in schema["enum"]:
        faults.append(not_supported(path, value, [str(allowed) for allowed in schema["enum"]]))
    faults += _CHECKS.get(found, _no_faults)(schema, value, path, old)
    return faults + _combined(schema, value, path)


def _no_faults(schema: Schema, value: Any, path: str, old: Any) -> list[FieldError]:
    return []


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, float) and value.is_integer():
        return "integer"
    names = {dict: "object", list: "array", str: "string", int: "integer", float: "number", type(None): "null"}
    return names.get(type(value), "object")


def _number(schema: Schema, value: Any, path: str, old: Any) -> list[FieldError]:
    faults = []
    low, high, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if low is not None and (value < low or (schema.get("exclusiveMinimum") and value == low)):
        bound = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        faults.append(invalid(path, value, f"{path} in body should be {bound} {low:g}"))
    if high is not None and (value > high or (schema.get("exclusiveMaximum") and value == high)):
        bound = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        faults.append(invalid(path, value, f"{path} in body should be {bound} {high:g}"))
    if step and value % step:
        faults.append(invalid(path, value, f"{path} in body should be a multiple of {step:g}"))
    return faults


def _string(schema: Schema, value: str, path: str, old: Any) -> list[FieldError]:
    faults = []
    if (most := schema.get("maxLength")) is not None and len(value) > most:
        faults.append(FieldError(path, "FieldValueTooLong", f"Too long: may not be more than {most} bytes"))
    if (least := schema.get("minLength")) is not None and len(value) < least:
        faults.append(invalid(path, value, f"{path} in body should be at least {least} chars long"))
    if (pattern := schema.get("pattern")) and not _compiled(pattern).search(value):
        faults.append(invalid(path, value, f"{path} in body should match '{pattern}'"))
    if (form := schema.get("format")) and not _has_format(value, form):
        faults.append(invalid(path, value, f'{path} in body must be of type {form}: "{value}"'))
    return faults


def _has_format(value: str, form: str) -> bool:
    from kubepy.apiserver.registry.formats import CHECKS  # few schemas ask for formats

    check = CHECKS.get(form)
    return check is None or check(value)


@lru_cache(1024)
def _compiled(pattern: str) -> "re.Pattern[str]":
    try:
        return re.compile(pattern)
    except re.error:  # Go's syntax is not all Python's: such a pattern cannot be judged here
        return re.compile("")


def _array(schema: Schema, value: list[Any], path: str, old: Any) -> list[FieldError]:
    faults: list[FieldError] = []
    if (most := schema.get("maxItems")) is not None and len(value) > most:
        text = f"Too many: {len(value)}: must have at most {most} item{'' if most == 1 else 's'}"
        faults.append(FieldError(path, "FieldValueTooMany", text))
    if (least := schema.get("minItems")) is not None and len(value) < least:
        faults.append(invalid(path, len(value), f"{path} in body should have at least {least} items"))
    if isinstance(schema.get("items"), dict):
        for index, entry in enumerate(value):
            faults += validate(schema["items"], entry, f"{path}[{index}]", element(schema, old, entry))
    if isinstance(old, list) and _duplicates(schema, old, path):
        return faults
    return faults + _duplicates(schema, value, path)


def _duplicates(schema: Schema, value: list[Any], path: str) -> list[FieldError]:
    kind = schema.get("x-kubernetes-list-type")
    if kind not in ("set", "map"):
        return []
    faults: list[FieldError] = []
    seen: list[Any] = []
    for index, entry in enumerate(value):
        keys = schema.get("x-kubernetes-list-map-keys") or ()
        identity = {key: entry.get(key) for key in keys} if kind == "map" and isinstance(entry, dict) else entry
        if identity in seen:
            faults.append(duplicate(f"{path}[{index}]", identity))
        seen.append(identity)
    return faults


def _object(schema: Schema, value: dict[str, Any], path: str, old: Any) -> list[FieldError]:
    faults = _embedded(value, path) if schema.get(_EMBEDDED) else []
    for name in schema.get("required") or ():
        if name not in value:
            faults.append(required(f"{path}.{name}" if path else name))
    count = len(value)
    if (most := schema.get("maxProperties")) is not None and count > most:
        faults.append(invalid(path, count, f"{path} in body should have at most {most} properties"))
    if (least := schema.get("minProperties")) is not None and count < least:
        faults.append(invalid(path, count, f"{path} in body should have at least {least} properties"))
    properties: Mapping[str, Any] = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    for name, inner in value.items():
        place = f"{path}.{name}" if path else name
        if name in properties:
            if not path and name in _OBJECT_FIELDS:
                continue
            faults += validate(properties[name], inner, place, field(schema, old, name))
        elif isinstance(others, dict):
            faults += validate(others, inner, place, field(schema, old, name))
    return faults


def _embedded(value: dict[str, Any], path: str) -> list[FieldError]:
    """Faults of a whole object inside of another."""
    faults: list[FieldError] = []
    for name in ("apiVersion", "kind"):
        found, place = value.get(name), f"{path}.{name}" if path else name
        if name not in value:
            faults.append(required(place, "must not be empty"))
        elif not isinstance(found, str):
            faults.append(invalid(place, found, "must be a string"))
        elif not found:
            faults.append(invalid(place, found, "must not be empty"))
        elif name == "apiVersion" and found.count("/") > 1:
            faults.append(invalid(place, found, f"unexpected GroupVersion string: {found}"))
        elif name == "kind" and (why := is_dns1035_label(found.lower())):
            faults.append(invalid(place, found, f"may have mixed case, but should otherwise match: {','.join(why)}"))
    if "metadata" in value and not isinstance(value["metadata"], dict):
        faults.append(invalid(f"{path}.metadata" if path else "metadata", value["metadata"], "must be an object"))
    return faults


def _combined(schema: Schema, value: Any, path: str) -> list[FieldError]:
    faults = [fault for part in schema.get("allOf") or () for fault in validate(part, value, path)]
    if (parts := schema.get("anyOf")) and all(validate(part, value, path) for part in parts):
        faults.append(invalid(path, "", f"{path} in body must validate at least one schema (anyOf)"))
    if (parts := schema.get("oneOf")) and sum(not validate(part, value, path) for part in parts) != 1:
        faults.append(invalid(path, "", f"{path} in body must validate one and only one schema (oneOf)"))
    if (part := schema.get("not")) is not None and not validate(part, value, path):
        faults.append(invalid(path, "", f"{path} in body must not validate the schema (not)"))
    return faults


_CHECKS: Mapping[str, Callable[[Schema, Any, str, Any], list[FieldError]]] = {
    "integer": _number,
    "number": _number,
    "string": _string,
    "array": _array,
    "object": _object,
}
