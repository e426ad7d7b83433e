"""What requests cost kube-apiserver: `python benchmarks/apiserver.py [--pods N] [--store embedded] [--workers N]`.

Starts etcd (or takes the embedded store) and kube-apiserver on loopback, drives the cases over HTTPS and prints a
Markdown table of the CPU that the server's own processes used for one request. `wrk` drives the reads where it is
installed. The driver shares the machine's cores with the server: CPU a request says more than requests a second.
"""

import argparse
import asyncio
import itertools
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import uvloop

from kubepy.lib import pki

PODS = "/api/v1/namespaces/default/pods"
_TOKEN = "benchmark-token"
_HEAD = f"Host: localhost\r\nAuthorization: Bearer {_TOKEN}\r\nAccept: application/json\r\n"
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def pod(name: str, tier: int) -> dict[str, Any]:
    """A pod that is stored as about 5 KB; one in fifty has the same tier."""
    env = [{"name": f"VARIABLE_{i}", "value": "v" * 20} for i in range(10)]
    probe = {"httpGet": {"path": "/ok", "port": 8080}, "periodSeconds": 5}
    amounts = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}
    containers = [
        {
            "name": f"c{i}",
            "image": "registry.example/app:1.25",
            "env": env,
            "readinessProbe": probe,
            "resources": amounts,
        }
        for i in range(2)
    ]
    labels = {"app": "bench", "tier": str(tier % 50)}
    meta = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": containers}}


@dataclass(frozen=True)
class Server:
    """The processes that are measured."""

    pid: int
    port: int

    def family(self) -> list[int]:
        """The process and its workers."""
        return [self.pid, *map(int, Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split())]

    def cpu_s(self) -> float:
        """The CPU that they have used, of user and system."""
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.family()]
        return sum(int(fields[11]) + int(fields[12]) for fields in stats) * _TICK_S

    def memory_mb(self) -> int:
        """What they hold in memory; pages that several share count once."""
        rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.family()]
        return sum(int(text.partition("\nPss:")[2].split()[0]) for text in rollups) >> 10


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], log: Path) -> Iterator[int]:
    """A process, until the end of the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def storage(kind: str, folder: Path) -> Iterator[list[str]]:
    """A store; kube-apiserver's flags for it."""
    if kind == "embedded":
        yield ["--storage-backend=embedded", f"--data-dir={folder}/store"]
        return
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    command = [
        "etcd",
        "--data-dir",
        f"{folder}/etcd",
        "--listen-client-urls",
        client,
        "--advertise-client-urls",
        client,
    ]
    command += [
        "--listen-peer-urls",
        peer,
        "--initial-advertise-peer-urls",
        peer,
        "--initial-cluster",
        f"default={peer}",
    ]
    with running(command, folder / "etcd.log"):
        yield [f"--etcd-servers={client}"]


@contextmanager
def api_server(folder: Path, store: list[str], workers: int) -> Iterator[Server]:
    """A started kube-apiserver with TLS, RBAC and the default admission."""
    (folder / "sa.key").write_bytes(pki.key_pem(pki.new_key()))
    (folder / "tokens").write_text(f"{_TOKEN},admin,1,system:masters\n")
    port = free_port()
    command = [sys.executable, "-m", "kubepy.cli.kube_apiserver", *store, f"--workers={workers}"]
    command += [
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--token-auth-file={folder}/tokens",
        f"--cert-dir={folder}",
    ]
    command += ["--authorization-mode=RBAC", "--service-account-issuer=https://kubernetes"]
    command += [f"--service-account-key-file={folder}/sa.key", f"--service-account-signing-key-file={folder}/sa.key"]
    with running(command, folder / "api.log") as pid:
        yield Server(pid, port)


