"""Whether whole objects inside of custom ones are such: a version, a kind, and metadata as all objects have.

Source: apiextensions-apiserver pkg/apiserver/schema/objectmeta/validation.go.
"""

from collections.abc import Mapping
from typing import Any

from kubepy.api.errors import FieldError, invalid, required
from kubepy.api.names import is_dns1035_label, is_path_segment_name
from kubepy.api.validation.meta import validate_metadata

Schema = Mapping[str, Any]
_EMBEDDED = "x-kubernetes-embedded-resource"
_NAMELESS = "fakename"
"""What stands in for a name: embedded objects need none."""


def faults_of_embedded(schema: Schema, value: Any, path: str = "") -> list[FieldError]:
    """Faults of all embedded objects in a value."""
    faults: list[FieldError] = []
    if isinstance(value, dict):
        if schema.get(_EMBEDDED):
            faults += _object(value, path)
        properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
        for name, inner in value.items():
            if name in properties:
                faults += faults_of_embedded(properties[name], inner, f"{path}.{name}" if path else name)
            elif isinstance(others, dict):
                faults += faults_of_embedded(others, inner, f"{path}[{name}]")
    elif isinstance(value, list) and isinstance(items := schema.get("items"), dict):
        for index, each in enumerate(value):
            faults += faults_of_embedded(items, each, f"{path}[{index}]")
    return faults


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
