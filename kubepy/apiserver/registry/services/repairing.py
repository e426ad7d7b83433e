"""What to do where Services and what was taken for them do not agree. Pure.

Leaks come from servers that died between taking and storing; what is missing, from someone's hand or from a cluster
whose Services are older than the list of what is taken.
Source: pkg/registry/core/service/{ipallocator,portallocator}/controller.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from kubepy.api.meta import Object
from kubepy.apiserver.registry.services.addresses import (
    FAMILY,
    MANAGED_BY,
    MANAGER,
    AddressRange,
    canonical,
    family_of,
    parent_of,
)
from kubepy.apiserver.registry.services.carrying import needs_address
from kubepy.apiserver.registry.services.families import HEADLESS
from kubepy.apiserver.registry.services.ports import Bitmap
from kubepy.lib.clock import parse_rfc3339

LEAKED_AFTER = timedelta(seconds=60)
"""As long as a write may take: until then an address without its Service is one that is being made."""
LEAKS_SEEN = 3
"""So many rounds must find a node port without a Service before it is freed."""
_RECREATE = "please recreate service"


@dataclass(frozen=True, slots=True)
class Repair:
    """One step: what becomes of the IPAddress `address`, and the Warning that tells of it, about `about`."""

    action: Literal["create", "recreate", "delete", "tell"]
    address: str
    about: Object
    reason: str
    message: str


def addresses_of(service: Object) -> list[str]:
    """The cluster addresses that a Service holds."""
    spec = service.get("spec") or {}
    return [one for one in spec.get("clusterIPs") or () if one and one != HEADLESS] if needs_address(spec) else []


def plan_address_repairs(
    services: Sequence[Object], addresses: Sequence[Object], ranges: Sequence[AddressRange], now: datetime
) -> list[Repair]:
    """Steps after which each address of a Service has an IPAddress that says so, and no other is ours."""
    by_name = {found["metadata"]["name"]: found for found in addresses}
    holders = {_key(service): set(map(canonical, addresses_of(service))) for service in services}
    steps = [
        step
        for service in services
        for address in addresses_of(service)
        for step in _service_steps(service, address, by_name.get(canonical(address)), ranges, holders)
    ]
    return steps + [step for found in addresses for step in _address_steps(found, holders, now)]


def _key(service: Object) -> tuple[str, str]:
    meta = service["metadata"]
    return meta["namespace"], meta["name"]


def _service_steps(
    service: Object,
    address: str,
    found: Object | None,
    ranges: Sequence[AddressRange],
    holders: Mapping[tuple[str, str], set[str]],
) -> Iterator[Repair]:
    label = f"Cluster IP [{family_of(address)}]"
    if not any(one.holds(address) for one in ranges):
        why = f"{label}: {address} is not within any configured Service CIDR; {_RECREATE}"
        yield Repair("tell", address, service, "ClusterIPOutOfRange", why)
        return
    if found is None:
        why = f"{label}: {address} is not allocated; repairing"
        yield Repair("create", address, service, "ClusterIPNotAllocated", why)
        return
    parent, key = parent_of(found), _key(service)
    owner = (parent.get("namespace") or "", parent.get("name") or "")
    is_service = not parent.get("group") and parent.get("resource") == "services"
    if is_service and owner != key and found["metadata"]["name"] in holders.get(owner, ()):
        why = f"{label}:{address} was assigned to multiple services; {_RECREATE}"
        yield Repair("tell", address, service, "ClusterIPAlreadyAllocated", why)
    elif not is_service or owner != key:
        of = f"{key[0]}/{key[1]}"
        why = f"the ClusterIP [{family_of(address)}]: {address} for Service {of} has a wrong reference; repairing"
        yield Repair("recreate", address, service, "ClusterIPNotAllocated", why)
    elif not _is_labelled(found):
        why = f"{label}: {address} has lost its labels; repairing"
        yield Repair("recreate", address, service, "ClusterIPNotAllocated", why)


def _is_labelled(found: Object) -> bool:
    labels = found["metadata"].get("labels") or {}
    return labels.get(FAMILY) == family_of(found["metadata"]["name"]) and labels.get(MANAGED_BY) == MANAGER


def _address_steps(found: Object, holders: Mapping[tuple[str, str], set[str]], now: datetime) -> Iterator[Repair]:
    meta, parent = found["metadata"], parent_of(found)
    if (meta.get("labels") or {}).get(MANAGED_BY) != MANAGER:
        return
    name = meta["name"]
    if parent.get("group") or parent.get("resource") != "services":
        if not any(name in held for held in holders.values()):
            why = f"IPAddress {name} appears to have been modified, not referencing a Service {parent}: cleaning up"
            yield Repair("delete", name, found, "IPAddressNotAllocated", why)
        return
    owner = (parent.get("namespace") or "", parent.get("name") or "")
    held = holders.get(owner)
    if (held is not None and name in held) or now - parse_rfc3339(meta["creationTimestamp"]) <= LEAKED_AFTER:
        return
    if any(name in others for others in holders.values()):
        return  # another Service's: made anew for that one
    of = f"IPAddress: {name} for Service {owner[0]}/{owner[1]}"
    if held is None:
        yield Repair("delete", name, found, "IPAddressNotAllocated", f"{of} appears to have leaked: cleaning up")
    else:
        yield Repair("delete", name, found, "IPAddressWrongReference", f"{of} has a wrong reference; cleaning up")


@dataclass(slots=True)
class PortPlan:
    """The ports that are to be in use, what is told (Service, reason, message), and the leaks that are watched."""

    ports: set[int] = field(default_factory=set)
    events: list[tuple[Object, str, str]] = field(default_factory=list)
    leaks: dict[int, int] = field(default_factory=dict)


def plan_port_repair(
    services: Sequence[Object], stored: Bitmap, low: int, high: int, leaks: Mapping[int, int]
) -> PortPlan:
    """The bitmap as the Services say; `leaks` are the rounds that each suspect has left."""
    plan = PortPlan()
    known = set(stored.ports())
    for service in services:
        for port in _held_ports(service.get("spec") or {}):
            if not low <= port <= high:
                why = f"Port {port} is not within the port range {low}-{high}; {_RECREATE}"
                plan.events.append((service, "PortOutOfRange", why))
            elif port in plan.ports:
                why = f"Port {port} was assigned to multiple services; {_RECREATE}"
                plan.events.append((service, "PortAlreadyAllocated", why))
            else:
                if port not in known and stored.revision:
                    plan.events.append((service, "PortNotAllocated", f"Port {port} is not allocated; repairing"))
                plan.ports.add(port)
    for port in known - plan.ports:
        left = leaks.get(port, LEAKS_SEEN - 1)
        if left > 0 and low <= port <= high:
            plan.leaks[port] = left - 1
    plan.ports |= plan.leaks.keys()
    return plan


def _held_ports(spec: Object) -> list[int]:
    """One of two protocols on a port counts once; one twice on a port is told of twice."""
    seen: dict[int, set[str]] = {}
    held: list[int] = []
    for port in spec.get("ports") or ():
        number, protocol = port.get("nodePort") or 0, port.get("protocol") or "TCP"
        if number and (number not in seen or protocol in seen[number]):
            held.append(number)
        seen.setdefault(number, set()).add(protocol)
    health = spec.get("healthCheckNodePort") or 0
    if health and "TCP" in seen.get(health, ("TCP",)):
        held.append(health)
    return held
