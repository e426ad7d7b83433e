"""The way to a node's kubelet: which of its addresses, which port, and as whom.

Source: pkg/kubelet/client/kubelet_client.go.
"""

import ssl
from dataclasses import replace
from functools import cache

from kubepy.api import resources
from kubepy.api.errors import InternalError, object_not_found
from kubepy.api.meta import Object
from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.proxying.proxy import Backend

_NODES = resources.named("nodes")
_DEFAULT_PORT = 10250


class Kubelets:
    """Finds kubelets; one TLS context for all of them."""

    def __init__(self, config: ApiServerConfig, lookup: Lookup) -> None:
        self._config = config
        self._lookup = lookup
        self._tls: ssl.SSLContext | None = None
        self._unverified: ssl.SSLContext | None = None

    def of_node(self, name: str) -> Backend:
        """The kubelet of a node. Raises NotFound, InternalError."""
        node = self._lookup.get(_NODES, name)
        if node is None:
            raise object_not_found("", "nodes", name)
        address = preferred_address(node, self._config.kubelet_preferred_address_types)
        if address is None:
            wanted = " ".join(self._config.kubelet_preferred_address_types)
            raise InternalError(f"Internal error occurred: no preferred addresses found; known addresses: [{wanted}]")
        return Backend(address, kubelet_port(node), self._context())

    def unverified(self, backend: Backend) -> Backend:
        """The same kubelet, whatever certificate it shows: for a client that asks to read a log so."""
        if self._unverified is None:
            self._unverified = client_tls(self._config)
            self._unverified.check_hostname, self._unverified.verify_mode = False, ssl.CERT_NONE
        return replace(backend, tls=self._unverified)

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = client_tls(self._config)
        return self._tls


def client_tls(config: ApiServerConfig) -> ssl.SSLContext:
    """How this server shows itself to kubelets, and whom it believes; without an authority, anyone."""
    authority = config.kubelet_certificate_authority
    context = ssl.create_default_context(cafile=authority or None)
    if not authority:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if config.kubelet_client_certificate:
        context.load_cert_chain(config.kubelet_client_certificate, config.kubelet_client_key)
    return context


@cache
def insecure_tls() -> ssl.SSLContext:
    """For pods and Services that are proxied to over HTTPS: their certificates are nobody's promise, as upstream."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def preferred_address(node: Object, types: tuple[str, ...]) -> str | None:
    """The node's address of the first type that it has one of."""
    addresses = (node.get("status") or {}).get("addresses") or ()
    for wanted in types:
        for address in addresses:
            if address.get("type") == wanted and address.get("address"):
                found: str = address["address"]
                return found
    return None


def kubelet_port(node: Object) -> int:
    """The port that the kubelet says it serves on."""
    endpoint = ((node.get("status") or {}).get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}
    return int(endpoint.get("Port") or _DEFAULT_PORT)
