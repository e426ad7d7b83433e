"""`kube-apiserver --workers 2` as a process of its own, on etcd."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3

import kubepy
from kubepy.lib import pki
from tests.conftest import free_port, new_etcd

_WITHIN_S = 30.0
_MAPS = "/api/v1/namespaces/default/configmaps"


def until(holds: Callable[[], object]) -> None:
    """Returns when it holds: what is awaited is the work of other processes."""
    end = time.monotonic() + _WITHIN_S
    while not holds():
        assert time.monotonic() < end, "it does not come to hold"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """The processes that a process has started, oldest first."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@dataclass
class Daemon:
    """The parent process, and a way to its port."""

    process: "subprocess.Popen[bytes]"
    url: str
    log: Path

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request on a connection of its own, which the kernel gives to any of the workers."""
        answer = requests.request(
            method, self.url + path, json=body, headers={"Authorization": "Bearer tok"}, verify=False, timeout=20
        )
        return answer.status_code, answer.json() if answer.text.startswith("{") else answer.text

    def serves(self) -> bool:
        """Whether it is ready, whichever worker answers."""
        try:
            return all(self.call("GET", "/readyz")[0] == 200 for _ in range(8))
        except requests.RequestException:
            return False

    def workers(self) -> list[int]:
        """The workers' process ids."""
        return children(self.process.pid)


@pytest.fixture
def daemon(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> Iterator[Daemon]:
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    etcd = new_etcd(tmp_path)
    key, port = tmp_path / "sa.key", free_port()
    key.write_bytes(pki.key_pem(pki.new_key()))
    (tmp_path / "tokens").write_text("tok,admin,admin,system:masters\n")
    flags = [
        "--workers=2",
        f"--etcd-servers={etcd.endpoint}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--token-auth-file={tmp_path}/tokens",
        f"--cert-dir={tmp_path}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://issuer",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
    ]
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "kubepy.cli.kube_apiserver", *flags],
            stderr=stderr,
            env={**os.environ, "PYTHONPATH": str(Path(kubepy.__file__).parents[1])},
        )
    running = Daemon(process, f"https://127.0.0.1:{port}", log)
    try:
        until(lambda: len(running.workers()) == 2 and running.serves())
        yield running
    finally:
        process.kill()
        process.wait()
        etcd.kill()


def _map(name: str, value: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"v": value}}


def test_every_worker_answers_with_what_any_of_them_acknowledged(daemon: Daemon) -> None:
    status, _ = daemon.call("POST", _MAPS, _map("m", "0"))
    assert status == 201
    cpu_before = [_cpu(pid) for pid in daemon.workers()]
    for value in map(str, range(1, 40)):
        assert daemon.call("PUT", f"{_MAPS}/m", _map("m", value))[0] == 200
        assert daemon.call("GET", f"{_MAPS}/m")[1]["data"] == {"v": value}
        (listed,) = (obj for obj in daemon.call("GET", _MAPS)[1]["items"] if obj["metadata"]["name"] == "m")
        assert listed["data"] == {"v": value}
    updates = {_updates(daemon.call("GET", "/metrics")[1]) for _ in range(6)}
    assert updates == {39}, "whichever worker is asked tells of all of them"
    assert all(now > before for now, before in zip(map(_cpu, daemon.workers()), cpu_before, strict=True))


def test_the_seats_of_all_workers_are_those_of_the_flags(daemon: Daemon) -> None:
    name = "apiserver_flowcontrol_nominal_limit_seats{"
    lines = [line for line in daemon.call("GET", "/metrics")[1].splitlines() if line.startswith(name)]
    assert lines
    assert 600 <= sum(float(line.rpartition(" ")[2]) for line in lines) < 650  # each worker rounds each level up


def _updates(metrics: str) -> int:
    """The updates of ConfigMaps that were counted."""
    (line,) = (
        line
        for line in metrics.splitlines()
        if line.startswith("apiserver_request_total{") and 'resource="configmaps"' in line and 'verb="PUT"' in line
    )
    return int(float(line.rpartition(" ")[2]))


def test_killed_worker_comes_back_and_nothing_is_lost(daemon: Daemon) -> None:
    leader, other = daemon.workers()
    assert daemon.call("POST", _MAPS, _map("kept", "1"))[0] == 201
    os.kill(leader, signal.SIGKILL)
    until(lambda: len(daemon.workers()) == 2 and leader not in daemon.workers())
    until(daemon.serves)
    assert other in daemon.workers()
    for _ in range(8):
        assert daemon.call("GET", f"{_MAPS}/kept")[1]["data"] == {"v": "1"}


def test_stops_whole_at_a_signal(daemon: Daemon) -> None:
    workers = daemon.workers()
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(_WITHIN_S) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    log = daemon.log.read_text()
    assert log.count("] ready\n") == 1, "what is made once was made by one worker"
    assert "Traceback" not in log


def _cpu(pid: int) -> int:
    """Clock ticks that the process has used."""
    found = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(found[11]) + int(found[12])
