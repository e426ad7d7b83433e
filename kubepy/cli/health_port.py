"""The secure port of a control-plane daemon: health to everyone, the rest to whom the cluster lets pass."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubepy.client import delegated
from kubepy.client.client import Client
from kubepy.lib.health import serve_health
from kubepy.lib.http_server import Server, server_tls
from kubepy.lib.tls import TLS_VERSIONS, cipher_names, self_signed


@dataclass(slots=True)
class HealthPort:
    """An open port, or none where it is turned off."""

    server: Server | None
    clients: list[Client] = field(default_factory=list)

    async def close(self) -> None:
        """Stops listening, and lets go of the clients that asked."""
        if self.server is not None:
            await self.server.close()
        for client in self.clients:
            await client.close()


async def serve_delegated(name: str, values: Mapping[str, Any]) -> HealthPort:
    """Opens the port of the daemon `name` as its flags say."""
    asking, clients = delegated.from_flags(values, agent=name)
    server = await serve_health(
        host=values["bind-address"],
        port=values["secure-port"],
        tls=_tls(name, values),
        checks={},
        guard=asking.guard(values["authorization-always-allow-paths"]),
    )
    return HealthPort(server, clients)


def _tls(name: str, values: Mapping[str, Any]) -> ssl.SSLContext:
    certificate, key = values["tls-cert-file"], values["tls-private-key-file"]
    context = server_tls(certificate, key) if certificate else self_signed(name)
    if oldest := values["tls-min-version"]:
        context.minimum_version = TLS_VERSIONS[oldest]
    if ciphers := cipher_names(values["tls-cipher-suites"]):
        context.set_ciphers(":".join(ciphers))
    if authority := values["client-ca-file"]:
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
