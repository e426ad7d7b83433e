"""What is wrong with the expressions of a configuration that is about to be stored: each with its field's path. Pure.

Only compiling shows it, so these faults come beside those of `kubepy.api.validation`, which judges everything else.
Source: pkg/apis/admissionregistration/validation/validation.go.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kubepy.api.errors import FieldError, invalid
from kubepy.api.meta import Object
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
    plain_environment,
)

Spec = Mapping[str, Any]


def webhook_faults(obj: Object) -> list[FieldError]:
    """Of the match conditions of a webhook configuration."""
    found: list[FieldError] = []
    for index, webhook in enumerate(obj.get("webhooks") or ()):
        found += _conditions(webhook.get("matchConditions") or (), f"webhooks[{index}].matchConditions", params=False)
    return found


def policy_faults(obj: Object) -> list[FieldError]:
    """Of all expressions of a policy of either sort."""
    spec: Spec = obj.get("spec") or {}
    params = spec.get("paramKind") is not None
    found = _conditions(spec.get("matchConditions") or (), "spec.matchConditions", params=params)
    variables: Sequence[Spec] = [v for v in spec.get("variables") or () if (v.get("name") or "").strip()]
    composition = composition_of(variables, params=params)
    for index, variable in enumerate(spec.get("variables") or ()):
        expression = composition.variables.get(variable.get("name") or "")
        if expression is not None and expression.text == (variable.get("expression") or ""):
            found += _faults(expression, f"spec.variables[{index}].expression")
    return found + list(_validations(spec, composition)) + list(_mutations(spec, composition))


def _conditions(conditions: Sequence[Spec], path: str, *, params: bool) -> list[FieldError]:
    environment = plain_environment(params=params, authorizer=True)
    return [
        fault
        for index, condition in enumerate(conditions)
        for fault in _faults(
            expression_of(environment, (condition.get("expression") or "").strip(), BOOL),
            f"{path}[{index}].expression",
        )
    ]


def _validations(spec: Spec, composition: Composition) -> Iterator[FieldError]:
    validations, annotations = spec.get("validations") or (), spec.get("auditAnnotations") or ()
    if not validations and not annotations:
        return
    environment, telling = composition.environment(), composition.environment(authorizer=False)
    for index, validation in enumerate(validations):
        at = f"spec.validations[{index}]"
        yield from _faults(expression_of(environment, validation.get("expression") or "", BOOL), f"{at}.expression")
        message = validation.get("messageExpression") or ""
        yield from _faults(expression_of(telling, message, STRING), f"{at}.messageExpression")
    for index, annotation in enumerate(annotations):
        expression = expression_of(environment, annotation.get("valueExpression") or "", STRING_OR_NULL)
        yield from _faults(expression, f"spec.auditAnnotations[{index}].valueExpression")


def _mutations(spec: Spec, composition: Composition) -> Iterator[FieldError]:
    mutations = spec.get("mutations") or ()
    environment = composition.environment(dynamic=True) if mutations else None
    for index, mutation in enumerate(mutations):
        for field, wanted in (("applyConfiguration", OBJECT), ("jsonPatch", PATCHES)):
            text = (mutation.get(field) or {}).get("expression") or ""
            assert environment is not None
            yield from _faults(expression_of(environment, text, wanted), f"spec.mutations[{index}].{field}.expression")


def _faults(expression: Expression, path: str) -> list[FieldError]:
    """What does not compile; that there is no expression at all is told elsewhere."""
    if not expression.fault or not expression.text.strip():
        return []
    return [invalid(path, expression.text, expression.fault)]