class Connection:
    """One keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> "Connection":
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=_trusting(), limit=1 << 20))

    async def send(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> int:
        """Sends a request and reads the answer's head; the length of its body, -1 for a stream."""
        lengths = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n" if body else ""
        self._writer.write(f"{method} {path} HTTP/1.1\r\n{_HEAD}{lengths}\r\n".encode() + body)
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        if head.split(b" ", 2)[1] not in (b"200", b"201", b"409"):
            raise RuntimeError(f"{method} {path}: {head.decode()}")
        return int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]) if b"content-length:" in head else -1

    async def call(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> bytes:
        """The answer's body."""
        return await self.reader.readexactly(await self.send(method, path, body, kind))

    def close(self) -> None:
        self._writer.close()


@cache
def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


Request = Callable[[Connection], Awaitable[object]]


class Bench:
    """The cases, and the table."""

    def __init__(self, server: Server, seconds: float) -> None:
        self._server, self._seconds = server, seconds
        self._numbers = itertools.count()

    async def wait(self) -> None:
        """Returns when the server is ready."""
        while True:
            try:
                connection = await Connection.open(self._server.port)
                await connection.call("GET", "/readyz")
                return
            except (OSError, RuntimeError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.1)

    def row(self, case: str, count: int, cpu_s: float, wall_s: float) -> None:
        """One line of the table."""
        print(f"| {case} | {cpu_s / max(count, 1) * 1e6:,.0f} µs | {count / wall_s:,.0f}/s |", flush=True)

    async def drive(self, case: str, connections: int, request: Request, at_most: float = float("inf")) -> None:
        """Repeats the request on several connections for a while, and reports it."""
        opened = [await Connection.open(self._server.port) for _ in range(connections)]
        begun, cpu_s, count = time.perf_counter(), self._server.cpu_s(), 0

        async def repeat(connection: Connection) -> None:
            nonlocal count
            while time.perf_counter() < begun + self._seconds and count < at_most:
                count += 1
                await request(connection)

        await asyncio.gather(*map(repeat, opened))
        if case:
            self.row(case, count, self._server.cpu_s() - cpu_s, time.perf_counter() - begun)
        for connection in opened:
            connection.close()

    async def read(self, case: str, connections: int, path: str) -> None:
        """A case that only reads: driven by wrk, if it is there."""
        if not shutil.which("wrk"):
            await self.drive(case, connections, lambda connection: connection.call("GET", path))
            return
        url = f"https://127.0.0.1:{self._server.port}{path}"
        headers = ["-H", f"Authorization: Bearer {_TOKEN}", "-H", "Accept-Encoding: identity"]
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{max(round(self._seconds), 1)}",
            "--timeout=30s",
            *headers,
            url,
        ]
        begun, cpu_s = time.perf_counter(), self._server.cpu_s()
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        words = (await process.communicate())[0].split()
        count = int(words[words.index(b"requests") - 1])
        self.row(case, count, self._server.cpu_s() - cpu_s, time.perf_counter() - begun)

    async def create(self, connection: Connection) -> None:
        """One more pod."""
        number = next(self._numbers)
        await connection.call("POST", PODS, orjson.dumps(pod(f"pod-{number}", number)))

    async def patch(self, connection: Connection, name: str = "pod-1") -> None:
        """A merge patch that changes a pod."""
        body = orjson.dumps({"metadata": {"annotations": {"bench": str(next(self._numbers))}}})
        await connection.call("PATCH", f"{PODS}/{name}", body, "application/merge-patch+json")

    async def populate(self, count: int) -> None:
        """So many pods and no more, where they were fewer."""
        have = next(self._numbers)
        self._seconds, kept = float("inf"), self._seconds
        await self.drive("", 16, self.create, at_most=max(count - have, 0))
        self._seconds = kept

    async def fan_out(self, watchers: int, events: int) -> None:
        """What it costs to bring one event to one watcher, the patches that make the events included."""
        opened = [await Connection.open(self._server.port) for _ in range(watchers)]
        for connection in opened:
            await connection.send("GET", f"{PODS}?watch=1&resourceVersion=0&fieldSelector=metadata.name=pod-2")
            await connection.reader.readuntil(b'"ADDED"')

        async def follow(connection: Connection) -> None:
            for _ in range(events):
                await connection.reader.readuntil(b'"MODIFIED"')

        following = asyncio.gather(*map(follow, opened))
        patching = await Connection.open(self._server.port)
        begun, cpu_s = time.perf_counter(), self._server.cpu_s()
        for _ in range(events):
            await self.patch(patching, "pod-2")
        await following
        case = f"one event to one of {watchers} watchers"
        self.row(case, watchers * events, self._server.cpu_s() - cpu_s, time.perf_counter() - begun)
        for connection in (*opened, patching):
            connection.close()


async def bench(server: Server, arguments: argparse.Namespace) -> None:
    """The whole table."""
    run = Bench(server, arguments.seconds)
    await run.wait()
    setup = await Connection.open(server.port)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    await setup.call("POST", "/api/v1/namespaces/default/serviceaccounts", orjson.dumps(account))
    setup.close()
    idle_mb = server.memory_mb()
    print("| Case | CPU | Rate |\n|---|---|---|")
    await run.drive("CREATE pod", 8, run.create)
    await run.populate(arguments.pods)
    await run.read("GET one pod", 16, f"{PODS}/pod-1")
    await run.read("LIST all, consistent", 2, PODS)
    await run.read("LIST by label (1 in 50)", 4, f"{PODS}?labelSelector=tier%3D7&resourceVersion=0")
    await run.read("LIST, 500 a page", 2, f"{PODS}?limit=500")
    await run.drive("PATCH pod (merge)", 1, run.patch)
    await run.fan_out(arguments.watchers, 200)
    print(f"\nResident memory: {idle_mb} MB idle, {server.memory_mb()} MB at the end.")


def main() -> None:
    """Parses the command line, starts everything, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long a case runs")
    parser.add_argument("--store", choices=["etcd", "embedded"], default="etcd")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--watchers", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        with storage(arguments.store, folder) as flags, api_server(folder, flags, arguments.workers) as server:
            uvloop.run(bench(server, arguments))


if __name__ == "__main__":
    main()
