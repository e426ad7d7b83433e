"""What is wrong with the rules in a CustomResourceDefinition's schema, as upstream tells it.

Source: apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go, validateXValidations.
"""

from collections.abc import Mapping
from typing import Any

from kubepy.api.errors import FieldError, invalid
from kubepy.apiserver.registry.rule_tree import Node, Rule, compile_rules
from kubepy.apiserver.registry.structural import RULES

# How upstream's messages show a rule: all of its fields, under the names that they have there.
_SHOWN = (
    ("Rule", "rule", ""), ("Message", "message", ""), ("MessageExpression", "messageExpression", ""),
    ("Reason", "reason", None), ("FieldPath", "fieldPath", ""), ("OptionalOldSelf", "optionalOldSelf", None),
)  # fmt: skip


def faults_of_rules(schema: Mapping[str, Any], path: str) -> list[FieldError]:
    """Faults of all rules of a resource's schema."""
    tree = compile_rules(schema)
    return _visit(tree, path, "") if tree is not None else []


def _visit(node: Node, path: str, uncorrelated: str) -> list[FieldError]:
    """`uncorrelated` is the path of the list or object in which nothing can be compared with what it was."""
    found: list[FieldError] = []
    numbers = {id(source): number for number, source in enumerate(node.schema.get(RULES) or ())}
    for rule in node.rules:
        found += _faults(rule, f"{path}.{RULES}[{numbers[id(rule.source)]}]", uncorrelated)
    if node.items is not None:
        is_map = node.schema.get("x-kubernetes-list-type") == "map"
        found += _visit(node.items, f"{path}.items", uncorrelated or ("" if is_map else path))
    inside = uncorrelated or (path if node.schema.get("x-kubernetes-map-type") == "atomic" else "")
    if node.others is not None:
        found += _visit(node.others, f"{path}.additionalProperties", inside)
    for name, inner in node.properties.items():
        found += _visit(inner, f"{path}.properties[{name}]", inside)
    return found


def _faults(rule: Rule, path: str, uncorrelated: str) -> list[FieldError]:
    source = rule.source
    shown = {name: source.get(key, empty) for name, key, empty in _SHOWN}
    found: list[FieldError] = []
    if rule.fault is not None:
        found.append(invalid(f"{path}.rule", shown, rule.fault))
    if rule.message_fault is not None:
        found.append(invalid(f"{path}.messageExpression", shown, rule.message_fault))
    if uncorrelated:
        why = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {uncorrelated}"
        if rule.is_transition:
            found.append(invalid(f"{path}.rule", source["rule"], why))
        if source.get("optionalOldSelf"):
            found.append(invalid(f"{path}.optionalOldSelf", True, why))
    if rule.where_fault is not None:
        found.append(invalid(f"{path}.fieldPath", source["fieldPath"], rule.where_fault))
    return found
