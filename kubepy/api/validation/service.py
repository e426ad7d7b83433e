"""The rules of Services: types, ports, addresses and families, affinity and traffic policies, and what never changes.

Addresses and node ports are allocated by the API server, which also tells of ranges and of what is taken.
Source: pkg/apis/core/validation, ValidateService, ValidateServiceUpdate, ValidateServiceClusterIPsRelatedFields.
"""

from collections.abc import Collection

from kubepy.api import names
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from kubepy.api.meta import Object
from kubepy.api.validation.fields import (
    cidr,
    dns_label,
    dns_subdomain,
    ip_address,
    one_of,
    ordinary_address,
    port_number,
    port_number_or_name,
    protocol,
    qualified_name,
    supported_if_set,
)
from kubepy.api.validation.meta import validate_labels, validate_metadata, validate_metadata_update
from kubepy.api.validation.rules import Rules
from kubepy.api.validation.shown import SERVICE_PORT, show

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_ALLOCATED_TYPES = ("ClusterIP", "LoadBalancer", "NodePort")
_POLICIES = ("Cluster", "Local")
_DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")
_FAMILIES = ("IPv4", "IPv6")
_FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_AFFINITY_LIMIT_S = 86400
_HINTS, _MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"
_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
_ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'"
_CHANGED = "may not change once set"


def validate_service(service: Object) -> list[FieldError]:
    """Faults in a new Service."""
    return validate_metadata(service, True, names.is_dns1123_label) + _service(service, {})


def _service(service: Object, old: Object) -> list[FieldError]:
    """Faults in a Service but for its metadata; addresses and CIDRs that `old` had stay as they are."""
    spec, before = service.get("spec") or {}, old.get("spec") or {}
    annotations = (service.get("metadata") or {}).get("annotations") or {}
    errors: list[FieldError] = []
    if _HINTS in annotations and annotations.get(_MODE, annotations[_HINTS]) != annotations[_HINTS]:
        why = f"must match annotations[{_HINTS}] when both are specified"
        errors.append(invalid(f"metadata.annotations[{_MODE}]", annotations[_MODE], why))
    errors += _what_the_type_asks(spec) + _ports(spec)
    errors += validate_labels(spec.get("selector"), "spec.selector")
    errors += _affinity(spec)
    if spec.get("type") != "ExternalName":
        errors += validate_addresses(spec, before.get("clusterIPs") or ())
    kept = before.get("externalIPs") or ()
    for index, address in enumerate(spec.get("externalIPs") or ()):
        at = f"spec.externalIPs[{index}]"
        errors += [] if address in kept else ip_address(address, at) or ordinary_address(address, at)
    errors += one_of(spec.get("type"), "spec.type", _TYPES) + _ports_together(spec)
    return errors + _load_balancer(spec, annotations, old) + _traffic(spec)


def is_headless(spec: Object) -> bool:
    """Whether the Service has no address on purpose."""
    return spec.get("clusterIPs") == ["None"]


