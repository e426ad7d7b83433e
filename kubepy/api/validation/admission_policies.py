"""Rules of admission policies and their bindings; expressions are judged for presence, not compiled.

Source: pkg/apis/admissionregistration/validation/validation.go.
"""

import re

from kubepy.api import names
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from kubepy.api.meta import Object
from kubepy.api.validation.admission import (
    FAILURE_POLICIES,
    validate_match_conditions,
    validate_match_resources,
    validate_param_kind,
)
from kubepy.api.validation.checks import (
    duplicates,
    named,
    one_of,
    one_of_required,
    spec_of,
    status_of,
    validate_conditions,
)
from kubepy.api.validation.fields import label_selector
from kubepy.api.validation.meta import validate_metadata, validate_metadata_update
from kubepy.api.validation.rules import Rules

_GROUP = "admissionregistration.k8s.io"
_MOST_ANNOTATIONS = 20
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")
_ACTIONS = ("Audit", "Deny", "Warn")
_NOTHING = "validations or auditAnnotations must contain at least one item"
_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*").fullmatch


def _expression(holder: Object, path: str, field: str = "expression") -> list[FieldError]:
    if (holder.get(field) or "").strip():
        return []
    return [required(f"{path}.{field}", f"{field} is not specified")]


def _variables(spec: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, variable in enumerate(spec.get("variables") or ()):
        at, name = f"spec.variables[{index}]", (variable.get("name") or "").strip()
        if not name:
            errors.append(required(f"{at}.name", "name is not specified"))
        elif not _IDENTIFIER(name):
            errors.append(invalid(f"{at}.name", name, "name is not a valid CEL identifier"))
        errors += _expression(variable, at)
    return errors


def _common(spec: Object) -> list[FieldError]:
    errors = one_of_required(spec.get("failurePolicy"), "spec.failurePolicy", FAILURE_POLICIES)
    if spec.get("paramKind") is not None:
        errors += validate_param_kind(spec["paramKind"], "spec.paramKind")
    match = spec.get("matchConstraints")
    if match is None:
        errors.append(required("spec.matchConstraints"))
    else:
        errors += validate_match_resources(match, "spec.matchConstraints")
        if not match.get("resourceRules"):
            errors.append(required("spec.matchConstraints.resourceRules"))
    errors += validate_match_conditions(spec.get("matchConditions") or [], "spec.matchConditions")
    return errors + _variables(spec)


def _validation(validation: Object, path: str) -> list[FieldError]:
    message, expression = validation.get("message") or "", validation.get("messageExpression") or ""
    errors = _expression(validation, path)
    if expression and not expression.strip():
        errors.append(invalid(f"{path}.messageExpression", expression, "must be non-empty if specified"))
    if message and not message.strip():
        errors.append(invalid(f"{path}.message", message, "message must be non-empty if specified"))
    elif re.search(r"[\n\r]", message.strip()):
        errors.append(invalid(f"{path}.message", message, "message must not contain line breaks"))
    if validation.get("reason") is not None:
        errors += one_of(validation["reason"], f"{path}.reason", _REASONS)
    return errors


def _annotations(annotations: list[Object], policy: str) -> list[FieldError]:
    path, errors = "spec.auditAnnotations", []
    if len(annotations) > _MOST_ANNOTATIONS:
        why = f"must not have more than {_MOST_ANNOTATIONS} auditAnnotations"
        errors.append(invalid(path, annotations, why))
    repeated = duplicates(annotation.get("key") for annotation in annotations)
    for index, annotation in enumerate(annotations):
        at, key = f"{path}[{index}]", annotation.get("key") or ""
        if not key:
            errors.append(required(f"{at}.key"))
        else:
            errors += [invalid(f"{at}.key", key, why) for why in names.is_qualified_name(f"{policy}/{key}")]
        errors += _expression(annotation, at, "valueExpression")
        if index in repeated:
            errors.append(duplicate(f"{at}.key", key))
    return errors


def create_validating_policy(obj: Object) -> list[FieldError]:
    """Faults of a new ValidatingAdmissionPolicy."""
    spec = spec_of(obj)
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain) + _common(spec)
    validations, annotations = spec.get("validations") or [], spec.get("auditAnnotations") or []
    if not validations and not annotations:
        return [*errors, required("spec.validations", _NOTHING), required("spec.auditAnnotations", _NOTHING)]
    for index, validation in enumerate(validations):
        errors += _validation(validation, f"spec.validations[{index}]")
    return errors + _annotations(annotations, (obj.get("metadata") or {}).get("name") or "")


def update_validating_policy(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed ValidatingAdmissionPolicy."""
    return validate_metadata_update(new, old) + create_validating_policy(new)


def validating_policy_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of a ValidatingAdmissionPolicy's status."""
    status = status_of(new)
    errors = validate_metadata_update(new, old)
    warnings = (status.get("typeChecking") or {}).get("expressionWarnings") or ()
    for index, warning in enumerate(warnings):
        for field in ("warning", "fieldRef"):
            if not warning.get(field):
                errors.append(required(f"status.typeChecking.expressionWarnings[{index}].{field}"))
    return errors + validate_conditions(status.get("conditions"), "status.conditions")


_PATCHES = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}


