"""The proxy subresources: plain HTTP to a node's kubelet, a pod's port, or any ready endpoint of a Service.

A name may carry a scheme and a port: `https:web:8443`. Nothing is retried; what cannot be reached is 503.
Source: pkg/registry/core/{node,pod,service}/strategy.go (ResourceLocation), pkg/registry/core/*/rest.
"""

import asyncio
import ipaddress
import random
import socket

from kubepy.api import resources
from kubepy.api.errors import BadRequest, ServiceUnavailable, object_not_found
from kubepy.api.meta import Object
from kubepy.apiserver.http.routing import Router
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.proxying.connect_options import proxy_options
from kubepy.apiserver.proxying.kubelets import Kubelets, insecure_tls
from kubepy.apiserver.proxying.proxy import Backend, BackendError, forward, forwarded_headers
from kubepy.apiserver.proxying.proxy_answers import pass_on
from kubepy.apiserver.proxying.service_places import port_name, ready_places, slices_of
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.engine import Engine
from kubepy.lib.http import Answer, Response, Stream

_PODS, _SERVICES = resources.named("pods"), resources.named("services")
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")


class Proxies:
    """Answers nodes/proxy, pods/proxy and services/proxy."""

    def __init__(self, engine: Engine, kubelets: Kubelets) -> None:
        self._engine, self._kubelets = engine, kubelets

    def install(self, router: Router) -> None:
        """Adds them."""
        router.streams["nodes", "proxy"] = self._node
        router.streams["pods", "proxy"] = self._pod
        router.streams["services", "proxy"] = self._service

    async def _node(self, ctx: Context) -> Answer:
        scheme, name, port = split_name(ctx.info.name, "node")
        kubelet = self._kubelets.of_node(name)
        backend = on_node(kubelet, scheme, port, name)
        if backend is not kubelet and not all(map(is_proxyable, await addresses_of(backend.host))):
            raise BadRequest("address not allowed")
        return await self._forward(ctx, backend)

    async def _pod(self, ctx: Context) -> Answer:
        scheme, name, port = split_name(ctx.info.name, "pod")
        pod = self._engine.lookup.get(_PODS, name, ctx.info.namespace)
        if pod is None:
            raise object_not_found("", "pods", name)
        address = (pod.get("status") or {}).get("podIP") or ""
        if not is_proxyable(address):
            raise BadRequest("address not allowed")
        return await self._forward(ctx, _backend(scheme, address, pod_port(pod, port)))

    async def _service(self, ctx: Context) -> Answer:
        scheme, name, port = split_name(ctx.info.name, "service")
        service = self._engine.lookup.get(_SERVICES, name, ctx.info.namespace)
        if service is None:
            raise object_not_found("", "services", name)
        wanted = service_port(service, port)
        slices = slices_of(self._engine.lookup, ctx.info.namespace, name)
        places = ready_places([of_pods(self._engine.lookup, found) for found in slices], wanted)
        if not places:
            raise ServiceUnavailable(f'no endpoints available for service "{ctx.info.name}"')
        address, number = random.choice(places)
        return await self._forward(ctx, _backend(scheme, address, number))

    async def _forward(self, ctx: Context, backend: Backend) -> Answer:
        request, rest = ctx.request, ctx.info.rest
        if not rest and request.method in ("GET", "HEAD"):
            query = f"?{request.query}" if request.query else ""
            return Response(301, b"", "", {"Location": f"{request.path}/{query}"})
        served = self._engine.find("", ctx.info.version, ctx.info.resource)
        assert served is not None
        await self._engine.admit_connect(served, ctx, proxy_options(served.resource, rest))
        target = (rest or "/") + (f"?{request.query}" if request.query else "")
        headers = forwarded_headers(request)
        headers["X-Forwarded-Uri"] = request.path
        try:
            answer = await forward(backend, request, target, headers)
        except BackendError as fault:
            raise ServiceUnavailable(f"error trying to reach service: {fault}") from fault
        if isinstance(answer, Response | Stream):
            pass_on(answer, request, rest, backend.authority)
        return answer


