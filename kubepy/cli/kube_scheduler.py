"""The process `kube-scheduler`: flags, health port, the scheduling loop."""

import sys
from collections.abc import Sequence

from kubepy.cli.daemon import start
from kubepy.cli.health_port import serve_delegated
from kubepy.client.client import Client
from kubepy.client.leader import lead_or_run
from kubepy.lib import daemon
from kubepy.scheduler.config import FLAGS, SchedulerConfig, read
from kubepy.scheduler.scheduler import Scheduler

_ABOUT = "Places pods on nodes."


async def run(config: SchedulerConfig) -> None:
    """The daemon; returns only when cancelled."""
    client = Client.from_kubeconfig(config["kubeconfig"], agent="kube-scheduler")
    health = await serve_delegated("kube-scheduler", config.values)
    daemon.notify_ready()

    async def lead() -> None:
        await Scheduler(client, config.file).run()

    try:
        await lead_or_run(client, config.values, lead)
    finally:
        await health.close()
        await client.close()


def main(argv: Sequence[str] | None = None) -> int:
    """The console script."""
    return start(
        "kube-scheduler",
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