def _mutation(mutation: Object, path: str) -> list[FieldError]:
    kind = mutation.get("patchType") or ""
    if not kind:
        return [required(f"{path}.patchType")]
    if kind not in _PATCHES:
        return [not_supported(f"{path}.patchType", kind, sorted(_PATCHES))]
    wanted = _PATCHES[kind]
    errors: list[FieldError] = []
    for field in _PATCHES.values():
        patch = mutation.get(field)
        if field != wanted and patch is not None:
            errors.append(invalid(f"{path}.{field}", patch, f"{wanted} must be set when patchType is {kind}"))
        elif field == wanted and patch is None:
            errors.append(required(f"{path}.{field}", f"must be specified when patchType is {kind}"))
        elif field == wanted:
            errors += _expression(patch or {}, f"{path}.{field}")
    return errors


def create_mutating_policy(obj: Object) -> list[FieldError]:
    """Faults of a new MutatingAdmissionPolicy."""
    spec = spec_of(obj)
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain) + _common(spec)
    if not spec.get("mutations"):
        errors.append(required("spec.mutations", "mutations must contain at least one item"))
    for index, mutation in enumerate(spec.get("mutations") or ()):
        errors += _mutation(mutation, f"spec.mutations[{index}]")
    policies = ("IfNeeded", "Never")
    return errors + one_of_required(spec.get("reinvocationPolicy"), "spec.reinvocationPolicy", policies)


def update_mutating_policy(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed MutatingAdmissionPolicy."""
    return validate_metadata_update(new, old) + create_mutating_policy(new)


def _param_ref(reference: Object, path: str) -> list[FieldError]:
    name, selector = reference.get("name"), reference.get("selector")
    errors: list[FieldError] = []
    if name:
        errors += [invalid(f"{path}.name", name, why) for why in names.is_path_segment_name(name)]
        if selector is not None:
            errors.append(forbidden(f"{path}.name", "name and selector are mutually exclusive"))
    if selector is not None:
        errors += label_selector(selector, f"{path}.selector")
        if name:
            errors.append(forbidden(f"{path}.selector", "name and selector are mutually exclusive"))
    action = reference.get("parameterNotFoundAction")
    if action is None:
        errors.append(required(f"{path}.parameterNotFoundAction"))
    else:
        errors += one_of(action, f"{path}.parameterNotFoundAction", ("Deny", "Allow"))
    if not name and selector is None:
        errors.append(required(path, "one of name or selector must be specified"))
    return errors


def _actions(actions: list[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    repeated = duplicates(actions)
    for index, action in enumerate(actions):
        errors += one_of(action, f"{path}[{index}]", _ACTIONS)
        if index in repeated:
            errors.append(duplicate(f"{path}[{index}]", action))
    if "Deny" in actions and "Warn" in actions:
        why = (
            "must not contain both Deny and Warn (repeating the same validation failure information in the API "
            "response and headers serves no purpose)"
        )
        errors.append(invalid(path, actions, why))
    if not actions:
        errors.append(required(path, "at least one validation action is required"))
    return errors


def create_mutating_binding(obj: Object) -> list[FieldError]:
    """Faults of a new MutatingAdmissionPolicyBinding, and of what any binding has."""
    spec = spec_of(obj)
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain)
    errors += named(spec.get("policyName"), "spec.policyName", names.is_dns1123_subdomain)
    if spec.get("paramRef") is not None:
        errors += _param_ref(spec["paramRef"], "spec.paramRef")
    if spec.get("matchResources") is not None:
        errors += validate_match_resources(spec["matchResources"], "spec.matchResources")
    return errors


def create_validating_binding(obj: Object) -> list[FieldError]:
    """Faults of a new ValidatingAdmissionPolicyBinding."""
    actions = spec_of(obj).get("validationActions") or []
    return create_mutating_binding(obj) + _actions(actions, "spec.validationActions")


def update_mutating_binding(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed MutatingAdmissionPolicyBinding."""
    return validate_metadata_update(new, old) + create_mutating_binding(new)


def update_validating_binding(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed ValidatingAdmissionPolicyBinding."""
    return validate_metadata_update(new, old) + create_validating_binding(new)


RULES: dict[tuple[str, str], Rules] = {
    (_GROUP, "ValidatingAdmissionPolicy"): Rules(
        create_validating_policy, update_validating_policy, validating_policy_status
    ),
    (_GROUP, "MutatingAdmissionPolicy"): Rules(create_mutating_policy, update_mutating_policy),
    (_GROUP, "ValidatingAdmissionPolicyBinding"): Rules(create_validating_binding, update_validating_binding),
    (_GROUP, "MutatingAdmissionPolicyBinding"): Rules(create_mutating_binding, update_mutating_binding),
}
