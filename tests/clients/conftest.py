"""What the clients meet: one `kubepy dev` with hollow nodes for all tests, and one real node for what runs in pods."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes
import pytest
import uvloop

from kubepy.testing.process import DevProcess
from tests.clients.objects import CRONTAB, web_pod
from tests.node.clusters import one_node_cluster, pod_network
from tests.node.conftest import docker_socket

__all__ = ["docker_socket"]
_WITHIN_S = 30.0


@pytest.fixture(scope="session")
def kubeconfig(kubepy_cluster: DevProcess) -> str:
    """The path of an administrator's kubeconfig."""
    return str(kubepy_cluster.kubeconfig)


@pytest.fixture(scope="session")
def crontabs(kubepy_cluster: DevProcess) -> Iterator[None]:
    """The CustomResourceDefinition CRONTAB, established."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    kubepy_cluster.call("POST", path, CRONTAB)

    def is_established() -> bool:
        found = kubepy_cluster.call("GET", f"{path}/{CRONTAB['metadata']['name']}")
        conditions = found.get("status", {}).get("conditions", [])
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    eventually(is_established, "the definition is established")
    yield
    kubepy_cluster.call("DELETE", f"{path}/{CRONTAB['metadata']['name']}")


@pytest.fixture(scope="session")
def node_kubeconfig(docker_socket: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The kubeconfig of a cluster with a real node, where the pod `web` is ready: it has a log, a shell and a page."""
    root = tmp_path_factory.mktemp("node")
    thread = _Node(docker_socket, root)
    thread.start()
    try:
        kubeconfig = thread.kubeconfig()
        with kubernetes.config.new_client_from_config(kubeconfig) as client:
            core = kubernetes.client.CoreV1Api(client)
            core.create_namespaced_pod("default", web_pod())

            def is_ready() -> bool:
                conditions = core.read_namespaced_pod("web", "default").status.conditions or []
                return any(c.type == "Ready" and c.status == "True" for c in conditions)

            eventually(is_ready, "the pod is ready")
        yield kubeconfig
    finally:
        thread.end()


class _Node(threading.Thread):
    """The cluster with the real node, in a thread and loop of its own: what talks to it may block."""

    def __init__(self, socket: str, root: Path) -> None:
        super().__init__(name="node", daemon=True)
        self._socket = socket
        self._root = root
        self._ready = threading.Event()
        self._found: Path | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = asyncio.Event()

    def run(self) -> None:
        try:
            uvloop.run(self._serve())
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with one_node_cluster(self._socket, pod_network(self._root), self._root) as kubeconfig:
            self._found = kubeconfig
            self._ready.set()
            await self._end.wait()

    def kubeconfig(self) -> str:
        assert self._ready.wait(_WITHIN_S)
        assert self._found is not None
        return str(self._found)

    def end(self) -> None:
        if self._loop is not None and self.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
        self.join(_WITHIN_S)


def eventually(holds: Callable[[], Any], what: str) -> None:
    """Returns when it holds."""
    until = time.monotonic() + _WITHIN_S
    while not holds():
        assert time.monotonic() < until, f"not in {_WITHIN_S} s: {what}"
        time.sleep(0.02)
