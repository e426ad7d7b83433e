"""The rules of where a pod may go: node selectors, affinities, tolerations, taints and topology spread.

Source: pkg/apis/core/validation, validateAffinity, ValidateTolerations, validateTopologySpreadConstraints.
"""

from collections.abc import Iterable

from kubepy.api import names
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from kubepy.api.meta import Object
from kubepy.api.validation.fields import (
    NOT_POSITIVE,
    dns_label,
    label_selector,
    label_value,
    one_of,
    operator_and_values,
    qualified_name,
    supported_if_set,
)
from kubepy.api.validation.shown import TAINT, show

TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_REQUIRED, _PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
_NOT_AN_OPERATOR = "not a valid selector operator"
_SCHEDULE_ACTIONS = ("DoNotSchedule", "ScheduleAnyway")
_INCLUSION_POLICIES = ("Honor", "Ignore")


def validate_affinity(affinity: Object, path: str) -> list[FieldError]:
    """Faults in a pod's affinity."""
    errors: list[FieldError] = []
    if (node := affinity.get("nodeAffinity")) is not None:
        errors += _node_affinity(node, f"{path}.nodeAffinity")
    for kind in ("podAffinity", "podAntiAffinity"):
        if (pod := affinity.get(kind)) is not None:
            errors += _pod_affinity(pod, f"{path}.{kind}")
    return errors


