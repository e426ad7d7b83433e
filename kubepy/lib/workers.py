"""One daemon as several processes: a parent that listens, starts workers, and starts again those that die.

The parent is the process that the service manager sees: it takes the signals, tells of readiness when all workers are
ready, and ends when they have ended. It holds the listening sockets, so that what came to a worker that died waits for
its successor, and it forks workers from what it has loaded, so that they share its memory. It has no event loop.
The first worker leads: it is started alone, and the others when it is ready.
A worker stops when the pipe from its parent closes, however the parent ended, or by a signal of its own.
"""

import gc
import os
import selectors
import signal
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from kubepy.lib import daemon, log

_RESTART_AFTER_S, _RESTART_AT_MOST_S = 0.1, 5.0
_STEADY_AFTER_S = 30.0
"""A worker that has lived so long starts again without delay."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Worker:
    """What a process that was forked knows of its place; `stop_fd` becomes readable when it is to stop."""

    index: int
    stop_fd: int
    _ready_fd: int

    @property
    def leads(self) -> bool:
        """Whether it does what is done once."""
        return self.index == 0

    def ready(self) -> None:
        """Tells the parent, if it lives, that it serves."""
        with suppress(BrokenPipeError):
            os.write(self._ready_fd, b"1")


@dataclass(slots=True)
class _Seat:
    """A worker's place in the parent."""

    index: int
    pid: int = 0
    ready_fd: int = -1
    is_ready: bool = False
    started_s: float = 0.0
    start_at_s: float = 0.0
    failures: int = 0


