"""Endpoints: all addresses of a Service in one object, cut off at 1000. Kept for clients that know no slices.

Source: pkg/controller/endpoint/endpoints_controller.go, pkg/api/v1/endpoints/util.go (RepackSubsets).
"""

from collections.abc import Sequence

from kubepy.api import errors, resources
from kubepy.api.meta import Object
from kubepy.controllers.controller import Context
from kubepy.controllers.endpoints.backends import Backend, PortKey, backends, families_of, is_headless, target_reference
from kubepy.controllers.endpoints.base import ServiceController

_ENDPOINTS = resources.named("endpoints")
_MOST_ADDRESSES = 1000
_OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
_MANAGED_BY = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}
_HEADLESS = {"service.kubernetes.io/headless": ""}


def plan_subsets(service: Object, found: Sequence[Backend]) -> list[Object]:
    """The subsets: addresses that offer the same ports together, the ready apart from the others."""
    publish_all = bool(service["spec"].get("publishNotReadyAddresses"))
    by_ports: dict[PortKey, tuple[list[Object], list[Object]]] = {}
    for backend in found[:_MOST_ADDRESSES]:
        if backend.terminating and not publish_all:
            continue
        ports = backend.ports
        if not ports and not is_headless(service):
            continue
        ready, not_ready = by_ports.setdefault(ports, ([], []))
        (ready if backend.ready else not_ready).append(_address(backend))
    subsets = []
    for ports, (ready, not_ready) in sorted(by_ports.items(), key=lambda item: str(item[0])):
        subset: Object = {}
        if ready:
            subset["addresses"] = sorted(ready, key=lambda a: a["ip"])
        if not_ready:
            subset["notReadyAddresses"] = sorted(not_ready, key=lambda a: a["ip"])
        if ports:
            subset["ports"] = [_port(*port) for port in ports]
        subsets.append(subset)
    return subsets


def _address(backend: Backend) -> Object:
    node = backend.pod["spec"].get("nodeName")
    return {
        "ip": backend.address,
        **({"hostname": backend.hostname} if backend.hostname else {}),
        **({"nodeName": node} if node else {}),
        "targetRef": target_reference(backend.pod),
    }


def _port(name: str, protocol: str, number: int | None, app_protocol: str | None) -> Object:
    return {
        **({"name": name} if name else {}),
        "port": number,
        "protocol": protocol,
        **({"appProtocol": app_protocol} if app_protocol else {}),
    }


class EndpointsController(ServiceController):
    """Writes the Endpoints of each Service that has a selector."""

    name = "endpoints"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._endpoints = self.watch(_ENDPOINTS)

    async def sync(self, key: str) -> None:
        service = self._services.get(key)
        current = self._endpoints.get(key)
        if service is None:
            await self._remove(current)
            return
        spec = service["spec"]
        if not spec.get("selector") or spec.get("type") == "ExternalName":
            return  # by hand, or none
        found = backends(service, self.selected_pods(service), families_of(service)[0])
        wanted = self._wanted(service, current, found)
        if current is None:
            await self._create(wanted)
        elif any(current.get(part) != wanted.get(part) for part in ("subsets",)) or _marks(current) != _marks(wanted):
            await self.client.update(_ENDPOINTS, wanted)

    def _wanted(self, service: Object, current: Object | None, found: Sequence[Backend]) -> Object:
        meta = service["metadata"]
        labels = {**(meta.get("labels") or {}), **_MANAGED_BY, **(_HEADLESS if is_headless(service) else {})}
        base = current or {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
        }
        annotations = {k: v for k, v in (base["metadata"].get("annotations") or {}).items() if k != _OVER_CAPACITY}
        if len(found) > _MOST_ADDRESSES:
            annotations[_OVER_CAPACITY] = "truncated"
        metadata = {k: v for k, v in base["metadata"].items() if k != "annotations"} | {"labels": labels}
        if annotations:
            metadata["annotations"] = annotations
        wanted = {k: v for k, v in base.items() if k != "subsets"} | {"metadata": metadata}
        if subsets := plan_subsets(service, found):
            wanted["subsets"] = subsets
        return wanted

    async def _create(self, wanted: Object) -> None:
        try:
            await self.client.create(_ENDPOINTS, wanted)
        except errors.Forbidden as error:
            if "is being terminated" not in error.message:
                raise

    async def _remove(self, current: Object | None) -> None:
        """The Service is gone: its Endpoints go too, unless they were made by hand."""
        if current is None or not _MANAGED_BY.items() <= (current["metadata"].get("labels") or {}).items():
            return
        try:
            await self.client.delete(_ENDPOINTS, current["metadata"]["name"], current["metadata"]["namespace"])
        except errors.NotFound:
            return


def _marks(endpoints: Object) -> tuple[object, object]:
    return endpoints["metadata"].get("labels"), endpoints["metadata"].get("annotations")
