"""What the command lines of all daemons share: help, version, faults and verbosity, then the daemon itself."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from kubepy.apiserver.endpoints.version import VERSION
from kubepy.lib import daemon, log
from kubepy.lib.flags import Flag, FlagError, usage

C = TypeVar("C")


def start(
    name: str,
    about: str,
    flags: Sequence[Flag],
    argv: Sequence[str] | None,
    *,
    read: Callable[[Sequence[str]], C],
    run: Callable[[C], Awaitable[None]],
    verbosity: Callable[[C], Any],
    log_format: Callable[[C], str] = lambda _: "text",
    launch: Callable[[C], int] | None = None,
) -> int:
    """The process `name` from its command line to its exit code; wrong flags are told on standard error, with 1.

    `launch` is for a daemon of several processes: it makes them, and answers the exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if {"--help", "-h"} & set(words):
        print(usage(name, about, flags))
        return 0
    if {"--version", "--version=true"} & set(words):
        print(f"Kubernetes {VERSION}")
        return 0
    only_check = "--check-config" in words
    try:
        config = read([word for word in words if word != "--check-config"])
    except FlagError as error:
        for fault in error.faults:
            print(f"Error: {fault}", file=sys.stderr)
        return 1
    if only_check:
        return 0
    log.setup(int(verbosity(config)), name, log_format(config))
    if launch is not None:
        return launch(config)

    async def main() -> None:
        await run(config)

    return daemon.run(main, name=name)
