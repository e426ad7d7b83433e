"""What an update of a Service keeps that it leaves out, and drops that its type no longer has. Pure.

Source: pkg/registry/core/service: normalizeClusterIPs and patchAllocatedValues of storage/storage.go,
dropTypeDependentFields of strategy.go.
"""

from kubepy.api.meta import Object
from kubepy.api.validation.service import is_externally_accessible, needs_health_check

_WITH_PORTS = frozenset(("NodePort", "LoadBalancer"))
_FAMILY_FIELDS = ("ipFamilies", "ipFamilyPolicy")


def needs_address(spec: Object) -> bool:
    """Whether the type has cluster addresses, `None` for none among them."""
    return spec.get("type") != "ExternalName"


def needs_ports(spec: Object) -> bool:
    """Whether the type has node ports."""
    return spec.get("type") in _WITH_PORTS


def node_ports(spec: Object) -> list[int]:
    """The node ports of its ports, in order."""
    return [port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")]


def normalize_addresses(spec: Object, before: Object | None) -> None:
    """Brings clusterIPs into line with a clusterIP that a client wrote which knows only that."""
    address, listed = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    if before is None:
        if address and not listed:
            spec["clusterIPs"] = [address]
        return
    had, had_list = before.get("clusterIP") or "", before.get("clusterIPs") or []
    if had_list and not listed and address == had:
        spec["clusterIPs"] = list(had_list)
    elif address != had and listed == had_list:
        if address:
            spec["clusterIPs"] = [address]
        elif had:
            spec.pop("clusterIPs", None)


def drop_of_other_types(spec: Object, before: Object) -> None:
    """What only the old type had goes, where the update left it as it was."""
    if needs_address(before) and not needs_address(spec):
        if all(spec.get(name) == before.get(name) for name in ("clusterIP", "clusterIPs")):
            spec.pop("clusterIP", None)
            spec.pop("clusterIPs", None)
        _drop_unchanged(spec, before, *_FAMILY_FIELDS)
    if needs_ports(before) and not needs_ports(spec) and set(node_ports(before)) >= set(node_ports(spec)):
        for port in spec.get("ports") or ():
            port.pop("nodePort", None)
    if needs_health_check(before) and not needs_health_check(spec):
        _drop_unchanged(spec, before, "healthCheckNodePort")
    if before.get("type") == "LoadBalancer" and spec.get("type") != "LoadBalancer":
        _drop_unchanged(spec, before, "allocateLoadBalancerNodePorts", "loadBalancerClass")
    if is_externally_accessible(before) and not is_externally_accessible(spec):
        _drop_unchanged(spec, before, "externalTrafficPolicy")


def _drop_unchanged(spec: Object, before: Object, *names: str) -> None:
    for name in names:
        if name in spec and spec[name] == before.get(name):
            del spec[name]


def carry_allocated(spec: Object, before: Object) -> None:
    """What was allocated stays where the update leaves it out: who sends the same manifest again changes nothing."""
    if needs_address(before) and needs_address(spec):
        for name in ("clusterIP", "clusterIPs"):
            if not spec.get(name) and before.get(name):
                spec[name] = before[name]
    if needs_ports(before) and needs_ports(spec):
        _carry_ports(spec, before)
    had = before.get("healthCheckNodePort")
    if had and needs_health_check(before) and needs_health_check(spec) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = had


def _carry_ports(spec: Object, before: Object) -> None:
    """By the names of the ports: whatever else of them changes, the node port stays."""
    used = set(node_ports(before)) & set(node_ports(spec))
    had = {port.get("name") or "": port.get("nodePort") or 0 for port in before.get("ports") or ()}
    for port in spec.get("ports") or ():
        known = had.get(port.get("name") or "", 0)
        if not port.get("nodePort") and known and known not in used:
            port["nodePort"] = known
            used.add(known)
