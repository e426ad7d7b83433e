"""Where the endpoints behind a Service listen: for the proxy subresources, and for webhooks that a Service names.

Pure but for the look-up.
Source: pkg/registry/core/service/storage/storage.go (ResourceLocation), apiserver pkg/util/proxy/proxy.go.
"""

from collections.abc import Iterable

from kubepy.api import resources
from kubepy.api.meta import Object
from kubepy.apiserver.lookup import Lookup

_SLICES = resources.named("endpointslices", "discovery.k8s.io")
SERVICE_NAME = "kubernetes.io/service-name"

Place = tuple[str, int]
"""Address and port."""


def slices_of(lookup: Lookup, namespace: str, name: str) -> list[Object]:
    """The EndpointSlices of a Service."""
    return [
        found
        for found in lookup.list(_SLICES, namespace)
        if (found["metadata"].get("labels") or {}).get(SERVICE_NAME) == name
    ]


def port_name(service: Object, asked: str) -> str | None:
    """The name of the Service's port that is asked for by name or number ("": unnamed); None if there is none."""
    for port in (service.get("spec") or {}).get("ports") or ():
        if asked in (port.get("name"), str(port.get("port"))):
            return port.get("name") or ""
    return None


def ready_places(slices: Iterable[Object], wanted: str) -> list[Place]:
    """Address and port of every ready endpoint, of the port of that name."""
    return [
        (address, int(port["port"]))
        for found in slices
        for port in found.get("ports") or ()
        if (port.get("name") or "") == wanted and port.get("port")
        for endpoint in found.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in (endpoint.get("addresses") or ())[:1]
    ]
