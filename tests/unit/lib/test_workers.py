"""A parent and its workers, as real processes."""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import kubepy
from kubepy.lib.daemon import CannotStart
from kubepy.lib.workers import shared_sockets

# Each worker says `INDEX PID` on a line of standard output when it serves, and `end INDEX` when it was told to stop.
_PROGRAM = """
import os, select, sys
from kubepy.lib.workers import Supervisor
worker = Supervisor(2).run()
if isinstance(worker, int):
    os.write(1, b"over\\n")
    sys.exit(worker)
if sys.argv[1:] == [str(worker.index)]:
    os._exit(7)
worker.ready()
os.write(1, f"{worker.index} {os.getpid()}\\n".encode())
select.select([worker.stop_fd], [], [])
os.write(1, f"end {worker.index}\\n".encode())
"""
_WITHIN_S = 20


class Parent:
    """The process, and the lines that it and its workers write."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process

    def line(self) -> list[str]:
        """The next line, in words; empty at the end, when every process has closed its output."""
        assert self.process.stdout is not None
        said = b""
        while not said.endswith(b"\n"):
            assert select.select([self.process.stdout], [], [], _WITHIN_S)[0], "nobody says anything"
            character = os.read(self.process.stdout.fileno(), 1)
            if not character:
                break
            said += character
        return said.decode().split()


@contextmanager
def _parent(*arguments: str, **environment: str) -> Iterator[Parent]:
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", _PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(kubepy.__file__).parents[1]), **environment},
    )
    try:
        yield Parent(process)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_workers_start_and_end_with_their_parent() -> None:
    with _parent() as parent:
        assert [parent.line()[0], parent.line()[0]] == ["0", "1"]  # who leads comes first
        parent.process.send_signal(signal.SIGTERM)
        assert sorted([parent.line(), parent.line()]) == [["end", "0"], ["end", "1"]]
        assert parent.line() == ["over"]
        assert parent.process.wait(_WITHIN_S) == 0


def test_dead_worker_is_started_again_in_its_place() -> None:
    with _parent() as parent:
        first, second = parent.line(), parent.line()
        os.kill(int(first[1]), signal.SIGKILL)
        again = parent.line()
        assert again[0] == "0"
        assert again[1] not in (first[1], second[1])


def test_workers_do_not_outlive_a_killed_parent() -> None:
    with _parent() as parent:
        parent.line(), parent.line()
        parent.process.kill()
        assert sorted([parent.line(), parent.line()]) == [["end", "0"], ["end", "1"]]
        assert parent.line() == []


@pytest.mark.parametrize("failing", ["0", "1"])
def test_worker_that_cannot_start_ends_the_daemon(failing: str) -> None:
    with _parent(failing) as parent:
        assert parent.process.wait(_WITHIN_S) == 1


def test_service_manager_hears_once_that_all_are_ready(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(_WITHIN_S)
        with _parent(NOTIFY_SOCKET=str(tmp_path / "notify")) as parent:
            assert manager.recv(64) == b"READY=1"
            assert [parent.line()[0], parent.line()[0]] == ["0", "1"]
            parent.process.send_signal(signal.SIGTERM)
            assert manager.recv(64) == b"STOPPING=1"
            assert parent.process.wait(_WITHIN_S) == 0


def test_shared_sockets_are_of_one_port_that_nobody_else_has() -> None:
    sockets = shared_sockets("127.0.0.1", 0, 3)
    try:
        ports = {sock.getsockname()[1] for sock in sockets}
        assert len(ports) == 1
        sockets[0].listen()
        with pytest.raises(CannotStart, match="address already in use"):
            shared_sockets("127.0.0.1", ports.pop(), 2)
    finally:
        for sock in sockets:
            sock.close()
