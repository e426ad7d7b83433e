"""Rules of dynamic resource allocation: claims and their templates, classes, taint rules.

Expressions are judged for presence and length; the API server compiles them (registry/strategies/devices.py).
Source: pkg/apis/resource/validation/validation.go.
"""

from collections.abc import Sequence

from kubepy.api import names
from kubepy.api.errors import FieldError, invalid, not_supported, required, too_long, too_many
from kubepy.api.meta import Object
from kubepy.api.validation.checks import (
    checked,
    named,
    one_of,
    one_of_required,
    spec_of,
    status_of,
    unchanged,
    validate_conditions,
)
from kubepy.api.validation.device_allocations import claim_status
from kubepy.api.validation.device_checks import (
    EFFECTS,
    configuration,
    domain_property_name,
    driver,
    each,
    known_requests,
    pool_name,
    request_references,
    taint,
    unique,
)
from kubepy.api.validation.meta import validate_metadata, validate_metadata_update, validate_template_metadata
from kubepy.api.validation.resources import is_extended
from kubepy.api.validation.rules import Rules

_GROUP = "resource.k8s.io"
_MOST = 32
_MOST_CONDITIONS = 8
_MOST_ALTERNATIVES = 8
_EXPRESSION_LIMIT = 10 * 1024


def _selector(selector: Object, path: str) -> list[FieldError]:
    cel = selector.get("cel")
    if cel is None:
        return [required(f"{path}.cel")]
    expression = cel.get("expression") or ""
    if not expression:
        return [required(f"{path}.cel.expression")]
    if len(expression) > _EXPRESSION_LIMIT:
        return [too_long(f"{path}.cel.expression", _EXPRESSION_LIMIT)]
    return []


def _toleration(toleration: Object, path: str) -> list[FieldError]:
    key, operator, value = (toleration.get(field) or "" for field in ("key", "operator", "value"))
    errors = checked(key, f"{path}.key", names.is_qualified_name) if key else []
    if operator == "Exists":
        if value:
            errors.append(invalid(f"{path}.value", value, "must be empty for operator `Exists`"))
    elif operator == "Equal":
        errors += checked(value, f"{path}.value", names.is_label_value)
    else:
        errors += one_of_required(operator, f"{path}.operator", ("Equal", "Exists"))
    if effect := toleration.get("effect"):
        errors += one_of(effect, f"{path}.effect", EFFECTS)
    return errors


def _exact(request: Object, path: str) -> list[FieldError]:
    mode, count = request.get("allocationMode"), request.get("count") or 0
    errors = named(request.get("deviceClassName"), f"{path}.deviceClassName", names.is_dns1123_subdomain)
    errors += each(request.get("selectors"), f"{path}.selectors", _MOST, _selector)
    if mode == "All":
        if count:
            why = "must not be specified when allocationMode is 'All'"
            errors.append(invalid(f"{path}.count", count, why))
    elif mode == "ExactCount":
        if count <= 0:
            errors.append(invalid(f"{path}.count", count, "must be greater than zero"))
    else:
        errors.append(not_supported(f"{path}.allocationMode", mode or "", ("All", "ExactCount")))
    return errors + each(request.get("tolerations"), f"{path}.tolerations", 16, _toleration)


def _alternative(request: Object, path: str) -> list[FieldError]:
    return named(request.get("name"), f"{path}.name", names.is_dns1123_label) + _exact(request, path)


def _unique_names(items: Sequence[Object] | None, path: str) -> list[FieldError]:
    return unique([item.get("name") for item in items or ()], path)


def _request(request: Object, path: str) -> list[FieldError]:
    exactly, alternatives = request.get("exactly"), request.get("firstAvailable")
    errors = named(request.get("name"), f"{path}.name", names.is_dns1123_label)
    if exactly is not None and alternatives:
        why = "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set"
        return [*errors, invalid(path, None, why)]
    if exactly is not None:
        return errors + _exact(exactly, f"{path}.exactly")
    if not alternatives:
        return [*errors, required(path, "exactly one of `exactly` or `firstAvailable` is required")]
    at = f"{path}.firstAvailable"
    errors += each(alternatives, at, _MOST_ALTERNATIVES, _alternative)
    return errors + _unique_names(alternatives, at)


def _constraint(item: Object, path: str, known: set[str]) -> list[FieldError]:
    errors = request_references(item.get("requests"), f"{path}.requests", known)
    for field in ("matchAttribute", "distinctAttribute"):
        if item.get(field) is not None:
            return errors + domain_property_name(item[field], f"{path}.{field}")
    why = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
    return [*errors, required(path, why)]


