"""The process `kubelet`: flags and configuration file, TLS bootstrap, the kubelet and its two ports."""

import asyncio
import socket
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

from kubepy.client.client import Client
from kubepy.kubelet import certificates
from kubepy.kubelet.config import COMMAND_LINE, ConfigError, KubeletConfig, load, read_file
from kubepy.kubelet.kubelet import Kubelet
from kubepy.kubelet.node import VERSION
from kubepy.kubelet.runtime.docker import DockerRuntime
from kubepy.kubelet.server import KubeletServer
from kubepy.kubelet.server_auth import ServerAuth
from kubepy.lib import daemon, log
from kubepy.lib.clock import SYSTEM
from kubepy.lib.flags import usage
from kubepy.lib.http import Answer, Request, Response
from kubepy.lib.http_server import serve

_log = log.get(__name__)


async def run(config: KubeletConfig) -> None:
    """The daemon; returns only when cancelled."""
    await certificates.bootstrap(config, SYSTEM)
    assert config.kubeconfig is not None  # checked by main
    client = Client.from_kubeconfig(config.kubeconfig, agent="kubelet")
    runtime = DockerRuntime(config.runtime_endpoint)
    kubelet = Kubelet(config, client, runtime)
    tls = _ServingTls(config, kubelet)
    auth = ServerAuth(config, client, SYSTEM)
    server = await serve(KubeletServer(kubelet, auth).handle, host=config.address, port=config.port, tls=tls.context)
    health = None
    if config.healthz_port:
        health = await serve(_healthz, host=config.healthz_address, port=config.healthz_port, tls=None)
    daemon.notify_ready()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(kubelet.run(), name="kubelet")
            if certificates.rotates_client(config):
                path = config.cert_dir / "kubelet-client-current.pem"
                work = certificates.rotate(
                    path, "kubelet-client", SYSTEM, lambda: certificates.ask_client(client, config), _nothing
                )
                group.create_task(work, name="client certificate")
            if config.server_tls_bootstrap:
                group.create_task(tls.keep(client), name="serving certificate")
    finally:
        await server.close(2.0)
        if health is not None:
            await health.close(0.5)
        await client.close()
        await runtime.close()


def _nothing() -> None:
    """The client reads its certificate again by itself."""


async def _healthz(request: Request) -> Answer:
    if request.path in ("/healthz", "/healthz/ping", "/healthz/syncloop"):
        return Response(200, b"ok", "text/plain; charset=utf-8")
    return Response(404, b"404 page not found\n", "text/plain; charset=utf-8")


class _ServingTls:
    """The TLS context of port 10250; a new certificate reaches new connections without a restart."""

    def __init__(self, config: KubeletConfig, kubelet: Kubelet) -> None:
        self._config = config
        self._hostname = socket.gethostname()
        self._ips = kubelet.host_ips
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        if config.client_ca_file is not None:
            self.context.load_verify_locations(cafile=str(config.client_ca_file))
            self.context.verify_mode = ssl.CERT_OPTIONAL
        self._current = config.cert_dir / "kubelet-server-current.pem"
        if config.tls_cert_file is not None:
            self.context.load_cert_chain(config.tls_cert_file, config.tls_key_file)
        elif config.server_tls_bootstrap and self._current.exists():
            self.context.load_cert_chain(self._current)
        else:
            certificate, key = certificates.self_signed(config, self._hostname, self._ips)
            self.context.load_cert_chain(certificate, key)

    async def keep(self, client: Client) -> None:
        """Asks the cluster for a serving certificate, and again before it expires."""

        async def ask() -> bytes:
            return await certificates.ask_serving(client, self._config, self._hostname, self._ips)

        while not certificates.is_usable(self._current, SYSTEM.now()):
            try:
                certificates.store(self._config.cert_dir, "kubelet-server", await ask())
            except certificates.FAULTS as error:
                _log.warning("no serving certificate yet", why=str(error))
                await asyncio.sleep(10)
        self.context.load_cert_chain(self._current)
        await certificates.rotate(
            self._current, "kubelet-server", SYSTEM, ask, lambda: self.context.load_cert_chain(self._current)
        )


def _check(words: Sequence[str]) -> int:
    """`--check-config FILE`, or `--check-config` among the flags that the kubelet would get."""
    faults: list[str] = []
    if words[0] == "--check-config" and len(words) == 2 and not words[1].startswith("-"):
        read_file(Path(words[1]), {"node_name": "check"}, faults)
    else:
        try:
            load([word for word in words if word != "--check-config"], hostname=socket.gethostname())
        except ConfigError as error:
            faults = error.faults
    return _tell(faults)


def _tell(faults: Sequence[str]) -> int:
    for fault in faults:
        print(f"Error: {fault}", file=sys.stderr)
    return 1 if faults else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The console script."""
    words = list(sys.argv[1:] if argv is None else argv)
    if {"--help", "-h"} & set(words):
        print(usage("kubelet", "Runs the pods of this node.", COMMAND_LINE))
        return 0
    if "--version" in words:
        print(f"Kubernetes {VERSION}")
        return 0
    if "--check-config" in words:
        return _check(words)
    try:
        config, ignored = load(words, hostname=socket.gethostname())
    except ConfigError as error:
        return _tell(error.faults)
    if config.kubeconfig is None:
        return _tell(["--kubeconfig is required"])
    log.setup(config.verbosity, "kubelet")
    if ignored:
        _log.warning("settings without effect", fields=",".join(ignored))

    async def body() -> None:
        await run(config)

    return daemon.run(body, name="kubelet")


if __name__ == "__main__":
    sys.exit(main())