def is_externally_accessible(spec: Object) -> bool:
    """Whether traffic can come from outside of the cluster."""
    kind = spec.get("type")
    return kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health_check(spec: Object) -> bool:
    """Whether a load balancer must find out which nodes have endpoints."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _what_the_type_asks(spec: Object) -> list[FieldError]:
    kind = spec.get("type") or ""
    errors: list[FieldError] = []
    if not spec.get("ports") and kind != "ExternalName" and not is_headless(spec):
        errors.append(required("spec.ports"))
    if kind in ("LoadBalancer", "NodePort") and is_headless(spec):
        why = f"may not be set to 'None' for {kind} services"
        errors.append(invalid("spec.clusterIPs[0]", "None", why))
    elif kind == "ExternalName":
        why = "may not be set for ExternalName services"
        fields = [field for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy") if spec.get(field)]
        errors += [forbidden(f"spec.{field}", why) for field in fields]
        name = (spec.get("externalName") or "").removesuffix(".")
        errors += dns_subdomain(name, "spec.externalName") if name else [required("spec.externalName")]
    return errors


def _ports(spec: Object) -> list[FieldError]:
    ports = spec.get("ports") or []
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        errors += _port(port, f"spec.ports[{index}]", seen, needs_name=len(ports) > 1)
    return errors


def _ports_together(spec: Object) -> list[FieldError]:
    ports = spec.get("ports") or []
    errors: list[FieldError] = []
    if spec.get("type") == "ClusterIP":
        why = "may not be used when `type` is 'ClusterIP'"
        used = [index for index, port in enumerate(ports) if port.get("nodePort")]
        errors += [forbidden(f"spec.ports[{index}].nodePort", why) for index in used]
    return errors + _repeated(ports, "nodePort") + _repeated(ports, "port")


def _repeated(ports: list[Object], field: str) -> list[FieldError]:
    """Ports whose number is there already with the same protocol."""
    errors: list[FieldError] = []
    seen: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        number, kind = port.get(field) or 0, port.get("protocol") or ""
        if field == "nodePort" and not number:
            continue
        if (kind, number) in seen:
            at = f"spec.ports[{index}]"
            whole = show({"protocol": kind, "port": number}, SERVICE_PORT)
            errors.append(duplicate(f"{at}.nodePort", number) if field == "nodePort" else duplicate(at, whole))
        seen.add((kind, number))
    return errors


def _port(port: Object, path: str, seen: set[str], *, needs_name: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    if name := port.get("name"):
        errors += dns_label(name, f"{path}.name")
        errors += [duplicate(f"{path}.name", name)] if name in seen else []
        seen.add(name)
    elif needs_name:
        errors.append(required(f"{path}.name"))
    errors += port_number(port.get("port") or 0, f"{path}.port")
    errors += protocol(port.get("protocol"), f"{path}.protocol")
    errors += port_number_or_name(port.get("targetPort"), f"{path}.targetPort")
    if port.get("appProtocol") is not None:
        errors += qualified_name(port["appProtocol"], f"{path}.appProtocol")
    return errors


def _affinity(spec: Object) -> list[FieldError]:
    kind, config = spec.get("sessionAffinity"), spec.get("sessionAffinityConfig")
    errors = one_of(kind, "spec.sessionAffinity", ("ClientIP", "None"))
    path = "spec.sessionAffinityConfig"
    if kind == "None" and config is not None:
        errors.append(forbidden(path, "must not be set when session affinity is None"))
    if kind != "ClientIP":
        return errors
    for field in ("clientIP", "timeoutSeconds"):
        if config is None:
            break
        config, path = config.get(field), f"{path}.{field}"
    if config is None:
        return [*errors, required(path, "when session affinity type is ClientIP")]
    if not 0 < config <= _AFFINITY_LIMIT_S:
        why = f"must be greater than 0 and less than {_AFFINITY_LIMIT_S}"
        errors.append(invalid(path, config, why))
    return errors


def validate_addresses(spec: Object, kept: Collection[str] = ()) -> list[FieldError]:
    """Faults in clusterIP(s), ipFamilies and ipFamilyPolicy, which the allocator asks for, too."""
    addresses, first = spec.get("clusterIPs") or [], spec.get("clusterIP") or ""
    families = spec.get("ipFamilies") or []
    path = "spec.clusterIPs"
    errors: list[FieldError] = []
    if first and not addresses:
        errors.append(required(path))
    elif first and addresses[0] != first:
        errors.append(invalid(path, addresses, "first value must match `clusterIP`"))
    elif addresses and not first:
        errors.append(invalid(path, addresses, "must be empty when `clusterIP` is not specified"))
    for index, family in enumerate(families):
        errors += supported_if_set(family, f"spec.ipFamilies[{index}]", _FAMILIES)
        if family in families[:index]:
            errors.append(duplicate(f"spec.ipFamilies[{index}]", family))
    errors += supported_if_set(spec.get("ipFamilyPolicy"), "spec.ipFamilyPolicy", _FAMILY_POLICIES)
    bad: list[FieldError] = []
    for index, address in enumerate(addresses):
        if index == 0 and address == "None":
            if len(addresses) > 1:
                bad.append(invalid(path, addresses, "'None' must be the first and only value"))
        elif address not in kept:
            bad += ip_address(address, f"{path}[{index}]")
    errors += bad
    if len(addresses) > 2:
        errors.append(invalid(path, addresses, "may only hold up to 2 values"))
    if bad:
        return errors
    if {":" in address for address in addresses} != {False, True} and len(addresses) > 1:
        errors.append(invalid(path, addresses, "may specify no more than one IP for each IP family"))
    if not is_headless(spec):
        errors += _families_match(addresses, families, path)
    return errors


def _families_match(addresses: list[str], families: list[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, (address, family) in enumerate(zip(addresses, families, strict=False)):
        if family in _FAMILIES and (":" in address) != (family == "IPv6"):
            why = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            errors.append(invalid(f"{path}[{index}]", address, why))
    return errors


def _load_balancer(spec: Object, annotations: Object, old: Object) -> list[FieldError]:
    balanced = spec.get("type") == "LoadBalancer"
    errors: list[FieldError] = []
    ranges, path = spec.get("loadBalancerSourceRanges") or [], "spec.LoadBalancerSourceRanges"
    places = [f"{path}[{index}]" for index in range(len(ranges))]
    kept = {value.strip() for value in (old.get("spec") or {}).get("loadBalancerSourceRanges") or ()}
    if not ranges and _RANGES in annotations:
        path = f"metadata.annotations[{_RANGES}]"
        before = ((old.get("metadata") or {}).get("annotations") or {}).get(_RANGES)
        text = annotations[_RANGES].strip() if annotations[_RANGES] != before else ""
        kept = set()
        ranges = text.split(",") if text else []
        places = [path] * len(ranges)
    elif not ranges:
        path = ""
    if path and not balanced:
        errors.append(forbidden(path, _ONLY_LOAD_BALANCER))
    for place, value in zip(places, ranges, strict=True):
        errors += [] if value.strip() in kept else cidr(value.strip(), place)
    allocate = spec.get("allocateLoadBalancerNodePorts")
    if allocate is not None and not balanced:
        errors.append(forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_LOAD_BALANCER))
    elif allocate is None and balanced:
        errors.append(required("allocateLoadBalancerNodePorts"))
    return errors + _load_balancer_class(spec)


def _load_balancer_class(spec: Object) -> list[FieldError]:
    load_class, path = spec.get("loadBalancerClass"), "spec.loadBalancerClass"
    if load_class is None:
        return []
    if spec.get("type") != "LoadBalancer":
        return [forbidden(path, _ONLY_LOAD_BALANCER)]
    return qualified_name(load_class, path)


def _traffic(spec: Object) -> list[FieldError]:
    external, internal = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    errors: list[FieldError] = []
    if is_externally_accessible(spec):
        errors += one_of(external, "spec.externalTrafficPolicy", _POLICIES)
    elif external:
        why = "may only be set for externally-accessible services"
        errors.append(invalid("spec.externalTrafficPolicy", external, why))
    port = spec.get("healthCheckNodePort") or 0
    if port and not needs_health_check(spec):
        why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.append(invalid("spec.healthCheckNodePort", port, why))
    elif port:
        errors += port_number(port, "spec.healthCheckNodePort")
    if internal is None and spec.get("type") in _ALLOCATED_TYPES:
        errors.append(required("spec.internalTrafficPolicy"))
    errors += supported_if_set(internal, "spec.internalTrafficPolicy", _POLICIES)
    return errors + supported_if_set(spec.get("trafficDistribution"), "spec.trafficDistribution", _DISTRIBUTIONS)


def validate_service_update(new: Object, old: Object) -> list[FieldError]:
    """Faults in a changed Service: its first address and family stay for as long as it has them."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    errors = validate_metadata_update(new, old)
    if "ExternalName" not in (spec.get("type"), before.get("type")):
        errors += _address_changes(spec, before) + _family_changes(spec, before)
    if spec.get("type") == before.get("type") == "LoadBalancer":
        load_class = spec.get("loadBalancerClass")
        if load_class != before.get("loadBalancerClass"):
            errors.append(invalid("spec.loadBalancerClass", load_class, _CHANGED))
    errors += _load_balancer_class(spec)  # told again below, as upstream does
    port, had = spec.get("healthCheckNodePort") or 0, before.get("healthCheckNodePort") or 0
    if needs_health_check(spec) and needs_health_check(before) and port and had and port != had:
        errors.append(forbidden("spec.healthCheckNodePort", "field is immutable"))
    return errors + _service(new, old)


