"""Notices that files have changed, by looking at them now and then: works for files that are replaced, too.

A file that is mounted into a pod or rotated by a renewing daemon is a link that moves; its time, size and identity
are those of what it leads to.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from kubepy.lib.clock import SYSTEM, Clock

PERIOD_S = 1.0
Signature = tuple[tuple[int, int, int] | None, ...]


def signature(paths: Sequence[str | Path]) -> Signature:
    """A value that changes when one of the files does; None stands for a file that is not there."""
    return tuple(_of(path) for path in paths)


def _of(path: str | Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


async def follow(
    paths: Sequence[str | Path],
    changed: Callable[[], Awaitable[None]],
    *,
    since: Signature | None = None,
    clock: Clock = SYSTEM,
    period_s: float = PERIOD_S,
) -> None:
    """Calls `changed` after each change of a file, until cancelled; `since` is the signature that is known already."""
    known = signature(paths) if since is None else since
    while True:
        await clock.sleep(period_s)
        found = signature(paths)
        if found != known:
            known = found
            await changed()
