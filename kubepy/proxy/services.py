"""What of a Service and its EndpointSlices concerns a node: addresses, ports, and who answers them.

Pure. Source: pkg/proxy/serviceport.go, endpointslicecache.go, topology.go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kubepy.api.meta import Object

Address = tuple[str, int]
"""(IP, port) of an endpoint."""

_AFFINITY_S = 10800
_PROXY_NAME = "service.kubernetes.io/service-proxy-name"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """One port of a Service, with everything that decides where its traffic goes."""

    namespace: str
    name: str
    port_name: str
    protocol: str
    port: int
    cluster_ip: str
    node_port: int
    external_ips: tuple[str, ...]
    load_balancer_ips: tuple[str, ...]
    source_ranges: tuple[str, ...]
    """Networks that may use the load balancer; none: all."""
    affinity_s: int
    """Seconds for which a client stays with an endpoint; 0: it does not."""
    internal: tuple[Address, ...]
    """Endpoints for traffic to the cluster address."""
    external: tuple[Address, ...]
    """Endpoints for traffic from outside."""
    anywhere: tuple[Address, ...]
    """Endpoints on any node."""
    keeps_source: bool
    """externalTrafficPolicy Local: traffic from outside stays on the node and keeps its source address."""

    @property
    def external_addresses(self) -> tuple[str, ...]:
        """Addresses from outside that lead here, besides the nodes' own."""
        return self.external_ips + self.load_balancer_ips


def is_proxied(service: Object) -> bool:
    """The Service has an address that a proxy serves, and has not asked for another proxy."""
    spec = service["spec"]
    labels = service["metadata"].get("labels") or {}
    cluster_ip = spec.get("clusterIP")
    return (
        bool(cluster_ip and cluster_ip != "None") and spec.get("type") != "ExternalName" and _PROXY_NAME not in labels
    )


def service_ports(service: Object, slices: Iterable[Object], node: str) -> list[ServicePort]:
    """The Service's ports as this node serves them, IPv4 only."""
    if not is_proxied(service):
        return []
    spec, meta = service["spec"], service["metadata"]
    cluster_ip = next(filter(_is_v4, spec.get("clusterIPs") or [spec["clusterIP"]]), None)
    if cluster_ip is None:
        return []
    slices = [found for found in slices if found["addressType"] == "IPv4"]
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    balanced = tuple(e["ip"] for e in ingress if _is_v4(e.get("ip", "")) and e.get("ipMode", "VIP") == "VIP")
    affinity = ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds", _AFFINITY_S)
    keeps_source = spec.get("externalTrafficPolicy") == "Local"
    found = []
    for port in spec.get("ports") or ():
        name, protocol = port.get("name", ""), port.get("protocol", "TCP")
        anywhere, local = _endpoints(slices, name, protocol, node)
        found.append(
            ServicePort(
                namespace=meta["namespace"],
                name=meta["name"],
                port_name=name,
                protocol=protocol.lower(),
                port=port["port"],
                cluster_ip=cluster_ip,
                node_port=port.get("nodePort") or 0,
                external_ips=tuple(filter(_is_v4, spec.get("externalIPs") or ())),
                load_balancer_ips=balanced,
                source_ranges=tuple(map(str.strip, spec.get("loadBalancerSourceRanges") or ())),
                affinity_s=affinity if spec.get("sessionAffinity") == "ClientIP" else 0,
                internal=local if spec.get("internalTrafficPolicy") == "Local" else anywhere,
                external=local if keeps_source else anywhere,
                anywhere=anywhere,
                keeps_source=keeps_source,
            )
        )
    return found


def _is_v4(address: str) -> bool:
    return bool(address) and ":" not in address


def _endpoints(
    slices: Sequence[Object], port_name: str, protocol: str, node: str
) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
    """Endpoints of a port: anywhere, and on this node; each the ready ones, or those that still serve if none is."""
    everywhere: list[tuple[Address, Object]] = []
    for found in slices:
        number = _number(found, port_name, protocol)
        if number:
            everywhere.extend(((e["addresses"][0], number), e) for e in found.get("endpoints") or ())
    here = [(address, endpoint) for address, endpoint in everywhere if endpoint.get("nodeName") == node]
    return _usable(everywhere), _usable(here)


def _number(found: Object, port_name: str, protocol: str) -> int:
    for port in found.get("ports") or ():
        if (port.get("name") or "") == port_name and port.get("protocol", "TCP") == protocol:
            return port.get("port") or 0
    return 0


def _usable(endpoints: Sequence[tuple[Address, Object]]) -> tuple[Address, ...]:
    ready = {address for address, e in endpoints if (e.get("conditions") or {}).get("ready") is not False}
    if not ready:
        ready = {address for address, e in endpoints if _is_draining(e.get("conditions") or {})}
    return tuple(sorted(ready))


def _is_draining(conditions: Object) -> bool:
    """On its way out, and still answering."""
    return bool(conditions.get("serving") and conditions.get("terminating"))
