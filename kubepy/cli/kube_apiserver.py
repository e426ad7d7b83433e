"""The process `kube-apiserver`: flags, a store, the server, its sockets.

With `--workers` it is a parent and so many workers, of which the first one does what is done once (`lib/workers.py`).
Start: caches first, then sockets; the objects that a cluster has from its first moment follow while it already serves
(see /readyz). Stop: not ready, then (--shutdown-delay-duration) sockets, then watches, then the store. A store that is
away is waited for, never a reason to end.
"""

import asyncio
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry

from kubepy.apiserver import memory
from kubepy.apiserver.audit.backends import Backends
from kubepy.apiserver.audit.handler import Auditor
from kubepy.apiserver.audit.metrics import AuditMetrics
from kubepy.apiserver.audit.policy import parse_policy
from kubepy.apiserver.authn.user import ALL_AUTHENTICATED, PRIVILEGED_GROUP, UserInfo
from kubepy.apiserver.config.command_line import FLAGS, ApiServerConfig, read
from kubepy.apiserver.config.encryption import parse_encryption_config
from kubepy.apiserver.config.features import without_effect
from kubepy.apiserver.config.reloads import Reloads
from kubepy.apiserver.endpoints import paths as endpoints
from kubepy.apiserver.endpoints.worker_metrics import WorkerMetrics, listening_sockets
from kubepy.apiserver.http.browsers import cross_origin, strict_transport
from kubepy.apiserver.registry.taken_over import TakenOverStore
from kubepy.apiserver.securing import secure
from kubepy.apiserver.server import ApiServer
from kubepy.apiserver.serving import Serving
from kubepy.cli.daemon import start
from kubepy.lib import daemon, file_watch, log, tasks
from kubepy.lib.http import Answer, Handler, Request
from kubepy.lib.workers import Supervisor, Worker, shared_sockets
from kubepy.storage.base import Store
from kubepy.storage.embedded import EmbeddedStore
from kubepy.storage.encrypted import EncryptedStore
from kubepy.storage.etcd import EtcdStore

NAME = "kube-apiserver"
_ABOUT = "Validates and configures data for the API objects, and serves them: the front of the cluster's shared state."
_UNSECURED = UserInfo("system:unsecured", groups=(PRIVILEGED_GROUP, ALL_AUTHENTICATED))
_DRAIN_S = 60.0
"""How long requests in flight may go on at the end, where they may take for ever."""
_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """What a process of the server serves on, and as what."""

    serving: Serving
    secure: socket.socket | None = None
    """The socket of the secure port that is bound already; None binds it."""
    insecure: socket.socket | None = None
    leads: bool = True
    ready: Callable[[], None] = daemon.notify_ready
    waits_for_hooks: bool = False
    """Whether it is ready only when what is made once has been made."""
    metrics_of_all: Callable[[Callable[[], bytes]], WorkerMetrics] | None = None
    """Makes of the metrics of this process those of all workers, where there are several."""


async def run(config: ApiServerConfig) -> None:
    """The daemon as one process; returns only when cancelled."""
    await serve(config, Place(Serving(config)))


async def serve(config: ApiServerConfig, place: Place) -> None:
    """One process of the daemon; returns only when cancelled."""
    if place.leads and (unknown := without_effect(config.feature_gates)):
        _log.warning("features without effect", features=",".join(unknown))
    store = open_backend(config)
    keys = Keys(config, store) if config.encryption_provider_config else None
    store = keys.store if keys is not None else store
    if config.storage_backend != "embedded":
        store = TakenOverStore(store)  # upstream's API server may have filled it
    server = ApiServer(config, store, secure=secure, leads=place.leads)
    audits = bool(config.audit_log_path or config.audit_webhook_config_file)
    audit = Auditing(config, server) if audits else None
    scope = tasks.Scope()
    try:
        await server.start()
        handler = server.handler
        if audit is not None:
            handler = audit.handler
            for follower in audit.backends.background:
                scope.start(follower(), name="audit webhook")
        if config.secure_port:
            shown = strict_transport(
                config.strict_transport_security_directives, cross_origin(config.cors_allowed_origins, handler)
            )
            sockets = [place.secure] if place.secure else None
            await server.listen(
                config.bind_address, config.secure_port, tls=place.serving.context, handler=shown, sockets=sockets
            )
            scope.start(place.serving.follow(), name="serving certificates")
        if config.insecure_port:
            await server.listen(
                config.insecure_bind_address,
                config.insecure_port,
                tls=None,
                handler=unsecured(handler),
                sockets=[place.insecure] if place.insecure else None,
            )
        if config.encryption_provider_config_automatic_reload and keys is not None:
            scope.start(keys.follow(server.metrics.registry), name="encryption configuration")
        _log.info("serving", address=config.bind_address, port=config.secure_port or config.insecure_port)
        if place.metrics_of_all is not None:
            metrics = place.metrics_of_all(server.metrics.render)
            endpoints.install_metrics(server.router, metrics.render_all)
            scope.start(metrics.run(), name="metrics of all workers")
        memory.settle()
        if place.waits_for_hooks:
            await server.wait_ready()
        place.ready()
        await asyncio.Event().wait()
    finally:
        await server.retire()
        await server.stop(config.request_timeout_s or _DRAIN_S)
        await store.close()
        await scope.close()
        if audit is not None:
            await audit.backends.close()


