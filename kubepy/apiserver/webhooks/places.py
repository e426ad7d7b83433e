"""Which address is dialed for a webhook that a Service names.

Its ready endpoints, in random order so that load spreads and a dead one is passed over: what a ClusterIP would come
to, but without need of a kube-proxy on this machine. Where nobody keeps EndpointSlices, the ClusterIP itself.
Source: apiserver pkg/util/proxy/proxy.go (ResolveEndpoint, ResolveCluster).
"""

import random
import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from kubepy.api import resources
from kubepy.api.meta import Object
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.proxying.service_places import Place, port_name, ready_places, slices_of
from kubepy.apiserver.webhooks.target import ServiceReference

_SERVICES = resources.named("services")
_NONE = "None"


class NoPlace(OSError):
    """There is nothing to dial; the message says why."""


def places_of(wanted: ServiceReference, service: Object | None, slices: list[Object]) -> list[Place]:
    """Addresses (or the name that an ExternalName stands for) and ports to dial. Raises NoPlace."""
    if service is None:
        raise NoPlace(f'service "{wanted.name}" not found')
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return [(str(spec.get("externalName") or ""), wanted.port)]
    name = port_name(service, str(wanted.port))
    if name is None:
        raise NoPlace(f'no service port {wanted.port} found for service "{wanted.name}"')
    if slices or spec.get("clusterIP") in (None, "", _NONE):
        if places := ready_places(slices, name):
            return places
        raise NoPlace(f'no endpoints available for service "{wanted.name}"')
    return [(str(spec["clusterIP"]), wanted.port)]


class ServiceResolver(AbstractResolver):
    """Dials one Service, whatever name is asked for."""

    def __init__(self, service: ServiceReference, lookup: Lookup) -> None:
        self._service = service
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See AbstractResolver. Raises NoPlace."""
        wanted, lookup = self._service, self._lookup
        service = lookup.get(_SERVICES, wanted.name, wanted.namespace)
        places = places_of(wanted, service, slices_of(lookup, wanted.namespace, wanted.name))
        if service is not None and (service.get("spec") or {}).get("type") == "ExternalName":
            name, number = places[0]
            return await ThreadedResolver().resolve(name, number, family)
        random.shuffle(places)
        return [
            ResolveResult(hostname=host, host=address, port=number, family=_family(address), proto=0, flags=0)
            for address, number in places
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
