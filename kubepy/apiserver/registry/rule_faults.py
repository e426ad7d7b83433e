"""What is wrong with the rules in a CustomResourceDefinition's schema, as upstream tells it.

Source: apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go, validateXValidations.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kubepy.api.errors import FieldError, forbidden, invalid
from kubepy.api.validation.crd_shown import show_rule
from kubepy.apiserver.cel.estimating import Estimator
from kubepy.apiserver.cel.schemas import EMBEDDED
from kubepy.apiserver.cel.shapes import Shape, shape_of
from kubepy.apiserver.registry.rule_tree import Node, Rule, compile_rules
from kubepy.apiserver.registry.structural import RULES

_RULE_MOST: Final = 10_000_000
_TOTAL_MOST: Final = 100_000_000
_MARGIN: Final = 2
"""The estimate is not upstream's to the last unit: what upstream would let pass must never be refused for that."""
_DEAREST: Final = 4


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the schema we are: `uncorrelated` is the path of the list or object in which nothing can be compared
    with what it was, `times` how often a value of this schema can be in one object (None: as often as it fits).
    """

    path: str
    uncorrelated: str = ""
    times: int | None = 1

    def inside(self, path: str, *, uncorrelated: bool = False, times: int | None = 1) -> "_Place":
        """The place of an inner schema."""
        both = None if self.times is None or times is None else self.times * times
        return _Place(f"{self.path}.{path}", self.uncorrelated or (self.path if uncorrelated else ""), both)


def faults_of_rules(schema: Mapping[str, Any], path: str) -> list[FieldError]:
    """Faults of all rules of a resource's schema."""
    tree = compile_rules(schema)
    if tree is None:
        return []
    costs: dict[str, float] = {}
    found = _visit(tree, _Place(path), costs, is_resource=True)
    total = sum(costs.values())
    if total > _TOTAL_MOST * _MARGIN:
        dear = sorted(costs, key=costs.__getitem__, reverse=True)[:_DEAREST]
        why = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        found += [forbidden(each, why) for each in dear]
        what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        found.append(forbidden(path, _too_dear(what, total, _TOTAL_MOST)))
    return found


def _visit(node: Node, place: _Place, costs: dict[str, float], *, is_resource: bool = False) -> list[FieldError]:
    found: list[FieldError] = []
    schema, path = node.schema, place.path
    numbers = {id(source): number for number, source in enumerate(schema.get(RULES) or ())}
    for rule in node.rules:
        at = f"{path}.{RULES}[{numbers[id(rule.source)]}]"
        found += _faults(rule, at, place.uncorrelated)
        found += _cost_faults(rule, at, shape_of(schema, is_resource=is_resource), place.times, costs)
    if node.items is not None:
        is_map = schema.get("x-kubernetes-list-type") == "map"
        inner = place.inside("items", uncorrelated=not is_map, times=schema.get("maxItems"))
        found += _visit(node.items, inner, costs, is_resource=bool(node.items.schema.get(EMBEDDED)))
    is_atomic = schema.get("x-kubernetes-map-type") == "atomic"
    if node.others is not None:
        inner = place.inside("additionalProperties", uncorrelated=is_atomic, times=schema.get("maxProperties"))
        found += _visit(node.others, inner, costs, is_resource=bool(node.others.schema.get(EMBEDDED)))
    for name, child in node.properties.items():
        inner = place.inside(f"properties[{name}]", uncorrelated=is_atomic)
        found += _visit(child, inner, costs, is_resource=bool(child.schema.get(EMBEDDED)))
    return found


def _cost_faults(rule: Rule, path: str, shape: Shape, times: int | None, costs: dict[str, float]) -> list[FieldError]:
    """What could cost too much; what it costs goes to `costs`."""
    variables = {"self": shape, "oldSelf": shape}
    found: list[FieldError] = []
    for name, program, what in (
        ("rule", rule.program, "estimated rule cost"),
        ("messageExpression", rule.message, "estimated messageExpression cost"),
    ):
        if program is None:
            continue
        often = 1 if name != "rule" else shape.cardinality if times is None else times
        cost = costs[f"{path}.{name}"] = Estimator(program.tree, variables).cost() * often
        if cost > _RULE_MOST * _MARGIN:
            found.append(forbidden(f"{path}.{name}", _too_dear(what, cost, _RULE_MOST)))
    return found


def _too_dear(what: str, cost: float, limit: int) -> str:
    factor = cost / limit
    shown = "more than 100x" if factor > 100 else f"{factor:.1f}x"
    return (
        f"{what} exceeds budget by factor of {shown} (try simplifying the rule, or adding maxItems, maxProperties, and "
        "maxLength where arrays, maps, and strings are declared)"
    )


def _faults(rule: Rule, path: str, uncorrelated: str) -> list[FieldError]:
    source = rule.source
    shown = show_rule(source)
    found: list[FieldError] = []
    if rule.fault is not None:
        found.append(invalid(f"{path}.rule", shown, rule.fault))
    if rule.message_fault is not None:
        found.append(invalid(f"{path}.messageExpression", shown, rule.message_fault))
    if rule.is_transition and uncorrelated:
        why = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {uncorrelated}"
        found.append(invalid(f"{path}.rule", source["rule"], why))
    elif not rule.is_transition and rule.program is not None and source.get("optionalOldSelf") is not None:
        why = "may not be set if oldSelf is not used in rule"
        found.append(invalid(f"{path}.optionalOldSelf", source["optionalOldSelf"], why))
    if rule.where_fault is not None:
        found.append(invalid(f"{path}.fieldPath", source["fieldPath"], rule.where_fault))
    return found
