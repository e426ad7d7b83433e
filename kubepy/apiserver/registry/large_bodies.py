"""Bodies that take long to read: YAML takes a hundred times as long as JSON, protobuf of many small fields seconds.

A large one is read beside the loop before anybody asks what it says, so that others are answered meanwhile.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from kubepy.apiserver.http.protobuf_reading import parse_protobuf
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.yaml_bodies import read_yaml
from kubepy.lib.beside import beside

T = TypeVar("T")
LARGE_FROM = 64 * 1024
"""Bytes of a body from which on it is worth a thread: some tens of milliseconds."""
_SLOW: tuple[tuple[str, Callable[[bytes], Any]], ...] = (("yaml", read_yaml), ("protobuf", parse_protobuf))
"""What media types have in their names that are read slowly, and how."""


async def read_ahead(ctx: Context) -> None:
    """Reads a body that would hold up the loop."""
    media = ctx.request.headers.get("Content-Type", "")
    read = next((read for name, read in _SLOW if name in media), None)
    if read is not None:
        ctx.read_ahead = read, await beside(lambda: _outcome(read, ctx.request.body))


def body_read_by(ctx: Context, read: Callable[[bytes], T]) -> T:
    """What `read` makes of the body, now or before. Raises ValueError."""
    if ctx.read_ahead is None or ctx.read_ahead[0] is not read:
        return read(ctx.request.body)
    found: T | ValueError = ctx.read_ahead[1]
    if isinstance(found, ValueError):
        raise found
    return found


def _outcome(read: Callable[[bytes], T], body: bytes) -> T | ValueError:
    try:
        return read(body)
    except ValueError as fault:
        return fault
