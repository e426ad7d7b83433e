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

# Each worker says `INDEX PID PORT` on a line of standard output before it is ready, and `end INDEX` when told to stop.
_PROGRAM = """
import os, select, signal, sys
from kubepy.lib.workers import Supervisor, shared_sockets
sockets = shared_sockets("127.0.0.1", 0, 2)
worker = Supervisor(2, listens_on=sockets).run()
if isinstance(worker, int):
    os.write(1, b"over\\n")
    sys.exit(worker)
if sys.argv[1:] == [str(worker.index)]:
    os._exit(7)
sockets[worker.index].listen()
os.write(1, f"{worker.index} {os.getpid()} {sockets[0].getsockname()[1]}\\n".encode())
worker.ready()
select.select([worker.stop_fd], [], [])
for sock in sockets:
    sock.close()
os.write(1, f"end {worker.index}\\n".encode())
if sys.argv[1:] == ["drains"]:
    signal.pause()
"""
_WITHIN_S = 20


class Parent:
    """The process, the lines that it and its workers write, and what it tells the service manager."""

    def __init__(self, process: "subprocess.Popen[bytes]", manager: socket.socket) -> None:
        self.process, self._manager = process, manager

    def told(self) -> bytes:
        """The next word to the service manager."""
        return self._manager.recv(64)

    def started(self) -> list[list[str]]:
        """The first lines of both workers, in the order that they came in, when both are ready."""
        lines = [self.line(), self.line()]
        assert self.told() == b"READY=1"
        return lines

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
def _parent(folder: Path, *arguments: str) -> Iterator[Parent]:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(folder / "notify"))
    manager.settimeout(_WITHIN_S)
    environment = {"PYTHONPATH": str(Path(kubepy.__file__).parents[1]), "NOTIFY_SOCKET": str(folder / "notify")}
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", _PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        yield Parent(process, manager)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        manager.close()


def test_workers_start_and_end_with_their_parent(tmp_path: Path) -> None:
    with _parent(tmp_path) as parent:
        assert [line[0] for line in parent.started()] == ["0", "1"]  # who leads comes first
        parent.process.send_signal(signal.SIGTERM)
        assert parent.told() == b"STOPPING=1"
        assert sorted([parent.line(), parent.line()]) == [["end", "0"], ["end", "1"]]
        assert parent.line() == ["over"]
        assert parent.process.wait(_WITHIN_S) == 0


def test_nobody_listens_any_more_while_workers_finish_what_they_have(tmp_path: Path) -> None:
    with _parent(tmp_path, "drains") as parent:
        port = int(parent.started()[0][2])
        socket.create_connection(("127.0.0.1", port)).close()
        parent.process.send_signal(signal.SIGTERM)
        assert sorted([parent.line(), parent.line()]) == [["end", "0"], ["end", "1"]]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        parent.process.send_signal(signal.SIGTERM)  # they are not waited for a second time
        assert parent.process.wait(_WITHIN_S) == 128 + signal.SIGTERM


def test_dead_worker_is_started_again_in_its_place(tmp_path: Path) -> None:
    with _parent(tmp_path) as parent:
        first, second = parent.started()
        os.kill(int(first[1]), signal.SIGKILL)
        again = parent.line()
        assert again[0] == "0"
        assert again[1] not in (first[1], second[1])


def test_workers_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    with _parent(tmp_path) as parent:
        parent.started()
        parent.process.kill()
        assert sorted([parent.line(), parent.line()]) == [["end", "0"], ["end", "1"]]
        assert parent.line() == []


@pytest.mark.parametrize("failing", ["0", "1"])
def test_worker_that_cannot_start_ends_the_daemon(failing: str, tmp_path: Path) -> None:
    with _parent(tmp_path, failing) as parent:
        assert parent.process.wait(_WITHIN_S) == 1


def test_shared_sockets_are_of_one_port_that_nobody_else_has() -> None:
    sockets = shared_sockets("127.0.0.1", 0, 3)
    try:
        (port,) = {sock.getsockname()[1] for sock in sockets}
        sockets[0].listen()
        with pytest.raises(CannotStart, match="address already in use"):
            shared_sockets("127.0.0.1", port, 2)
        sockets += shared_sockets("127.0.0.1", port, 1, with_others=True)
    finally:
        for sock in sockets:
            sock.close()
