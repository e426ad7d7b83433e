"""Whether the defaults in a CustomResourceDefinition's schema are values that the schema allows.

Source: apiextensions-apiserver pkg/apiserver/schema/defaulting/validation.go.
"""

import copy
from collections.abc import Mapping
from typing import Any

from kubepy.api.errors import FieldError, invalid
from kubepy.apiserver.registry import structural
from kubepy.apiserver.registry.embedded_objects import faults_of_embedded
from kubepy.apiserver.registry.schema_values import faults_of_value

_META = ("metadata", "kind", "apiVersion")


def faults_of_defaults(schema: Mapping[str, Any], path: str) -> list[FieldError]:
    """Faults of all defaults in a resource's schema; those of its metadata are judged elsewhere."""
    found: list[FieldError] = []
    for name, inner in (schema.get("properties") or {}).items():
        if name not in _META:
            found += _visit(inner, f"{path}.properties[{name}]")
    return found


def _visit(schema: Mapping[str, Any], path: str) -> list[FieldError]:
    found = _judge(schema, f"{path}.default") if schema.get("default") is not None else []
    for name, inner in (schema.get("properties") or {}).items():
        found += _visit(inner, f"{path}.properties[{name}]")
    if isinstance(others := schema.get("additionalProperties"), dict):
        found += _visit(others, f"{path}.additionalProperties")
    if isinstance(items := schema.get("items"), dict):
        found += _visit(items, f"{path}.items")
    return found


def _judge(schema: Mapping[str, Any], path: str) -> list[FieldError]:
    value = schema["default"]
    pruned = copy.deepcopy(value)
    is_resource = bool(schema.get("x-kubernetes-embedded-resource"))
    found = []
    if structural.prune(schema, pruned, root=is_resource):
        found.append(invalid(path, value, "must not have unknown fields"))
    wrong = faults_of_embedded(schema, value, path) or faults_of_value(schema, value, path)
    found += wrong
    if not wrong and structural.has_rules(schema):
        from kubepy.apiserver.registry.rule_tree import Run, compile_rules  # only who has rules pays for them

        tree = compile_rules(schema, is_resource=is_resource)
        found += Run().check(tree, value, path=path) if tree is not None else []
    return found
