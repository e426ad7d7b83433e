"""The kubelet's certificates: the client certificate by TLS bootstrap, and its renewal; the serving certificate.

The client certificate's key and chain are one file, `kubelet-client-current.pem`, a link that is replaced at each
renewal; the kubeconfig names it. Renewal comes when 70 to 90 % of its life are over. A serving certificate is asked for
(serverTLSBootstrap) or signed by the kubelet itself.
Source: pkg/kubelet/certificate; client-go/util/certificate.
"""

import asyncio
import base64
import os
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from kubepy.api import errors, resources
from kubepy.client.client import Client
from kubepy.client.transport import Unreachable
from kubepy.kubelet.config import KubeletConfig
from kubepy.lib import kubeconfig, log, pki
from kubepy.lib.backoff import Backoff
from kubepy.lib.clock import Clock

Object = dict[str, Any]

CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client-kubelet"
SERVING_SIGNER = "kubernetes.io/kubelet-serving"
_REQUESTS = resources.named("certificatesigningrequests", "certificates.k8s.io")
_POLL_S = 0.5
_WAIT_S = 900.0
_log = log.get(__name__)


class CertificateDenied(Exception):
    """The cluster refuses to sign."""


FAULTS = (errors.ApiError, Unreachable, CertificateDenied, TimeoutError)
"""Why there may be no certificate yet."""


async def request_certificate(
    client: Client,
    signer: str,
    *,
    cn: str,
    organizations: Sequence[str],
    dns: Iterable[str] = (),
    ips: Iterable[str] = (),
) -> bytes:
    """Key and chain (PEM, in this order) that the cluster signed. Raises CertificateDenied, ApiError, TimeoutError."""
    key = pki.new_key()
    usages = ["digital signature", "server auth" if signer == SERVING_SIGNER else "client auth"]
    request = pki.new_request(key, cn, organizations=organizations, dns=dns, ips=ips)
    made = await client.create(
        _REQUESTS,
        {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"generateName": "csr-"},
            "spec": {"request": base64.b64encode(request).decode(), "signerName": signer, "usages": usages},
        },
    )
    name = made["metadata"]["name"]
    _log.info("asked for a certificate", signer=signer, request=name)
    chain = await _await_certificate(client, name)
    return pki.key_pem(key) + chain


async def _await_certificate(client: Client, name: str) -> bytes:
    async with asyncio.timeout(_WAIT_S):
        while True:
            found = await client.get(_REQUESTS, name)
            status = found.get("status") or {}
            for condition in status.get("conditions") or []:
                if condition["type"] in ("Denied", "Failed"):
                    raise CertificateDenied(f"{name}: {condition['type']}: {condition.get('message', '')}")
            if status.get("certificate"):
                return base64.b64decode(status["certificate"])
            await asyncio.sleep(_POLL_S)


def store(folder: Path, prefix: str, pem: bytes) -> Path:
    """Writes a key and chain and points `<prefix>-current.pem` at it; the path of the link."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{prefix}-{datetime.now(UTC):%Y-%m-%d-%H-%M-%S}.pem"
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(pem)
    link = folder / f"{prefix}-current.pem"
    fresh = folder / f"{prefix}-updated.pem"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(file)
    fresh.rename(link)
    return link


def renewal_time(pem: bytes, *, share: float) -> datetime:
    """When `share` of the first certificate's life is over."""
    certificate = pki.load_certificates(pem)[0]
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return begin + (end - begin) * share


def is_usable(path: Path, now: datetime) -> bool:
    """Whether the file holds a certificate that has not expired."""
    with suppress(OSError, pki.PkiError, IndexError):
        return pki.load_certificates(path.read_bytes())[0].not_valid_after_utc > now
    return False


def render_kubeconfig(bootstrap: kubeconfig.RestConfig, pem_path: Path) -> str:
    """The kubeconfig of a kubelet whose certificate is in a file."""
    cluster: Object = {"server": bootstrap.server}
    if bootstrap.ca:
        cluster["certificate-authority-data"] = base64.b64encode(bootstrap.ca).decode()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "default-cluster", "cluster": cluster}],
        "users": [{"name": "default-auth", "user": {"client-certificate": str(pem_path), "client-key": str(pem_path)}}],
        "contexts": [{"name": "default-context", "context": {"cluster": "default-cluster", "user": "default-auth"}}],
        "current-context": "default-context",
    }
    return yaml.safe_dump(document, sort_keys=False)


