"""One write of a Service as a transaction: takes what it needs, then keeps or gives back, as the write ends.

What is taken is stored before the Service is, and freed after it is: a crash between leaves something taken that
nobody has, never something that two have; the repair loops find it.
Source: pkg/registry/core/service/storage/alloc.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kubepy.api import errors
from kubepy.api.errors import ApiError, FieldError, InternalError, invalid
from kubepy.api.meta import Object
from kubepy.api.validation.service import needs_health_check
from kubepy.apiserver.registry.services.addresses import AddressAllocator, Unavailable
from kubepy.apiserver.registry.services.carrying import needs_address, needs_ports, node_ports
from kubepy.apiserver.registry.services.families import HEADLESS, is_as_preferred, settle_families
from kubepy.apiserver.registry.services.ports import PortAllocator, PortOperation
from kubepy.lib import log
from kubepy.storage.base import StoreError

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Pools:
    """What Services are given from; the first of `families` is the cluster's own."""

    families: Sequence[str]
    addresses: AddressAllocator
    ports: PortAllocator


@dataclass(slots=True)
class Claim:
    """What one write has taken, and gives up once it is stored."""

    pools: Pools
    dry_run: bool
    ports: PortOperation
    taken: list[str] = field(default_factory=list)
    freed: list[str] = field(default_factory=list)

    async def end(self, *, stored: bool | None) -> None:
        """Frees what is not needed; what cannot be freed now, the repair loops free later.

        Where nobody knows what is stored (None), the old or the new, both stay taken.
        """
        if stored is None:
            return
        try:
            for address in () if self.dry_run else self.freed if stored else self.taken:
                await self.pools.addresses.release(address)
            await self.ports.end(stored=stored)
        except (ApiError, StoreError, Unavailable) as fault:
            _log.warning("allocation not given back: left to the repair loops", error=fault)


async def claim(pools: Pools, service: Object, old: Object | None, *, dry_run: bool) -> Claim:
    """Completes the Service with what it is given. Raises ApiError, having taken nothing."""
    made = Claim(pools, dry_run, PortOperation(pools.ports, dry_run=dry_run))
    spec = service["spec"]
    before: Object | None = (old.get("spec") or {}) if old is not None else None
    try:
        _refuse(service, settle_families(spec, before, pools.families))
        if before is None:
            await _take_addresses(made, service)
        else:
            await _change_addresses(made, service, before)
        await _take_ports(made, service, before)
        await _take_health_port(made, spec, before)
    except BaseException:
        await made.end(stored=False)
        raise
    return made


async def free_all(pools: Pools, service: Object) -> None:
    """Frees what a Service had that is gone."""
    spec = service.get("spec") or {}
    gone = Claim(pools, False, PortOperation(pools.ports, dry_run=False))
    gone.freed += [] if not needs_address(spec) else [one for one in spec.get("clusterIPs") or () if one != HEADLESS]
    gone.ports.give_up(*node_ports(spec))
    if needs_health_check(spec) and spec.get("healthCheckNodePort"):
        gone.ports.give_up(spec["healthCheckNodePort"])
    await gone.end(stored=True)


def _refuse(service: Object, faults: list[FieldError]) -> None:
    if faults:
        raise errors.invalid_object("", "Service", service["metadata"]["name"], faults)


async def _take_addresses(made: Claim, service: Object) -> None:
    """An address for each family that lacks one."""
    spec = service["spec"]
    addresses = list(spec.get("clusterIPs") or ())
    if not needs_address(spec) or addresses[:1] == [HEADLESS]:
        return
    for index, family in enumerate(spec["ipFamilies"]):
        addresses += [""] * (index + 1 - len(addresses))
        addresses[index] = await _take_address(made, service, family, addresses, index)
    spec["clusterIP"], spec["clusterIPs"] = addresses[0], addresses


async def _take_address(made: Claim, service: Object, family: str, addresses: list[str], index: int) -> str:
    pool, meta = made.pools.addresses, service["metadata"]
    owner, wanted = (meta["namespace"], meta["name"]), addresses[index]
    try:
        if wanted:
            await pool.reserve(wanted, owner, dry_run=made.dry_run)
        else:
            wanted = await pool.allocate(family, owner, dry_run=made.dry_run)
    except Unavailable as why:
        if not wanted:
            raise internal(f"failed to allocate a serviceIP: {why}") from why
        fault = invalid("spec.clusterIPs", addresses, f"failed to allocate IP {wanted}: {why}")
        raise errors.invalid_object("", "Service", meta["name"], [fault]) from why
    made.taken.append(wanted)
    return wanted


