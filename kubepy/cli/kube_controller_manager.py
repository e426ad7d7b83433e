"""The process `kube-controller-manager`: flags, health port, control loops."""

import sys
from collections.abc import Sequence

from kubepy.cli.daemon import start
from kubepy.cli.health_port import serve_delegated
from kubepy.client.client import Client
from kubepy.controllers.config import FLAGS, ManagerConfig, read
from kubepy.controllers.manager import run_manager
from kubepy.lib import daemon

_ABOUT = "Runs the control loops that bring the state of the cluster to what its objects ask for."


async def run(config: ManagerConfig) -> None:
    """The daemon; returns only when cancelled."""
    client = Client.from_kubeconfig(config["kubeconfig"], agent="kube-controller-manager")
    health = await serve_delegated("kube-controller-manager", config.values)
    daemon.notify_ready()
    try:
        await run_manager(config, client)
    finally:
        await health.close()
        await client.close()


def main(argv: Sequence[str] | None = None) -> int:
    """The console script."""
    return start(
        "kube-controller-manager",
        _ABOUT,
        FLAGS,
        argv,
        read=read,
        run=run,
        verbosity=lambda config: config["v"],
        log_format=lambda config: str(config["logging-format"]),
    )


if __name__ == "__main__":
    sys.exit(main())
