"""The rules of Nodes: taints, addresses of their pods, resources, and what is set once.

Source: pkg/apis/core/validation, ValidateNode and ValidateNodeUpdate.
"""

import json

from kubepy.api import names
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, required
from kubepy.api.meta import Object
from kubepy.api.validation.affinity import validate_taints
from kubepy.api.validation.annotated import annotated_taints
from kubepy.api.validation.fields import cidr, dns_label, dns_subdomain, one_per_family, unique
from kubepy.api.validation.meta import validate_metadata, validate_metadata_update
from kubepy.api.validation.resources import resource_quantity
from kubepy.api.validation.rules import Rules
from kubepy.api.validation.shown import NODE_ADDRESS, NODE_CONFIG_SOURCE, show

_AVOID_PODS = "scheduler.alpha.kubernetes.io/preferAvoidPods"
_ONCE = 'node updates may not change {} except from "" to valid'


def validate_node(node: Object) -> list[FieldError]:
    """Faults in a new Node."""
    spec = node.get("spec") or {}
    errors = validate_metadata(node, False, names.is_dns1123_subdomain) + _annotations(node)
    # Upstream tells of taints below metadata.
    errors += validate_taints(spec.get("taints") or (), "metadata.taints") + _resources(node)
    networks = spec.get("podCIDRs") or []
    for index, network in enumerate(networks):
        errors += cidr(network, f"spec.podCIDRs[{index}]")
    errors += one_per_family(networks, "spec.podCIDRs", networks, noun="CIDR")
    return errors + unique(networks, "spec.podCIDRs")


def _annotations(node: Object) -> list[FieldError]:
    annotations, path = (node.get("metadata") or {}).get("annotations") or {}, "metadata.annotations"
    errors = annotated_taints(annotations, path)
    if not (text := annotations.get(_AVOID_PODS)):
        return errors
    try:
        entries = json.loads(text).get("preferAvoidPods") or []
    except (ValueError, AttributeError) as fault:
        return [*errors, invalid(f"{path}.AvoidPods", _AVOID_PODS, str(fault))]
    for index, entry in enumerate(entries):
        at = f"{path}.{_AVOID_PODS}[{index}].PodSignature"
        controller = (entry.get("podSignature") or {}).get("podController")
        if controller is None:
            errors.append(required(at))
        elif not controller.get("controller"):
            errors.append(invalid(f"{at}.PodController.Controller", False, "must point to a controller"))
    return errors


def _resources(node: Object) -> list[FieldError]:
    status = node.get("status") or {}
    errors: list[FieldError] = []
    for field in ("capacity", "allocatable"):
        for name, amount in (status.get(field) or {}).items():
            errors += resource_quantity(name, amount, f"status.{field}.{name}")
    return errors


def validate_node_update(new: Object, old: Object) -> list[FieldError]:
    """Faults in a changed Node."""
    return validate_node(new) + validate_node_status(new, old)


def validate_node_status(new: Object, old: Object) -> list[FieldError]:
    """Faults in a changed status, and in how all else changed."""
    spec, before, status = new.get("spec") or {}, old.get("spec") or {}, new.get("status") or {}
    errors = validate_metadata_update(new, old) + _annotations(new) + _resources(new)
    seen: list[Object] = []
    for index, address in enumerate(status.get("addresses") or ()):
        if address in seen:
            errors.append(duplicate(f"status.addresses[{index}]", show(address, NODE_ADDRESS)))
        seen.append(address)
    had, now = before.get("podCIDRs") or [], spec.get("podCIDRs") or []
    if had and len(had) != len(now):
        errors.append(forbidden("spec.podCIDRs", _ONCE.format("podCIDR")))
    elif had:
        changed = [a for a, b in zip(had, now, strict=True) if a != b]
        errors += [forbidden("spec.podCIDRs", _ONCE.format("podCIDR")) for _ in changed]
    if before.get("providerID") and before["providerID"] != spec.get("providerID"):
        errors.append(forbidden("spec.providerID", _ONCE.format("providerID")))
    if (source := spec.get("configSource")) is not None:
        errors += _config_source(source, "spec.configSource", in_spec=True)
    for field in ("assigned", "active", "lastKnownGood"):
        if (source := (status.get("config") or {}).get(field)) is not None:
            errors += _config_source(source, f"status.config.{field}", in_spec=False)
    errors += validate_taints(spec.get("taints") or (), "metadata.taints")
    if (spec.get("externalID") or "") != (before.get("externalID") or ""):
        errors.append(forbidden("spec.externalID", "may not be updated"))
    return errors


def _config_source(source: Object, path: str, *, in_spec: bool) -> list[FieldError]:
    """The configuration that kubelets once took from the API: kept valid, not used."""
    ref, at = source.get("configMap"), f"{path}.configMap"
    if ref is None:
        return [invalid(path, show(source, NODE_CONFIG_SOURCE), "exactly one reference subfield must be non-nil")]
    errors: list[FieldError] = []
    for field in ("uid", "resourceVersion"):
        if in_spec and ref.get(field):
            errors.append(forbidden(f"{at}.{field}", f"{field} must not be set in spec"))
        elif not in_spec and not ref.get(field):
            errors.append(required(f"{at}.{field}", f"{field} must be set in status"))
    checks = (("namespace", dns_label), ("name", dns_subdomain))
    for field, check in checks:
        value = ref.get(field)
        errors += check(value, f"{at}.{field}") if value else [required(f"{at}.{field}", f"{field} must be set")]
    key = ref.get("kubeletConfigKey")
    if not key:
        return [*errors, required(f"{at}.kubeletConfigKey", "kubeletConfigKey must be set")]
    return errors + [invalid(f"{at}.kubeletConfigKey", key, text) for text in names.is_config_key(key)]


RULES = {("", "Node"): Rules(validate_node, validate_node_update, validate_node_status)}
