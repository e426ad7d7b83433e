"""Programs of the machine, run without holding the loop: nft, ip, conntrack."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager

_TIMEOUT_S = 60.0


class CommandError(Exception):
    """A command failed; the message is what it said."""


@contextmanager
def input_of(data: bytes) -> Iterator[int]:
    """A file descriptor to read `data` from.

    Not a pipe: a program may end without reading its input, and to write to it then is a fault.
    """
    descriptor = os.memfd_create("input")
    try:
        with open(descriptor, "wb", closefd=False) as stream:
            stream.write(data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


async def run_command(*command: str, text: str = "", check: bool = True) -> str:
    """The output. Raises CommandError on another exit code than 0 (with `check`), or when it takes too long."""
    try:
        with input_of(text.encode()) as given:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=given, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
    except OSError as error:
        raise CommandError(f"{command[0]}: {error.strerror}") from error
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            out, err = await process.communicate()
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise CommandError(f"{command[0]}: no answer for {_TIMEOUT_S:.0f} s") from error
    if check and process.returncode:
        raise CommandError(f"{' '.join(command)}: {err.decode(errors='replace').strip()[:2000]}")
    return out.decode(errors="replace")
