"""Rules of EndpointSlices.

The type of addresses, and how many an endpoint has, are told of by v1.37's declarative rules, after everything else.
Source: pkg/apis/discovery/validation/validation.go; the +k8s:beta tags of staging/src/k8s.io/api/discovery/v1/types.go.
"""

from kubepy.api import names
from kubepy.api.errors import FieldError, duplicate, invalid, not_supported, required, too_many
from kubepy.api.meta import Object
from kubepy.api.validation.checks import checked, one_of, unchanged
from kubepy.api.validation.fields import ordinary_address
from kubepy.api.validation.meta import validate_labels, validate_metadata
from kubepy.api.validation.rules import Rules

_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_MOST_ENDPOINTS = 1000
_MOST_ADDRESSES = 100
_MOST_PORTS = 20_000
_MOST_TOPOLOGY = 16
_MOST_HINTS = 8


def _address(address: str, kind: str, path: str) -> list[FieldError]:
    match kind:
        case "IPv4":
            return checked(address, path, names.is_ipv4) or ordinary_address(address, path)
        case "IPv6":
            return checked(address, path, names.is_ipv6) or ordinary_address(address, path)
        case "FQDN":
            return _domain_name(address, path)
    return []


def _domain_name(name: str, path: str) -> list[FieldError]:
    """Faults of the name of a host with its domain; the dot that may end it is not looked at."""
    if not name:
        return [required(path)]
    name = name.removesuffix(".")
    if faults := names.is_dns1123_subdomain(name):
        return [invalid(path, name, ",".join(faults))]
    labels = name.split(".")
    if len(labels) < 2:
        return [invalid(path, name, "should be a domain with at least two segments separated by dots")]
    for label in labels:
        if faults := names.is_dns1123_label(label):
            return [invalid(path, label, ",".join(faults))]
    return []


def _endpoint(endpoint: Object, kind: str, path: str) -> list[FieldError]:
    addresses = endpoint.get("addresses") or []
    errors: list[FieldError] = []
    for index, address in enumerate(addresses):
        errors += _address(address, kind, f"{path}.addresses[{index}]")
    if endpoint.get("nodeName") is not None:
        errors += checked(endpoint["nodeName"], f"{path}.nodeName", names.is_dns1123_subdomain)
    topology = endpoint.get("deprecatedTopology") or {}
    if len(topology) > _MOST_TOPOLOGY:
        errors.append(too_many(f"{path}.deprecatedTopology", len(topology), _MOST_TOPOLOGY))
    errors += validate_labels(topology, f"{path}.deprecatedTopology")
    if endpoint.get("hostname") is not None:
        errors += checked(endpoint["hostname"], f"{path}.hostname", names.is_dns1123_label)
    return errors + _hints(endpoint.get("hints") or {}, f"{path}.hints")


def _hints(hints: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field, check in (("forZones", names.is_label_value), ("forNodes", names.is_dns1123_subdomain)):
        entries = hints.get(field) or []
        if len(entries) > _MOST_HINTS:
            return [*errors, too_many(f"{path}.{field}", len(entries), _MOST_HINTS)]
        seen: set[str] = set()
        for index, entry in enumerate(entries):
            at, name = f"{path}.{field}[{index}]", entry.get("name", "")
            if name in seen:
                errors.append(duplicate(f"{at}.name", name))
            seen.add(name)
            errors += checked(name, f"{at}.name", check)
    return errors


def _ports(ports: list[Object]) -> list[FieldError]:
    if len(ports) > _MOST_PORTS:
        return [too_many("ports", len(ports), _MOST_PORTS)]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        at, name = f"ports[{index}]", port.get("name") or ""
        if name:
            errors += checked(name, f"{at}.name", names.is_dns1123_label)
        if name in seen:
            errors.append(duplicate(f"{at}.name", name))
        seen.add(name)
        if port.get("protocol") is None:
            errors.append(required(f"{at}.protocol"))
        else:
            errors += one_of(port["protocol"], f"{at}.protocol", _PROTOCOLS)
        if port.get("appProtocol") is not None:
            errors += checked(port["appProtocol"], f"{at}.appProtocol", names.is_qualified_name)
    return errors


def _validate_slice(obj: Object) -> list[FieldError]:
    kind, endpoints = obj.get("addressType") or "", obj.get("endpoints") or []
    errors = validate_metadata(obj, True, names.is_dns1123_subdomain)
    if len(endpoints) > _MOST_ENDPOINTS:
        errors.append(too_many("endpoints", len(endpoints), _MOST_ENDPOINTS))
    else:
        for index, endpoint in enumerate(endpoints):
            errors += _endpoint(endpoint, kind, f"endpoints[{index}]")
    return errors + _ports(obj.get("ports") or [])


def _address_type(kind: str) -> list[FieldError]:
    if not kind:
        return [required("addressType")]
    return [] if kind in _ADDRESS_TYPES else [not_supported("addressType", kind, _ADDRESS_TYPES)]


def _address_counts(obj: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, endpoint in enumerate(obj.get("endpoints") or ()):
        path, count = f"endpoints[{index}].addresses", len(endpoint.get("addresses") or ())
        if not count:
            errors.append(required(path))
        elif count > _MOST_ADDRESSES:
            errors.append(too_many(path, count, _MOST_ADDRESSES))
    return errors


def create_slice(obj: Object) -> list[FieldError]:
    """Faults of a new EndpointSlice."""
    return _validate_slice(obj) + _address_type(obj.get("addressType") or "") + _address_counts(obj)


def update_slice(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed EndpointSlice: its address type stays."""
    kind, before = new.get("addressType") or "", old.get("addressType") or ""
    errors = _validate_slice(new) + unchanged(kind, before, "addressType")
    return errors + (_address_type(kind) if kind != before else []) + _address_counts(new)


RULES: dict[tuple[str, str], Rules] = {
    ("discovery.k8s.io", "EndpointSlice"): Rules(create_slice, update_slice),
}
