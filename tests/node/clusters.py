"""An API server and a real kubelet in this process, joined over TLS, with a Docker of the tests' own below them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kubepy.api import resources
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.embedded import in_process
from kubepy.client.client import Client
from kubepy.kubelet.config import KubeletConfig
from kubepy.kubelet.kubelet import Kubelet
from kubepy.kubelet.runtime.docker import DockerRuntime
from kubepy.kubelet.server import KubeletServer
from kubepy.kubelet.server_auth import ServerAuth
from kubepy.lib import pki, tasks
from kubepy.lib.clock import SYSTEM
from kubepy.lib.http import Answer, Request
from kubepy.lib.http_server import serve, server_tls

ADMIN = UserInfo(name="admin", groups=("system:masters", "system:authenticated"))


def _tls(folder: Path, name: str) -> tuple[str, str]:
    made = pki.issue(pki.new_ca(f"{name}-ca"), name, dns=[name], ips=["127.0.0.1"], client=False, server=True)
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    certificate.write_bytes(pki.certificate_pem(made.certificate))
    key.write_bytes(pki.key_pem(made.key))
    return str(certificate), str(key)


def pod_network(root: Path) -> Path:
    """A folder of CNI settings, below `root`, with a pod network of the tests' own."""
    folder = root / "net.d"
    folder.mkdir()
    (folder / "10-test.conflist").write_text(
        f"""{{"cniVersion": "0.4.0", "name": "kubelet-test", "plugins": [
        {{"type": "bridge", "bridge": "kltest0", "isGateway": true, "hairpinMode": true,
          "ipam": {{"type": "host-local", "dataDir": "{root}/ipam", "ranges": [[{{"subnet": "10.253.77.0/24"}}]]
          }}}},
        {{"type": "portmap", "capabilities": {{"portMappings": true}}}}]}}"""
    )
    return folder


@asynccontextmanager
async def one_node_cluster(socket: str, cni: Path, root: Path) -> AsyncIterator[Path]:
    """The kubeconfig of a cluster in this process whose node runs its pods on the Docker at `socket`."""
    async with in_process() as server:
        client = Client.direct(server.handler, ADMIN)
        meta = {"name": "default", "namespace": "default"}
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}
        await client.create(resources.named("serviceaccounts"), account)

        async def as_admin(request: Request) -> Answer:
            request.context["user"] = ADMIN
            return await server.handler(request)

        async def of_kubelet(request: Request) -> Answer:
            return await answers.handle(request)

        front = await serve(as_admin, host="127.0.0.1", port=0, tls=server_tls(*_tls(root, "apiserver")))
        rear = await serve(of_kubelet, host="127.0.0.1", port=0, tls=server_tls(*_tls(root, "kubelet")))
        runtime = DockerRuntime(socket)
        config = KubeletConfig(
            node_name="n1", root_dir=root, cni_conf_dir=cni, cluster_dns=("10.96.0.10",),
            cluster_domain="cluster.local", cgroup_root="/kubelet-test", node_ips=("127.0.0.1",),
            port=rear.port, anonymous=True, authorization_mode="AlwaysAllow",
        )  # fmt: skip
        kubelet = Kubelet(config, client, runtime)
        answers = KubeletServer(kubelet, ServerAuth(config, client, SYSTEM))
        running = [tasks.spawn(kubelet.run(), name="kubelet"), tasks.spawn(_bind(client), name="scheduler")]
        kubeconfig = root / "config"
        address = {"server": f"https://127.0.0.1:{front.port}", "insecure-skip-tls-verify": True}
        settings = {
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": address}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }  # fmt: skip
        kubeconfig.write_text(json.dumps(settings))
        try:
            yield kubeconfig
        finally:
            await front.close(0.5)
            await rear.close(0.5)
            await tasks.cancel(*running)
            for brief in await runtime.all():
                await runtime.remove(brief.id)
            await runtime.close()


async def _bind(client: Client) -> None:
    """The least of schedulers: every pod runs on n1."""
    pods = resources.named("pods")
    version = (await client.list(pods))["metadata"]["resourceVersion"]
    async for kind, pod in client.watch(pods, resource_version=version):
        if kind == "ADDED" and not pod["spec"].get("nodeName"):
            meta = pod["metadata"]
            binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": meta["name"]},
                       "target": {"kind": "Node", "name": "n1"}}  # fmt: skip
            await client.create(pods, binding, meta["namespace"], name=meta["name"], subresource="binding")
