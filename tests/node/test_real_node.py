"""A kubelet on real Docker and real CNI, against a whole API server in the same process."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kubepy.api import errors, resources
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.embedded import in_process
from kubepy.client.client import Client
from kubepy.kubelet.config import KubeletConfig
from kubepy.kubelet.kubelet import Kubelet
from kubepy.kubelet.runtime.base import LogOptions, SandboxStatus, State
from kubepy.kubelet.runtime.docker import DockerRuntime
from kubepy.kubelet.streaming.portforward import dial
from kubepy.lib import tasks

Object = dict[str, Any]
PODS = resources.named("pods")
ADMIN = UserInfo(name="admin", groups=("system:masters", "system:authenticated"))
WAITS = ["sh", "-c", "trap 'exit 0' TERM; while true; do sleep 0.05; done"]


@dataclass
class Node:
    """What a test talks to."""

    client: Client
    runtime: DockerRuntime
    kubelet: Kubelet
    root: Path

    async def pod(self, until: Callable[[Object], bool], name: str = "web") -> Object:
        while True:
            found = await self.client.get(PODS, name, "default")
            if until(found):
                return found
            await asyncio.sleep(0.02)

    async def run(self, box: Object, name: str = "web", **spec: Any) -> None:
        meta = {"name": name, "namespace": "default", "labels": {"app": "x"}}
        spec = {
            "nodeName": "n1",
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "c", "image": "busybox:test", **box}],
            **spec,
        }
        await self.client.create(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})

    async def delete(self, name: str = "web") -> None:
        await self.client.delete(PODS, name, "default")
        while True:
            try:
                await self.client.get(PODS, name, "default")
            except errors.NotFound:
                return
            await asyncio.sleep(0.02)

    def container(self, name: str = "web") -> str:
        worker = self.kubelet.manager.find("default", name)
        assert worker is not None
        status = worker.observed.newest("c")
        assert status is not None
        return status.id

    async def shell(self, command: str) -> str:
        result = await self.runtime.run(self.container(), ["sh", "-c", command], 10)
        return result.output.decode()

    async def log(self, name: str = "web") -> str:
        return b"".join([data async for _, data in self.runtime.logs(self.container(name), LogOptions())]).decode()


def is_ready(pod: Object) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions") or [])


@pytest.fixture(scope="session", autouse=True)
def _bridge() -> Iterator[None]:
    """The bridge that the plugins make does not outlive the tests."""
    yield
    subprocess.run(["ip", "link", "delete", "kltest0"], check=False, capture_output=True)


@asynccontextmanager
async def node(socket: str, cni: Path, root: Path) -> AsyncIterator[Node]:
    async with in_process() as server:
        client = Client.direct(server.handler, ADMIN)
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": "default"},
        }
        await client.create(resources.named("serviceaccounts"), account)
        runtime = DockerRuntime(socket)
        config = KubeletConfig(
            node_name="n1", root_dir=root, cni_conf_dir=cni, cluster_dns=("10.96.0.10",),
            cluster_domain="cluster.local",
            cgroup_root="/kubelet-test", node_ips=("127.0.0.1",),
        )  # fmt: skip
        kubelet = Kubelet(config, client, runtime)
        running = tasks.spawn(kubelet.run(), name="kubelet")
        try:
            yield Node(client, runtime, kubelet, root)
        finally:
            await tasks.cancel(running)
            for brief in await runtime.all():
                await runtime.remove(brief.id)
            await runtime.close()


def on_node(socket: str, cni: Path, root: Path, scenario: Callable[[Node], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(60), node(socket, cni, root) as made:
            await scenario(made)

    asyncio.run(run())


def test_pod_serves_on_its_own_address_and_leaves_nothing(docker_socket: str, cni: Path, tmp_path: Path) -> None:
    async def scenario(n: Node) -> None:
        serve = "mkdir /www; echo hello > /www/index.html; exec httpd -f -p 8080 -h /www"
        await n.run({"command": ["sh", "-c", serve], "readinessProbe": {"httpGet": {"port": 8080}}})
        pod = await n.pod(is_ready)
        assert pod["status"]["podIP"].startswith("10.253.77.")
        worker = n.kubelet.manager.find("default", "web")
        assert worker is not None
        sandbox = worker.observed.sandbox
        assert isinstance(sandbox, SandboxStatus)
        reader, writer = await dial(f"/proc/{sandbox.pid}/ns/net", 8080)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert b"hello" in await reader.read()
        writer.close()
        await n.delete()
        while await n.runtime.all():
            await asyncio.sleep(0.02)
        assert list((n.root / "pods").iterdir()) == []
        assert n.kubelet.cni.known() == []

    on_node(docker_socket, cni, tmp_path, scenario)


def test_killed_container_is_restarted_with_its_exit_code_told(docker_socket: str, cni: Path, tmp_path: Path) -> None:
    async def scenario(n: Node) -> None:
        await n.run({"command": WAITS})
        await n.pod(is_ready)
        await n.runtime.stop(n.container(), 0)
        pod = await n.pod(lambda p: is_ready(p) and p["status"]["containerStatuses"][0]["restartCount"] == 1)
        assert pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] in (0, 137)

    on_node(docker_socket, cni, tmp_path, scenario)


def test_job_tells_its_message_and_log(docker_socket: str, cni: Path, tmp_path: Path) -> None:
    async def scenario(n: Node) -> None:
        first = {"name": "first", "image": "busybox:test", "command": ["sh", "-c", "echo made > /d/f"]}
        first["volumeMounts"] = mounts = [{"name": "d", "mountPath": "/d"}]  # type: ignore[assignment]
        work = "cat /d/f; hostname; echo bye > /dev/termination-log; exit 4"
        await n.run(
            {"command": ["sh", "-c", work], "volumeMounts": mounts}, "job", initContainers=[first],
            restartPolicy="Never", volumes=[{"name": "d", "emptyDir": {"medium": "Memory"}}],
        )  # fmt: skip
        pod = await n.pod(lambda p: p["status"].get("phase") == "Failed", "job")
        ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
        assert (ended["exitCode"], ended["message"]) == (4, "bye\n")
        assert await n.log("job") == "made\njob\n"

    on_node(docker_socket, cni, tmp_path, scenario)


def test_security_limits_and_names_reach_the_container(docker_socket: str, cni: Path, tmp_path: Path) -> None:
    async def scenario(n: Node) -> None:
        secured = {"runAsUser": 1234, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
                   "allowPrivilegeEscalation": False}  # fmt: skip
        box = {
            "command": WAITS, "securityContext": secured, "env": [{"name": "A", "value": "1"}],
            "resources": {"limits": {"memory": "32Mi", "cpu": "100m"}},
        }  # fmt: skip
        await n.run(box, hostAliases=[{"ip": "10.1.2.3", "hostnames": ["elsewhere"]}])
        await n.pod(is_ready)
        found = await n.shell(
            "id -u; echo $A; touch /x 2>&1; grep -E 'CapEff|NoNewPrivs' /proc/self/status; "
            "cat /etc/hosts /etc/resolv.conf"
        )
        assert found.startswith("1234\n1\n")
        assert "Read-only file system" in found
        assert "CapEff:\t0000000000000000" in found
        assert "NoNewPrivs:\t1" in found
        assert "10.1.2.3\telsewhere" in found
        assert "nameserver 10.96.0.10" in found
        status = await n.runtime.inspect(n.container())
        assert status is not None
        assert not isinstance(status, SandboxStatus)
        assert (status.resources["memory"], status.resources["cpu_quota"]) == (32 << 20, 10000)

    on_node(docker_socket, cni, tmp_path, scenario)


def test_live_secret_reaches_the_container(docker_socket: str, cni: Path, tmp_path: Path) -> None:
    async def scenario(n: Node) -> None:
        secrets = resources.named("secrets")
        meta = {"name": "s", "namespace": "default"}
        await n.client.create(
            secrets, {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"k": "1"}}
        )
        mounts = [{"name": "v", "mountPath": "/v"}]
        await n.run({"command": WAITS, "volumeMounts": mounts}, volumes=[{"name": "v", "secret": {"secretName": "s"}}])
        await n.pod(is_ready)
        assert await n.shell("cat /v/k") == "1"
        await n.client.patch(secrets, "s", {"stringData": {"k": "2"}}, "default")
        while await n.shell("cat /v/k") != "2":
            await asyncio.sleep(0.02)

    on_node(docker_socket, cni, tmp_path, scenario)


def test_exec_passes_input_output_and_exit_code(docker_socket: str, cni: Path, tmp_path: Path) -> None:
    async def scenario(n: Node) -> None:
        await n.run({"command": WAITS})
        await n.pod(is_ready)
        stdio = await n.runtime.open_exec(
            n.container(), ["sh", "-c", "cat; echo err >&2; exit 5"], stdin=True, tty=False
        )
        await stdio.write(b"in")
        await stdio.close_input()
        frames = [frame async for frame in stdio.output()]
        assert sorted(frames) == [(1, b"in"), (2, b"err\n")]
        assert await stdio.exit_code() == 5
        await stdio.close()

    on_node(docker_socket, cni, tmp_path, scenario)


def test_restarted_kubelet_adopts_the_same_containers(docker_socket: str, cni: Path, tmp_path: Path) -> None:
    async def scenario(n: Node) -> None:
        await n.run({"command": WAITS})
        before = (await n.pod(is_ready))["status"]
        await n.kubelet.manager.close()
        second = Kubelet(n.kubelet.config, n.client, n.runtime)
        running = tasks.spawn(second.run(), name="second kubelet")
        try:
            while (worker := second.manager.find("default", "web")) is None or not worker.containers:
                await asyncio.sleep(0.02)
            assert [b.state for b in await n.runtime.all()] == [State.RUNNING, State.RUNNING]
            after = (await n.pod(is_ready))["status"]
            assert after["containerStatuses"] == before["containerStatuses"]
            assert after["podIP"] == before["podIP"]
        finally:
            await tasks.cancel(running)

    on_node(docker_socket, cni, tmp_path, scenario)
