"""Which writes a webhook or a policy is about: rules, equivalent resources, selectors. Pure but for namespaces.

What rules say of a kind of write is worked out once (`place`); names and labels are looked at for each (`selects`).
Source: apiserver pkg/admission/plugin/webhook/{predicates,generic}, pkg/admission/plugin/policy/matching.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubepy.api import resources
from kubepy.api.errors import object_not_found
from kubepy.api.meta import Object
from kubepy.api.resources import Resource
from kubepy.api.selectors import Selector, from_label_selector
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.kinds import Kinds
from kubepy.apiserver.lookup import Lookup

_NAMESPACES = resources.named("namespaces")
_EXEMPT = {
    "admissionregistration.k8s.io": frozenset(
        (
            "mutatingadmissionpolicies",
            "mutatingadmissionpolicybindings",
            "mutatingwebhookconfigurations",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
            "validatingwebhookconfigurations",
        )
    ),
    "authentication.k8s.io": frozenset(("selfsubjectreviews", "tokenreviews")),
    "authorization.k8s.io": frozenset(
        (
            "localsubjectaccessreviews",
            "selfsubjectaccessreviews",
            "selfsubjectrulesreviews",
            "subjectaccessreviews",
        )
    ),
}


def is_exempt(resource: Resource) -> bool:
    """Whether nothing of this kind is intercepted.

    A configuration must not lock itself away, nor must the cluster's own questions about access depend on anyone.
    """
    return resource.plural in _EXEMPT.get(resource.group, ())


@dataclass(frozen=True, slots=True)
class Rule:
    """Operations on resources; "*" is any. `resources` are pairs of resource and subresource."""

    operations: frozenset[str]
    groups: frozenset[str]
    versions: frozenset[str]
    resources: tuple[tuple[str, str], ...]
    scope: str = "*"
    names: frozenset[str] = frozenset()
    """The objects it is about; empty: all."""

    def covers(self, operation: str, resource: Resource, subresource: str) -> bool:
        """Whether it is about such a write, of whatever name."""
        return (
            self.scope in ("*", "Namespaced" if resource.namespaced else "Cluster")
            and _has(self.operations, operation)
            and _has(self.groups, resource.group)
            and _has(self.versions, resource.version)
            and any(plural in ("*", resource.plural) and sub in ("*", subresource) for plural, sub in self.resources)
        )


def _has(items: frozenset[str], wanted: str) -> bool:
    return "*" in items or wanted in items


def rule_of(spec: Mapping[str, Any]) -> Rule:
    """The rule of a RuleWithOperations or NamedRuleWithOperations."""
    pairs = (text.partition("/") for text in spec.get("resources") or ())
    return Rule(
        operations=frozenset(spec.get("operations") or ()),
        groups=frozenset(spec.get("apiGroups") or ()),
        versions=frozenset(spec.get("apiVersions") or ()),
        resources=tuple((plural, sub) for plural, _, sub in pairs),
        scope=spec.get("scope") or "*",
        names=frozenset(spec.get("resourceNames") or ()),
    )


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of write as somebody wants to see it: `resource` is the one that its rule names, perhaps an equivalent.

    `names` and `excluded` are what remains to be looked at for each object; empty `names` is any.
    """

    resource: Resource
    names: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Criteria:
    """Everything that a configuration says about which writes it wants."""

    rules: tuple[Rule, ...]
    excluded: tuple[Rule, ...]
    equivalent: bool
    namespaces: Selector
    objects: Selector
    everything: bool = False
    """Whether no rule at all means any write, as in a binding."""

    def place(self, operation: str, resource: Resource, subresource: str, kinds: Kinds) -> Place | None:
        """Where such a write belongs; None if it is not wanted."""
        refused = self._covering(self.excluded, operation, resource, subresource, kinds)
        if any(not rule.names for rule, _ in refused):
            return None
        excluded = frozenset(name for rule, _ in refused for name in rule.names)
        if self.everything and not self.rules:
            return Place(resource, excluded=excluded)
        found = self._covering(self.rules, operation, resource, subresource, kinds)
        if not found:
            return None
        first = found[0][1]
        names = frozenset[str]() if any(not rule.names for rule, _ in found) else _names(rule for rule, _ in found)
        return Place(first, names, excluded)

    def _covering(
        self, rules: Sequence[Rule], operation: str, resource: Resource, subresource: str, kinds: Kinds
    ) -> list[tuple[Rule, Resource]]:
        """The rules that cover the write and through which resource; equivalents only where none does directly."""
        found = [(rule, resource) for rule in rules if rule.covers(operation, resource, subresource)]
        if found or not self.equivalent:
            return found
        others = kinds.equivalents(resource)
        return [(rule, other) for rule in rules for other in others if rule.covers(operation, other, subresource)]

    def selects(self, attributes: Attributes, lookup: Lookup) -> bool:
        """Whether the labels of the object and of its namespace are wanted. Raises NotFound without a namespace."""
        if not self.objects.is_everything and not any(
            obj is not None and self.objects.matches((obj.get("metadata") or {}).get("labels"))
            for obj in (attributes.object, attributes.old_object)
        ):
            return False
        if self.namespaces.is_everything:
            return True
        labels = _namespace_labels(attributes, lookup)
        return labels is None or self.namespaces.matches(labels)


def _names(rules: Iterable[Rule]) -> frozenset[str]:
    return frozenset(name for rule in rules for name in rule.names)


def _namespace_labels(attributes: Attributes, lookup: Lookup) -> Mapping[str, str] | None:
    """None for what is in no namespace: no selector exempts it."""
    if attributes.resource.plural == "namespaces" and not attributes.resource.group:
        if attributes.object is not None and not attributes.subresource:
            return (attributes.object.get("metadata") or {}).get("labels") or {}
        name = attributes.name
    elif not attributes.namespace:
        return None
    else:
        name = attributes.namespace
    found = lookup.get(_NAMESPACES, name)
    if found is None:
        raise object_not_found("", "namespaces", name)
    return found["metadata"].get("labels") or {}


def criteria_of(match: Mapping[str, Any], *, everything: bool = False) -> Criteria:
    """The criteria of a webhook, or of a policy's matchConstraints or a binding's matchResources."""
    rules: Sequence[Object] = match.get("rules") or match.get("resourceRules") or ()
    return Criteria(
        rules=tuple(map(rule_of, rules)),
        excluded=tuple(map(rule_of, match.get("excludeResourceRules") or ())),
        equivalent=(match.get("matchPolicy") or "Equivalent") == "Equivalent",
        namespaces=from_label_selector(match.get("namespaceSelector") or {}),
        objects=from_label_selector(match.get("objectSelector") or {}),
        everything=everything,
    )
