"""Decide the EndpointSlices of a Service: at most 100 endpoints each, as few writes as may be.

Invariant: an endpoint is in exactly one slice; slices that need no change are not written. A slice is filled
up before another is made. Pure. Source: staging/src/k8s.io/endpointslice/reconciler.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kubepy.api.meta import Object, owner_reference
from kubepy.api.resources import Resource
from kubepy.controllers.endpoints.backends import Backend, PortKey, is_headless, target_reference

MOST_ENDPOINTS = 100
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SERVICE_NAME = "kubernetes.io/service-name"
OUR_NAME = "endpointslice-controller.k8s.io"
_HEADLESS = "service.kubernetes.io/headless"


@dataclass(slots=True)
class SlicePlan:
    """Slices to create, update and delete."""

    create: list[Object] = field(default_factory=list)
    update: list[Object] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)


def labels_for(service: Object) -> dict[str, str]:
    """The labels of the Service's slices: its own, whose they are, and who manages them."""
    own = {k: v for k, v in (service["metadata"].get("labels") or {}).items() if k not in (SERVICE_NAME, MANAGED_BY)}
    headless = {_HEADLESS: ""} if is_headless(service) else {}
    return {**own, **headless, SERVICE_NAME: service["metadata"]["name"], MANAGED_BY: OUR_NAME}


def plan_slices(
    service: Object,
    resource: Resource,
    family: str,
    found: Sequence[Backend],
    current: Sequence[Object],
    zones: dict[str, str],
) -> SlicePlan:
    """What turns `current` slices of one address family into those that `found` asks for."""
    wanted: dict[PortKey, dict[str, Object]] = {}
    for backend in found:
        by_uid = wanted.setdefault(backend.ports, {})
        by_uid[backend.pod["metadata"]["uid"]] = _endpoint(backend, zones)
    if not wanted:
        wanted[()] = {}  # one empty slice says: looked at, and found nothing
    labels = labels_for(service)
    plan = SlicePlan()
    for old in current:
        if _port_key(old) not in wanted:
            plan.delete.append(old)
    for ports, endpoints in wanted.items():
        existing = [old for old in current if _port_key(old) == ports]
        _plan_group(service, resource, family, ports, endpoints, existing, labels, plan)
    return plan


def _plan_group(
    service: Object,
    resource: Resource,
    family: str,
    ports: PortKey,
    endpoints: dict[str, Object],
    existing: Sequence[Object],
    labels: dict[str, str],
    plan: SlicePlan,
) -> None:
    left = dict(endpoints)
    kept: list[tuple[Object, list[Object]]] = []
    for old in existing:
        stay = []
        for endpoint in old.get("endpoints") or []:
            uid = (endpoint.get("targetRef") or {}).get("uid", "")
            if uid in left:
                stay.append(left.pop(uid))
        kept.append((old, stay))
    waiting = list(left.values())
    for old, stay in sorted(kept, key=lambda pair: -len(pair[1])):
        room = MOST_ENDPOINTS - len(stay)
        stay, waiting = stay + waiting[:room], waiting[room:]
        if not stay and (len(kept) > 1 or endpoints):
            plan.delete.append(old)
        elif stay != (old.get("endpoints") or []) or labels != (old["metadata"].get("labels") or {}):
            plan.update.append({**old, "endpoints": stay, "metadata": {**old["metadata"], "labels": labels}})
    while waiting or not (existing or endpoints):
        batch, waiting = waiting[:MOST_ENDPOINTS], waiting[MOST_ENDPOINTS:]
        plan.create.append(_new_slice(service, resource, family, ports, batch, labels))
        if not waiting:
            return


def _new_slice(
    service: Object, resource: Resource, family: str, ports: PortKey, endpoints: list[Object], labels: dict[str, str]
) -> Object:
    meta = service["metadata"]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "labels": labels,
            "ownerReferences": [owner_reference(service, resource)],
        },
        "addressType": family,
        "endpoints": endpoints,
        "ports": [_port(*port) for port in ports],
    }


def _port(name: str, protocol: str, number: int | None, app_protocol: str | None) -> Object:
    return {
        "name": name,
        "protocol": protocol,
        "port": number,
        **({"appProtocol": app_protocol} if app_protocol else {}),
    }


def _port_key(found: Object) -> PortKey:
    return tuple(
        (port.get("name", ""), port.get("protocol", "TCP"), port.get("port"), port.get("appProtocol"))
        for port in found.get("ports") or []
    )


def _endpoint(backend: Backend, zones: dict[str, str]) -> Object:
    node = backend.pod["spec"].get("nodeName")
    zone = zones.get(node or "")
    return {
        "addresses": [backend.address],
        "conditions": {"ready": backend.ready, "serving": backend.serving, "terminating": backend.terminating},
        **({"hostname": backend.hostname} if backend.hostname else {}),
        **({"nodeName": node} if node else {}),
        **({"zone": zone} if zone else {}),
        "targetRef": target_reference(backend.pod),
    }
