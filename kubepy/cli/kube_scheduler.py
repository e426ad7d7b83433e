"""The process `kube-scheduler`: flags, health port, the scheduling loop."""

import sys
from collections.abc import Sequence

from kubepy.cli.daemon import start
from kubepy.client.client import Client
from kubepy.client.leader import lead_or_run
from kubepy.lib import daemon
from kubepy.lib.health import serve_health
from kubepy.lib.http_server import server_tls
from kubepy.lib.tls import self_signed
from kubepy.scheduler.config import FLAGS, SchedulerConfig, read
from kubepy.scheduler.scheduler import Scheduler

_ABOUT = "Places pods on nodes."


async def run(config: SchedulerConfig) -> None:
    """The daemon; returns only when cancelled."""
    client = Client.from_kubeconfig(config["kubeconfig"], agent="kube-scheduler")
    certificate, key = config["tls-cert-file"], config["tls-private-key-file"]
    tls = server_tls(certificate, key) if certificate else self_signed("kube-scheduler")
    health = await serve_health(host=config["bind-address"], port=config["secure-port"], tls=tls, checks={})
    daemon.notify_ready()

    async def lead() -> None:
        await Scheduler(client, config.file).run()

    try:
        await lead_or_run(client, config.values, lead)
    finally:
        if health is not None:
            await health.close()
        await client.close()


def main(argv: Sequence[str] | None = None) -> int:
    """The console script."""
    return start("kube-scheduler", _ABOUT, FLAGS, argv, read=read, run=run, verbosity=lambda config: config["v"])


if __name__ == "__main__":
    sys.exit(main())
