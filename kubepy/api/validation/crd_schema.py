"""Rules of the OpenAPI schema in a CustomResourceDefinition: what may be written, and how lists and maps merge.

Rules in CEL are judged for presence here; compiling them belongs to whoever runs them.
Source: apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go,
ValidateCustomResourceDefinitionOpenAPISchema and specStandardValidatorV3.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kubepy.api.errors import FieldError, forbidden, invalid, not_supported, required
from kubepy.api.go_regexps import regexp_fault
from kubepy.api.meta import Object
from kubepy.api.validation.crd_shown import NAMES, show_schema

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
_MAP_TYPE, _LIST_TYPE, _MAP_KEYS = (
    "x-kubernetes-map-type",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
)
_X_KEEP, _X_EMBEDDED, _RULES = (
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-validations",
)
_META = ("metadata", "kind", "apiVersion")
_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_AT_ROOT_WITH_STATUS = (
    "Description", "Type", "Format", "Title", "Maximum", "ExclusiveMaximum", "Minimum", "ExclusiveMinimum",
    "MaxLength", "MinLength", "Pattern", "MaxItems", "MinItems", "UniqueItems", "MultipleOf", "Required", "Items",
    "Properties", "ExternalDocs", "Example", "XPreserveUnknownFields", "XValidations",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the schema we are: inside of metadata, and why no default may be set, if so."""

    in_meta: bool = False
    no_default: str = ""


