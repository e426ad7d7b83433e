"""The store in etcd, laid out as upstream's API server does: an optimistic transaction a write, one watch a process.

A write whose answer was lost is tried again; the compare makes that safe. A compare that then fails is checked for the
value being ours; if it is not, nobody can tell what has become of the write, and it is Unavailable. Callers that ask
for the present revision together share one read of a quorum, which starts after the last of them asked.
Source: upstream's pkg/storage/etcd3/store.go.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from kubepy.lib import log, tasks
from kubepy.lib.backoff import Backoff
from kubepy.storage import etcd_messages as etcd
from kubepy.storage.base import (
    VALUE_BYTES_AT_MOST,
    Change,
    Compacted,
    Entry,
    KeyExists,
    KeyMissing,
    RevisionConflict,
    StoreError,
    TooLarge,
    Unavailable,
)
from kubepy.storage.claims import Claims
from kubepy.storage.etcd_client import CALL_DEADLINE_S, COMPACT, RANGE, TXN, EtcdClient, Refused
from kubepy.storage.etcd_leases import Leases
from kubepy.storage.etcd_watch import changes_after, changes_between
from kubepy.storage.grpc_connection import NOT_FOUND
from kubepy.storage.hub import Hub, HubWatch
from kubepy.storage.timing import Durations, Timing

PAGE = 1000
"""Keys that one answer of a list holds."""
PING_DEADLINE_S = 2.0

_log = log.get(__name__)
_NOT_THERE = b"\0"
_ANY_LEASE_TRIES = 3


class EtcdStore:
    """A Store (see base.py); `endpoints` are URLs of the members, the PEM files' paths are for https."""

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        ca: str = "",
        cert: str = "",
        key: str = "",
        deadline_s: float = CALL_DEADLINE_S,
    ) -> None:
        self._client = EtcdClient(endpoints, ca=ca, cert=cert, key=key)
        self._deadline_s = deadline_s
        self._leases = Leases(self._client)
        self._hub = Hub(0)
        self._following: asyncio.Task[None] | None = None
        self._askers: list[asyncio.Future[int]] = []
        self._asking: asyncio.Task[None] | None = None
        self._closed = False
        self._claims = Claims()
        self.durations: Durations = {}

    async def get(self, key: str) -> Entry:
        with Timing(self.durations, "get", key):
            answer = await self._call(RANGE, etcd.RangeRequest(key=key.encode()))
        if not answer.kvs:
            raise KeyMissing(key)
        return _entry(answer.kvs[0])

    async def list(self, prefix: str, *, revision: int = 0) -> tuple[Sequence[Entry], int]:
        start, end = prefix.encode(), _end_of(prefix)
        found: list[Entry] = []
        while True:
            request = etcd.RangeRequest(key=start, range_end=end, limit=PAGE, revision=revision)
            try:
                with Timing(self.durations, "list", prefix):
                    answer = await self._call(RANGE, request)
            except Refused as error:
                if "compacted" in str(error):
                    raise Compacted(revision + 1) from error
                raise
            revision = revision or answer.header.revision
            found.extend(map(_entry, answer.kvs))
            if not answer.more:
                return found, revision
            start = answer.kvs[-1].key + b"\0"

    async def create(self, key: str, value: bytes, *, ttl_s: int = 0) -> int:
        with Timing(self.durations, "create", key):
            return await self._put(key, value, 0, ttl_s)

    async def update(self, key: str, value: bytes, *, revision: int, ttl_s: int = 0) -> int:
        with Timing(self.durations, "update", key):
            return await self._put(key, value, revision, ttl_s)

    async def delete(self, key: str, *, revision: int) -> int:
        with Timing(self.durations, "delete", key):
            return await self._delete(key, revision)

    async def _delete(self, key: str, revision: int) -> int:
        name = key.encode()
        answer, repeated = await self._client.call(
            TXN,
            etcd.TxnRequest(
                compare=[_unchanged(name, revision)],
                success=[etcd.RequestOp(request_delete_range=etcd.DeleteRangeRequest(key=name))],
                failure=[etcd.RequestOp(request_range=etcd.RangeRequest(key=name))],
            ),
            deadline_s=self._deadline_s,
        )
        if answer.succeeded:
            return int(answer.header.revision)
        current = answer.responses[0].response_range.kvs
        if current and repeated:
            raise _in_doubt(key)
        if current:
            raise RevisionConflict(_entry(current[0]))
        if repeated:
            return int(answer.header.revision)  # it is gone, as was asked for, at this revision at the latest
        raise KeyMissing(key)

    def watch(self, prefix: str, *, revision: int) -> HubWatch:
        if self._closed:
            raise Unavailable("the store is closed")
        if self._following is None:
            self._hub.position = revision
            self._following = tasks.spawn(self._follow(), name="etcd watch")
        return self._hub.attach(prefix, revision, self._history)

    async def revision(self) -> int:
        asked = asyncio.get_running_loop().create_future()
        self._askers.append(asked)
        if self._asking is None or self._asking.done():
            self._asking = tasks.spawn(self._answer_askers(), name="etcd revision")
        revision: int = await asked
        return revision

    async def compact(self, revision: int) -> None:
        try:
            await self._call(COMPACT, etcd.CompactionRequest(revision=revision))
        except Refused as error:
            if "has been compacted" not in str(error):
                raise

    async def ping(self) -> None:
        await self._client.call(RANGE, _nothing(), deadline_s=PING_DEADLINE_S)

    async def close(self) -> None:
        """Ends every watch and closes the connections; what is under way raises Unavailable."""
        if self._closed:
            return
        self._closed = True
        await tasks.cancel(self._following, self._asking)
        self._hub.end()
        self._client.close()

    # -- writes

    async def _put(self, key: str, value: bytes, revision: int, ttl_s: int) -> int:
        """Stores the value if the key is at `revision` (0: if it is not there)."""
        if len(value) > VALUE_BYTES_AT_MOST:
            raise TooLarge(key)
        for _ in range(_ANY_LEASE_TRIES):
            lease = await self._leases.get(ttl_s) if ttl_s else 0
            try:
                return await self._put_leased(key, value, revision, lease)
            except Refused as error:
                if not lease or error.code != NOT_FOUND:
                    raise
                self._leases.forget(lease)
        raise Unavailable(f"{key}: etcd forgets its leases")

    async def _put_leased(self, key: str, value: bytes, revision: int, lease: int) -> int:
        name = key.encode()
        answer, repeated = await self._client.call(
            TXN,
            etcd.TxnRequest(
                compare=[_unchanged(name, revision)],
                success=[etcd.RequestOp(request_put=etcd.PutRequest(key=name, value=value, lease=lease))],
                failure=[etcd.RequestOp(request_range=etcd.RangeRequest(key=name))],
            ),
            deadline_s=self._deadline_s,
        )
        made = int(answer.header.revision)
        if answer.succeeded and self._claims.add(made):
            return made
        found = answer.responses[0].response_range.kvs if not answer.succeeded else ()
        current = _entry(found[0]) if found else None
        if answer.succeeded or repeated:
            if current is not None and current.value == value and self._claims.add(current.revision):
                return current.revision  # an earlier try was carried out, only its answer was lost
            raise _in_doubt(key)
        if current is None:
            raise KeyMissing(key)
        if not revision:
            raise KeyExists(key)
        raise RevisionConflict(current)

    # -- reads

    async def _call(self, method: Any, request: Any) -> Any:
        return (await self._client.call(method, request, deadline_s=self._deadline_s))[0]

    async def _answer_askers(self) -> None:
        while self._askers:
            askers, self._askers = self._askers, []
            try:
                answer = await self._call(RANGE, _nothing())
            except StoreError as error:
                _tell(askers, error)
            except asyncio.CancelledError:
                _tell([*askers, *self._askers], Unavailable("the store is closed"))
                raise
            else:
                for asked in askers:
                    if not asked.done():
                        asked.set_result(answer.header.revision)
            finally:
                _tell(askers, Unavailable("the store's revision was not learned"))  # nobody waits for ever

    # -- the watch

    async def _follow(self) -> None:
        """Publishes every change; where history is lost, ends all watches and goes on from the present."""
        backoff = Backoff(0.1, 5.0)
        while True:
            try:
                async for changes, reached in changes_after(self._client, self._hub.position):
                    backoff.reset()
                    self._hub.publish(changes, reached)
            except Compacted as gone:
                lost = gone
            _log.warning("etcd has compacted what was not yet seen", seen=self._hub.position, why=lost)
            try:
                present = await self.revision()
            except StoreError as error:
                _log.warning("etcd does not answer", error=error)
                await asyncio.sleep(backoff.next())
                continue
            # In one step: a watch that comes after this reads from history what lies between.
            self._hub.position = max(self._hub.position, present)
            self._hub.end(lost)

    async def _history(self, prefix: str, after: int, until: int) -> Sequence[Change]:
        return await changes_between(self._client, prefix, after, until)


def _in_doubt(key: str) -> Unavailable:
    """The key has changed since a write's answer was lost: by that write, and then by others, or by others alone."""
    return Unavailable(f"{key}: the answer to a write was lost, and the key is not as it would have left it")


def _tell(askers: Sequence["asyncio.Future[int]"], error: Exception) -> None:
    for asked in askers:
        if not asked.done():
            asked.set_exception(error)


def _nothing() -> Any:
    return etcd.RangeRequest(key=_NOT_THERE, limit=1, keys_only=True)


def _unchanged(name: bytes, revision: int) -> Any:
    return etcd.Compare(key=name, target=etcd.MOD, result=etcd.EQUAL, mod_revision=revision)


def _entry(found: Any) -> Entry:
    return Entry(found.key.decode(), found.value, found.mod_revision)


def _end_of(prefix: str) -> bytes:
    """The end of the range of keys that begin with `prefix`."""
    raw = prefix.encode()
    return raw[:-1] + bytes([raw[-1] + 1])
