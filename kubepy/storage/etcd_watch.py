"""The one watch stream of a process: every change of etcd's keyspace in order, whatever the connection does.

The whole keyspace is watched, so every revision tells itself, and a reader that learned of revision N need only
wait until the stream has passed N. (Asking etcd for progress would do for part of the keyspace, but before 3.4.25
etcd answers such a request ahead of events that are still on their way.)
Resumes after the last change that it told; where etcd has compacted those, raises Compacted.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from kubepy.lib import log
from kubepy.lib.backoff import Backoff
from kubepy.storage import etcd_messages as etcd
from kubepy.storage.base import Change, Compacted
from kubepy.storage.etcd_client import EtcdClient, Member, RpcError

_log = log.get(__name__)
_EVERYTHING = b"\0"


def change_of(event: Any) -> Change:
    """The Change that etcd's event tells."""
    found, deleted = event.kv, event.type == etcd.DELETE
    previous = event.prev_kv.value if event.HasField("prev_kv") else None
    return Change(found.key.decode(), None if deleted else found.value, found.mod_revision, previous)


async def changes_after(client: EtcdClient, revision: int) -> AsyncGenerator[tuple[Sequence[Change], int], None]:
    """Batches of changes, never splitting a revision, each with the revision that is then reached; without end.

    Raises Compacted.
    """
    backoff = Backoff(0.05, 1.0)
    is_told = False
    while True:
        member = client.member
        stream = _stream(member, revision)
        try:
            async for batch, reached in stream:
                backoff.reset()
                is_told = False
                revision = max(revision, reached)
                yield batch, revision
            why: object = "the stream ended"
        except RpcError as error:
            why = error
        finally:
            await stream.aclose()
        client.give_up(member, why)
        if not is_told:  # once an outage
            _log.warning("watch of etcd broke, resuming", endpoint=member.endpoint, after=revision, why=why)
            is_told = True
        await asyncio.sleep(backoff.next())


async def _stream(member: Member, revision: int) -> AsyncGenerator[tuple[Sequence[Change], int], None]:
    """What one stream tells, until it breaks."""
    call = await member.watch(_request(revision))
    try:
        gathered: list[Change] = []
        async for response in call:
            if response.compact_revision:
                raise Compacted(response.compact_revision)
            if response.canceled:
                _log.warning("etcd cancelled the watch", endpoint=member.endpoint, why=response.cancel_reason)
                return
            gathered.extend(map(change_of, response.events))
            if response.fragment:  # the rest of this revision follows
                continue
            if gathered:
                yield gathered, gathered[-1].revision
                gathered = []
            elif not response.created:
                yield (), response.header.revision  # a progress notice: the watch is synchronised
    finally:
        call.cancel()


def _request(revision: int) -> Any:
    return etcd.WatchRequest(
        create_request=etcd.WatchCreateRequest(
            key=_EVERYTHING,
            range_end=_EVERYTHING,
            start_revision=revision + 1,
            prev_kv=True,
            progress_notify=True,
            fragment=True,
        )
    )


async def changes_between(client: EtcdClient, prefix: str, after: int, until: int) -> list[Change]:
    """The changes below `prefix` after one revision and up to another one, which must exist. Raises Compacted."""
    found: list[Change] = []
    stream = changes_after(client, after)
    try:
        async for batch, reached in stream:
            found.extend(c for c in batch if c.revision <= until and c.key.startswith(prefix))
            if reached >= until:
                break
    finally:
        await stream.aclose()
    return found
