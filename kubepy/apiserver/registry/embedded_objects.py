"""Whether whole objects inside of custom ones are such: a version, a kind, and metadata as all objects have.

Source: apiextensions-apiserver pkg/apiserver/schema/objectmeta/validation.go.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from kubepy.api.errors import FieldError, invalid, required
from kubepy.api.go_values import json_type
from kubepy.api.names import is_dns1035_label, is_path_segment_name
from kubepy.api.validation.meta import validate_metadata

Schema = Mapping[str, Any]
_EMBEDDED = "x-kubernetes-embedded-resource"
_NAMELESS = "fakename"
"""What stands in for a name: embedded objects need none."""


def embeds(schema: Any) -> bool:
    """Whether there are embedded objects anywhere in a schema's values."""
    if isinstance(schema, dict):
        return bool(schema.get(_EMBEDDED)) or any(map(embeds, schema.values()))
    return isinstance(schema, list) and any(map(embeds, schema))


def faults_of_embedded(schema: Schema, value: Any, path: str = "") -> list[FieldError]:
    """Faults of all embedded objects in a value."""
    faults = _object(value, path) if schema.get(_EMBEDDED) and isinstance(value, dict) else []
    for each in _inner(schema, value, path):
        faults += faults_of_embedded(*each)
    return faults


def mistyped_embedded(schema: Schema, value: Any, path: str = "") -> FieldError | None:
    """The fault that keeps an embedded object from being read as one: a type that its kind or metadata cannot have."""
    if schema.get(_EMBEDDED) and isinstance(value, dict):
        for name in ("apiVersion", "kind"):
            if name in value and not isinstance(value[name], str):
                return invalid(f"{path}.{name}", value[name], "must be a string")
        meta = value.get("metadata")
        if meta is not None and not isinstance(meta, dict):
            why = f"json: cannot unmarshal {json_type(meta)} into Go value of type v1.ObjectMeta"
            return invalid(f"{path}.metadata", meta, why)
    return next(
        (fault for each in _inner(schema, value, path) if (fault := mistyped_embedded(*each)) is not None), None
    )


def _inner(schema: Schema, value: Any, path: str) -> Iterator[tuple[Schema, Any, str]]:
    """Schema, value and path of what is in an object or a list."""
    if isinstance(value, dict):
        properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
        for name, inner in value.items():
            if name in properties:
                yield properties[name], inner, f"{path}.{name}" if path else name
            elif isinstance(others, dict):
                yield others, inner, f"{path}[{name}]"
    elif isinstance(value, list) and isinstance(items := schema.get("items"), dict):
        for index, each in enumerate(value):
            yield items, each, f"{path}[{index}]"


def _object(value: dict[str, Any], path: str) -> list[FieldError]:
    faults = _version(value, path) + _kind(value, path)
    meta, place = value.get("metadata"), f"{path}.metadata"
    if isinstance(meta, dict):
        whole = {"metadata": meta if meta.get("name") else {**meta, "name": _NAMELESS}}
        return faults + validate_metadata(whole, bool(meta.get("namespace")), is_path_segment_name, place)
    if "metadata" in value:
        faults.append(invalid(place, meta, "must be an object"))
    return faults


def _text(value: dict[str, Any], name: str, path: str) -> list[FieldError]:
    if name in value and not isinstance(value[name], str):
        return [invalid(f"{path}.{name}", value[name], "must be a string")]
    return [] if value.get(name) else [required(f"{path}.{name}")]


def _version(value: dict[str, Any], path: str) -> list[FieldError]:
    faults, found = _text(value, "apiVersion", path), value.get("apiVersion")
    if not faults and str(found).count("/") > 1:
        return [invalid(f"{path}.apiVersion", found, f"unexpected GroupVersion string: {found}")]
    return faults


def _kind(value: dict[str, Any], path: str) -> list[FieldError]:
    faults, found = _text(value, "kind", path), value.get("kind")
    if not faults and (why := is_dns1035_label(str(found).lower())):
        text = f"may have mixed case, but should otherwise match: {','.join(why)}"
        return [invalid(f"{path}.kind", found, text)]
    return faults