async def bootstrap(config: KubeletConfig, clock: Clock) -> None:
    """Makes the kubeconfig with a certificate from the cluster, unless there is a usable one. Tries until it works."""
    if config.kubeconfig is None or config.bootstrap_kubeconfig is None:
        return
    current = config.cert_dir / "kubelet-client-current.pem"
    if config.kubeconfig.exists() and is_usable(current, clock.now()):
        return
    backoff = Backoff(0.5, 20.0)
    while True:
        try:
            credentials = kubeconfig.load(config.bootstrap_kubeconfig)
            client = Client.from_config(credentials, agent="kubelet")
            try:
                pem = await _client_certificate(client, config)
            finally:
                await client.close()
            path = store(config.cert_dir, "kubelet-client", pem)
            config.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
            fresh = config.kubeconfig.with_suffix(".new")
            fresh.write_text(render_kubeconfig(credentials, path))
            fresh.chmod(0o600)
            fresh.rename(config.kubeconfig)
            _log.info("bootstrapped", kubeconfig=str(config.kubeconfig))
            return
        except (*FAULTS, kubeconfig.KubeconfigError) as error:
            _log.warning("bootstrap not done yet", why=str(error))
            await clock.sleep(backoff.next())


async def _client_certificate(client: Client, config: KubeletConfig) -> bytes:
    return await request_certificate(
        client, CLIENT_SIGNER, cn=f"system:node:{config.node_name}", organizations=["system:nodes"]
    )


async def rotate(
    path: Path, prefix: str, clock: Clock, ask: Callable[[], Awaitable[bytes]], changed: Callable[[], None]
) -> None:
    """Replaces the certificate at `path` again and again before it expires; until cancelled."""
    backoff = Backoff(5.0, 300.0)
    while True:
        due = renewal_time(await asyncio.to_thread(path.read_bytes), share=random.uniform(0.7, 0.9))
        await clock.sleep(max((due - clock.now()).total_seconds(), 1.0))
        try:
            store(path.parent, prefix, await ask())
            changed()
            backoff.reset()
            _log.info("certificate renewed", file=str(path))
        except FAULTS as error:
            _log.warning("certificate not renewed", file=str(path), why=str(error))
            await clock.sleep(backoff.next())


def rotates_client(config: KubeletConfig) -> bool:
    """Whether the client certificate is ours to renew: it came from a bootstrap."""
    return config.rotate_certificates and (config.cert_dir / "kubelet-client-current.pem").exists()


async def ask_client(client: Client, config: KubeletConfig) -> bytes:
    """A new client certificate, asked for with the one that is about to expire."""
    return await _client_certificate(client, config)


async def ask_serving(client: Client, config: KubeletConfig, hostname: str, ips: Sequence[str]) -> bytes:
    """A serving certificate from the cluster."""
    return await request_certificate(
        client,
        SERVING_SIGNER,
        cn=f"system:node:{config.node_name}",
        organizations=["system:nodes"],
        dns=sorted({hostname, config.node_name}),
        ips=ips,
    )


def self_signed(config: KubeletConfig, hostname: str, ips: Sequence[str]) -> tuple[Path, Path]:
    """The paths of a serving certificate and key of our own, made if missing or expired."""
    certificate, key = config.cert_dir / "kubelet.crt", config.cert_dir / "kubelet.key"
    if not is_usable(certificate, datetime.now(UTC)) or not key.exists():
        ca = pki.new_ca(f"{hostname}-ca@{int(datetime.now(UTC).timestamp())}")
        leaf = pki.issue(
            ca, hostname, dns=sorted({hostname, config.node_name, "localhost"}), ips=[*ips, "127.0.0.1"],
            client=False, server=True,
        )  # fmt: skip
        config.cert_dir.mkdir(parents=True, exist_ok=True)
        certificate.write_bytes(pki.certificate_pem(leaf.certificate) + pki.certificate_pem(ca.certificate))
        key.touch(mode=0o600)
        key.write_bytes(pki.key_pem(leaf.key))
    return certificate, key
