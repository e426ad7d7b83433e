"""What an APIService that names a Service says: where its extension server is and whom to believe. Pure.

Source: kube-aggregator pkg/apis/apiregistration/v1/types.go; apiserver pkg/util/proxy/proxy.go for where to dial.
"""

import base64
import binascii
from dataclasses import dataclass

from kubepy.api.meta import Object
from kubepy.apiserver.proxying.service_places import Place, port_name, ready_places
from kubepy.apiserver.webhooks.places import NoPlace
from kubepy.apiserver.webhooks.target import ServiceReference

AVAILABLE = "Available"
_WITH_ADDRESS = ("ClusterIP", "NodePort", "LoadBalancer")


@dataclass(frozen=True, slots=True)
class Remote:
    """One group and version that an extension server answers for. A value: equal ones share connections."""

    name: str
    group: str
    version: str
    service: ServiceReference
    ca: bytes = b""
    insecure: bool = False

    @property
    def path(self) -> str:
        """Where it is served."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    @property
    def place(self) -> str:
        """Its name in the index of OpenAPI v3."""
        return self.path.lstrip("/")


def remote_of(api_service: Object) -> Remote | None:
    """The extension server that an APIService names; None for a local one."""
    spec = api_service["spec"]
    service = spec.get("service")
    if not service:
        return None
    try:
        bundle = base64.b64decode("".join((spec.get("caBundle") or "").split()), validate=True)
    except binascii.Error:
        bundle = b"not base64"  # is refused like any bundle that holds no certificate
    return Remote(
        api_service["metadata"]["name"],
        spec.get("group") or "",
        spec["version"],
        ServiceReference(service["namespace"], service["name"], int(service.get("port") or 443)),
        bundle,
        bool(spec.get("insecureSkipTLSVerify")),
    )


def is_available(api_service: Object) -> bool:
    """Whether its condition says so."""
    conditions = (api_service.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == AVAILABLE and one.get("status") == "True" for one in conditions)


def place_of_service(wanted: ServiceReference, service: Object | None) -> Place:
    """Where the Service itself is dialed: its cluster address, or the name that it stands for. Raises NoPlace."""
    spec = _spec(wanted, service)
    kind = spec.get("type") or "ClusterIP"
    if kind == "ExternalName":
        return str(spec.get("externalName") or ""), wanted.port
    if spec.get("clusterIP") == "None":
        return wanted.host, wanted.port
    _require_port(wanted, service, kind)
    return str(spec.get("clusterIP") or ""), wanted.port


def places_of_endpoints(wanted: ServiceReference, service: Object | None, slices: list[Object]) -> list[Place]:
    """Where the Service's endpoints are dialed. Raises NoPlace."""
    kind = _spec(wanted, service).get("type") or "ClusterIP"
    if kind not in _WITH_ADDRESS:
        raise NoPlace(f'unsupported service type "{kind}"')
    if found := ready_places(slices, _require_port(wanted, service, kind)):
        return found
    raise NoPlace(f'no endpoints available for service "{wanted.name}"')


def _spec(wanted: ServiceReference, service: Object | None) -> Object:
    if service is None:
        raise NoPlace(f'service "{wanted.name}" not found')
    spec: Object = service.get("spec") or {}
    return spec


def _require_port(wanted: ServiceReference, service: Object | None, kind: str) -> str:
    name = port_name(service or {}, str(wanted.port))
    if name is None or kind not in _WITH_ADDRESS:
        raise NoPlace(f'no service port {wanted.port} found for service "{wanted.name}"')
    return name
