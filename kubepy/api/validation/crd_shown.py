"""How upstream shows schemas and versions of a CustomResourceDefinition in its messages: its internal types, as JSON.

Source: apiextensions-apiserver pkg/apis/apiextensions/types.go and types_jsonschema.go, for the order of the fields.
"""

from collections.abc import Mapping
from typing import Any, Final

from kubepy.api.errors import Rendered, rendered
from kubepy.api.meta import Object

_SAID: Final[tuple[tuple[str, str, Any], ...]] = (
    ("ID", "id", ""), ("Schema", "$schema", ""), ("Ref", "$ref", None), ("Description", "description", ""),
    ("Type", "type", ""), ("Nullable", "nullable", False), ("Format", "format", ""), ("Title", "title", ""),
    ("Default", "default", None), ("Maximum", "maximum", None), ("ExclusiveMaximum", "exclusiveMaximum", False),
    ("Minimum", "minimum", None), ("ExclusiveMinimum", "exclusiveMinimum", False), ("MaxLength", "maxLength", None),
    ("MinLength", "minLength", None), ("Pattern", "pattern", ""), ("MaxItems", "maxItems", None),
    ("MinItems", "minItems", None), ("UniqueItems", "uniqueItems", False), ("MultipleOf", "multipleOf", None),
    ("Enum", "enum", None), ("MaxProperties", "maxProperties", None), ("MinProperties", "minProperties", None),
    ("Required", "required", None), ("Items", "items", None), ("AllOf", "allOf", None), ("OneOf", "oneOf", None),
    ("AnyOf", "anyOf", None), ("Not", "not", None), ("Properties", "properties", None),
    ("AdditionalProperties", "additionalProperties", None), ("PatternProperties", "patternProperties", None),
    ("Dependencies", "dependencies", None), ("AdditionalItems", "additionalItems", None),
    ("Definitions", "definitions", None), ("ExternalDocs", "externalDocs", None), ("Example", "example", None),
    ("XPreserveUnknownFields", "x-kubernetes-preserve-unknown-fields", None),
    ("XEmbeddedResource", "x-kubernetes-embedded-resource", False),
    ("XIntOrString", "x-kubernetes-int-or-string", False), ("XListMapKeys", "x-kubernetes-list-map-keys", None),
    ("XListType", "x-kubernetes-list-type", None), ("XMapType", "x-kubernetes-map-type", None),
    ("XValidations", "x-kubernetes-validations", None),
)  # fmt: skip
_RULE: Final = (
    ("Rule", "rule", ""), ("Message", "message", ""), ("MessageExpression", "messageExpression", ""),
    ("Reason", "reason", None), ("FieldPath", "fieldPath", ""), ("OptionalOldSelf", "optionalOldSelf", None),
)  # fmt: skip
_COLUMN: Final = (
    ("Name", "name", ""), ("Type", "type", ""), ("Format", "format", ""), ("Description", "description", ""),
    ("Priority", "priority", 0), ("JSONPath", "jsonPath", ""),
)  # fmt: skip
_SCALE: Final = (
    ("SpecReplicasPath", "specReplicasPath", ""),
    ("StatusReplicasPath", "statusReplicasPath", ""),
    ("LabelSelectorPath", "labelSelectorPath", None),
)
NAMES: Final = {field: name for name, field, _ in _SAID}
"""Upstream's name of each field of a schema, in its order."""


def _plain(obj: Mapping[str, Any], fields: tuple[tuple[str, str, Any], ...]) -> dict[str, Any]:
    return {name: zero if obj.get(field) is None else obj[field] for name, field, zero in fields}


def _each(found: Any) -> Any:
    return found and [_schema(inner) for inner in found]


def _by_name(found: Any) -> Any:
    return found and {name: _schema(found[name]) for name in sorted(found)}


def _or_list(found: Any) -> Any:
    if found is None:
        return None
    if isinstance(found, list):
        return {"Schema": None, "JSONSchemas": _each(found)}
    return {"Schema": _schema(found), "JSONSchemas": None}


def _or_bool(found: Any) -> Any:
    if found is None:
        return None
    return {"Allows": found is not False, "Schema": _schema(found) if isinstance(found, dict) else None}


def _schema(schema: Object) -> dict[str, Any]:
    shown = _plain(schema, _SAID)
    shown["Items"] = _or_list(shown["Items"])
    shown["Not"] = shown["Not"] and _schema(shown["Not"])
    for name in ("AllOf", "OneOf", "AnyOf"):
        shown[name] = _each(shown[name])
    for name in ("Properties", "PatternProperties", "Definitions"):
        shown[name] = _by_name(shown[name])
    for name in ("AdditionalProperties", "AdditionalItems"):
        shown[name] = _or_bool(shown[name])
    shown["XValidations"] = shown["XValidations"] and [_plain(rule, _RULE) for rule in shown["XValidations"]]
    return shown


def _subresources(found: Object) -> dict[str, Any]:
    status, scale = found.get("status"), found.get("scale")
    return {"Status": status if status is None else {}, "Scale": scale and _plain(scale, _SCALE)}


def _version(version: Object, hoisted: frozenset[str]) -> dict[str, Any]:
    found = {field: value for field, value in version.items() if field not in hoisted}
    schema, subresources = found.get("schema"), found.get("subresources")
    columns, fields = found.get("additionalPrinterColumns"), found.get("selectableFields")
    inner = (schema or {}).get("openAPIV3Schema")
    return {
        "Name": found.get("name") or "",
        "Served": bool(found.get("served")),
        "Storage": bool(found.get("storage")),
        "Deprecated": bool(found.get("deprecated")),
        "DeprecationWarning": found.get("deprecationWarning"),
        "Schema": schema if schema is None else {"OpenAPIV3Schema": inner and _schema(inner)},
        "Subresources": subresources if subresources is None else _subresources(subresources),
        "AdditionalPrinterColumns": columns and [_plain(column, _COLUMN) for column in columns],
        "SelectableFields": fields and [{"JSONPath": field.get("jsonPath") or ""} for field in fields],
    }


def show_schema(schema: Object) -> Rendered:
    """One schema."""
    return rendered(_schema(schema))


def show_rule(rule: Mapping[str, Any]) -> Rendered:
    """One rule in CEL."""
    return rendered(_plain(rule, _RULE))


def show_versions(versions: list[Object], hoisted: frozenset[str]) -> Rendered:
    """All versions, but for the fields that upstream keeps once for all of them."""
    return rendered([_version(version, hoisted) for version in versions] or None)
