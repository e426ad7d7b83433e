"""The rules of LimitRanges and ResourceQuotas.

Source: pkg/apis/core/validation, ValidateLimitRange and ValidateResourceQuota*; pkg/apis/core/helper for scopes.
"""

from collections.abc import Mapping
from typing import Any

from kubepy.api import names, quantity
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, required
from kubepy.api.meta import Object
from kubepy.api.validation.fields import qualified_name
from kubepy.api.validation.meta import IMMUTABLE, validate_metadata, validate_metadata_update
from kubepy.api.validation.resources import (
    container_resource_name,
    is_quota_resource,
    may_overcommit,
    quota_resource_name,
    resource_name,
    resource_quantity,
)
from kubepy.api.validation.rules import Rules
from kubepy.api.validation.shown import SCOPE_SELECTOR, show

_LIMIT_TYPES = frozenset({"Container", "PersistentVolumeClaim", "Pod"})
_LIMIT_FIELDS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
_POD_COUNTS = frozenset({"pods"})
_POD_RESOURCES = _POD_COUNTS | {
    f"{prefix}{name}" for prefix in ("", "limits.", "requests.") for name in ("cpu", "memory")
}
_CLAIM_RESOURCES = frozenset({"persistentvolumeclaims", "requests.storage"})
_SCOPES: dict[str, frozenset[str]] = {
    "Terminating": _POD_RESOURCES,
    "NotTerminating": _POD_RESOURCES,
    "NotBestEffort": _POD_RESOURCES,
    "PriorityClass": _POD_RESOURCES,
    "CrossNamespacePodAffinity": _POD_RESOURCES,
    "BestEffort": _POD_COUNTS,
    "VolumeAttributesClass": _CLAIM_RESOURCES,
}
_ONLY_EXISTS = frozenset(_SCOPES) - {"PriorityClass", "VolumeAttributesClass"}
_OPPOSITES = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})


def validate_limit_range(limits: Object) -> list[FieldError]:
    """Faults in a LimitRange."""
    errors = validate_metadata(limits, True, names.is_dns1123_subdomain)
    seen: set[str] = set()
    for index, item in enumerate((limits.get("spec") or {}).get("limits") or ()):
        at, kind = f"spec.limits[{index}]", item.get("type") or ""
        faults = qualified_name(kind, f"{at}.type")
        if not faults and "/" not in kind and kind not in _LIMIT_TYPES:
            faults = [invalid(f"{at}.type", kind, "must be a standard limit type or fully qualified")]
        errors += faults
        if kind in seen:
            errors.append(duplicate(f"{at}.type", kind))
        seen.add(kind)
        errors += _limit_item(item, kind, at)
    return errors


