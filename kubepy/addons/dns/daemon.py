"""The process `kubepy dns`: cluster names from the API, others from the node's resolvers.

Ports beside 53 as CoreDNS has them: 8080/health, 8181/ready, 9153/metrics.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubepy.addons.dns.records import ClusterRecords
from kubepy.addons.dns.server import DnsServer, read_resolvers
from kubepy.addons.dns.zone import Zone
from kubepy.client.client import Client
from kubepy.lib import log
from kubepy.lib.flags import Flag, FlagError, parse
from kubepy.lib.health import serve_health

_log = log.get(__name__)
FLAGS: Sequence[Flag] = (
    Flag("kubeconfig", "string", "", "Kubeconfig; the pod's service account when empty."),
    Flag("domain", "string", "cluster.local", "The cluster's domain."),
    Flag("bind-address", "string", "0.0.0.0", "Address to answer on."),
    Flag("port", "int", 53, "Port to answer on."),
    Flag("ttl", "int", 30, "Seconds for which answers may be remembered."),
    Flag("upstream", "list", [], "Resolvers for other names; those of --resolv-conf when empty."),
    Flag("resolv-conf", "string", "/etc/resolv.conf", "File that names the resolvers."),
    Flag("health-port", "int", 8080, "Port of /healthz and /livez; 0 turns it off."),
    Flag("ready-port", "int", 8181, "Port of /readyz; 0 turns it off."),
    Flag("metrics-port", "int", 9153, "Port of /metrics; 0 turns it off."),
    Flag("v", "int", 0, "Verbosity of the log."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsConfig:
    """The command line by flag name."""

    values: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def read(argv: Sequence[str]) -> DnsConfig:
    """The settings of a command line. Raises FlagError."""
    values = parse(FLAGS, argv)
    if not values["domain"] or values["domain"].startswith("."):
        raise FlagError([f"--domain: {values['domain']!r} is no domain"])
    return DnsConfig(values=values)


async def run(config: DnsConfig) -> None:
    """Answers until cancelled; ready once every name of the cluster is known."""
    path = config["kubeconfig"]
    client = Client.from_kubeconfig(path, agent="kubepy-dns") if path else Client.in_cluster(agent="kubepy-dns")
    records = ClusterRecords(client)
    upstreams = config["upstream"] or read_resolvers(Path(config["resolv-conf"]))
    server = DnsServer(Zone(config["domain"].lower().strip("."), records.lookups), upstreams, ttl_s=config["ttl"])

    def ready() -> str | None:
        return None if records.synced else "names are not all known yet"

    host = config["bind-address"]
    ports = [
        await serve_health(host=host, port=config["health-port"], tls=None, checks={}),
        await serve_health(host=host, port=config["ready-port"], tls=None, checks={"names": ready}),
        await serve_health(host=host, port=config["metrics-port"], tls=None, checks={}),
    ]
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(records.run(), name="records")
            await server.listen(host, config["port"])
            _log.info("answering", domain=config["domain"], port=config["port"], upstreams=upstreams)
    finally:
        await server.close()
        for port in ports:
            if port is not None:
                await port.close()
        await client.close()
