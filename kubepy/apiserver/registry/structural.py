"""Structural schemas of custom resources: prune what they do not know, and fill in defaults.

Pure; interpreted, not compiled: custom objects are few. Each walk takes the raw schema beside the value. Judging
values is schema_values.py's.
Source: apiextensions-apiserver pkg/apiserver/schema/{pruning,defaulting}.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

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
