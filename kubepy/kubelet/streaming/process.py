"""Join a client's channels to a process inside a container: exec and attach.

The client's end of input, its terminal's size and its going away reach the process; the process's output and how it
ended reach the client, output first.
Source: kubelet/pkg/cri/streaming/remotecommand/{exec,attach}.go.
"""

import asyncio
from contextlib import suppress
from typing import Any

import orjson

from kubepy.kubelet.runtime.base import RuntimeFault, Stdio
from kubepy.kubelet.streaming.channels import RESIZE, STDERR, STDIN, STDOUT, Channels, Wanted
from kubepy.lib import tasks

Status = dict[str, Any]


def success() -> Status:
    return {"metadata": {}, "status": "Success"}


def failure(message: str) -> Status:
    return {"metadata": {}, "status": "Failure", "reason": "InternalError", "message": message, "code": 500,
            "details": {"causes": [{"message": message}]}}  # fmt: skip


def exit_status(code: int) -> Status:
    """The Status that tells of a process's end."""
    if code == 0:
        return success()
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


async def join(channels: Channels, stdio: Stdio, wanted: Wanted, *, tell_exit: bool) -> None:
    """Runs until the process or the client ends. `tell_exit`: the client wants the exit code (exec)."""
    incoming = tasks.spawn(_receive(channels, stdio, wanted), name="stream input")
    outgoing = tasks.spawn(_send(channels, stdio, wanted), name="stream output")
    try:
        await asyncio.wait({incoming, outgoing}, return_when=asyncio.FIRST_COMPLETED)
        if not outgoing.done():
            await channels.leave()
            return
        try:
            outgoing.result()
            status = exit_status(await stdio.exit_code()) if tell_exit else success()
        except RuntimeFault as fault:
            status = failure(str(fault))
        except ConnectionError:
            return
        await tasks.cancel(incoming)
        await channels.finish(status)
    finally:
        await tasks.cancel(incoming, outgoing)
        await stdio.close()


async def _receive(channels: Channels, stdio: Stdio, wanted: Wanted) -> None:
    """Returns when the client is gone."""
    with suppress(ConnectionError):
        while (message := await channels.receive()) is not None:
            channel, data = message
            if channel == RESIZE and data:
                await _resize(stdio, data)
            elif channel == STDIN and wanted.stdin:
                await _input(stdio, data)


async def _input(stdio: Stdio, data: bytes | None) -> None:
    try:
        if data is None:
            await stdio.close_input()
        elif data:
            await stdio.write(data)
    except ConnectionError:
        return  # the process does not read any more; its output may go on


async def _resize(stdio: Stdio, data: bytes) -> None:
    with suppress(RuntimeFault, ValueError, KeyError, TypeError):
        size = orjson.loads(data)
        await stdio.resize(int(size["Width"]), int(size["Height"]))


async def _send(channels: Channels, stdio: Stdio, wanted: Wanted) -> None:
    async for number, data in stdio.output():
        channel = STDERR if number == STDERR and not wanted.tty else STDOUT
        if (channel == STDOUT and wanted.stdout) or (channel == STDERR and wanted.stderr):
            await channels.send(channel, data)
