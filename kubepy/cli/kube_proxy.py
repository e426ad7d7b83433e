"""The process `kube-proxy`: flags, health port, Service rules, and the pod network where it is asked for."""

import asyncio
import sys
import time
from collections.abc import Sequence

from kubepy.cli.daemon import start
from kubepy.client.client import Client
from kubepy.lib import daemon
from kubepy.lib.health import Check, serve_health
from kubepy.lib.http_server import Server
from kubepy.network.agent import NetworkAgent
from kubepy.proxy.config import FLAGS, ProxyConfig, read
from kubepy.proxy.proxier import Proxier

_ABOUT = "Gives Services their addresses on this node."
_BEHIND_S = 60.0


async def run(config: ProxyConfig) -> None:
    """The daemon; returns only when cancelled."""
    client = Client.from_kubeconfig(config["kubeconfig"], agent="kube-proxy")
    node = config["hostname-override"]
    proxier = Proxier(client, node=node, pod_cidr=config["cluster-cidr"])

    def in_step() -> str | None:
        """Rules that lag behind for a minute are a fault."""
        queued = proxier.queued_at
        return None if not queued or time.monotonic() - queued < _BEHIND_S else "rules are behind"

    ports = [
        await _listen(config["healthz-bind-address"], {"rules": in_step}),
        await _listen(config["metrics-bind-address"], {}),
    ]
    daemon.notify_ready()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(proxier.run(), name="proxier")
            if config["pod-network"]:
                agent = NetworkAgent(client, node=node, cluster_cidr=config["cluster-cidr"])
                group.create_task(agent.run(), name="pod-network")
    finally:
        for port in ports:
            if port is not None:
                await port.close()
        await client.close()


async def _listen(address: str, checks: dict[str, Check]) -> Server | None:
    host, _, port = address.rpartition(":")
    return await serve_health(host=host.strip("[]"), port=int(port or 0), tls=None, checks=checks)


def main(argv: Sequence[str] | None = None) -> int:
    """The console script."""
    return start("kube-proxy", _ABOUT, FLAGS, argv, read=read, run=run, verbosity=lambda config: config["v"])


if __name__ == "__main__":
    sys.exit(main())
