"""The status of a CustomResourceDefinition: whether its names are free, its schema structural, its group allowed.

Names are claimed when they are accepted: who comes second keeps what it has, is told which name is taken, and is not
served unless it was before. Pure.
Source: apiextensions-apiserver pkg/controller/{status,establish,nonstructuralschema,apiapproval}.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from kubepy.api.meta import Object
from kubepy.api.validation.crd import approval, bundle_faults, is_protected
from kubepy.api.validation.crd_structure import validate_structure

Condition = dict[str, Any]
_APPROVAL_REASONS = {
    "missing": ("False", "MissingAnnotation"),
    "invalid": ("False", "InvalidAnnotation"),
    "bypassed": ("False", "UnapprovedAnnotation"),
    "approved": ("True", "ApprovedAnnotation"),
}


@dataclass(frozen=True, slots=True)
class Names:
    """Names in use within a group."""

    resources: frozenset[str]
    kinds: frozenset[str]


def claimed(definitions: Iterable[Object]) -> Names:
    """What the definitions have been given."""
    found = [(definition.get("status") or {}).get("acceptedNames") or {} for definition in definitions]
    plain = {name for names in found for name in (names.get("plural"), names.get("singular")) if name}
    short = {name for names in found for name in names.get("shortNames") or ()}
    kinds = {name for names in found for name in (names.get("kind"), names.get("listKind")) if name}
    return Names(frozenset(plain | short), frozenset(kinds))


def condition(definition: Object, kind: str) -> Condition | None:
    """The condition of a type, if there is one."""
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == kind), None)


def set_condition(definition: Object, kind: str, status: str, reason: str, message: str, now: str) -> None:
    """Sets a condition in place."""
    found = definition.get("status") or {}
    conditions = list(found.get("conditions") or ())
    _set(conditions, kind, status, reason, message, now)
    definition["status"] = {**found, "conditions": conditions}


def is_established(definition: Object) -> bool:
    """Whether what is defined is served."""
    found = condition(definition, "Established")
    return found is not None and found.get("status") == "True"


def with_status(definition: Object, in_use: Callable[[], Names], now: str) -> Object:
    """The definition with the status that it should have; as it was, if it has it.

    `in_use` is asked only when there are names to be judged.
    """
    spec, status = definition["spec"], definition.get("status") or {}
    held = status.get("acceptedNames") or {}
    conditions: list[Condition] = list(status.get("conditions") or ())
    given, fault = held, None
    if held != spec["names"]:
        given, fault = _accept(spec["names"], held, in_use())
    if held != spec["names"] or condition(definition, "NamesAccepted") is None:
        reason, text = fault or ("NoConflicts", "no conflicts found")
        _set(conditions, "NamesAccepted", "False" if fault else "True", reason, text, now)
    if not is_established(definition):
        if fault:
            _set(conditions, "Established", "False", "NotAccepted", "not all names are accepted", now)
        elif bundle_faults(spec):
            text = "The conversion webhook CABundle is invalid"
            _set(conditions, "Established", "False", "InvalidCABundle", text, now)
        else:
            text = "the initial names have been accepted"
            _set(conditions, "Established", "True", "InitialNamesAccepted", text, now)
    _judge_structure(definition, conditions, now)
    _judge_approval(definition, conditions, now)
    if given == held and conditions == (status.get("conditions") or []):
        return definition
    return {**definition, "status": {**status, "acceptedNames": given, "conditions": conditions}}


def _accept(wanted: Object, held: Object, in_use: Names) -> tuple[Object, tuple[str, str] | None]:
    """The names that are given, and reason and text of the last one that is not."""
    given, fault = dict(held), None
    for name, taken, reason in (
        ("plural", in_use.resources, "PluralConflict"),
        ("singular", in_use.resources, "SingularConflict"),
        ("shortNames", in_use.resources, "ShortNamesConflict"),
        ("kind", in_use.kinds, "KindConflict"),
        ("listKind", in_use.kinds, "ListKindConflict"),
    ):
        asked = wanted.get(name)
        fresh = [each for each in _listed(asked) if each not in _listed(held.get(name)) and each in taken]
        if fresh:
            told = [f'"{each}" is already in use' for each in fresh]
            fault = (reason, told[0] if len(told) == 1 else f"[{', '.join(told)}]")
        elif asked is not None:
            given[name] = asked
        else:
            given.pop(name, None)
    given.pop("categories", None)
    if wanted.get("categories"):
        given["categories"] = wanted["categories"]
    return given, fault


def _listed(names: Any) -> list[str]:
    return names if isinstance(names, list) else [names] if names else []


def _set(conditions: list[Condition], kind: str, status: str, reason: str, message: str, now: str) -> None:
    made = {"type": kind, "status": status, "lastTransitionTime": now, "reason": reason, "message": message}
    for at, found in enumerate(conditions):
        if found.get("type") == kind:
            if found.get("status") == status and found.get("lastTransitionTime"):
                made["lastTransitionTime"] = found["lastTransitionTime"]
            conditions[at] = made
            return
    conditions.append(made)


def _judge_structure(definition: Object, conditions: list[Condition], now: str) -> None:
    """Only what was stored before structural schemas were asked for can fail here."""
    faults = [
        str(fault)
        for index, version in enumerate(definition["spec"]["versions"])
        if (schema := (version.get("schema") or {}).get("openAPIV3Schema"))
        for fault in validate_structure(schema, f"spec.versions[{index}].schema.openAPIV3Schema")
    ]
    if faults:
        text = faults[0] if len(faults) == 1 else f"[{', '.join(dict.fromkeys(faults))}]"
        _set(conditions, "NonStructuralSchema", "True", "Violations", text, now)
    else:
        conditions[:] = [each for each in conditions if each.get("type") != "NonStructuralSchema"]


def _judge_approval(definition: Object, conditions: list[Condition], now: str) -> None:
    if is_protected(definition["spec"]["group"]):
        state, text = approval(definition)
        status, reason = _APPROVAL_REASONS[state]
        _set(conditions, "KubernetesAPIApprovalPolicyConformant", status, reason, text, now)
