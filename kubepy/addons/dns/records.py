"""What the zone looks names up in: informers of Services, EndpointSlices and namespaces, indexed by address."""

import asyncio
from collections.abc import Iterable

from kubepy.addons.dns.zone import Endpoint, Lookups, is_headless
from kubepy.api import resources
from kubepy.api.meta import Object
from kubepy.client.client import Client
from kubepy.client.informer import Informer

_SERVICE_NAME = "kubernetes.io/service-name"


def _cluster_addresses(service: Object) -> list[str]:
    addresses = service["spec"].get("clusterIPs") or [service["spec"].get("clusterIP")]
    return [ip for ip in addresses if ip and ip != "None"]


def _service_key(found: Object) -> list[str]:
    name = (found["metadata"].get("labels") or {}).get(_SERVICE_NAME)
    return [f"{found['metadata']['namespace']}/{name}"] if name else []


def _endpoint_addresses(found: Object) -> list[str]:
    return [ip for endpoint in found.get("endpoints") or () for ip in endpoint["addresses"]]


class ClusterRecords:
    """The cluster's Services as the zone asks for them."""

    def __init__(self, client: Client) -> None:
        self._services = Informer(client, resources.named("services"), transform=_slim)
        self._slices = Informer(client, resources.named("endpointslices", "discovery.k8s.io"), transform=_slim)
        self._namespaces = Informer(client, resources.named("namespaces"), transform=_slim)
        self._services.add_indexer("address", _cluster_addresses)
        self._slices.add_indexer("service", _service_key)
        self._slices.add_indexer("address", _endpoint_addresses)

    @property
    def lookups(self) -> Lookups:
        """The functions that a Zone takes."""
        return Lookups(
            service=lambda namespace, name: self._services.get(f"{namespace}/{name}"),
            endpoints=self._endpoints,
            namespace_exists=lambda name: self._namespaces.get(name) is not None,
            service_at=lambda ip: next(iter(self._services.by_index("address", ip)), None),
            endpoint_at=self._headless_at,
        )

    @property
    def synced(self) -> bool:
        """Every name of the cluster is known."""
        return all(informer.synced for informer in (self._services, self._slices, self._namespaces))

    async def run(self) -> None:
        """Follows the cluster until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in (self._services, self._slices, self._namespaces):
                group.create_task(informer.run(), name=f"informer-{informer.resource.qualified}")

    def _endpoints(self, namespace: str, name: str) -> Iterable[Endpoint]:
        for found in self._slices.by_index("service", f"{namespace}/{name}"):
            yield from _read(found)

    def _headless_at(self, address: str) -> Iterable[tuple[Object, Endpoint]]:
        for found in self._slices.by_index("address", address):
            for key in _service_key(found):
                service = self._services.get(key)
                if service is not None and is_headless(service):
                    yield from ((service, e) for e in _read(found) if address in e.addresses)


def _read(found: Object) -> Iterable[Endpoint]:
    """The ready endpoints of a slice; FQDN slices have no addresses to tell."""
    if found["addressType"] == "FQDN":
        return
    ports = tuple((p.get("name") or "", p.get("protocol", "TCP"), p.get("port") or 0) for p in found.get("ports") or ())
    for endpoint in found.get("endpoints") or ():
        if (endpoint.get("conditions") or {}).get("ready") is not False:
            yield Endpoint(tuple(endpoint["addresses"]), endpoint.get("hostname") or "", ports)


def _slim(obj: Object) -> Object:
    obj["metadata"].pop("managedFields", None)
    obj["metadata"].pop("annotations", None)
    return obj