def _limit_item(item: Object, kind: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    check = container_resource_name if kind in ("Pod", "Container") else resource_name
    given: dict[str, Mapping[str, Any]] = {}
    for field in _LIMIT_FIELDS:
        amounts = item.get(field) or {}
        if kind == "Pod" and field.startswith("default"):
            why = "may not be specified when `type` is 'Pod'"
            errors += [forbidden(f"{path}.{field}", why)] if amounts else []
            amounts = {}
        for name in amounts:
            errors += check(name, f"{path}.{field}[{name}]")
        given[field] = amounts
    if kind == "PersistentVolumeClaim" and "storage" not in {**given["min"], **given["max"]}:
        why = "either minimum or maximum storage value is required, but neither was provided"
        errors.append(required(f"{path}.limits", why))
    for name in {name: None for amounts in given.values() for name in amounts}:
        errors += _limit_order(
            {field: amounts[name] for field, amounts in given.items() if name in amounts}, name, path
        )
    return errors


# (lower, upper, the field that is told of, whose value is shown, upstream's sentence)
_ORDER = (
    ("min", "max", "min", "min", "min value {} is greater than max value {}"),
    ("min", "defaultRequest", "defaultRequest", "defaultRequest",
     "min value {} is greater than default request value {}"),
    ("defaultRequest", "max", "defaultRequest", "defaultRequest",
     "default request value {} is greater than max value {}"),
    ("defaultRequest", "default", "defaultRequest", "defaultRequest",
     "default request value {} is greater than default limit value {}"),
    ("min", "default", "default", "min", "min value {} is greater than default value {}"),
    ("default", "max", "default", "max", "default value {} is greater than max value {}"),
)  # fmt: skip


def _limit_order(amounts: Mapping[str, Any], name: str, path: str) -> list[FieldError]:
    """Minimum, default request, default limit and maximum must come in this order."""
    errors: list[FieldError] = []
    shown = {field: quantity.canonical(amount) for field, amount in amounts.items()}
    for low, high, told, value, text in _ORDER:
        if low in amounts and high in amounts and quantity.compare(amounts[low], amounts[high]) > 0:
            why = text.format(shown[low], shown[high])
            errors.append(invalid(f"{path}.{told}[{name}]", shown[value], why))
    if "maxLimitRequestRatio" in amounts:
        errors += _ratio(amounts, f"{path}.maxLimitRequestRatio[{name}]")
    both = "default" in amounts and "defaultRequest" in amounts
    if both and not may_overcommit(name) and quantity.compare(amounts["default"], amounts["defaultRequest"]):
        why = f"default value {shown['default']} must equal to defaultRequest value {shown['defaultRequest']} in {name}"
        errors.append(invalid(f"{path}.defaultRequest[{name}]", shown["defaultRequest"], why))
    return errors


def _ratio(amounts: Mapping[str, Any], path: str) -> list[FieldError]:
    ratio = quantity.parse(amounts["maxLimitRequestRatio"])
    shown = quantity.canonical(amounts["maxLimitRequestRatio"])
    errors = [invalid(path, shown, f"ratio {shown} is less than 1")] if ratio < 1 else []
    low = quantity.parse(amounts.get("min", 0))
    if "max" in amounts and low:
        most = float(quantity.parse(amounts["max"])) / float(low)
        if ratio > most:
            errors.append(invalid(path, shown, f"ratio {shown} is greater than max/min = {most:f}"))
    return errors


def validate_quota(quota: Object) -> list[FieldError]:
    """Faults in a new ResourceQuota."""
    errors = validate_metadata(quota, True, names.is_dns1123_subdomain)
    errors += _quota_spec(quota.get("spec") or {})
    return errors + _quota_amounts(quota.get("status") or {}, "status", "hard", "used")


def _quota_amounts(holder: Object, path: str, *fields: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in fields:
        for name, amount in (holder.get(field) or {}).items():
            at = f"{path}.{field}[{name}]"
            errors += quota_resource_name(name, at) + resource_quantity(name, amount, at)
    return errors


def _quota_spec(spec: Object) -> list[FieldError]:
    errors = _quota_amounts(spec, "spec", "hard")
    scopes, hard = spec.get("scopes") or [], sorted(spec.get("hard") or ())
    for scope in scopes:
        if scope not in _SCOPES:
            errors.append(invalid("spec.scopes", scopes, "unsupported scope"))
        errors += [invalid("spec.scopes", scopes, _BAD_RESOURCE) for _ in _out_of_scope(scope, hard)]
    errors += _conflicts(set(scopes), "spec.scopes", scopes)
    if (selector := spec.get("scopeSelector")) is not None:
        errors += _scope_selector(selector, hard, spec, "spec.scopeSelector.matchExpressions")
    return errors


_BAD_RESOURCE = "unsupported scope applied to resource"


def _out_of_scope(scope: str, hard: list[str]) -> list[str]:
    if scope not in _SCOPES:
        return []
    return [name for name in hard if is_quota_resource(name) and name not in _SCOPES[scope]]


def _conflicts(scopes: set[str], path: str, value: Any) -> list[FieldError]:
    return [invalid(path, value, "conflicting scopes") for pair in _OPPOSITES if pair <= scopes]


def _scope_selector(selector: Object, hard: list[str], spec: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    scopes: set[str] = set()
    for expression in selector.get("matchExpressions") or ():
        scope, operator = expression.get("scopeName") or "", expression.get("operator") or ""
        values = expression.get("values") or []
        if scope not in _SCOPES:
            errors.append(invalid(f"{path}.scopeName", scope, "unsupported scope"))
        errors += [invalid(path, show(selector, SCOPE_SELECTOR), _BAD_RESOURCE) for _ in _out_of_scope(scope, hard)]
        if scope in _ONLY_EXISTS and operator != "Exists":
            why = (
                "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "
                "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
                "ResourceQuotaScopeCrossNamespacePodAffinity"
            )
            errors.append(invalid(f"{path}.operator", operator, why))
        if operator in ("In", "NotIn"):
            why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            errors += [] if values else [required(f"{path}.values", why)]
        elif operator in ("Exists", "DoesNotExist"):
            why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            errors += [invalid(f"{path}.values", values, why)] if values else []
        else:
            errors.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
        scopes.add(scope)
    return errors + _conflicts(scopes, path, spec.get("scopes") or None)


def _quota_update(new: Object, old: Object) -> list[FieldError]:
    errors = validate_metadata_update(new, old) + _quota_spec(new.get("spec") or {})
    now, then = ((o.get("spec") or {}).get("scopes") or [] for o in (new, old))
    if set(now) != set(then):
        errors.append(invalid("spec.scopes", now or None, IMMUTABLE))
    return errors


def _quota_status(new: Object, old: Object) -> list[FieldError]:
    return validate_metadata_update(new, old) + _quota_amounts(new.get("status") or {}, "status", "hard", "used")


RULES = {
    ("", "LimitRange"): Rules(validate_limit_range, lambda new, old: validate_limit_range(new)),
    ("", "ResourceQuota"): Rules(validate_quota, _quota_update, _quota_status),
}
