"""Rules of dynamic resource allocation: claims and their templates, classes, taint rules.

Expressions are judged for presence and length; the API server compiles them (registry/strategies/devices.py).
Source: pkg/apis/resource/validation/validation.go.
"""

from collections.abc import Sequence

from kubepy.api import names
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, not_supported, required, too_long
from kubepy.api.meta import Object
from kubepy.api.validation.checks import (
    checked,
    duplicates,
    named,
    one_of,
    one_of_required,
    spec_of,
    status_of,
    unchanged,
    validate_conditions,
)
from kubepy.api.validation.device_checks import EFFECTS, driver, each, taint, unique
from kubepy.api.validation.meta import (
    NameCheck,
    validate_metadata,
    validate_metadata_update,
    validate_template_metadata,
)
from kubepy.api.validation.resources import is_extended
from kubepy.api.validation.rules import Rules

_GROUP = "resource.k8s.io"
_MOST = 32
_MOST_CONSUMERS = 256
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


def _configuration(configuration: Object, path: str) -> list[FieldError]:
    opaque = configuration.get("opaque")
    if opaque is None:
        return [required(f"{path}.opaque")]
    errors = driver(opaque.get("driver"), f"{path}.opaque.driver")
    parameters = opaque.get("parameters")
    if parameters is None:
        errors.append(required(f"{path}.opaque.parameters"))
    elif not isinstance(parameters, dict):
        errors.append(invalid(f"{path}.opaque.parameters", parameters, "must be a valid JSON object"))
    return errors


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


def _named_requests(requests: Sequence[str] | None, path: str, known: set[str]) -> list[FieldError]:
    why = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
    return [
        invalid(f"{path}[{index}]", request, why)
        for index, request in enumerate(requests or ())
        if request not in known
    ]


def _claim_devices(devices: Object, path: str) -> list[FieldError]:
    requests = devices.get("requests") or []
    errors = each(requests, f"{path}.requests", _MOST, _request) + unique(
        [item.get("name") for item in requests or ()], f"{path}.requests"
    )
    known = {request.get("name", "") for request in requests}
    known |= {
        f"{request.get('name')}/{option.get('name')}"
        for request in requests
        for option in request.get("firstAvailable") or ()
    }

    def constraint(item: Object, at: str) -> list[FieldError]:
        faults = _named_requests(item.get("requests"), f"{at}.requests", known)
        attribute = item.get("matchAttribute") or item.get("distinctAttribute")
        if not attribute:
            faults.append(required(f"{at}.matchAttribute"))
        elif "/" not in attribute:
            why = "must include the domain before the slash"
            faults.append(invalid(f"{at}.matchAttribute", attribute, why))
        return faults

    def configuration(item: Object, at: str) -> list[FieldError]:
        return _named_requests(item.get("requests"), f"{at}.requests", known) + _configuration(item, at)

    errors += each(devices.get("constraints"), f"{path}.constraints", _MOST, constraint)
    return errors + each(devices.get("config"), f"{path}.config", _MOST, configuration)


def create_claim(obj: Object) -> list[FieldError]:
    """Faults of a new ResourceClaim."""
    errors = validate_metadata(obj, True, names.is_dns1123_subdomain)
    return errors + _claim_devices(spec_of(obj).get("devices") or {}, "spec.devices")


def update_claim(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed ResourceClaim: its spec stays."""
    return validate_metadata_update(new, old) + unchanged(spec_of(new), spec_of(old), "spec")


def _consumer(consumer: Object, path: str) -> list[FieldError]:
    return [required(f"{path}.{field}") for field in ("resource", "name", "uid") if not consumer.get(field)]


def claim_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of a ResourceClaim's status: who has it reserved keeps what is allocated."""
    status, before = status_of(new), status_of(old)
    consumers, path = status.get("reservedFor") or [], "status.reservedFor"
    errors = validate_metadata_update(new, old) + each(consumers, path, _MOST_CONSUMERS, _consumer)
    uids = [consumer.get("uid") for consumer in consumers]
    errors += [duplicate(f"{path}[{index}].uid", uids[index]) for index in duplicates(uids)]
    if consumers and status.get("allocation") is None:
        errors.append(forbidden(path, "may not be specified when `allocated` is not set"))
    known = {consumer.get("uid") for consumer in before.get("reservedFor") or ()}
    is_deleted = (new.get("metadata") or {}).get("deletionTimestamp")
    if is_deleted and any(uid not in known for uid in uids):
        why = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        errors.append(forbidden(path, why))
    if before.get("allocation") is not None and status.get("allocation") is not None:
        errors += unchanged(status["allocation"], before["allocation"], "status.allocation")
    for index, device in enumerate(status.get("devices") or ()):
        errors += validate_conditions(device.get("conditions"), f"status.devices[{index}].conditions")
    return errors


def create_template(obj: Object) -> list[FieldError]:
    """Faults of a new ResourceClaimTemplate."""
    spec = spec_of(obj)
    errors = validate_metadata(obj, True, names.is_dns1123_subdomain)
    errors += validate_template_metadata(spec.get("metadata") or {}, "spec.metadata")
    return errors + _claim_devices((spec.get("spec") or {}).get("devices") or {}, "spec.spec.devices")


def update_template(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed ResourceClaimTemplate: its spec stays."""
    return validate_metadata_update(new, old) + unchanged(spec_of(new), spec_of(old), "spec")


def create_class(obj: Object) -> list[FieldError]:
    """Faults of a new DeviceClass."""
    spec = spec_of(obj)
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain)
    errors += each(spec.get("selectors"), "spec.selectors", _MOST, _selector)
    errors += each(spec.get("config"), "spec.config", _MOST, _configuration)
    name = spec.get("extendedResourceName")
    if name is not None and not is_extended(name):
        errors.append(invalid("spec.extendedResourceName", name, "must be a valid extended resource name"))
    return errors


def update_class(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed DeviceClass."""
    return validate_metadata_update(new, old) + create_class(new)


def create_taint_rule(obj: Object) -> list[FieldError]:
    """Faults of a new DeviceTaintRule."""
    selector = spec_of(obj).get("deviceSelector") or {}
    check: NameCheck
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain)
    for field, check in (("driver", names.is_dns1123_subdomain), ("device", names.is_dns1123_label)):
        if selector.get(field) is not None:
            errors += checked(selector[field], f"spec.deviceSelector.{field}", check)
    return errors + taint(spec_of(obj).get("taint") or {}, "spec.taint")


def update_taint_rule(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed DeviceTaintRule."""
    return validate_metadata_update(new, old) + create_taint_rule(new)


def taint_rule_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of a DeviceTaintRule's status."""
    errors = validate_metadata_update(new, old)
    return errors + validate_conditions(status_of(new).get("conditions"), "status.conditions")


RULES: dict[tuple[str, str], Rules] = {
    (_GROUP, "ResourceClaim"): Rules(create_claim, update_claim, claim_status),
    (_GROUP, "ResourceClaimTemplate"): Rules(create_template, update_template),
    (_GROUP, "DeviceClass"): Rules(create_class, update_class),
    (_GROUP, "DeviceTaintRule"): Rules(create_taint_rule, update_taint_rule, taint_rule_status),
}