def validate_node_selector(selector: Object, path: str) -> list[FieldError]:
    """Faults in a NodeSelector: terms of label expressions and field expressions."""
    terms = selector.get("nodeSelectorTerms") or ()
    if not terms:
        return [required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")]
    errors: list[FieldError] = []
    for index, term in enumerate(terms):
        errors += _term(term, f"{path}.nodeSelectorTerms[{index}]")
    return errors


def _node_affinity(affinity: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if (selector := affinity.get(_REQUIRED)) is not None:
        errors += validate_node_selector(selector, f"{path}.{_REQUIRED}")
    for index, preferred in enumerate(affinity.get(_PREFERRED) or ()):
        at = f"{path}.{_PREFERRED}[{index}]"
        errors += _weight(preferred, at)
        # A preference may name values that no label can have: it then just matches nothing.
        errors += _term(preferred.get("preference") or {}, f"{at}.preference", check_values=False)
    return errors


def _weight(holder: Object, path: str) -> list[FieldError]:
    weight = holder.get("weight") or 0
    return [] if 1 <= weight <= 100 else [invalid(f"{path}.weight", weight, "must be in the range 1-100")]


def _term(term: Object, path: str, *, check_values: bool = True) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        errors += _label_requirement(expression, f"{path}.matchExpressions[{index}]", check_values=check_values)
    for index, expression in enumerate(term.get("matchFields") or ()):
        errors += _field_requirement(expression, f"{path}.matchFields[{index}]")
    return errors


def _label_requirement(requirement: Object, path: str, *, check_values: bool) -> list[FieldError]:
    operator, values = requirement.get("operator") or "", requirement.get("values") or ()
    errors: list[FieldError] = []
    if operator in ("Gt", "Lt"):
        if len(values) != 1:
            why = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            errors.append(required(f"{path}.values", why))
    else:
        errors += operator_and_values(operator, values, path)
    errors += qualified_name(requirement.get("key") or "", f"{path}.key")
    if check_values:
        for index, value in enumerate(values):
            errors += label_value(value, f"{path}.values[{index}]")
    return errors


def _field_requirement(requirement: Object, path: str) -> list[FieldError]:
    operator, values = requirement.get("operator") or "", requirement.get("values") or ()
    errors: list[FieldError] = []
    if operator not in ("In", "NotIn"):
        errors.append(invalid(f"{path}.operator", operator, _NOT_AN_OPERATOR))
    elif len(values) != 1:
        why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        errors.append(required(f"{path}.values", why))
    key = requirement.get("key") or ""
    if key != "metadata.name":
        return [*errors, invalid(f"{path}.key", key, "not a valid field selector key")]
    for index, value in enumerate(values):
        errors += [invalid(f"{path}.values[{index}]", value, text) for text in names.is_dns1123_subdomain(value)]
    return errors


def _pod_affinity(affinity: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, term in enumerate(affinity.get(_REQUIRED) or ()):
        errors += _pod_term(term, f"{path}.{_REQUIRED}[{index}]")
    for index, weighted in enumerate(affinity.get(_PREFERRED) or ()):
        at = f"{path}.{_PREFERRED}[{index}]"
        errors += _weight(weighted, at)
        errors += _pod_term(weighted.get("podAffinityTerm") or {}, f"{at}.podAffinityTerm")
    return errors


def _pod_term(term: Object, path: str) -> list[FieldError]:
    errors = label_selector(term.get("labelSelector"), f"{path}.labelSelector")
    errors += label_selector(term.get("namespaceSelector"), f"{path}.namespaceSelector")
    for namespace in term.get("namespaces") or ():
        errors += dns_label(namespace, f"{path}.namespace")
    errors += _match_keys(term, path)
    key = term.get("topologyKey") or ""
    if not key:
        errors.append(required(f"{path}.topologyKey", "can not be empty"))
    return errors + qualified_name(key, f"{path}.topologyKey")


def _match_keys(term: Object, path: str) -> list[FieldError]:
    match, mismatch = term.get("matchLabelKeys") or [], term.get("mismatchLabelKeys") or []
    selector = term.get("labelSelector")
    errors: list[FieldError] = []
    for field, keys in (("matchLabelKeys", match), ("mismatchLabelKeys", mismatch)):
        if keys and selector is None:
            why = "must not be specified when labelSelector is not set"
            errors.append(forbidden(f"{path}.{field}", why))
            continue
        for index, key in enumerate(keys):
            errors += qualified_name(key, f"{path}.{field}[{index}]")
    errors += _doubly_selected(selector or {}, match, path)
    for index, key in enumerate(match):
        if key in mismatch:
            why = "exists in both matchLabelKeys and mismatchLabelKeys"
            errors.append(invalid(f"{path}.matchLabelKeys[{index}]", key, why))
    return errors


def _doubly_selected(selector: Object, match: list[str], path: str) -> list[FieldError]:
    """Keys of matchLabelKeys that the user selects by, too: each is there once from the merge into the selector."""
    errors: list[FieldError] = []
    seen = set(selector.get("matchLabels") or ())
    for expression in selector.get("matchExpressions") or ():
        key = expression.get("key") or ""
        if key in match and key in seen:
            why = "exists in both matchLabelKeys and labelSelector"
            errors.append(invalid(f"{path}[{match.index(key)}]", key, why))
        seen.add(key)
    return errors


def validate_tolerations(tolerations: Iterable[Object], path: str) -> list[FieldError]:
    """Faults in a pod's tolerations."""
    errors: list[FieldError] = []
    for index, toleration in enumerate(tolerations):
        errors += _toleration(toleration, f"{path}[{index}]")
    return errors


def _toleration(toleration: Object, path: str) -> list[FieldError]:
    key, operator = toleration.get("key") or "", toleration.get("operator") or ""
    value, effect = toleration.get("value") or "", toleration.get("effect") or ""
    errors = qualified_name(key, f"{path}.key") if key else []
    if not key and operator != "Exists":
        why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        errors.append(invalid(f"{path}.operator", operator, why))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        errors.append(invalid(f"{path}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
    if operator in ("", "Equal"):
        if faults := names.is_label_value(value):
            errors.append(invalid(f"{path}.operator", value, ";".join(faults)))
    elif operator == "Exists":
        if value:
            errors.append(invalid(f"{path}.operator", value, "value must be empty when `operator` is 'Exists'"))
    else:
        errors.append(not_supported(f"{path}.operator", operator, ("Equal", "Exists")))
    return errors + (supported_if_set(effect, f"{path}.effect", TAINT_EFFECTS) if effect else [])


def validate_taints(taints: Iterable[Object], path: str) -> list[FieldError]:
    """Faults in a node's taints; key and effect together are unique."""
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        at = f"{path}[{index}]"
        key, value, effect = taint.get("key") or "", taint.get("value") or "", taint.get("effect") or ""
        errors += qualified_name(key, f"{at}.key")
        if faults := names.is_label_value(value):
            errors.append(invalid(f"{at}.value", value, ";".join(faults)))
        errors += one_of(effect, f"{at}.effect", TAINT_EFFECTS)
        if (key, effect) in seen:
            fault = duplicate(at, show(taint, TAINT))
            text = f"{fault.message}: taints must be unique by key and effect pair"
            errors.append(FieldError(fault.field, fault.reason, text))
        seen.add((key, effect))
    return errors


def validate_topology_spread(constraints: list[Object], path: str) -> list[FieldError]:
    """Faults in topologySpreadConstraints."""
    errors: list[FieldError] = []
    for index, constraint in enumerate(constraints):
        at = f"{path}[{index}]"
        key, action = constraint.get("topologyKey") or "", constraint.get("whenUnsatisfiable") or ""
        if (skew := constraint.get("maxSkew") or 0) <= 0:
            errors.append(invalid(f"{at}.maxSkew", skew, NOT_POSITIVE))
        if not key:
            errors.append(required(f"{at}.topologyKey", "can not be empty"))
        errors += supported_if_set(action, f"{at}.whenUnsatisfiable", _SCHEDULE_ACTIONS)
        later = constraints[index + 1 :]
        if any((c.get("topologyKey") or "", c.get("whenUnsatisfiable") or "") == (key, action) for c in later):
            errors.append(duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {action}}}"))
        errors += _min_domains(constraint.get("minDomains"), action, f"{at}.minDomains")
        for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            errors += supported_if_set(constraint.get(field), f"{at}.{field}", _INCLUSION_POLICIES)
        errors += _match_keys({**constraint, "mismatchLabelKeys": None}, at)
        errors += label_selector(constraint.get("labelSelector"), f"{at}.labelSelector")
    return errors


def _min_domains(count: int | None, action: str, path: str) -> list[FieldError]:
    if count is None:
        return []
    errors = [invalid(path, count, NOT_POSITIVE)] if count <= 0 else []
    if action != "DoNotSchedule":
        why = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
        errors.append(invalid(path, count, why))
    return errors
