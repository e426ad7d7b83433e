"""The schemas of custom kinds as OpenAPI documents publish them.

Version 2 knows no junctors and no null, and kubectl takes what it is not told of as forbidden: where a value may hold
anything, version 2 says nothing about it.
Source: apiextensions-apiserver pkg/controller/openapi/builder/builder.go, openapi/v2/conversion.go.
"""

from functools import cache
from typing import Any, Final

from kubepy.api import definitions
from kubepy.api.resources import Resource

Document = dict[str, Any]
_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_KEEPS, _EMBEDDED = "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"
_JUNCTORS: Final = ("allOf", "anyOf", "oneOf", "not")
_GVK: Final = "x-kubernetes-group-version-kind"


def published(schema: Document, prefix: str, *, is_v2: bool) -> Document:
    """The definition of a custom kind; `schema` carries the mark of its kind beside what its author wrote."""
    mark = {_GVK: schema[_GVK]}
    if is_v2 and schema.get(_KEEPS):
        return {"type": "object", **mark}
    found = _schema({**schema, "type": "object"}, prefix, is_v2=is_v2)
    found["properties"] = {**found.get("properties", {}), **_object_fields(prefix, is_v2=is_v2)}
    return {**found, **mark}


def list_of(row: Resource, name: str) -> Document:
    """The definition of lists of a custom kind, whose own definition is called `name`; in the form of built-in ones."""
    like = definitions.raw_definition("io.k8s.api.core.v1.PodList")
    fields = {field: {**told, "type": "string"} for field, told in like["properties"].items() if "enum" in told}
    more = like["properties"]["items"]["description"].partition(". ")[2]
    items = {"type": "array", "items": {"$ref": f"#/$defs/{name}"}, "description": f"List of {row.plural}. {more}"}
    return {
        "type": "object",
        "description": f"{row.list_kind} is a list of {row.kind}",
        "required": ["items"],
        "properties": {**fields, "items": items, "metadata": like["properties"]["metadata"]},
        _GVK: [{"group": row.group, "version": row.version, "kind": row.list_kind}],
    }


def is_list(schema: Document) -> bool:
    """Whether a definition is one that `list_of` makes: no schema of an author's has references."""
    items = (schema.get("properties") or {}).get("items") or {}
    return "$ref" in (items.get("items") or {})


def _schema(schema: Document, prefix: str, *, is_v2: bool) -> Document:
    found = dict(schema)
    found.pop(_GVK, None)
    if is_v2:
        _simplify(found)
    for field in ("items", "additionalProperties", "not"):
        if isinstance(found.get(field), dict):
            found[field] = _schema(found[field], prefix, is_v2=is_v2)
    for field in ("allOf", "anyOf", "oneOf"):
        if field in found:
            found[field] = [_schema(inner, prefix, is_v2=is_v2) for inner in found[field]]
    if "properties" in found:
        properties = found["properties"]
        found["properties"] = {name: _schema(inner, prefix, is_v2=is_v2) for name, inner in properties.items()}
    if schema.get(_EMBEDDED):
        found["properties"] = {**found.get("properties", {}), **_object_fields(prefix, is_v2=is_v2)}
    return found


def _simplify(schema: Document) -> None:
    """Leaves out, in place, what version 2 cannot say."""
    for field in _JUNCTORS:
        schema.pop(field, None)
    is_nullable = schema.pop("nullable", False)
    if is_nullable or schema.get(_KEEPS):
        schema.pop("items", None)
        schema.pop("properties", None)
    lacks_items = schema.get("type") == "array" and "items" not in schema
    if is_nullable or lacks_items or (schema.get(_KEEPS) and schema.get("type") == "object"):
        schema.pop("type", None)
    others = schema.get("additionalProperties")
    nullable = {name for name, inner in (schema.get("properties") or {}).items() if inner.get("nullable")}
    if required := schema.pop("required", None):
        left = [name for name in required if name not in nullable]
        if left and not (isinstance(others, dict) and others.get("nullable")):
            schema["required"] = left


def _object_fields(prefix: str, *, is_v2: bool) -> Document:
    """The fields that every object has, told of as in the built-in kinds."""
    texts = _texts()
    reference = {"$ref": f"{prefix}{_META}"}
    meta = {**reference, "description": texts["metadata"]}
    return {
        "apiVersion": {"type": "string", "description": texts["apiVersion"]},
        "kind": {"type": "string", "description": texts["kind"]},
        "metadata": meta if is_v2 else {"allOf": [reference], "description": texts["metadata"]},
    }


@cache
def _texts() -> dict[str, str]:
    fields = definitions.raw_definition("io.k8s.api.core.v1.Pod")["properties"]
    return {name: fields[name]["description"] for name in ("apiVersion", "kind", "metadata")}