def internal(why: str) -> InternalError:
    """500, as upstream wraps what goes wrong inside."""
    return InternalError(f"Internal error occurred: {why}", details={"causes": [{"message": why}]})


async def _change_addresses(made: Claim, service: Object, before: Object) -> None:
    spec = service["spec"]
    if is_as_preferred(spec, before):
        return
    had, families = before.get("clusterIPs") or [], before.get("ipFamilies") or []
    if not needs_address(before):
        if needs_address(spec):
            await _take_addresses(made, service)
        return
    if had[:1] == [HEADLESS]:
        return
    if not needs_address(spec):
        made.freed += had
        return
    now = spec.get("ipFamilies") or []
    if len(families) == 1 and len(now) == 2:
        addresses = [*(spec.get("clusterIPs") or ()), ""][:2]
        addresses[1] = await _take_address(made, service, now[1], addresses, 1)
        spec["clusterIPs"] = addresses
    elif len(families) == 2 and len(now) == 1:
        made.freed += had[1:]


async def _take_ports(made: Claim, service: Object, before: Object | None) -> None:
    spec = service["spec"]
    had = node_ports(before) if before is not None and needs_ports(before) else []
    if needs_ports(spec):
        wants_all = spec.get("type") == "NodePort" or spec.get("allocateLoadBalancerNodePorts") is not False
        if before is None:
            await _take_new_ports(made, service, wants_all=wants_all)
        else:
            await _take_changed_ports(made, service, had, wants_all=wants_all)
        made.ports.give_up(*(set(had) - set(node_ports(spec))))
    else:
        made.ports.give_up(*had)


async def _take_new_ports(made: Claim, service: Object, *, wants_all: bool) -> None:
    """Ports of one number, of TCP and of UDP, share a node port unless they ask for two."""
    ports = service["spec"].get("ports") or []
    given: dict[int, int] = {}
    for index, port in enumerate(ports):
        if not port.get("nodePort") and not wants_all:
            continue
        number = port.get("port") or 0
        asked = next((p["nodePort"] for p in ports if p.get("port") == port.get("port") and p.get("nodePort")), 0)
        if number not in given:
            given[number] = port["nodePort"] = await _take_port(made, service, index, asked)
        elif not port.get("nodePort"):
            port["nodePort"] = given[number]
        elif port["nodePort"] != given[number]:
            await _take_port(made, service, index, port["nodePort"])


async def _take_changed_ports(made: Claim, service: Object, had: list[int], *, wants_all: bool) -> None:
    held = set(had)
    seen: set[tuple[str, int]] = set()
    for index, port in enumerate(service["spec"].get("ports") or ()):
        wanted = port.get("nodePort") or 0
        if not wanted and not wants_all:
            continue
        if wanted not in held:
            wanted = port["nodePort"] = await _take_port(made, service, index, wanted)
            held.add(wanted)
        pair = (port.get("protocol") or "TCP", wanted)
        if pair in seen:
            raise internal(f"duplicate nodePort: {{{pair[0]} {pair[1]}}}")
        seen.add(pair)


async def _take_port(made: Claim, service: Object, index: int, wanted: int) -> int:
    try:
        if not wanted:
            return await made.ports.take_any()
        await made.ports.take(wanted)
    except Unavailable as why:
        if not wanted:
            raise internal(f"failed to allocate a nodePort: {why}") from why
        _refuse(service, [invalid(f"spec.ports[{index}].nodePort", wanted, str(why))])
    return wanted


async def _take_health_port(made: Claim, spec: Object, before: Object | None) -> None:
    needed = before is not None and needs_health_check(before)
    if needed and not needs_health_check(spec):
        made.ports.give_up((before or {}).get("healthCheckNodePort") or 0)
    if needed or not needs_health_check(spec):
        return
    wanted = spec.get("healthCheckNodePort") or 0
    try:
        if wanted:
            await made.ports.take(wanted)
        else:
            spec["healthCheckNodePort"] = await made.ports.take_any()
    except Unavailable as why:
        asked = "requested HealthCheck NodePort" if wanted else "a HealthCheck NodePort"
        raise internal(f"failed to allocate {asked} {wanted}: {why}") from why
