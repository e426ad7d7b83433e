"""Protobuf bodies, the large ones read in a thread: a message of many small fields takes seconds."""

import asyncio

from kubepy.api.meta import Object
from kubepy.apiserver.http.protobuf_reading import parse_protobuf
from kubepy.apiserver.registry.context import Context


async def read_ahead(ctx: Context) -> None:
    """Reads a body that might hold up the loop."""
    if "protobuf" in ctx.request.headers.get("Content-Type", ""):
        ctx.protobuf = await asyncio.to_thread(_read, ctx.request.body)


def read_protobuf(ctx: Context) -> Object:
    """The object in the body. Raises ValueError."""
    found = parse_protobuf(ctx.request.body) if ctx.protobuf is None else ctx.protobuf
    if isinstance(found, ValueError):
        raise found
    return found


def _read(body: bytes) -> Object | ValueError:
    try:
        return parse_protobuf(body)
    except ValueError as fault:
        return fault
