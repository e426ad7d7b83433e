"""What an API server does about Services beside requests: the default ServiceCIDR, and repairs of what was taken.

Every server runs these; what two do at once is done once. Plans are pure, in registry/services/repairing.py.
Source: pkg/controlplane/controller/defaultservicecidr; the controllers below pkg/registry/core/service.
"""

from collections.abc import Sequence
from contextlib import suppress

from kubepy.api import resources
from kubepy.api.errors import AlreadyExists, ApiError, Conflict, NotFound
from kubepy.api.go_values import show
from kubepy.api.meta import Object
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.registry.services.addresses import ADDRESSES, RANGES, AddressRange, canonical, render_address
from kubepy.apiserver.registry.services.ports import PortAllocator
from kubepy.apiserver.registry.services.repairing import (
    Repair,
    addresses_of,
    plan_address_repairs,
    plan_port_repair,
)
from kubepy.client.client import Client
from kubepy.client.events import EventRecorder
from kubepy.lib import log
from kubepy.lib.clock import Clock, rfc3339
from kubepy.storage.base import KeyExists, KeyMissing, RevisionConflict, StoreError

_SERVICES = resources.named("services")
_NAME = "kubernetes"
_CIDR_PERIOD_S, _REPAIR_PERIOD_S = 10.0, 180.0
_TRIES = 5
_log = log.get(__name__)


class DefaultServiceCidr:
    """Keeps the ServiceCIDR `kubernetes` as the flags say; one that says otherwise is left alone, and told of."""

    def __init__(self, client: Client, lookup: Lookup, clock: Clock, cidrs: Sequence[str]) -> None:
        self._client, self._lookup, self._clock = client, lookup, clock
        self._cidrs = list(cidrs)
        self._recorder = EventRecorder(client, "kubernetes-service-cidr-controller")
        self._told = False

    async def sync(self) -> None:
        """One round; afterwards addresses can be given. Raises ApiError."""
        found = self._lookup.get(RANGES, _NAME)
        if found is None:
            await self._lookup.fresh(RANGES)
            found = self._lookup.get(RANGES, _NAME)
        if found is None:
            meta = {"name": _NAME}
            wanted = {"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": meta}
            with suppress(AlreadyExists):  # another server was faster
                found = await self._client.create(RANGES, {**wanted, "spec": {"cidrs": self._cidrs}})
            await self._lookup.fresh(RANGES)
        if found is not None and not found["metadata"].get("deletionTimestamp"):
            await self._bring_up(found)

    async def run(self) -> None:
        """Keeps on until cancelled."""
        try:
            while True:
                await self._clock.sleep(_CIDR_PERIOD_S)
                try:
                    await self.sync()
                except (ApiError, StoreError) as fault:
                    _log.warning("default ServiceCIDR not in order", error=fault)
        finally:
            await self._recorder.close()

    async def _bring_up(self, found: Object) -> None:
        cidrs = (found.get("spec") or {}).get("cidrs") or []
        try:
            if len(self._cidrs) == 2 and cidrs == self._cidrs[:1]:
                await self._client.update(RANGES, {**found, "spec": {"cidrs": self._cidrs}})
            elif cidrs != self._cidrs:
                self._tell_once(found, cidrs)
            elif not _ready_condition(found):
                await self._client.update(RANGES, _made_ready(found, rfc3339(self._clock.now())), subresource="status")
        except Conflict:
            return  # another server did it, or the next round will

    def _tell_once(self, found: Object, cidrs: Sequence[str]) -> None:
        if not self._told:
            why = (
                f"The default ServiceCIDR {show(list(cidrs))} does not match the controller flag configurations "
                f"{show(self._cidrs)}"
            )
            self._recorder.event(found, "Warning", "KubernetesDefaultServiceCIDRInconsistent", why)
            _log.warning("default ServiceCIDR is not what the flag says", found=list(cidrs), flag=self._cidrs)
        self._told = True


def _ready_condition(found: Object) -> Object | None:
    conditions = (found.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == "Ready" and one.get("status") != "Unknown"), None)


def _made_ready(found: Object, now: str) -> Object:
    condition = {
        "type": "Ready", "status": "True", "reason": "", "lastTransitionTime": now,
        "message": "Kubernetes default Service CIDR is ready",
    }  # fmt: skip
    return {**found, "status": {"conditions": [condition]}}


class Repairs:
    """Brings what is taken into line with the Services, again and again; `sync` is one round."""

    def __init__(self, client: Client, lookup: Lookup, clock: Clock, ports: PortAllocator) -> None:
        self._client, self._lookup, self._clock, self._ports = client, lookup, clock, ports
        self._address_events = EventRecorder(client, "ipallocator-repair-controller")
        self._port_events = EventRecorder(client, "portallocator-repair-controller")
        self._leaks: dict[int, int] = {}

    async def run(self) -> None:
        """Keeps on until cancelled."""
        try:
            while True:
                await self._clock.sleep(_REPAIR_PERIOD_S)
                try:
                    await self.sync()
                except (ApiError, StoreError) as fault:
                    _log.warning("Services not checked against what is taken for them", error=fault)
        finally:
            await self._address_events.close()
            await self._port_events.close()

    async def sync(self) -> None:
        """One round. Raises ApiError, StoreError."""
        await self.sync_ports()
        await self.sync_addresses()

    async def sync_addresses(self) -> None:
        """The list of Services is read before that of addresses: what a Service of the one has, is in the other."""
        await self._lookup.fresh(_SERVICES)
        services = self._lookup.list(_SERVICES)
        await self._lookup.fresh(ADDRESSES)
        await self._lookup.fresh(RANGES)
        ranges = [
            AddressRange(text)
            for found in self._lookup.list(RANGES)
            for text in (found.get("spec") or {}).get("cidrs") or ()
        ]
        addresses = self._lookup.list(ADDRESSES)
        for step in plan_address_repairs(services, addresses, ranges, self._clock.now()):
            await self._carry_out(step)

    async def _carry_out(self, step: Repair) -> None:
        if step.action in ("create", "recreate") and not await self._still_holds(step):
            return
        _log.warning("repair of a Service's address", action=step.action, reason=step.reason, why=step.message)
        self._address_events.event(step.about, "Warning", step.reason, step.message)
        name = canonical(step.address)
        if step.action in ("recreate", "delete"):
            with suppress(NotFound):
                await self._client.delete(ADDRESSES, name)
        if step.action in ("create", "recreate"):
            meta = step.about["metadata"]
            with suppress(AlreadyExists):
                await self._client.create(ADDRESSES, render_address(name, meta["namespace"], meta["name"]))

    async def _still_holds(self, step: Repair) -> bool:
        """A Service that was deleted since the plan took its address along."""
        await self._lookup.fresh(_SERVICES)
        meta = step.about["metadata"]
        now = self._lookup.get(_SERVICES, meta["name"], meta["namespace"])
        return now is not None and step.address in addresses_of(now)

    async def sync_ports(self) -> None:
        """The bitmap is read before the Services: whoever takes a port meanwhile makes this round start over."""
        for _ in range(_TRIES):
            stored = await self._ports.read()
            await self._lookup.fresh(_SERVICES)
            plan = plan_port_repair(
                self._lookup.list(_SERVICES), stored, self._ports.low, self._ports.high, self._leaks
            )
            try:
                await self._ports.replace(stored, plan.ports)
            except (RevisionConflict, KeyExists, KeyMissing):
                continue
            self._leaks = plan.leaks
            for service, reason, message in plan.events:
                _log.warning("repair of a Service's node port", reason=reason, why=message)
                self._port_events.event(service, "Warning", reason, message)
            return
