"""How upstream shows schemas and versions of a CustomResourceDefinition in its messages: its internal types, as JSON.

Source: apiextensions-apiserver pkg/apis/apiextensions/types.go and types_jsonschema.go, for the order of the fields.
"""

from collections.abc import Mapping
from typing import Any, Final

from kubepy.api.errors import Rendered, rendered
from kubepy.api.meta import Object
from kubepy.api.validation.shown import Shape, each_of, fields_of, texts


def _schemas(found: Any) -> Any:
    return found and [_schema(inner) for inner in found]


def _by_name(found: Any) -> Any:
    return found and {name: _schema(found[name]) for name in sorted(found)}


def _or_list(found: Any) -> Any:
    if found is None:
        return None
    if isinstance(found, list):
        return {"Schema": None, "JSONSchemas": _schemas(found)}
    return {"Schema": _schema(found), "JSONSchemas": None}


def _or_bool(found: Any) -> Any:
    if found is None:
        return None
    return {"Allows": found is not False, "Schema": _schema(found) if isinstance(found, dict) else None}


def _schema(schema: Any) -> Any:
    return None if schema is None else fields_of(schema, _SAID)


_RULE: Final[Shape] = {
    **texts("rule", "message", "messageExpression"), "Reason": ("reason", None), "FieldPath": ("fieldPath", ""),
    "OptionalOldSelf": ("optionalOldSelf", None),
}  # fmt: skip
_COLUMN: Final[Shape] = {
    **texts("name", "type", "format", "description"), "Priority": ("priority", 0), "JSONPath": ("jsonPath", ""),
}  # fmt: skip
_SCALE: Final[Shape] = {
    **texts("specReplicasPath", "statusReplicasPath"), "LabelSelectorPath": ("labelSelectorPath", None),
}  # fmt: skip
_SAID: Final[Shape] = {
    "ID": ("id", ""), "Schema": ("$schema", ""), "Ref": ("$ref", None), "Description": ("description", ""),
    "Type": ("type", ""), "Nullable": ("nullable", False), "Format": ("format", ""), "Title": ("title", ""),
    "Default": ("default", None), "Maximum": ("maximum", None), "ExclusiveMaximum": ("exclusiveMaximum", False),
    "Minimum": ("minimum", None), "ExclusiveMinimum": ("exclusiveMinimum", False), "MaxLength": ("maxLength", None),
    "MinLength": ("minLength", None), "Pattern": ("pattern", ""), "MaxItems": ("maxItems", None),
    "MinItems": ("minItems", None), "UniqueItems": ("uniqueItems", False), "MultipleOf": ("multipleOf", None),
    "Enum": ("enum", None), "MaxProperties": ("maxProperties", None), "MinProperties": ("minProperties", None),
    "Required": ("required", None), "Items": ("items", _or_list), "AllOf": ("allOf", _schemas),
    "OneOf": ("oneOf", _schemas), "AnyOf": ("anyOf", _schemas), "Not": ("not", _schema),
    "Properties": ("properties", _by_name), "AdditionalProperties": ("additionalProperties", _or_bool),
    "PatternProperties": ("patternProperties", _by_name), "Dependencies": ("dependencies", None),
    "AdditionalItems": ("additionalItems", _or_bool), "Definitions": ("definitions", _by_name),
    "ExternalDocs": ("externalDocs", None), "Example": ("example", None),
    "XPreserveUnknownFields": ("x-kubernetes-preserve-unknown-fields", None),
    "XEmbeddedResource": ("x-kubernetes-embedded-resource", False),
    "XIntOrString": ("x-kubernetes-int-or-string", False), "XListMapKeys": ("x-kubernetes-list-map-keys", None),
    "XListType": ("x-kubernetes-list-type", None), "XMapType": ("x-kubernetes-map-type", None),
    "XValidations": ("x-kubernetes-validations", each_of(_RULE)),
}  # fmt: skip
NAMES: Final = {field: name for name, (field, _) in _SAID.items()}
"""Upstream's name of each field of a schema, in its order."""


def _subresources(found: Object) -> dict[str, Any]:
    status, scale = found.get("status"), found.get("scale")
    return {"Status": status if status is None else {}, "Scale": scale and fields_of(scale, _SCALE)}


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
        "Schema": schema if schema is None else {"OpenAPIV3Schema": _schema(inner)},
        "Subresources": subresources if subresources is None else _subresources(subresources),
        "AdditionalPrinterColumns": columns and [fields_of(column, _COLUMN) for column in columns],
        "SelectableFields": fields and [{"JSONPath": field.get("jsonPath") or ""} for field in fields],
    }


def show_schema(schema: Object) -> Rendered:
    """One schema."""
    return rendered(_schema(schema))


def show_rule(rule: Mapping[str, Any]) -> Rendered:
    """One rule in CEL."""
    return rendered(fields_of(rule, _RULE))


def show_versions(versions: list[Object], hoisted: frozenset[str]) -> Rendered:
    """All versions, but for the fields that upstream keeps once for all of them."""
    return rendered([_version(version, hoisted) for version in versions] or None)
