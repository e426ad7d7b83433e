"""Fixtures that any test may ask for."""

import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which

import hypothesis
import pytest

# The same examples in every run: a test that fails by chance tells nobody anything. For long, by hand:
# pytest --hypothesis-profile=long
hypothesis.settings.register_profile("few", derandomize=True, deadline=None, database=None, max_examples=100)
hypothesis.settings.register_profile("long", deadline=None, max_examples=10_000)
hypothesis.settings.load_profile("few")
_STARTS_WITHIN_S = 20.0


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@dataclass
class Etcd:
    """An etcd process of the tests' own; `kill` and `start` make an outage that keeps the data."""

    directory: Path
    arguments: tuple[str, ...] = ("--unsafe-no-fsync",)
    client_port: int = field(default_factory=free_port)
    peer_port: int = field(default_factory=free_port)
    served_without_tls: bool = True
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.client_port}"

    def start(self) -> None:
        """Starts it and waits until it serves."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Starts it."""
        client, peer = self.endpoint, f"http://127.0.0.1:{self.peer_port}"
        command = ["etcd", "--data-dir", str(self.directory / "data"), "--logger", "zap", "--log-level", "error"]
        command += ["--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen([*command, *self.arguments], stdout=log, stderr=log)

    def wait(self) -> None:
        """Returns when it serves, which takes a quorum."""
        assert self.process is not None
        until = time.monotonic() + _STARTS_WITHIN_S
        while not self._serves():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"etcd does not start: {(self.directory / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """Ends it at once, as a crash does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def _serves(self) -> bool:
        if not self.served_without_tls:
            with socket.socket() as sock:
                return sock.connect_ex(("127.0.0.1", self.client_port)) == 0
        try:
            with urllib.request.urlopen(f"{self.endpoint}/health", timeout=2) as answer:
                return b'"true"' in answer.read()
        except OSError:
            return False


def new_etcd(directory: Path, *arguments: str) -> Etcd:
    """A started etcd with its data below `directory`; the caller kills it."""
    if which("etcd") is None:
        pytest.fail("these tests need etcd (Debian's etcd-server): `make deps` installs it")
    etcd = Etcd(directory, ("--unsafe-no-fsync", *arguments))
    etcd.start()
    return etcd


@pytest.fixture(scope="session")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """One etcd for all tests of the session; each keeps to keys of its own."""
    running = new_etcd(tmp_path_factory.mktemp("etcd"))
    yield running
    running.kill()
