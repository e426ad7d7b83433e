"""Services: what they are given (addresses, node ports) and what they keep when their type changes.

Reserved in `begin_write`, settled in `end_write`: between the two the allocators remember, afterwards the cache does.
Source: pkg/registry/core/service/strategy.go, storage/alloc.go.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from kubepy.api import errors
from kubepy.api.errors import FieldError
from kubepy.api.meta import Object, name_of
from kubepy.api.resources import Resource
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.registry.allocating import (
    CLUSTER_IP_FIELD,
    PORTS_FIELD,
    AddressAllocator,
    PortAllocator,
    Unavailable,
)
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.strategy import Strategy
from kubepy.storage.cache import ResourceCache

_WITH_ADDRESS = frozenset(("ClusterIP", "NodePort", "LoadBalancer"))
_WITH_PORTS = frozenset(("NodePort", "LoadBalancer"))
HEADLESS = "None"
Settle = Callable[..., None]


@dataclass(slots=True)
class Ranges:
    """What Services are given from; set before the first write."""

    addresses: AddressAllocator = field(default_factory=lambda: AddressAllocator("10.96.0.0/12"))
    ports: PortAllocator = field(default_factory=lambda: PortAllocator(30000, 32767))


class ServiceStrategy(Strategy):
    """See the module's docstring."""

    allows_create_on_update = True
    empty_status: ClassVar = {"loadBalancer": {}}
    selectable: ClassVar = {CLUSTER_IP_FIELD: ("spec", "clusterIP"), "spec.type": ("spec", "type")}

    def __init__(self, resource: Resource) -> None:
        super().__init__(resource)
        self.ranges = Ranges()
        self._cache: ResourceCache | None = None
        self._held: dict[int, list[Settle]] = {}

    def attach(self, lookup: Lookup, cache: ResourceCache) -> None:
        self._cache = cache

    def fields(self, obj: Object) -> dict[str, str]:
        spec = obj.get("spec") or {}
        ports = [str(port["nodePort"]) for port in spec.get("ports") or () if port.get("nodePort")]
        if spec.get("healthCheckNodePort"):
            ports.append(str(spec["healthCheckNodePort"]))
        return {
            CLUSTER_IP_FIELD: spec.get("clusterIP") or "",
            "spec.type": spec.get("type") or "",
            PORTS_FIELD: ",".join(ports),
        }

    def begin_write(self, obj: Object, old: Object | None, ctx: Context) -> None:
        spec = obj.get("spec")
        if not isinstance(spec, dict) or self._cache is None:
            return
        before: Object = (old or {}).get("spec") or {}
        if old is not None:
            _carry_over(spec, before)
        undo: list[Settle] = self._held.setdefault(id(obj), [])
        faults = self._give_address(spec, before, undo, self._cache) + self._give_ports(spec, before, undo, self._cache)
        if faults:
            self.end_write(obj, old, ctx, stored=False)  # what was reserved before the fault goes back
            raise errors.invalid_object("", "Service", name_of(obj), faults)

    def end_write(self, obj: Object, old: Object | None, ctx: Context, *, stored: bool) -> None:
        meta = obj["metadata"]
        for settle in self._held.pop(id(obj), ()):
            settle(f"/registry/services/specs/{meta.get('namespace')}/{meta.get('name')}", stored=stored)

    def _give_address(self, spec: Object, before: Object, undo: list[Settle], cache: ResourceCache) -> list[FieldError]:
        if spec.get("type", "ClusterIP") not in _WITH_ADDRESS:
            return []
        wanted = spec.get("clusterIP") or (spec.get("clusterIPs") or [""])[0]
        if wanted == HEADLESS or (wanted and wanted == before.get("clusterIP")):
            spec["clusterIP"], spec["clusterIPs"] = wanted, spec.get("clusterIPs") or [wanted]
            return []
        addresses = self.ranges.addresses
        try:
            if wanted:
                addresses.reserve(cache, wanted)
            else:
                wanted = addresses.allocate(cache)
        except Unavailable as why:
            shown = spec.get("clusterIPs") or [wanted]
            text = '[]string{"' + '", "'.join(shown) + '"}'
            message = f"Invalid value: {text}: failed to allocate IP {wanted}: {why}"
            return [FieldError("spec.clusterIPs", "FieldValueInvalid", message)]
        except ValueError:  # no address at all: validation tells
            spec["clusterIPs"] = spec.get("clusterIPs") or [wanted]
            return []
        undo.append(partial(addresses.settle, wanted))
        spec["clusterIP"], spec["clusterIPs"] = wanted, [wanted]
        return []

    def _give_ports(self, spec: Object, before: Object, undo: list[Settle], cache: ResourceCache) -> list[FieldError]:
        kind = spec.get("type")
        if kind not in _WITH_PORTS:
            return []
        held = {port.get("nodePort") for port in before.get("ports") or ()} | {before.get("healthCheckNodePort")}
        wants_all = kind == "NodePort" or spec.get("allocateLoadBalancerNodePorts") is not False
        faults: list[FieldError] = []
        given: dict[int, set[Any]] = {}
        for index, port in enumerate(spec.get("ports") or ()):
            wanted = port.get("nodePort") or 0
            protocol = port.get("protocol") or "TCP"
            if wanted and (wanted in held or (wanted in given and protocol not in given[wanted])):
                given.setdefault(wanted, set()).add(protocol)
                continue
            if wanted or wants_all:
                faults += self._give_port(port, "nodePort", f"spec.ports[{index}].nodePort", undo, cache)
                given.setdefault(port.get("nodePort") or 0, set()).add(protocol)
        is_local = kind == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"
        if is_local and (not spec.get("healthCheckNodePort") or spec["healthCheckNodePort"] not in held):
            faults += self._give_port(spec, "healthCheckNodePort", "spec.healthCheckNodePort", undo, cache)
        return faults

    def _give_port(
        self, holder: Object, name: str, path: str, undo: list[Settle], cache: ResourceCache
    ) -> list[FieldError]:
        ports = self.ranges.ports
        wanted = holder.get(name) or 0
        try:
            if wanted:
                ports.reserve(cache, wanted)
            else:
                wanted = holder[name] = ports.allocate(cache)
        except Unavailable as why:
            return [errors.invalid(path, wanted, str(why))]
        undo.append(partial(ports.settle, wanted))
        return []


