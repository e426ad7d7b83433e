"""Guards ServiceCIDRs: a finalizer keeps one from going while addresses would be left without a range.

Source: pkg/controller/servicecidrs.
"""

import ipaddress
from collections.abc import Iterable, Sequence

from kubepy.api import resources
from kubepy.api.errors import NotFound
from kubepy.api.meta import Object, add_finalizer, condition_of, is_deleting, key_of, name_of, remove_finalizer
from kubepy.controllers.controller import Context, Controller
from kubepy.lib.clock import parse_rfc3339, rfc3339

_RANGES = resources.named("servicecidrs", "networking.k8s.io")
_ADDRESSES = resources.named("ipaddresses", "networking.k8s.io")
FINALIZER = "networking.k8s.io/service-cidr-finalizer"
_MANAGED_BY, _MANAGER = "ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io"
_GRACE_S = 10.0
"""Time for every API server to hear of the deletion: until then one may still give addresses from the range."""
_READY = "Kubernetes Service CIDR is ready"
_BLOCKED = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks_of(service_cidr: Object) -> list[Network]:
    """The ranges of a ServiceCIDR."""
    return [ipaddress.ip_network(text, strict=False) for text in (service_cidr.get("spec") or {}).get("cidrs") or ()]


def can_go(service_cidr: Object, others: Iterable[Object], addresses: Iterable[Object]) -> bool:
    """Whether no address would be left outside of every range; one within larger ones is never missed."""
    own = networks_of(service_cidr)
    rest = [network for other in others for network in networks_of(other)]
    if all(any(_is_within(network, wider) for wider in rest) for network in own):
        return True
    orphans = (ipaddress.ip_address(name_of(found)) for found in addresses if _is_ours(found))
    return not any(
        any(address in network for network in own) and not any(address in network for network in rest)
        for address in orphans
    )


def _is_within(network: Network, wider: Network) -> bool:
    return network.version == wider.version and network.subnet_of(wider)  # type: ignore[arg-type]  # one version


def _is_ours(address: Object) -> bool:
    return (address["metadata"].get("labels") or {}).get(_MANAGED_BY) == _MANAGER


def plan_ready(service_cidr: Object, status: str, reason: str, message: str, now: str) -> Object | None:
    """The ServiceCIDR with its condition, or None where it says so already; its time moves with the status."""
    found = condition_of(service_cidr, "Ready") or {}
    if found.get("status") == status and (status == "True" or found.get("reason") == reason):
        return None
    condition = {
        "type": "Ready", "status": status, "reason": reason, "message": message,
        "lastTransitionTime": found["lastTransitionTime"] if found.get("status") == status else now,
    }  # fmt: skip
    conditions: Sequence[Object] = (service_cidr.get("status") or {}).get("conditions") or ()
    others = [one for one in conditions if one.get("type") != "Ready"]
    return {**service_cidr, "status": {**(service_cidr.get("status") or {}), "conditions": [*others, condition]}}


class ServiceCIDRController(Controller):
    """Works ServiceCIDRs."""

    name = "service-cidr"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._ranges = self.watch(_RANGES)
        self._addresses = self.watch(_ADDRESSES)
        self.enqueue_from(self._ranges, self._overlapping)
        self._addresses.add_handler(on_delete=self._address_gone)

    def _overlapping(self, changed: Object) -> list[str]:
        """Another range may be what one that is to go waits for."""
        waiting = [key_of(one) for one in self._ranges.items() if is_deleting(one)]
        return [key_of(changed), *waiting]

    def _address_gone(self, address: Object) -> None:
        for one in self._ranges.items():
            if is_deleting(one) and _is_ours(address):
                self.queue.add(key_of(one))

    async def sync(self, key: str) -> None:
        found = self._ranges.get(key)
        if found is None:
            return
        try:
            if is_deleting(found):
                await self._let_go(key, found)
            else:
                await self._guard(found)
        except NotFound:
            return

    async def _guard(self, found: Object) -> None:
        guarded = {**found, "metadata": dict(found["metadata"])}
        if add_finalizer(guarded, FINALIZER):
            found = await self.client.update(_RANGES, guarded)
        await self._tell(found, "True", "", _READY)

    async def _let_go(self, key: str, found: Object) -> None:
        freed = {**found, "metadata": dict(found["metadata"])}
        if not remove_finalizer(freed, FINALIZER):
            return
        others = [one for one in self._ranges.items() if key_of(one) != key]
        if not can_go(found, others, self._addresses.items()):
            await self._tell(found, "False", "Terminating", _BLOCKED)
            return
        since = parse_rfc3339(found["metadata"]["deletionTimestamp"])
        left_s = _GRACE_S - (self.context.clock.now() - since).total_seconds()
        if left_s > 0:
            self.queue.add_after(key, left_s)
            return
        await self.client.update(_RANGES, freed)

    async def _tell(self, found: Object, status: str, reason: str, message: str) -> None:
        changed = plan_ready(found, status, reason, message, rfc3339(self.context.clock.now()))
        if changed is not None:
            await self.client.update(_RANGES, changed, subresource="status")
