"""The life of a daemon: signals, exit codes, what it tells the service manager."""

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubepy.lib import daemon


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """A daemon tunes the garbage collector of its process, which here is the tests'."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The service manager's end of the notification socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield channel


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(signum: int, manager: socket.socket) -> None:
    steps: list[str] = []

    async def main() -> None:
        daemon.notify_ready()
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signum)
        try:
            await asyncio.Event().wait()
        finally:
            steps.append("closed")

    assert daemon.run(main, name="test") == 0
    assert steps == ["closed"]
    assert [manager.recv(100), manager.recv(100)] == [b"READY=1", b"STOPPING=1"]


def test_ending_by_itself_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        return

    assert daemon.run(main, name="test") == 1
    assert "daemon ended by itself" in caplog.text


def test_a_failure_is_told_with_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        raise ValueError("broken")

    assert daemon.run(main, name="test") == 1
    assert "ValueError: broken" in caplog.text


def test_what_cannot_start_says_why_in_a_sentence(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        raise daemon.CannotStart("the port is taken")

    assert daemon.run(main, name="test") == 1
    assert capsys.readouterr().err == "Error: the port is taken\n"
    assert not caplog.records


def test_a_failure_while_it_ends_is_one(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("cannot let go")

    assert daemon.run(main, name="test") == 1
    assert "cannot let go" in caplog.text


def test_without_a_service_manager_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    daemon.notify_ready()


def test_the_socket_may_be_an_abstract_one(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"kubepy-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind("\0" + name)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        daemon.notify("STATUS=fine")
        assert channel.recv(100) == b"STATUS=fine"


STUBBORN = """
import asyncio, sys
from kubepy.lib import daemon

async def main():
    print("up", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("ending", flush=True)
        await asyncio.sleep(60)

sys.exit(daemon.run(main, name="stubborn"))
"""


def test_a_second_signal_ends_at_once_what_hangs_in_its_end() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for said in ("up\n", "ending\n"):
            assert process.stdout.readline() == said
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGTERM


LET_GO = """
import asyncio, os, signal, sys
from kubepy.lib import daemon

reads, writes = os.pipe()

async def main():
    asyncio.get_running_loop().call_soon(os.close, writes)
    try:
        await asyncio.Event().wait()
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.1)
        print("closed", flush=True)

sys.exit(daemon.run(main, name="let go", stop_fd=reads))
"""


def test_the_signal_of_a_group_whose_parent_was_quicker_is_no_second_one() -> None:
    ended = subprocess.run([sys.executable, "-c", LET_GO], stdout=subprocess.PIPE, text=True, check=False, timeout=20)
    assert (ended.returncode, ended.stdout) == (0, "closed\n")