def _drop_of_other_types(spec: Object, before: Object, kind: str, was: str) -> None:
    """What only the old type had, and the update left as it was, goes."""
    gone: list[str] = []
    if was in _WITH_PORTS and kind not in _WITH_PORTS:
        gone += ["externalTrafficPolicy", "healthCheckNodePort"]
    if was == "LoadBalancer" and kind != was:
        gone += ["allocateLoadBalancerNodePorts", "loadBalancerClass"]
    for name in gone:
        if name in spec and spec[name] == before.get(name):
            del spec[name]


def _carry_over(spec: Object, before: Object) -> None:
    """An update that leaves out what was allocated keeps it; one that changes the type drops what the new lacks."""
    kind, was = spec.get("type", "ClusterIP"), before.get("type", "ClusterIP")
    if kind in _WITH_ADDRESS and was in _WITH_ADDRESS:
        if not spec.get("clusterIP") and not spec.get("clusterIPs"):
            for name in ("clusterIP", "clusterIPs"):
                if before.get(name):
                    spec[name] = before[name]
        elif spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]
    if kind == "ExternalName" and was != kind:
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
            if spec.get(name) == before.get(name):
                spec.pop(name, None)
    _drop_of_other_types(spec, before, kind, was)
    old_ports = {(port.get("port"), port.get("protocol", "TCP")): port for port in before.get("ports") or ()}
    for port in spec.get("ports") or ():
        twin = old_ports.get((port.get("port"), port.get("protocol", "TCP")))
        if twin is None or not twin.get("nodePort"):
            continue
        if kind in _WITH_PORTS and was in _WITH_PORTS and not port.get("nodePort"):
            port["nodePort"] = twin["nodePort"]
        elif kind not in _WITH_PORTS and was in _WITH_PORTS and port.get("nodePort") == twin["nodePort"]:
            port.pop("nodePort")
    is_local = kind == was == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"
    if is_local and before.get("healthCheckNodePort") and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = before["healthCheckNodePort"]
