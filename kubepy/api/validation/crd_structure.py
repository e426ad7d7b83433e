"""Whether the schema of a custom resource is structural: every field has a type, said once, outside of logic.

Only structural schemas can be pruned and defaulted, so nothing else is accepted.
Source: apiextensions-apiserver pkg/apiserver/schema/validation.go and complete.go.
"""

from collections.abc import Iterator
from typing import Literal

from kubepy.api.errors import FieldError, forbidden, invalid, required
from kubepy.api.meta import Object

Level = Literal["root", "items", "field"]

_EMPTY_TYPE = {
    "root": "must not be empty at the root",
    "items": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_X_INT, _X_KEEP, _X_EMBEDDED = (
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
)
_LOGIC = ("allOf", "anyOf", "oneOf")
_EMPTY_IN_LOGIC = ("type", "title", "description", "x-kubernetes-list-map-keys", "x-kubernetes-validations")
_UNDEFINED_IN_LOGIC = ("default", "additionalProperties", "x-kubernetes-list-type", "x-kubernetes-map-type")
_FALSE_IN_LOGIC = ("nullable", _X_KEEP, _X_EMBEDDED, _X_INT)


def validate_structure(schema: Object, path: str) -> list[FieldError]:
    """Faults that keep a root schema from being structural, sorted by what they say."""
    return sorted(_invariants(schema, path, "root") + _completeness(schema, path), key=str)


def _type(schema: Object, path: str, level: Level) -> list[FieldError]:
    kind = schema.get("type") or ""
    if schema.get(_X_EMBEDDED) and kind != "object":
        why = "must be object if x-kubernetes-embedded-resource is true"
        return [invalid(f"{path}.type", kind, why) if kind else required(f"{path}.type", why)]
    if not kind and not schema.get(_X_INT) and not schema.get(_X_KEEP):
        return [required(f"{path}.type", _EMPTY_TYPE[level])]
    if level == "root" and kind and kind != "object":
        return [invalid(f"{path}.type", kind, "must be object at the root")]
    return []


def _extensions(schema: Object, path: str) -> list[FieldError]:
    if not schema.get(_X_INT):
        return []
    errors = []
    for field in (_X_KEEP, _X_EMBEDDED):
        if schema.get(field):
            why = "must be false if x-kubernetes-int-or-string is true"
            errors.append(invalid(f"{path}.{field}", True, why))
    return errors


def _children(schema: Object, path: str) -> Iterator[tuple[Object, str, Level]]:
    for name, inner in (schema.get("properties") or {}).items():
        yield inner, f"{path}.properties[{name}]", "field"
    if isinstance(additional := schema.get("additionalProperties"), dict):
        yield additional, f"{path}.additionalProperties", "field"
    if isinstance(items := schema.get("items"), dict):
        yield items, f"{path}.items", "items"


def _invariants(schema: Object, path: str, level: Level) -> list[FieldError]:
    errors: list[FieldError] = []
    if schema.get("type") == "array" and schema.get("items") is None:
        errors.append(required(f"{path}.items", "must be specified"))
    for inner, at, inner_level in _children(schema, path):
        errors += _invariants(inner, at, inner_level)
    if schema.get("additionalProperties") is not None:
        if level == "root":
            errors.append(forbidden(f"{path}.additionalProperties", "must not be used at the root"))
        elif schema.get(_X_EMBEDDED):
            why = "must not be used if x-kubernetes-embedded-resource is set"
            errors.append(forbidden(f"{path}.additionalProperties", why))
    errors += _extensions(schema, path) + _logic(schema, path) + _type(schema, path, level)
    if schema.get(_X_EMBEDDED) and not schema.get(_X_KEEP) and not schema.get("properties"):
        why = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        errors.append(required(f"{path}.properties", why))
    if level == "root" or schema.get(_X_EMBEDDED):
        errors += _object_fields(schema.get("properties") or {}, f"{path}.properties", is_root=level == "root")
    return errors


def _object_fields(properties: Object, path: str, *, is_root: bool) -> list[FieldError]:
    """`kind`, `apiVersion` and `metadata` are what they are in every object."""
    errors: list[FieldError] = []
    for name, kind in (("kind", "string"), ("apiVersion", "string"), ("metadata", "object")):
        schema = properties.get(name)
        if schema is not None and schema.get("type") != kind:
            errors.append(invalid(f"{path}[{name}].type", schema.get("type") or "", f"must be {kind}"))
    metadata = properties.get("metadata")
    if metadata is not None and is_root:
        others = {name for name in metadata.get("properties") or () if name not in ("name", "generateName")}
        if others or any(field not in ("type", "properties", "default") for field, value in metadata.items() if value):
            why = "must not specify anything other than name and generateName, but metadata is implicitly specified"
            errors.append(forbidden(f"{path}[metadata]", why))
    return errors


def _nested(schema: Object, path: str) -> Iterator[tuple[Object, str]]:
    """The schemas in the logic of a schema, but for the one way of writing int-or-string."""
    for field in _LOGIC:
        for index, inner in enumerate(schema.get(field) or ()):
            if field == "anyOf" and schema["anyOf"] == _INT_OR_STRING:
                continue
            if field == "allOf" and index == 0 and inner.get("anyOf") == _INT_OR_STRING:
                inner = {key: value for key, value in inner.items() if key != "anyOf"}
            yield inner, f"{path}.{field}[{index}]"
    if schema.get("not") is not None:
        yield schema["not"], f"{path}.not"


def _logic(schema: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for inner, at in _nested(schema, path):
        errors += _value_validation(inner, at)
    return errors


def _value_validation(schema: Object, path: str) -> list[FieldError]:
    """Inside of logic a schema says what values are allowed, never what they are."""
    errors: list[FieldError] = []
    for field in _EMPTY_IN_LOGIC:
        if schema.get(field):
            errors.append(forbidden(f"{path}.{field}", "must be empty to be structural"))
    for field in _UNDEFINED_IN_LOGIC:
        if schema.get(field) is not None:
            errors.append(forbidden(f"{path}.{field}", "must be undefined to be structural"))
    for field in _FALSE_IN_LOGIC:
        if schema.get(field):
            errors.append(forbidden(f"{path}.{field}", "must be false to be structural"))
    if "metadata" in (schema.get("properties") or {}):
        errors.append(forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context"))
    for inner, at, _ in _children({**schema, "additionalProperties": None}, path):
        errors += _value_validation(inner, at)
    return errors + _logic(schema, path)


def _completeness(schema: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for inner, at, _ in _children(schema, path):
        errors += _completeness(inner, at)
    for inner, at in _nested(schema, path):
        errors += _covered(inner, at, schema, path)
    return errors


def _covered(nested: Object, nested_path: str, schema: Object, path: str) -> list[FieldError]:
    """A field that logic speaks of must be defined outside of it."""
    errors: list[FieldError] = []
    properties = schema.get("properties") or {}
    for name, inner in (nested.get("properties") or {}).items():
        at = f"{nested_path}.properties[{name}]"
        if name in properties:
            errors += _covered(inner, at, properties[name], f"{path}.properties[{name}]")
        elif not isinstance(schema.get("additionalProperties"), dict):
            errors.append(required(f"{path}.properties[{name}]", f"because it is defined in {at}"))
    items = nested.get("items")
    if isinstance(items, dict):
        if isinstance(schema.get("items"), dict):
            errors += _covered(items, f"{nested_path}.items", schema["items"], f"{path}.items")
        else:
            errors.append(required(f"{path}.items", f"because it is defined in {nested_path}.items"))
    for inner, at in _nested(nested, nested_path):
        errors += _covered(inner, at, schema, path)
    return errors