def validate_root(schema: Object, path: str, *, has_status: bool) -> list[FieldError]:
    """Faults of a whole schema but those of its structure."""
    errors: list[FieldError] = []
    if has_status:
        errors += _root_with_status(schema, path)
    if schema.get("nullable"):
        errors.append(forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    return errors + _schema(schema, path, _Place(), is_root=True)


def _root_with_status(schema: Object, path: str) -> list[FieldError]:
    tail = "if the status subresource is enabled"
    for field, name in NAMES.items():
        if schema.get(field) in (None, "", [], {}, False):
            continue
        if field == "type" and schema["type"] != "object":
            why = f'only "object" is allowed as the type at the root of the schema {tail}'
            return [invalid(f"{path}.type", schema["type"], why)]
        if name not in _AT_ROOT_WITH_STATUS:
            allowed = " ".join(_AT_ROOT_WITH_STATUS)
            why = f"only [{allowed}] fields are allowed at the root of the schema {tail}"
            return [invalid(path, show_schema(schema), why)]
    return []


def _schema(schema: Object, path: str, place: _Place, *, is_root: bool = False) -> list[FieldError]:
    errors = _supported(schema, path, place)
    if schema.get("uniqueItems"):
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        errors.append(forbidden(f"{path}.uniqueItems", why))
    additional = schema.get("additionalProperties")
    if additional is not None and schema.get("properties") and additional is not True:
        why = "additionalProperties and properties are mutual exclusive"
        errors.append(forbidden(f"{path}.additionalProperties", why))
    for inner, at, inner_place in _children(schema, path, place, is_root):
        errors += _schema(inner, at, inner_place)
    if schema.get(_X_KEEP) is False:
        errors.append(invalid(f"{path}.{_X_KEEP}", False, "must be true or undefined"))
    return errors + _merging(schema, path) + _rules(schema.get(_RULES) or [], f"{path}.{_RULES}")


def _children(schema: Object, path: str, place: _Place, is_root: bool) -> Iterator[tuple[Object, str, _Place]]:
    if isinstance(additional := schema.get("additionalProperties"), dict):
        inside = "inside additionalProperties applying to object metadata"
        inner = replace(place, no_default=inside) if place.in_meta else place
        yield additional, f"{path}.additionalProperties", inner
    for name, inner_schema in (schema.get("properties") or {}).items():
        inner = place
        if name in _META and (is_root or schema.get(_X_EMBEDDED)):
            inner = replace(place, in_meta=True, no_default=f"in top-level {name}" if is_root else place.no_default)
        yield inner_schema, f"{path}.properties[{name}]", inner
    if schema.get("not") is not None:
        yield schema["not"], f"{path}.not", place
    for field in ("allOf", "oneOf", "anyOf"):
        for index, inner_schema in enumerate(schema.get(field) or ()):
            yield inner_schema, f"{path}.{field}[{index}]", place
    if isinstance(items := schema.get("items"), dict):
        yield items, f"{path}.items", place


def _supported(schema: Object, path: str, place: _Place) -> list[FieldError]:
    kind = schema.get("type") or ""
    errors: list[FieldError] = []
    if kind and kind not in _TYPES:
        errors.append(not_supported(f"{path}.type", kind, _TYPES))
    if schema.get("default") is not None and place.no_default:
        errors.append(forbidden(f"{path}.default", f"must not be set {place.no_default}"))
    errors += [forbidden(f"{path}.{field}", f"{field} is not supported") for field in _UNSUPPORTED if schema.get(field)]
    if kind == "null":
        why = "type cannot be set to null, use nullable as an alternative"
        errors.append(forbidden(f"{path}.type", why))
    if isinstance(schema.get("items"), list):
        errors.append(forbidden(f"{path}.items", "items must be a schema object and not an array"))
    if place.in_meta and schema.get(_X_EMBEDDED):
        errors.append(forbidden(f"{path}.{_X_EMBEDDED}", "must not be used inside of resource meta"))
    if (pattern := schema.get("pattern")) and (fault := regexp_fault(pattern)):
        why = f"must be a valid regular expression, but isn't: {fault}"
        errors.append(invalid(f"{path}.pattern", pattern, why))
    return errors


def _wrong_holder(schema: Object, path: str, extension: str, kind: str) -> list[FieldError]:
    if schema.get(extension) is None or schema.get("type") == kind:
        return []
    why = f"must be {kind} if {extension} is specified"
    found = schema.get("type")
    return [invalid(f"{path}.type", found, why) if found else required(f"{path}.type", why)]


def _merging(schema: Object, path: str) -> list[FieldError]:
    errors = _wrong_holder(schema, path, _MAP_TYPE, "object") + _wrong_holder(schema, path, _LIST_TYPE, "array")
    map_type, list_type, keys = schema.get(_MAP_TYPE), schema.get(_LIST_TYPE), schema.get(_MAP_KEYS) or []
    if map_type is not None and map_type not in ("atomic", "granular"):
        errors.append(not_supported(f"{path}.{_MAP_TYPE}", map_type, ("atomic", "granular")))
    if list_type is not None and list_type not in ("atomic", "set", "map"):
        errors.append(not_supported(f"{path}.{_LIST_TYPE}", list_type, ("atomic", "set", "map")))
    if keys and list_type != "map":
        why = f"must be map if {_MAP_KEYS} is non-empty"
        at = f"{path}.{_LIST_TYPE}"
        errors.append(invalid(at, list_type, why) if list_type else required(at, why))
    items = schema.get("items")
    if list_type == "set" and isinstance(items, dict):
        errors += _set_items(items, f"{path}.items")
    if list_type == "map":
        errors += _map_list(items, keys, path)
    if list_type in ("set", "map") and isinstance(items, dict) and items.get("nullable"):
        why = f"cannot be nullable when {_LIST_TYPE} is {list_type}"
        errors.append(forbidden(f"{path}.items.nullable", why))
    return errors


def _set_items(items: Object, path: str) -> list[FieldError]:
    why = f"must be atomic as item of a list with {_LIST_TYPE}=set"
    if items.get("type") == "array" and items.get(_LIST_TYPE) not in (None, "atomic"):
        return [invalid(f"{path}.{_LIST_TYPE}", items[_LIST_TYPE], why)]
    if items.get("type") == "object" and items.get(_MAP_TYPE) != "atomic":
        return [invalid(f"{path}.{_MAP_TYPE}", items.get(_MAP_TYPE), why)]
    return []


def _map_list(items: object, keys: list[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if not keys:
        errors.append(required(f"{path}.{_MAP_KEYS}", f"must not be empty if {_LIST_TYPE} is map"))
    if items is None:
        return [*errors, required(f"{path}.items", f"must have a schema if {_LIST_TYPE} is map")]
    if not isinstance(items, dict):
        return [*errors, invalid(f"{path}.items", items, f"must only have a single schema if {_LIST_TYPE} is map")]
    if items.get("type") != "object":
        why = f"must be object if parent array's {_LIST_TYPE} is map"
        return [*errors, invalid(f"{path}.items.type", items.get("type") or "", why)]
    if len(set(keys)) < len(keys):
        errors.append(invalid(f"{path}.{_MAP_KEYS}", keys, "must not contain duplicate entries"))
    for key in keys:
        errors += _map_key(items, key, keys, path)
    return errors


def _map_key(items: Object, key: str, keys: list[str], path: str) -> list[FieldError]:
    schema = (items.get("properties") or {}).get(key)
    if schema is None:
        return [invalid(f"{path}.{_MAP_KEYS}", keys, "entries must all be names of item properties")]
    at, errors = f"{path}.items.properties[{key}]", []
    if schema.get("type") in ("array", "object"):
        why = f"must be a scalar type if parent array's {_LIST_TYPE} is map"
        errors.append(invalid(f"{at}.type", schema["type"], why))
    tail = f"this property is in {_MAP_KEYS}, so it"
    if key not in (items.get("required") or ()) and schema.get("default") is None:
        errors.append(required(f"{at}.default", f"{tail} must have a default or be a required property"))
    if schema.get("nullable"):
        errors.append(forbidden(f"{at}.nullable", f"{tail} cannot be nullable"))
    return errors


def _has_newline(text: str) -> bool:
    return "\n" in text or "\r" in text


def _rules(rules: list[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, rule in enumerate(rules):
        errors += _rule(rule, f"{path}[{index}]")
    return errors


def _rule(rule: Object, path: str) -> list[FieldError]:
    text, message, expression, field_path = (
        rule.get(field) or "" for field in ("rule", "message", "messageExpression", "fieldPath")
    )
    errors: list[FieldError] = []
    if not text.strip():
        errors.append(required(f"{path}.rule", "rule is not specified"))
    elif message and not message.strip():
        errors.append(invalid(f"{path}.message", message, "message must be non-empty if specified"))
    elif _has_newline(message.strip()):
        errors.append(invalid(f"{path}.message", message, "message must not contain line breaks"))
    elif _has_newline(text.strip()) and not message.strip():
        errors.append(required(f"{path}.message", "message must be specified if rule contains line breaks"))
    if expression and not expression.strip():
        errors.append(required(f"{path}.messageExpression", "messageExpression must be non-empty if specified"))
    if rule.get("reason") is not None and rule["reason"] not in _REASONS:
        errors.append(not_supported(f"{path}.reason", rule["reason"], _REASONS))
    if field_path and not field_path.strip():
        errors.append(invalid(f"{path}.fieldPath", field_path, "fieldPath must be non-empty if specified"))
    if _has_newline(field_path):
        errors.append(invalid(f"{path}.fieldPath", field_path, "fieldPath must not contain line breaks"))
    return errors