def _address_changes(spec: Object, before: Object) -> list[FieldError]:
    if is_headless(spec) and is_headless(before):
        return []
    now, then = spec.get("clusterIPs") or [], before.get("clusterIPs") or []
    errors: list[FieldError] = []
    if len(now) == len(then):
        changed = [index for index, address in enumerate(then) if address != now[index]]
        return [invalid(f"spec.clusterIPs[{index}]", now, _CHANGED) for index in changed]
    if not now:
        errors.append(invalid("spec.clusterIPs[0]", None, "primary clusterIP can not be unset"))
    elif then and now[0] != then[0]:
        errors.append(invalid("spec.clusterIPs[0]", now, _CHANGED))
    if len(then) > len(now) == 1 and spec.get("ipFamilyPolicy") != "SingleStack":
        why = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        errors.append(invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), why))
    return errors


def _family_changes(spec: Object, before: Object) -> list[FieldError]:
    if is_headless(spec) or is_headless(before):
        return []
    now, then = spec.get("ipFamilies") or [], before.get("ipFamilies") or []
    path = "spec.ipFamilies[0]"
    errors: list[FieldError] = []
    if len(now) == len(then):
        return [invalid(path, now, _CHANGED) for a, b in zip(now, then, strict=True) if a != b]
    if len(then) > len(now) and not spec.get("clusterIPs"):
        errors.append(invalid(path, now or None, "primary ipFamily can not be unset"))
    if now and then and now[0] != then[0]:
        errors.append(invalid(path, spec.get("clusterIPs") or None, _CHANGED))  # upstream shows the addresses here
    if len(then) > len(now) == 1 and spec.get("ipFamilyPolicy") != "SingleStack":
        why = "must be set to 'SingleStack' when releasing the secondary ipFamily"
        errors.append(invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), why))
    return errors


