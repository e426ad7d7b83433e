"""Daemons that ask the API server: who comes to their ports, and to act as a service account themselves."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from kubepy.api import resources
from kubepy.api.errors import Forbidden
from kubepy.cli.health_port import serve_delegated
from kubepy.client.account import AccountTransport
from kubepy.client.client import Client
from kubepy.client.transport import HttpTransport
from kubepy.lib import kubeconfig, pki
from kubepy.lib.flags import parse
from kubepy.lib.kubeconfig import RestConfig
from kubepy.scheduler.config import FLAGS
from tests.api.test_security import ACCOUNTS, CA, PODS, ROLES, Cluster, named, new_account, running
from tests.conftest import free_port

CLUSTER_ROLES = resources.named("clusterroles", "rbac.authorization.k8s.io")
CLUSTER_BINDINGS = resources.named("clusterrolebindings", "rbac.authorization.k8s.io")
WHO = resources.named("selfsubjectreviews", "authentication.k8s.io")
RBAC = "rbac.authorization.k8s.io/v1"


def write_kubeconfig(folder: Path, cluster: Cluster, user: str) -> str:
    leaf = pki.issue(CA, user)
    rest = RestConfig(
        server=f"https://127.0.0.1:{cluster.port}",
        ca=CA.certificate_pem,
        client_certificate=leaf.certificate_pem,
        client_key=leaf.key_pem,
    )
    path = folder / f"{user}.conf"
    path.write_text(kubeconfig.render(rest))
    return str(path)


@asynccontextmanager
async def health_port(folder: Path, *flags: str) -> AsyncIterator[str]:
    """The URL of a scheduler's port."""
    port = free_port()
    authority = folder / "clients.crt"
    authority.write_bytes(CA.certificate_pem)
    values = parse(FLAGS, [f"--secure-port={port}", f"--client-ca-file={authority}", *flags])
    opened = await serve_delegated("kube-scheduler", values)
    try:
        yield f"https://127.0.0.1:{port}"
    finally:
        await opened.close()


async def status(url: str, *, token: str = "", certificate: Path | None = None) -> int:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    if certificate is not None:
        tls.load_cert_chain(certificate)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers, ssl=tls) as answer:
        return answer.status


async def token_of(cluster: Cluster, account: str) -> str:
    await new_account(cluster.admin, account)
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    answer = await cluster.admin.create(ACCOUNTS, body, "default", name=account, subresource="token")
    return str(answer["status"]["token"])


async def let_scrape(cluster: Cluster, account: str) -> None:
    rules = [{"verbs": ["get"], "nonResourceURLs": ["/metrics"]}]
    role = {"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": "scrape"}, "rules": rules}
    await cluster.admin.create(CLUSTER_ROLES, role)
    binding = {
        "apiVersion": RBAC,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "scrape"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "scrape"},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "default"}],
    }
    await cluster.admin.create(CLUSTER_BINDINGS, binding)


def test_metrics_are_for_whom_the_cluster_lets_pass_and_health_for_everyone(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path) as cluster:
            allowed, other = await token_of(cluster, "prometheus"), await token_of(cluster, "other")
            await let_scrape(cluster, "prometheus")
            path = write_kubeconfig(tmp_path, cluster, "system:kube-scheduler")
            flags = [f"--authentication-kubeconfig={path}", f"--authorization-kubeconfig={path}"]
            async with health_port(tmp_path, *flags) as url:
                assert await status(f"{url}/healthz") == 200
                assert await status(f"{url}/metrics") == 403
                assert await status(f"{url}/metrics", token="nonsense") == 401
                assert await status(f"{url}/metrics", token=other) == 403
                assert await status(f"{url}/metrics", token=allowed) == 200
                assert await status(f"{url}/healthz/ping", token=other) == 403, "only the named paths are open"

    asyncio.run(story())


def test_without_a_kubeconfig_to_ask_with_only_masters_read_metrics(tmp_path: Path) -> None:
    leaf = pki.issue(CA, "admin", organizations=("system:masters",))
    (tmp_path / "admin.pem").write_bytes(leaf.certificate_pem + leaf.key_pem)

    async def story() -> None:
        async with health_port(tmp_path) as url:
            assert await status(f"{url}/metrics", certificate=tmp_path / "admin.pem") == 200
            assert await status(f"{url}/metrics", token="any") == 401
            assert await status(f"{url}/metrics") == 403
            assert await status(f"{url}/livez") == 200

    asyncio.run(story())


@asynccontextmanager
async def acting_as(cluster: Cluster, asking: Client, account: str) -> AsyncIterator[Client]:
    rest = RestConfig(server=f"https://127.0.0.1:{cluster.port}", ca=CA.certificate_pem)
    way = HttpTransport(lambda: rest)
    try:
        yield Client(AccountTransport(way, asking, "kube-system", account))
    finally:
        await way.close()


def test_a_loop_acts_as_its_account_which_is_made_when_it_is_missing(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path) as cluster:
            manager = cluster.as_user("system:kube-controller-manager")
            async with acting_as(cluster, manager, "deployment-controller") as client:
                who = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
                seen = (await client.create(WHO, who))["status"]["userInfo"]["username"]
                assert seen == "system:serviceaccount:kube-system:deployment-controller"
                assert (await client.list(PODS))["items"] == [], "the bootstrap role of its name lets it"
                with pytest.raises(Forbidden):
                    await client.create(ROLES, named("Role", "x", RBAC, rules=[]))

    asyncio.run(story())
