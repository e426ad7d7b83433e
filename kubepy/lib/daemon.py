"""The skeleton of a daemon: an event loop, signals, systemd's readiness message, an exit code.

A daemon's `main` returns only when cancelled: the first SIGTERM or SIGINT cancels it, so that it can stop
accepting, drain and close; a second one ends the process at once. Source of the message: sd_notify(3).
"""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable

import uvloop

from kubepy.lib import log

_log = log.get(__name__)
_GC_THRESHOLDS = (20_000, 20, 50)


class CannotStart(Exception):
    """What the daemon was told to do cannot be done here; the message says why, in one sentence for a person."""


def notify(state: str) -> None:
    """Sends `state` (`READY=1`, `STOPPING=1`...) to the service manager, if there is one."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.connect(address)
        channel.sendall(state.encode())


def notify_ready() -> None:
    """Tells the service manager that start-up has ended."""
    notify("READY=1")


def run(main: Callable[[], Awaitable[None]], *, name: str, stop_fd: int | None = None) -> int:
    """Runs `main` until a signal or its end; 0 after a signal, 1 when it ended by itself, failed or could not start.

    A `stop_fd` that becomes readable counts as a first signal.
    """
    # Plain JSON has no cycles, yet each document allocates hundreds of containers: with the default threshold of 700
    # the collector looks for cycles at every request. What the imports made stays for good.
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_supervise(main, name, stop_fd))


async def _supervise(main: Callable[[], Awaitable[None]], name: str, stop_fd: int | None) -> int:
    async def body() -> None:
        await main()

    task = asyncio.get_running_loop().create_task(body(), name=name)
    asked_to_stop = signalled = False

    def stop(signum: int) -> None:
        nonlocal signalled
        if signalled:
            os._exit(128 + signum)
        signalled = True
        if not asked_to_stop:
            begin_to_stop(signal.Signals(signum).name)

    def begin_to_stop(why: str) -> None:
        nonlocal asked_to_stop
        asked_to_stop = True
        _log.info("stopping", signal=why)
        notify("STOPPING=1")
        task.cancel()

    def parent_stops(fd: int) -> None:
        loop.remove_reader(fd)
        if not asked_to_stop:  # a terminal or a service manager may have signalled the whole group already, or be late
            begin_to_stop(signal.SIGTERM.name)

    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop, signum)
    if stop_fd is not None:
        loop.add_reader(stop_fd, parent_stops, stop_fd)
    await asyncio.wait({task})
    error = None if task.cancelled() else task.exception()
    if isinstance(error, CannotStart):
        print(f"Error: {error}", file=sys.stderr)
        return 1
    if error is not None:
        _log.error("daemon failed", daemon=name, error=error)
        return 1
    if not asked_to_stop:
        _log.error("daemon ended by itself", daemon=name)
        return 1
    return 0