@dataclass(slots=True)
class Supervisor:
    """`run` returns twice: in the parent with the exit code when all is over, in each worker with its Worker.

    `listens_on` are the sockets that the parent holds for its workers. It lets them go when it is told to stop: a
    connection that comes after the workers have closed theirs is refused, and does not wait for nobody.
    """

    count: int
    listens_on: Sequence[socket.socket] = ()
    _seats: list[_Seat] = field(default_factory=list)
    _life: tuple[int, int] = (-1, -1)
    _wakeup: "tuple[socket.socket, socket.socket] | None" = None
    _signals: int = 0
    _was_ready: bool = False
    _code: int = 0

    def run(self) -> int | Worker:
        """See the class's docstring."""
        gc.collect()
        gc.freeze()  # the pages of what was loaded stay shared with the workers
        self._seats = [_Seat(index) for index in range(self.count)]
        self._life = os.pipe()
        self._listen_to_signals()
        while True:
            for seat in self._due():
                if (worker := self._start(seat)) is not None:
                    return worker
            self._wait()
            self._reap()
            if self._is_stopping and not any(seat.pid for seat in self._seats):
                return self._code

    @property
    def _is_stopping(self) -> bool:
        return self._life[1] < 0

    # -- signals

    def _listen_to_signals(self) -> None:
        ours, pythons = self._wakeup = socket.socketpair()
        ours.setblocking(False)
        pythons.setblocking(False)
        signal.set_wakeup_fd(pythons.fileno())
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._asked_to_stop)
        signal.signal(signal.SIGCHLD, lambda signum, frame: None)

    def _asked_to_stop(self, signum: int, frame: object) -> None:
        self._signals += 1
        if self._signals == 1:
            _log.info("stopping", signal=signal.Signals(signum).name)
            daemon.notify("STOPPING=1")
            self._stop()
            return
        for seat in self._seats:
            if seat.pid:
                os.kill(seat.pid, signal.SIGKILL)
        os._exit(128 + signum)

    def _stop(self) -> None:
        """Lets go of the ports, and closes the pipe that says that the parent lives."""
        reads, writes = self._life
        if writes >= 0:
            self._life = (reads, -1)
            for sock in self.listens_on:
                sock.close()
            os.close(writes)

    # -- workers

    def _due(self) -> list[_Seat]:
        if self._is_stopping:
            return []
        now_s = time.monotonic()
        missing = [seat for seat in self._seats if not seat.pid and seat.start_at_s <= now_s]
        return missing if self._was_ready or self._seats[0].is_ready else missing[:1] if not self._seats[0].pid else []

    def _start(self, seat: _Seat) -> Worker | None:
        """Forks; the worker's place in the worker, None in the parent."""
        ready, tells = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # none may find the worker with the parent's handlers
        pid = os.fork()
        if pid == 0:
            os.close(ready)
            self._become_worker()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        if pid == 0:
            return Worker(seat.index, self._life[0], tells)
        os.close(tells)
        seat.pid, seat.ready_fd, seat.is_ready, seat.started_s = pid, ready, False, time.monotonic()
        _log.info("worker started", worker=seat.index, pid=pid)
        return None

    def _become_worker(self) -> None:
        """Lets go of what is the parent's."""
        signal.set_wakeup_fd(-1)
        for signum in _SIGNALS:
            signal.signal(signum, signal.SIG_DFL)
        for end in self._wakeup or ():
            end.close()
        os.close(self._life[1])
        for seat in self._seats:
            if seat.ready_fd >= 0:
                os.close(seat.ready_fd)
        os.environ.pop("NOTIFY_SOCKET", None)

    def _wait(self) -> None:
        """Returns at a signal, at a word from a worker, or when one is to be started again."""
        assert self._wakeup is not None
        absent = [] if self._is_stopping else [seat for seat in self._seats if not seat.pid and seat.start_at_s]
        waits = [seat.start_at_s - time.monotonic() for seat in absent]
        with selectors.DefaultSelector() as selector:
            selector.register(self._wakeup[0], selectors.EVENT_READ)
            for seat in self._seats:
                if seat.ready_fd >= 0:
                    selector.register(seat.ready_fd, selectors.EVENT_READ, seat)
            for key, _ in selector.select(max(min(waits), 0) if waits else None):
                if key.data is None:
                    self._wakeup[0].recv(4096)
                else:
                    self._hear(key.data)

    def _hear(self, seat: _Seat) -> None:
        seat.is_ready = bool(os.read(seat.ready_fd, 1))
        os.close(seat.ready_fd)
        seat.ready_fd = -1
        if not self._was_ready and all(one.is_ready for one in self._seats):
            self._was_ready = True
            daemon.notify_ready()

    def _reap(self) -> None:
        for seat in self._seats:
            if seat.pid and (ended := os.waitpid(seat.pid, os.WNOHANG))[0]:
                seat.pid, seat.is_ready = 0, False
                self._ended(seat, os.waitstatus_to_exitcode(ended[1]))

    def _ended(self, seat: _Seat, code: int) -> None:
        if seat.ready_fd >= 0:
            os.close(seat.ready_fd)
            seat.ready_fd = -1
        if self._is_stopping:
            return
        if not self._was_ready:  # what cannot even start would not do better in a second
            _log.error("worker did not start", worker=seat.index, code=code)
            self._code = 1
            self._stop()
            return
        now_s = time.monotonic()
        seat.failures = 0 if now_s - seat.started_s > _STEADY_AFTER_S else seat.failures + 1
        wait_s = min(_RESTART_AFTER_S * 2**seat.failures, _RESTART_AT_MOST_S) if seat.failures else 0.0
        seat.start_at_s = now_s + wait_s
        _log.error("worker ended, it is started again", worker=seat.index, code=code, after_s=wait_s)


def shared_sockets(host: str, port: int, count: int, *, with_others: bool = False) -> list[socket.socket]:
    """A socket for each of `count` workers, bound to one port among which the kernel spreads connections.

    Port 0 takes any. Raises CannotStart when another process has the port, unless it is to be shared `with_others`
    who share theirs.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with _bound(family, host, port, shares=with_others) as probe:  # the kernel lets whoever shares join in: look first
        port = probe.getsockname()[1]
    return [_bound(family, host, port, shares=True) for _ in range(count)]


def _bound(family: socket.AddressFamily, host: str, port: int, *, shares: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shares:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise daemon.CannotStart(f"failed to listen on {host}:{port}: {(error.strerror or '').lower()}") from error
    return sock