def _claim_spec(spec: Object, path: str) -> list[FieldError]:
    devices, path, known = spec.get("devices") or {}, f"{path}.devices", known_requests(spec)
    requests = devices.get("requests") or []

    def constraint(item: Object, at: str) -> list[FieldError]:
        return _constraint(item, at, known)

    def told(item: Object, at: str) -> list[FieldError]:
        return request_references(item.get("requests"), f"{at}.requests", known) + configuration(item, at)

    errors = each(requests, f"{path}.requests", _MOST, _request) + _unique_names(requests, f"{path}.requests")
    errors += each(devices.get("constraints"), f"{path}.constraints", _MOST, constraint)
    return errors + each(devices.get("config"), f"{path}.config", _MOST, told)


def create_claim(obj: Object) -> list[FieldError]:
    """Faults of a new ResourceClaim."""
    errors = validate_metadata(obj, True, names.is_dns1123_subdomain)
    return errors + _claim_spec(spec_of(obj), "spec")


def update_claim(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed ResourceClaim: its spec stays."""
    errors = validate_metadata(new, True, names.is_dns1123_subdomain) + validate_metadata_update(new, old)
    return errors + unchanged(spec_of(new), spec_of(old), "spec")


def create_template(obj: Object) -> list[FieldError]:
    """Faults of a new ResourceClaimTemplate."""
    spec = spec_of(obj)
    errors = validate_metadata(obj, True, names.is_dns1123_subdomain)
    errors += validate_template_metadata(spec.get("metadata") or {}, "spec.metadata")
    return errors + _claim_spec(spec.get("spec") or {}, "spec.spec")


def update_template(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed ResourceClaimTemplate: its spec stays."""
    return validate_metadata_update(new, old) + unchanged(spec_of(new), spec_of(old), "spec")


def create_class(obj: Object) -> list[FieldError]:
    """Faults of a new DeviceClass."""
    return validate_metadata(obj, False, names.is_dns1123_subdomain) + _class_spec(spec_of(obj), "spec")


def update_class(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed DeviceClass."""
    errors = validate_metadata(new, False, names.is_dns1123_subdomain) + validate_metadata_update(new, old)
    return errors + _class_spec(spec_of(new), "spec")


def _class_spec(spec: Object, path: str) -> list[FieldError]:
    errors = each(spec.get("selectors"), f"{path}.selectors", _MOST, _selector)
    errors += each(spec.get("config"), f"{path}.config", _MOST, configuration)
    name = spec.get("extendedResourceName")
    if name is not None and not is_extended(name):
        errors.append(invalid(f"{path}.extendedResourceName", name, "must be a valid extended resource name"))
    return errors


def create_taint_rule(obj: Object) -> list[FieldError]:
    """Faults of a new DeviceTaintRule."""
    return validate_metadata(obj, False, names.is_dns1123_subdomain) + _taint_rule_spec(spec_of(obj), {})


def update_taint_rule(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed DeviceTaintRule."""
    return validate_metadata_update(new, old) + _taint_rule_spec(spec_of(new), spec_of(old))


def _taint_rule_spec(spec: Object, before: Object) -> list[FieldError]:
    selector, path, errors = spec.get("deviceSelector") or {}, "spec.deviceSelector", []
    if selector.get("driver") is not None:
        errors += driver(selector["driver"], f"{path}.driver")
    if selector.get("pool") is not None:
        errors += pool_name(selector["pool"], f"{path}.pool")
    if selector.get("device") is not None:
        errors += checked(selector["device"], f"{path}.device", names.is_dns1123_label)
    return errors + taint(spec.get("taint") or {}, "spec.taint", (before.get("taint") or {}).get("effect"))


def taint_rule_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of a DeviceTaintRule's status."""
    conditions, path = status_of(new).get("conditions") or (), "status.conditions"
    errors = validate_metadata_update(new, old) + validate_conditions(conditions, path)
    if len(conditions) > _MOST_CONDITIONS:
        errors.append(too_many(path, len(conditions), _MOST_CONDITIONS))
    return errors


RULES: dict[tuple[str, str], Rules] = {
    (_GROUP, "ResourceClaim"): Rules(create_claim, update_claim, claim_status),
    (_GROUP, "ResourceClaimTemplate"): Rules(create_template, update_template),
    (_GROUP, "DeviceClass"): Rules(create_class, update_class),
    (_GROUP, "DeviceTaintRule"): Rules(create_taint_rule, update_taint_rule, taint_rule_status),
}
