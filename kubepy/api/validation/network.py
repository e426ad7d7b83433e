"""Rules of NetworkPolicies, Ingresses, IngressClasses, ServiceCIDRs and IPAddresses.

What is missing in an IP block, in a class's parameters and in an IPAddress's parent is told of by v1.37's declarative
rules, after everything else.
Source: pkg/apis/networking/validation/validation.go; the +k8s:beta tags of staging/src/k8s.io/api/networking/v1.
"""

from collections.abc import Iterable

from kubepy.api import names
from kubepy.api.errors import FieldError, forbidden, invalid, not_supported, rendered, required, too_long
from kubepy.api.meta import Object
from kubepy.api.validation.checks import (
    checked,
    domain_path,
    named,
    one_of,
    spec_of,
    status_of,
    typed_reference,
    unchanged,
)
from kubepy.api.validation.equality import same
from kubepy.api.validation.fields import cidr, label_selector, missing, port_number
from kubepy.api.validation.meta import IMMUTABLE, validate_metadata, validate_metadata_update
from kubepy.api.validation.rules import Rules

_PROTOCOLS = ("TCP", "UDP", "SCTP")
_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_CONTROLLER_LIMIT = 250
_BAD_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
_BAD_SUFFIXES = ("/..", "/.")
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_GROUP = "networking.k8s.io"


def _policy_port(port: Object, path: str) -> list[FieldError]:
    number, end = port.get("port"), port.get("endPort")
    errors: list[FieldError] = []
    if port.get("protocol") is not None:
        errors += one_of(port["protocol"], f"{path}.protocol", _PROTOCOLS)
    if number is None:
        if end is not None:
            errors.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is not specified"))
    elif isinstance(number, str):
        if end is not None:
            errors.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is non-numeric"))
        errors += checked(number, f"{path}.port", names.is_port_name)
    else:
        errors += port_number(number, f"{path}.port")
        if end is not None:
            if end < number:
                errors.append(invalid(f"{path}.endPort", number, "must be greater than or equal to `port`"))
            errors += port_number(end, f"{path}.endPort")
    return errors


