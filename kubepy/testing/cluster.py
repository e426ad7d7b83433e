"""A cluster in one process: API server on the embedded store, control loops, scheduler and hollow nodes.

The parts are the real ones, joined by direct calls instead of sockets; only the nodes' machines are not there.
`kubepy dev` serves it over HTTPS to kubectl, the pytest plug-in gives it to tests.
"""

import asyncio
import dataclasses
import os
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from kubepy.apiserver.authn.user import ALL_AUTHENTICATED, UserInfo
from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.endpoints.component_status import ComponentFault, Probe, component_statuses
from kubepy.apiserver.loops import bootstrap
from kubepy.apiserver.securing import secure
from kubepy.apiserver.server import ApiServer
from kubepy.client.client import Client
from kubepy.controllers.config import FLAGS as MANAGER_FLAGS
from kubepy.controllers.manager import ClientOf, run_controllers
from kubepy.kubelet.hollow import Fleet, HollowNode
from kubepy.lib import kubeconfig, pki, tasks
from kubepy.lib.clock import SYSTEM
from kubepy.lib.daemon import CannotStart
from kubepy.lib.http_server import server_tls
from kubepy.lib.kubeconfig import RestConfig
from kubepy.scheduler.scheduler import Scheduler
from kubepy.scheduler.settings import SchedulerConfiguration
from kubepy.storage.base import StoreError
from kubepy.storage.embedded import EmbeddedStore

_LOOPBACK = "127.0.0.1"
_MANAGER = "kube-controller-manager"
_SYSTEM = "kube-system"
_STOP_GRACE_S = 1.0
_RENEW_BEFORE = timedelta(days=30)
_SERVICE_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")


@dataclass(frozen=True, slots=True)
class Files:
    """What a cluster keeps in its folder."""

    folder: Path

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def state(self) -> Path:
        return self.folder / "state.db"