def validate_service_status(new: Object, old: Object) -> list[FieldError]:
    """Faults in the status of a load balancer."""
    errors = validate_metadata_update(new, old)
    ingress, had = (((each.get("status") or {}).get("loadBalancer") or {}).get("ingress") or [] for each in (new, old))
    if ingress and (new.get("spec") or {}).get("type") != "LoadBalancer":
        why = "may only be used when `spec.type` is 'LoadBalancer'"
        return [*errors, forbidden("status.loadBalancer.ingress", why)]
    kept = {entry.get("ip") or "" for entry in had}
    return errors + load_balancer_ingress(ingress, "status.loadBalancer.ingress", kept)


def load_balancer_ingress(entries: list[Object], path: str, kept: Collection[str]) -> list[FieldError]:
    """Faults in the points where a load balancer takes traffic in; addresses that are `kept` are not judged again."""
    errors: list[FieldError] = []
    for index, entry in enumerate(entries):
        at = f"{path}[{index}]"
        address, mode, name = entry.get("ip") or "", entry.get("ipMode"), entry.get("hostname") or ""
        if address and address not in kept:
            errors += ip_address(address, f"{at}.ip")
        if mode is None and address:
            errors.append(required(f"{at}.ipMode", "must be specified when `ip` is set"))
        elif mode is not None and not address:
            errors.append(forbidden(f"{at}.ipMode", "may not be specified when `ip` is not set"))
        elif mode is not None and mode not in ("Proxy", "VIP"):
            errors.append(not_supported(f"{at}.ipMode", mode, ("Proxy", "VIP")))
        if name:
            errors += dns_subdomain(name, f"{at}.hostname")
            if names.parse_ip(name):
                errors.append(invalid(f"{at}.hostname", name, "must be a DNS name, not an IP address"))
    return errors


RULES = {("", "Service"): Rules(validate_service, validate_service_update, validate_service_status)}