class Keys:
    """What is stored is encrypted as a file says: `store` does so."""

    def __init__(self, config: ApiServerConfig, store: Store) -> None:
        self._path = config.encryption_provider_config
        self._signature = file_watch.signature([self._path])
        self._text = Path(self._path).read_text()
        self.store = EncryptedStore(store, parse_encryption_config(self._text))

    async def follow(self, registry: CollectorRegistry) -> None:
        """Takes in the file when it changes, until cancelled."""
        reloads = Reloads("encryption", registry)
        reloads.holds(self._text)
        await file_watch.follow([self._path], partial(self.read_again, reloads), since=self._signature)

    async def read_again(self, reloads: Reloads) -> None:
        """Takes in a file that has changed; one that is not good leaves everything as it was."""
        try:
            text = Path(self._path).read_text()  # noqa: ASYNC240  # as small as it is
            self.store.set_transformers(parse_encryption_config(text))
        except (OSError, ValueError) as fault:
            _log.warning("encryption configuration not read again", file=self._path, error=fault)
            reloads.failed()
        else:
            reloads.succeeded(text)
            _log.info("encryption configuration read again", file=self._path)


def open_backend(config: ApiServerConfig) -> Store:
    """The store itself."""
    if config.storage_backend == "embedded":
        if not config.data_dir:
            return EmbeddedStore()
        folder = Path(config.data_dir)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return EmbeddedStore(str(folder / "state.db"))
    return EtcdStore(
        list(config.etcd_servers), ca=config.etcd_cafile, cert=config.etcd_certfile, key=config.etcd_keyfile
    )


class Auditing:
    """The audit log of a server: `handler` is the server's, its requests written down."""

    def __init__(self, config: ApiServerConfig, server: ApiServer) -> None:
        metrics = AuditMetrics(server.metrics.registry)
        self.backends = Backends(config, server.lookup, metrics)
        policy = parse_policy(Path(config.audit_policy_file).read_text())
        self.handler: Handler = Auditor(server.handler, policy, self.backends, metrics=metrics).handle


def unsecured(handler: Handler) -> Handler:
    """The handler of the insecure port: whoever reaches it may do everything, as in the days of old."""

    async def handle(request: Request) -> Answer:
        request.context["user"] = _UNSECURED
        return await handler(request)

    return handle


def launch(config: ApiServerConfig) -> int:
    """The process, or the parent and its workers, to the exit code."""
    if config.workers == 1:
        return daemon.run(lambda: run(config), name=NAME)
    serving, count = Serving(config), config.workers
    try:
        shared = config.permit_port_sharing
        secure_ports = _sockets(config.bind_address, config.secure_port, count, with_others=shared)
        insecure_ports = _sockets(config.insecure_bind_address, config.insecure_port, count, with_others=shared)
    except daemon.CannotStart as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    told_at = listening_sockets(count)
    worker = Supervisor(count, listens_on=[*secure_ports, *insecure_ports]).run()
    if isinstance(worker, int):
        return worker
    log.setup(config.v, NAME, config.logging_format)
    place = Place(
        serving=serving,
        secure=_own(secure_ports, worker),
        insecure=_own(insecure_ports, worker),
        leads=worker.leads,
        ready=worker.ready,
        waits_for_hooks=worker.leads,
        metrics_of_all=partial(WorkerMetrics, told_at, worker.index),
    )
    return daemon.run(lambda: serve(config, place), name=NAME, stop_fd=worker.stop_fd)


def _sockets(host: str, port: int, count: int, *, with_others: bool) -> list[socket.socket]:
    return shared_sockets(host, port, count, with_others=with_others) if port else []


def _own(sockets: list[socket.socket], worker: Worker) -> socket.socket | None:
    """The worker's socket; the others' are let go."""
    for index, sock in enumerate(sockets):
        if index != worker.index:
            sock.close()
    return sockets[worker.index] if sockets else None


def main(argv: Sequence[str] | None = None) -> int:
    """The console script."""
    return start(
        NAME,
        _ABOUT,
        FLAGS,
        argv,
        read=read,
        run=run,
        verbosity=lambda config: config.v,
        log_format=lambda config: config.logging_format,
        launch=launch,
    )


if __name__ == "__main__":
    sys.exit(main())