@dataclass(frozen=True, slots=True)
class DevCluster:
    """A running cluster. `client` is an administrator's; `url` is where kubectl finds it."""

    files: Files
    server: ApiServer
    client: Client
    url: str
    parts: Mapping[str, "asyncio.Task[None]"]
    """What works beside the API server, by the component's name; none of it ever ends by itself."""

    async def run(self) -> None:
        """Until cancelled; raises what a part failed with, since a cluster without it is none."""
        done, _ = await asyncio.wait(self.parts.values(), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task


@asynccontextmanager
async def dev_cluster(
    folder: str | Path,
    *,
    port: int = 0,
    nodes: int | Sequence[HollowNode] = 1,
    host: str = _LOOPBACK,
    manager_flags: Mapping[str, Any] | None = None,
) -> AsyncIterator[DevCluster]:
    """Runs a cluster on `folder`, which keeps its state and certificates; the hollow nodes are Ready in the block.

    `manager_flags` are values of the controller manager's flags that differ from `manager_settings`. Raises
    CannotStart when the folder or the port cannot be used.
    """
    files = Files(Path(folder))
    store = _open(files, host)
    server = ApiServer(server_config(files, host), store, secure=secure)
    scope = tasks.Scope()
    try:
        await server.start()
        url = await _listen(server, files, host, port)
        with _usable(files.folder):
            write_kubeconfig(files, url)
        client = Client.direct(server.handler, bootstrap.SYSTEM, agent=_MANAGER)
        await server.wait_ready()
        hollow = [HollowNode(name=f"node-{number}") for number in range(nodes)] if isinstance(nodes, int) else nodes
        fleet = Fleet(Client.direct(server.handler, bootstrap.SYSTEM, agent="kubelet"), hollow)
        scheduling = Client.direct(
            server.handler, UserInfo("system:kube-scheduler", groups=(ALL_AUTHENTICATED,)), agent="kube-scheduler"
        )
        settings = manager_settings(files) | dict(manager_flags or {})
        parts = {
            "controller-manager": scope.start(
                run_controllers(client, settings, loop_clients(server)), name="controllers"
            ),
            "scheduler": scope.start(Scheduler(scheduling, SchedulerConfiguration()).run(), name="scheduler"),
            "nodes": scope.start(fleet.run(), name="hollow nodes"),
        }
        probes = {name: _probe(parts[name]) for name in ("scheduler", "controller-manager")}
        server.router.virtual["", "componentstatuses"] = component_statuses(server, probes)
        cluster = DevCluster(files, server, client, url, parts)
        registered = scope.start(fleet.registered.wait(), name="registration")
        await asyncio.wait({registered, *parts.values()}, return_when=asyncio.FIRST_COMPLETED)
        if not registered.done():
            await cluster.run()  # raises what a part failed with
        yield cluster
    finally:
        await scope.close()
        await server.stop(_STOP_GRACE_S)
        await store.close()


def loop_clients(server: ApiServer) -> ClientOf:
    """Clients of the service accounts that control loops act as, with the rights of upstream's roles and no more."""

    def client_of(account: str) -> Client:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{_SYSTEM}", ALL_AUTHENTICATED)
        user = UserInfo(f"system:serviceaccount:{_SYSTEM}:{account}", groups=groups)
        return Client.direct(server.handler, user, agent=_MANAGER)

    return client_of


def _open(files: Files, host: str) -> EmbeddedStore:
    """The folder's store, its certificates made. A power cut may cost the last writes, a crash costs none."""
    with _usable(files.folder):
        files.folder.mkdir(parents=True, exist_ok=True)
        ensure_pki(files.pki, host)
        return EmbeddedStore(str(files.state), synced=False)


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    """What fails in the block, fails for what is in the folder."""
    try:
        yield
    except OSError as error:
        raise CannotStart(f"cannot keep a cluster in {folder}: {error.strerror}: {error.filename}") from error
    except (StoreError, pki.PkiError) as error:
        raise CannotStart(f"cannot use the cluster in {folder}: {error}") from error


async def _listen(server: ApiServer, files: Files, host: str, port: int) -> str:
    try:
        listening = await server.listen(host, port, tls=serving_tls(files.pki))
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise CannotStart(f"cannot listen on {host}:{port}: {why}") from error
    return f"https://{host}:{listening.port}"


def _probe(part: "asyncio.Task[None]") -> Probe:
    async def probe() -> str:
        if part.done():
            raise ComponentFault(f"{part.get_name()} have ended")
        return "ok"

    return probe


def ensure_pki(folder: Path, host: str) -> None:
    """The cluster's authority, the certificates and the token key are made where they are missing or run out."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = _kept(folder / "ca") or _keep(folder / "ca", pki.new_ca("kubernetes"))
    names = ("localhost", *_SERVICE_NAMES)
    addresses = tuple({host, _LOOPBACK, "10.96.0.1"})
    serving = _kept(folder / "apiserver", authority)
    if serving is None or not pki.alternative_names(serving.certificate).issuperset((*names, *addresses)):
        made = pki.issue(authority, "kube-apiserver", dns=names, ips=addresses, client=False, server=True)
        _keep(folder / "apiserver", made)
    if _kept(folder / "admin", authority) is None:
        _keep(folder / "admin", pki.issue(authority, "kubernetes-admin", organizations=("system:masters",)))
    if not (folder / "sa.key").exists():
        _write(folder / "sa.key", pki.key_pem(pki.new_key()))


def _kept(path: Path, authority: pki.Identity | None = None) -> pki.Identity | None:
    """What `_keep` left there, if it is `authority`'s and good for some weeks more."""
    cert, key = path.with_suffix(".crt"), path.with_suffix(".key")
    if not (cert.exists() and key.exists()):
        return None
    identity = pki.load_identity(cert.read_bytes(), key.read_bytes())
    is_ours = authority is None or pki.is_issued_by(identity.certificate, authority.certificate)
    return identity if is_ours and identity.certificate.not_valid_after_utc > SYSTEM.now() + _RENEW_BEFORE else None


def _keep(path: Path, identity: pki.Identity) -> pki.Identity:
    _write(path.with_suffix(".key"), identity.key_pem)
    _write(path.with_suffix(".crt"), identity.certificate_pem)
    return identity


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, and for the owner only."""
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
    part.replace(path)


def server_config(files: Files, host: str) -> ApiServerConfig:
    """The API server's settings: as upstream's defaults, on the embedded store, with this folder's keys."""
    token_key = str(files.pki / "sa.key")
    return dataclasses.replace(
        ApiServerConfig(),
        storage_backend="embedded",
        advertise_address=host,
        client_ca_file=str(files.pki / "ca.crt"),
        service_account_key_file=(token_key,),
        service_account_signing_key_file=token_key,
        service_account_issuer=("https://kubernetes.default.svc.cluster.local",),
        authorization_mode=("Node", "RBAC"),
    )


def serving_tls(folder: Path) -> ssl.SSLContext:
    """TLS that asks clients for a certificate of the cluster's authority, and serves those without one too."""
    return server_tls(str(folder / "apiserver.crt"), str(folder / "apiserver.key"), str(folder / "ca.crt"))


def write_kubeconfig(files: Files, url: str) -> None:
    """An administrator's kubeconfig, made anew at each start: the port may be another."""
    config = RestConfig(
        server=url,
        ca=(files.pki / "ca.crt").read_bytes(),
        client_certificate=(files.pki / "admin.crt").read_bytes(),
        client_key=(files.pki / "admin.key").read_bytes(),
    )
    _write(files.kubeconfig, kubeconfig.render(config, cluster="kubepy-dev", user="kubernetes-admin").encode())


def manager_settings(files: Files) -> dict[str, Any]:
    """The controller manager's flags, as its command line would have them."""
    values = {flag.name: flag.default for flag in MANAGER_FLAGS}
    return values | {
        "root-ca-file": str(files.pki / "ca.crt"),
        "service-account-private-key-file": str(files.pki / "sa.key"),
        "cluster-signing-cert-file": str(files.pki / "ca.crt"),
        "cluster-signing-key-file": str(files.pki / "ca.key"),
        "cluster-cidr": "10.244.0.0/16",
        "allocate-node-cidrs": True,
    }