def _policy_peer(peer: Object, path: str, kept: frozenset[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    selectors = [field for field in ("podSelector", "namespaceSelector") if peer.get(field) is not None]
    for field in selectors:
        errors += label_selector(peer[field], f"{path}.{field}")
    block = peer.get("ipBlock")
    if block is not None:
        errors += _ip_block(block, f"{path}.ipBlock", kept)
        if selectors:
            errors.append(forbidden(path, "may not specify both ipBlock and another peer"))
    elif not selectors:
        errors.append(required(path, "must specify a peer"))
    return errors


def _ip_block(block: Object, path: str, kept: frozenset[str]) -> list[FieldError]:
    if not block.get("cidr"):
        return []
    network = names.parse_cidr(block["cidr"])
    errors = [] if block["cidr"] in kept else cidr(block["cidr"], f"{path}.cidr")
    if network is None:
        return errors
    for index, text in enumerate(block.get("except") or ()):
        inner = names.parse_cidr(text)
        errors += [] if text in kept else cidr(text, f"{path}.except[{index}]")
        if inner is None:
            continue
        is_inside = inner.version == network.version and inner.network_address in network
        if not is_inside or inner.prefixlen <= network.prefixlen:
            errors.append(invalid(f"{path}.except[{index}]", text, "must be a strict subset of `cidr`"))
    return errors


def _validate_policy(spec: Object, kept: frozenset[str] = frozenset()) -> list[FieldError]:
    """Faults of a spec; the CIDRs `kept` from before stay as they are."""
    errors = label_selector(spec.get("podSelector"), "spec.podSelector")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            at = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or ()):
                errors += _policy_port(port, f"{at}.ports[{number}]")
            for number, peer in enumerate(rule.get(peers) or ()):
                errors += _policy_peer(peer, f"{at}.{peers}[{number}]", kept)
    types = spec.get("policyTypes") or []
    if len(types) > 2:
        return [*errors, invalid("spec.policyTypes", types, "may not specify more than two policyTypes")]
    for index, kind in enumerate(types):
        errors += one_of(kind, f"spec.policyTypes[{index}]", ("Ingress", "Egress"))
    return errors


def create_policy(obj: Object) -> list[FieldError]:
    """Faults of a new NetworkPolicy."""
    spec = spec_of(obj)
    errors = validate_metadata(obj, True, names.is_dns1123_subdomain) + _validate_policy(spec)
    return errors + _missing_ranges(spec)


def update_policy(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed NetworkPolicy."""
    errors = validate_metadata_update(new, old) + _validate_policy(spec_of(new), _ranges_of(spec_of(old)))
    return errors + _missing_ranges(spec_of(new))


def _blocks(spec: Object) -> list[tuple[str, Object]]:
    """Every IP block of a policy, with its path."""
    return [
        (f"spec.{direction}[{index}].{side}[{number}].ipBlock", peer["ipBlock"])
        for direction, side in (("ingress", "from"), ("egress", "to"))
        for index, rule in enumerate(spec.get(direction) or ())
        for number, peer in enumerate(rule.get(side) or ())
        if peer.get("ipBlock") is not None
    ]


def _missing_ranges(spec: Object) -> list[FieldError]:
    return [required(f"{path}.cidr") for path, block in _blocks(spec) if not block.get("cidr")]


def _ranges_of(spec: Object) -> frozenset[str]:
    """Every CIDR of a policy."""
    return frozenset(
        text for _, block in _blocks(spec) for text in (block.get("cidr") or "", *(block.get("except") or ()))
    )


def _host(host: str, path: str) -> list[FieldError]:
    check = names.is_wildcard_dns1123_subdomain if "*" in host else names.is_dns1123_subdomain
    return checked(host, path, check)


def _backend(backend: Object, path: str) -> list[FieldError]:
    resource, service = backend.get("resource"), backend.get("service")
    if resource is not None and service is not None:
        return [invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return typed_reference(resource, f"{path}.resource")
    if service is None:
        return [invalid(path, "", "resource or service backend is required")]
    errors = named(service.get("name"), f"{path}.service.name", names.is_dns1123_label)
    port = service.get("port") or {}
    if port.get("name") and port.get("number"):
        errors.append(invalid(path, "", "cannot set both port name & port number"))
    elif port.get("name"):
        errors += checked(port["name"], f"{path}.service.port.name", names.is_port_name)
    elif port.get("number"):
        errors += port_number(port["number"], f"{path}.service.port.number")
    else:
        errors.append(required(path, "port name or number is required"))
    return errors


def _http_path(rule: Object, path: str) -> list[FieldError]:
    kind, text = rule.get("pathType"), rule.get("path") or ""
    if kind is None:
        return [required(f"{path}.pathType", "pathType must be specified")]
    at = f"{path}.path"
    errors: list[FieldError] = []
    if kind in ("Exact", "Prefix"):
        if not text.startswith("/"):
            errors.append(invalid(at, text, "must be an absolute path"))
        errors += [invalid(at, text, f"must not contain '{bad}'") for bad in _BAD_SEQUENCES if bad in text]
        errors += [invalid(at, text, f"cannot end with '{bad}'") for bad in _BAD_SUFFIXES if text.endswith(bad)]
    elif kind == "ImplementationSpecific":
        if text and not text.startswith("/"):
            errors.append(invalid(at, text, "must be an absolute path"))
    else:
        errors.append(not_supported(f"{path}.pathType", kind, _PATH_TYPES))
    return errors + _backend(rule.get("backend") or {}, f"{path}.backend")


def _ingress_rule(rule: Object, path: str, *, lets_wildcards_pass: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    if host := rule.get("host"):
        if names.parse_ip(host) is not None:
            errors.append(invalid(f"{path}.host", host, "must be a DNS name, not an IP address"))
        errors += _host(host, f"{path}.host")
    if lets_wildcards_pass and "*" in (host or ""):
        return errors
    return errors + _http(rule.get("http"), f"{path}.http")


def _http(http: Object | None, path: str) -> list[FieldError]:
    if http is None:
        return []
    errors = [] if http.get("paths") else [required(f"{path}.paths")]
    for index, inner in enumerate(http.get("paths") or ()):
        errors += _http_path(inner, f"{path}.paths[{index}]")
    return errors


def _ingress_tls(entries: Iterable[Object], *, lets_secrets_pass: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, entry in enumerate(entries):
        for number, host in enumerate(entry.get("hosts") or ()):
            errors += _host(host, f"spec.tls[{index}].hosts[{number}]")
        if not lets_secrets_pass and (secret := entry.get("secretName")):
            errors += checked(secret, f"spec.tls[{index}].secretName", names.is_dns1123_subdomain)
    return errors


def _validate_ingress(obj: Object, before: Object) -> list[FieldError]:
    """Faults of an Ingress, whose spec was `before`: bad names of secrets and wildcards' rules may go on."""
    errors = validate_metadata(obj, True, names.is_dns1123_subdomain)
    spec = spec_of(obj)
    rules, backend = spec.get("rules") or [], spec.get("defaultBackend")
    if not rules and backend is None:
        errors.append(invalid("spec", spec.get("rules"), "either `defaultBackend` or `rules` must be specified"))
    if backend is not None:
        errors += _backend(backend, "spec.defaultBackend")
    for index, rule in enumerate(rules):
        errors += _ingress_rule(rule, f"spec.rules[{index}]", lets_wildcards_pass=_has_bad_wildcard(before))
    errors += _ingress_tls(spec.get("tls") or (), lets_secrets_pass=_has_bad_secret(before))
    if spec.get("ingressClassName") is not None:
        errors += checked(spec["ingressClassName"], "spec.ingressClassName", names.is_dns1123_subdomain)
    return errors


def _has_bad_wildcard(spec: Object) -> bool:
    return any("*" in (rule.get("host") or "") and _http(rule.get("http"), "") for rule in spec.get("rules") or ())


def _has_bad_secret(spec: Object) -> bool:
    return any(names.is_dns1123_subdomain(entry.get("secretName") or "x") for entry in spec.get("tls") or ())


def create_ingress(obj: Object) -> list[FieldError]:
    """Faults of a new Ingress; where its class is said twice, it is the same."""
    errors = _validate_ingress(obj, {})
    annotated = ((obj.get("metadata") or {}).get("annotations") or {}).get(_CLASS_ANNOTATION)
    if annotated is not None and spec_of(obj).get("ingressClassName") not in (None, annotated):
        why = "must match `ingressClassName` when both are specified"
        errors.append(invalid(f"annotations.{_CLASS_ANNOTATION}", annotated, why))
    return errors


def update_ingress(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed Ingress."""
    return validate_metadata_update(new, old) + _validate_ingress(new, spec_of(old))


def ingress_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of an Ingress's status."""
    errors = validate_metadata_update(new, old)
    points = (status_of(new).get("loadBalancer") or {}).get("ingress") or ()
    for index, point in enumerate(points):
        at = f"status.loadBalancer.ingress[{index}]"
        if address := point.get("ip"):
            errors += checked(address, f"{at}.ip", names.is_ip)
        if host := point.get("hostname"):
            errors += checked(host, f"{at}.hostname", names.is_dns1123_subdomain)
            if names.parse_ip(host) is not None:
                errors.append(invalid(f"{at}.hostname", host, "must be a DNS name, not an IP address"))
    return errors


def _class_parameters(parameters: Object, path: str) -> list[FieldError]:
    errors = typed_reference(parameters, path, may_miss=True)
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope is None:
        return [*errors, required(f"{path}.scope")]
    if scope not in ("Cluster", "Namespace"):
        return [*errors, not_supported(f"{path}.scope", scope, ("Cluster", "Namespace"))]
    if scope == "Cluster" and namespace is not None:
        errors.append(forbidden(f"{path}.namespace", "`parameters.scope` is set to 'Cluster'"))
    if scope == "Namespace":
        if namespace is None:
            errors.append(required(f"{path}.namespace", "`parameters.scope` is set to 'Namespace'"))
        else:
            errors += checked(namespace, f"{path}.namespace", names.is_dns1123_label)
    return errors


def _validate_class(spec: Object) -> list[FieldError]:
    controller = spec.get("controller") or ""
    errors = [too_long("spec.controller", _CONTROLLER_LIMIT)] if len(controller) > _CONTROLLER_LIMIT else []
    errors += domain_path(controller, "spec.controller")
    if spec.get("parameters") is not None:
        errors += _class_parameters(spec["parameters"], "spec.parameters")
    return errors


def create_class(obj: Object) -> list[FieldError]:
    """Faults of a new IngressClass."""
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain) + _validate_class(spec_of(obj))
    parameters = spec_of(obj).get("parameters")
    return errors + ([] if parameters is None else missing(parameters, "spec.parameters", "kind", "name"))


def update_class(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed IngressClass: its controller stays."""
    errors = validate_metadata_update(new, old)
    errors += unchanged(spec_of(new).get("controller"), spec_of(old).get("controller"), "spec.controller")
    return errors + create_class(new)


def _validate_ranges(ranges: list[str]) -> list[FieldError]:
    path = "spec.cidrs"
    if not ranges:
        return [required(path, "at least one CIDR required")]
    if len(ranges) > 2:
        return [invalid(path, {"CIDRs": ranges}, "may only hold up to 2 values")]
    networks = [names.parse_cidr(text) for text in ranges]
    if len(ranges) == 2 and {4, 6} != {network.version for network in networks if network is not None}:
        why = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        return [invalid(path, {"CIDRs": ranges}, why)]
    errors: list[FieldError] = []
    for index, text in enumerate(ranges):
        errors += checked(text, f"{path}[{index}]", names.is_canonical_cidr)
    return errors


def create_service_cidr(obj: Object) -> list[FieldError]:
    """Faults of a new ServiceCIDR."""
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain)
    return errors + _validate_ranges(spec_of(obj).get("cidrs") or [])


def update_service_cidr(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed ServiceCIDR: a second family may join, nothing else changes."""
    now, before = spec_of(new).get("cidrs") or [], spec_of(old).get("cidrs") or []
    errors = validate_metadata_update(new, old)
    if len(now) != len(before) and (len(before), len(now)) != (1, 2):
        return [*errors, invalid("spec.cidrs", spec_of(new).get("cidrs"), IMMUTABLE)]
    for index, (text, kept) in enumerate(zip(now, before, strict=False)):
        if text != kept:
            errors.append(invalid(f"spec.cidrs[{index}]", text, IMMUTABLE))
    return errors + (_validate_ranges(now) if len(now) != len(before) else [])


def service_cidr_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of a ServiceCIDR's status: upstream's own condition has no reason, so conditions are not looked at."""
    return validate_metadata_update(new, old)


def _parent(reference: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if group := reference.get("group"):
        errors += checked(group, f"{path}.group", names.is_dns1123_subdomain)
    for field in ("resource", "name"):
        if reference.get(field):
            errors += checked(reference[field], f"{path}.{field}", names.is_path_segment_name)
    if namespace := reference.get("namespace"):
        errors += checked(namespace, f"{path}.namespace", names.is_path_segment_name)
    return errors


def create_ip_address(obj: Object) -> list[FieldError]:
    """Faults of a new IPAddress: its name is the address."""
    errors = validate_metadata(obj, False, names.is_canonical_ip)
    parent, path = spec_of(obj).get("parentRef"), "spec.parentRef"
    if parent is None:
        return [*errors, required(path)]
    return errors + _parent(parent, path) + missing(parent, path, "resource", "name")


def update_ip_address(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed IPAddress: its parent stays."""
    now, before = spec_of(new).get("parentRef"), spec_of(old).get("parentRef")
    errors = validate_metadata_update(new, old)
    if same(now, before, "parentRef"):
        return errors
    fields = [field for field in ("group", "resource", "namespace", "name") if (now or {}).get(field)]
    shown = rendered({field: now[field] for field in fields} if now else None)
    errors.append(invalid("spec.parentRef", shown, IMMUTABLE))
    return errors if now else [*errors, required("spec.parentRef")]


RULES: dict[tuple[str, str], Rules] = {
    (_GROUP, "NetworkPolicy"): Rules(create_policy, update_policy),
    (_GROUP, "Ingress"): Rules(create_ingress, update_ingress, ingress_status),
    (_GROUP, "IngressClass"): Rules(create_class, update_class),
    (_GROUP, "ServiceCIDR"): Rules(create_service_cidr, update_service_cidr, service_cidr_status),
    (_GROUP, "IPAddress"): Rules(create_ip_address, update_ip_address),
}
