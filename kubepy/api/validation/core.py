"""The rules of the small kinds of the core group: namespaces, accounts, configuration, endpoints, controllers.

Source: pkg/apis/core/validation, ValidateNamespace*, ValidateServiceAccount*, ValidateEndpoints*,
ValidateReplicationController*.
"""

from kubepy.api import names
from kubepy.api.errors import FieldError, forbidden, invalid, not_supported, required
from kubepy.api.meta import Object
from kubepy.api.validation.fields import (
    dns_label,
    ip_address,
    non_negative,
    ordinary_address,
    port_number,
    protocol,
    qualified_name,
)
from kubepy.api.validation.meta import (
    STANDARD_FINALIZERS,
    validate_metadata,
    validate_metadata_update,
)
from kubepy.api.validation.pod import validate_pod_template
from kubepy.api.validation.rules import Rules


def validate_namespace(namespace: Object) -> list[FieldError]:
    """Faults in a new Namespace."""
    errors = validate_metadata(namespace, False, names.is_dns1123_label)
    for finalizer in (namespace.get("spec") or {}).get("finalizers") or ():
        errors += _finalizer(finalizer, "spec.finalizers")
    return errors


def _finalizer(name: str, path: str) -> list[FieldError]:
    errors = qualified_name(name, path)
    if "/" not in name and name not in STANDARD_FINALIZERS:
        why = "name is neither a standard finalizer name nor is it fully qualified"
        errors.append(invalid(path, name, why))
    return errors


def _namespace_update(new: Object, old: Object) -> list[FieldError]:
    return validate_namespace(new) + validate_metadata_update(new, old)


def _namespace_status(new: Object, old: Object) -> list[FieldError]:
    errors = validate_metadata_update(new, old)
    phase = (new.get("status") or {}).get("phase") or ""
    deleting = bool((new.get("metadata") or {}).get("deletionTimestamp"))
    expected = "Terminating" if deleting else "Active"
    if phase != expected:
        why = f"may only be '{expected}' if `deletionTimestamp` is {'not empty' if deleting else 'empty'}"
        errors.append(invalid("status.Phase", phase, why))
    return errors


def _namespace_finalize(new: Object, old: Object) -> list[FieldError]:
    errors = validate_metadata_update(new, old)
    for index, finalizer in enumerate((new.get("spec") or {}).get("finalizers") or ()):
        errors += _finalizer(finalizer, f"spec.finalizers[{index}]")
    return errors


def _account(account: Object) -> list[FieldError]:
    return validate_metadata(account, True, names.is_dns1123_subdomain)


def _account_update(new: Object, old: Object) -> list[FieldError]:
    return validate_metadata_update(new, old) + _account(new)


def validate_endpoints(endpoints: Object, kept: frozenset[str] = frozenset()) -> list[FieldError]:
    """Faults in new Endpoints; addresses that are `kept` from before stay as they are written."""
    errors = validate_metadata(endpoints, True, names.is_dns1123_subdomain)
    for index, subset in enumerate(endpoints.get("subsets") or ()):
        at = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            errors.append(required(at, "must specify `addresses` or `notReadyAddresses`"))
        for field in ("addresses", "notReadyAddresses"):
            for number, address in enumerate(subset.get(field) or ()):
                errors += _endpoint_address(address, kept, f"{at}.{field}[{number}]")
        ports = subset.get("ports") or ()
        for number, port in enumerate(ports):
            errors += _endpoint_port(port, f"{at}.ports[{number}]", needs_name=len(ports) > 1)
    return errors


def _endpoint_address(address: Object, kept: frozenset[str], path: str) -> list[FieldError]:
    ip = address.get("ip") or ""
    errors = [] if ip in kept else ip_address(ip, f"{path}.ip")
    if address.get("hostname"):
        errors += dns_label(address["hostname"], f"{path}.hostname")
    if (node := address.get("nodeName")) is not None:
        errors += [invalid(f"{path}.nodeName", node, text) for text in names.is_dns1123_subdomain(node)]
    if ip in kept and names.parse_ip(ip) is None:  # in a form of old
        return errors
    return errors + ordinary_address(ip, f"{path}.ip")


def _endpoint_port(port: Object, path: str, *, needs_name: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    if port.get("name"):
        errors += dns_label(port["name"], f"{path}.name")
    elif needs_name:
        errors.append(required(f"{path}.name"))
    errors += port_number(port.get("port") or 0, f"{path}.port")
    errors += protocol(port.get("protocol"), f"{path}.protocol")
    if port.get("appProtocol") is not None:
        errors += qualified_name(port["appProtocol"], f"{path}.appProtocol")
    return errors


def _endpoints_update(new: Object, old: Object) -> list[FieldError]:
    kept = frozenset(
        address.get("ip") or ""
        for subset in old.get("subsets") or ()
        for field in ("addresses", "notReadyAddresses")
        for address in subset.get(field) or ()
    )
    return validate_metadata_update(new, old) + validate_endpoints(new, kept)


def _controller_spec(spec: Object) -> list[FieldError]:
    errors = non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    selector, template = spec.get("selector") or {}, spec.get("template")
    if not selector:
        errors.append(required("spec.selector"))
    errors += non_negative(spec.get("replicas"), "spec.replicas")
    if template is None:
        return [*errors, required("spec.template")]
    labels = (template.get("metadata") or {}).get("labels") or {}
    if selector and not selector.items() <= labels.items():
        why = "`selector` does not match template `labels`"
        errors.append(invalid("spec.template.metadata.labels", labels or None, why))
    errors += validate_pod_template(template, "spec.template")
    pod = template.get("spec") or {}
    if pod.get("restartPolicy") != "Always":
        policy = pod.get("restartPolicy") or ""
        errors.append(not_supported("spec.template.spec.restartPolicy", policy, ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        why = "activeDeadlineSeconds in ReplicationController is not Supported"
        errors.append(forbidden("spec.template.spec.activeDeadlineSeconds", why))
    return errors


def validate_controller(controller: Object) -> list[FieldError]:
    """Faults in a new ReplicationController."""
    errors = validate_metadata(controller, True, names.is_dns1123_subdomain)
    return errors + _controller_spec(controller.get("spec") or {})


def _controller_update(new: Object, old: Object) -> list[FieldError]:
    own = validate_controller(new)
    again = _controller_spec(new.get("spec") or {}) if own else []  # upstream judges the spec twice
    return own + validate_metadata_update(new, old) + again


def _controller_status(new: Object, old: Object) -> list[FieldError]:
    status = new.get("status") or {}
    counts = {
        field: status.get(field) or 0
        for field in ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration")
    }
    errors = validate_metadata_update(new, old)
    for field, count in counts.items():
        errors += non_negative(count, f"status.{field}")
    for field in ("fullyLabeledReplicas", "readyReplicas", "availableReplicas"):
        if counts[field] > counts["replicas"]:
            errors.append(invalid(f"status.{field}", counts[field], "cannot be greater than status.replicas"))
    if counts["availableReplicas"] > counts["readyReplicas"]:
        why = "cannot be greater than readyReplicas"
        errors.append(invalid("status.availableReplicas", counts["availableReplicas"], why))
    return errors


RULES = {
    ("", "Endpoints"): Rules(validate_endpoints, _endpoints_update),
    ("", "Namespace"): Rules(
        validate_namespace, _namespace_update, _namespace_status, {"finalize": _namespace_finalize}
    ),
    ("", "ReplicationController"): Rules(validate_controller, _controller_update, _controller_status),
    ("", "ServiceAccount"): Rules(_account, _account_update),
}