def of_pods(lookup: Lookup, found: Object) -> Object:
    """An EndpointSlice with those endpoints alone that are pods of its namespace, at their own addresses.

    Else whoever writes EndpointSlices could send this server anywhere.
    Source: pkg/registry/core/service/storage/storage.go (isValidAddress).
    """
    namespace = found["metadata"]["namespace"]

    def is_pod(endpoint: Object) -> bool:
        ref = endpoint.get("targetRef") or {}
        pod = lookup.get(_PODS, ref.get("name") or "", namespace)
        if pod is None or ref.get("namespace") != namespace:
            return False
        known = {one.get("ip") for one in (pod.get("status") or {}).get("podIPs") or ()}
        return known.issuperset((endpoint.get("addresses") or ())[:1])

    return {**found, "endpoints": [one for one in found.get("endpoints") or () if is_pod(one)]}


def split_name(name: str, kind: str) -> tuple[str, str, str]:
    """(scheme, name, port) of `name`, `name:port`, `scheme:name:port` or `scheme:name:`. Raises BadRequest."""
    parts = name.split(":")
    if len(parts) <= 2:
        parts.insert(0, "")
    scheme, target, port = (*parts, "", "")[:3]
    if len(parts) > 3 or scheme not in ("http", "https", "") or not target:
        raise BadRequest(f'invalid {kind} request "{name}"')
    return scheme, target, port


def on_node(kubelet: Backend, scheme: str, asked: str, name: str) -> Backend:
    """The port of the node that is asked for; its kubelet if none is. Raises BadRequest.

    To whatever else listens there, perhaps an API server, this one does not show its own certificate.
    """
    if not asked or _number(asked, name) == kubelet.port:
        return kubelet
    return _backend(scheme, kubelet.host, _number(asked, name))


async def addresses_of(host: str) -> list[str]:
    """Every address of a host: a node may call itself by any name. Raises BadRequest.

    Source: pkg/proxy/util/utils.go (IsProxyableHostname).
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:  # UnicodeError: no name at all, such as "a..b"
        raise BadRequest(f"lookup {host}: no such host") from fault
    return [str(address[0]) for *_, address in found]


def is_proxyable(address: str) -> bool:
    """Whether a pod or node may be reached there: not at this machine's own addresses, links or groups.

    Source: pkg/proxy/util/utils.go (IsProxyableIP).
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):  # "::ffff:127.0.0.1" leads to this machine, too
        found = found.ipv4_mapped or found
    refused = found.is_unspecified or found.is_loopback or found.is_link_local or found.is_multicast
    return not (refused or found == _BROADCAST)


def pod_port(pod: Object, asked: str) -> int:
    """The port asked for, or the first one that a container names; 80 where there is none."""
    if asked:
        return _number(asked, pod["metadata"]["name"])
    for container in (pod.get("spec") or {}).get("containers") or ():
        for port in container.get("ports") or ():
            return int(port["containerPort"])
    return 80


def service_port(service: Object, asked: str) -> str:
    """The name of the port that is asked for; a number is one of the Service's. Raises ServiceUnavailable."""
    ports = (service.get("spec") or {}).get("ports") or ()
    if not asked:
        return str(ports[0].get("name") or "") if ports else ""
    if not asked.isdigit():
        return asked
    if (found := port_name(service, asked)) is not None:
        return found
    raise ServiceUnavailable(f'no service port {int(asked)} found for service "{service["metadata"]["name"]}"')


def _backend(scheme: str, address: str, port: int) -> Backend:
    return Backend(address, port, insecure_tls() if scheme == "https" else None)


def _number(text: str, name: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise BadRequest(f'invalid port "{text}" of "{name}"')
    return int(text)
