"""Policies and their bindings as they are used: everything is worked out once.

Source: apiserver pkg/admission/plugin/policy/{generic/policy_source,validating/plugin,mutating/compilation}.go.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kubepy.api.meta import Object
from kubepy.api.selectors import Selector, from_label_selector
from kubepy.apiserver.admission.matching import Criteria, criteria_of
from kubepy.apiserver.admission.policies.conditions import conditions_of
from kubepy.apiserver.admission.policies.expressions import (
    BOOL,
    OBJECT,
    PATCHES,
    STRING,
    STRING_OR_NULL,
    Composition,
    Expression,
    composition_of,
    expression_of,
)


@dataclass(frozen=True, slots=True)
class ParamRef:
    """Which objects are a binding's parameters: one by name, or those that a selector selects."""

    name: str
    namespace: str
    selector: Selector | None
    denies_when_missing: bool


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """Where a policy is in force, with which parameters; `actions` are what its failures lead to."""

    name: str
    policy: str
    criteria: Criteria
    param_ref: ParamRef | None
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """What must be true of a write, and what is said if it is not."""

    expression: Expression
    message: str
    message_expression: Expression | None
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Mutation:
    """How a write is changed: `kind` is ApplyConfiguration or JSONPatch."""

    kind: str
    expression: Expression


class Policy:
    """A policy of either sort; its expressions are compiled when the first write needs them."""

    def __init__(self, obj: Object) -> None:
        spec: Mapping[str, Any] = obj.get("spec") or {}
        kind = spec.get("paramKind")
        self._spec = spec
        self.name: str = obj["metadata"]["name"]
        self.criteria: Criteria = criteria_of(spec.get("matchConstraints") or {})
        self.param_kind = (kind.get("apiVersion") or "", kind.get("kind") or "") if kind is not None else None
        """apiVersion and kind of the parameters."""
        self.ignores_failure = spec.get("failurePolicy") == "Ignore"
        self.reinvocable = spec.get("reinvocationPolicy") == "IfNeeded"

    @cached_property
    def conditions(self) -> tuple[Expression, ...]:
        """What must hold for it to be asked at all."""
        return conditions_of(self._spec.get("matchConditions") or (), params=self.param_kind is not None)

    @cached_property
    def composition(self) -> Composition:
        """Its variables."""
        return composition_of(self._spec.get("variables") or (), params=self.param_kind is not None)

    @cached_property
    def validations(self) -> tuple[Validation, ...]:
        """What a ValidatingAdmissionPolicy demands."""
        return tuple(_validations(self._spec.get("validations") or (), self.composition))

    @cached_property
    def annotations(self) -> Mapping[str, Expression]:
        """What a ValidatingAdmissionPolicy notes for the audit log, by key."""
        return _annotations(self._spec.get("auditAnnotations") or (), self.composition)

    @cached_property
    def mutations(self) -> tuple[Mutation, ...]:
        """What a MutatingAdmissionPolicy does, in order."""
        return tuple(_mutations(self._spec.get("mutations") or (), self.composition))


def _validations(specs: Iterable[Object], composition: Composition) -> Iterable[Validation]:
    environment, telling = composition.environment(), composition.environment(authorizer=False)
    for spec in specs:
        text = (spec.get("messageExpression") or "").strip()
        yield Validation(
            expression=expression_of(environment, spec.get("expression") or "", BOOL),
            message=(spec.get("message") or "").strip(),
            message_expression=expression_of(telling, text, STRING) if text else None,
            reason=spec.get("reason") or "Invalid",
        )


def _annotations(specs: Iterable[Object], composition: Composition) -> dict[str, Expression]:
    environment = composition.environment()
    return {
        spec["key"]: expression_of(environment, spec.get("valueExpression") or "", STRING_OR_NULL) for spec in specs
    }


def _mutations(specs: Iterable[Object], composition: Composition) -> Iterable[Mutation]:
    environment = composition.environment(dynamic=True)
    for spec in specs:
        kind = spec.get("patchType") or ""
        field, wanted = ("applyConfiguration", OBJECT) if kind == "ApplyConfiguration" else ("jsonPatch", PATCHES)
        text = (spec.get(field) or {}).get("expression") or ""
        yield Mutation(kind, expression_of(environment, text, wanted))


def binding_of(obj: Object) -> Binding:
    """A binding of either sort."""
    spec: Mapping[str, Any] = obj.get("spec") or {}
    reference = spec.get("paramRef")
    return Binding(
        name=obj["metadata"]["name"],
        policy=spec.get("policyName") or "",
        criteria=criteria_of(spec.get("matchResources") or {}, everything=True),
        param_ref=_param_ref(reference) if reference is not None else None,
        actions=tuple(spec.get("validationActions") or ()),
    )


def _param_ref(reference: Mapping[str, Any]) -> ParamRef:
    selector = reference.get("selector")
    return ParamRef(
        name=reference.get("name") or "",
        namespace=reference.get("namespace") or "",
        selector=from_label_selector(selector) if selector is not None else None,
        denies_when_missing=reference.get("parameterNotFoundAction") == "Deny",
    )
