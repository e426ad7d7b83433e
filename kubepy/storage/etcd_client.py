"""Calls to etcd over gRPC: one member at a time, the next one when it fails, until a deadline.

A call that failed half-way may have been carried out: `call` tells its caller when an answer is that of a later
try, for only the caller knows what a repeated write means.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from kubepy.lib import log
from kubepy.lib.backoff import Backoff
from kubepy.storage import etcd_messages as etcd
from kubepy.storage import grpc_connection as grpc
from kubepy.storage.base import StoreError, Unavailable

CALL_DEADLINE_S: Final = 20.0
"""How long an outage of etcd is waited out within one call: longer than an election."""
TRY_DEADLINE_S: Final = 5.0
"""How long one member may take."""

_log = log.get(__name__)
_DEFAULT_PORT: Final = 2379
_TRANSIENT: Final = {
    grpc.UNAVAILABLE,
    grpc.DEADLINE_EXCEEDED,
    grpc.CANCELLED,
    grpc.INTERNAL,
    grpc.RESOURCE_EXHAUSTED,
    grpc.ABORTED,
    grpc.UNKNOWN,
}
_NO_SPACE: Final = "space exceeded"
"""In the text of a refusal that lasts until somebody compacts and defragments etcd."""
_WATCH: Final = "/etcdserverpb.Watch/Watch"


class Refused(StoreError):
    """etcd answered, with an error that another try does not mend."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class RpcError(Exception):
    """One try failed; `sent`: it may have been carried out."""

    def __init__(self, code: int, text: str, *, sent: bool = True) -> None:
        super().__init__(text)
        self.code = code
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Method:
    """One unary method of etcd's API."""

    path: str
    parse: Callable[[bytes], Any]


RANGE: Final = Method("/etcdserverpb.KV/Range", etcd.RangeResponse.FromString)
TXN: Final = Method("/etcdserverpb.KV/Txn", etcd.TxnResponse.FromString)
COMPACT: Final = Method("/etcdserverpb.KV/Compact", etcd.CompactionResponse.FromString)
GRANT: Final = Method("/etcdserverpb.Lease/LeaseGrant", etcd.LeaseGrantResponse.FromString)


class _Answer:
    """The one answer of a unary call."""

    __slots__ = ("data", "done")

    def __init__(self, done: "asyncio.Future[bytes]") -> None:
        self.done = done
        self.data = b""

    def message(self, data: bytes) -> None:
        self.data = data

    def ended(self, code: int, text: str) -> None:
        if self.done.done():
            return
        if code == grpc.OK:
            self.done.set_result(self.data)
        else:
            self.done.set_exception(RpcError(code, text))

    def expire(self) -> None:
        self.ended(grpc.DEADLINE_EXCEEDED, "no answer in time")


class WatchCall:
    """An open watch stream: an async iterator of what etcd tells. Raises RpcError when it breaks."""

    def __init__(self) -> None:
        self._messages: deque[bytes] = deque()
        self._error: RpcError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._cancel: Callable[[], None] = lambda: None

    def start(self, connection: grpc.Connection, head: bytes, request: Any) -> None:
        """Opens the stream with its first request."""
        stream_id = connection.call(head, request.SerializeToString(), self, ends=False)
        self._cancel = lambda: connection.cancel(stream_id)

    def message(self, data: bytes) -> None:
        self._messages.append(data)
        self._wake()

    def ended(self, code: int, text: str) -> None:
        self._error = RpcError(code, text or "the stream ended")
        self._wake()

    def __aiter__(self) -> "WatchCall":
        return self

    async def __anext__(self) -> Any:
        while not self._messages:
            if self._error is not None:
                raise self._error
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return etcd.WatchResponse.FromString(self._messages.popleft())

    def cancel(self) -> None:
        """Nobody reads it any more."""
        self._cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Member:
    """One endpoint, connected to at the first call and again after each loss."""

    def __init__(self, endpoint: str, tls: ssl.SSLContext | None) -> None:
        self.endpoint = endpoint
        place = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
        self._host, self._port = place.hostname or "127.0.0.1", place.port or _DEFAULT_PORT
        self._tls = tls if place.scheme == "https" else None
        self._connection: grpc.Connection | None = None
        self._connecting = asyncio.Lock()
        self._heads: dict[str, bytes] = {}

    async def unary(self, method: Method, request: Any, timeout_s: float) -> Any:
        """The answer. Raises RpcError."""
        connection = self._connection
        if connection is None or connection.closed:
            connection = await self._connected(timeout_s)
        head = self._heads.get(method.path)
        if head is None:
            limit = (("grpc-timeout", f"{round(TRY_DEADLINE_S)}S"),)
            head = self._heads[method.path] = connection.head(method.path, metadata=limit)
        loop = asyncio.get_running_loop()
        answer = _Answer(loop.create_future())
        stream_id = connection.call(head, request.SerializeToString(), answer)
        timer = loop.call_later(timeout_s, answer.expire)
        try:
            return method.parse(await answer.done)
        finally:
            timer.cancel()
            connection.cancel(stream_id)

    async def watch(self, request: Any) -> WatchCall:
        """A new watch stream, which breaks when the member loses its leader. Raises RpcError."""
        connection = await self._connected(TRY_DEADLINE_S)
        call = WatchCall()
        call.start(connection, connection.head(_WATCH, metadata=(("hasleader", "true"),)), request)
        return call

    def close(self) -> None:
        """Breaks the connection."""
        if self._connection is not None:
            self._connection.close()

    async def _connected(self, timeout_s: float) -> grpc.Connection:
        try:
            async with asyncio.timeout(timeout_s), self._connecting:
                if self._connection is None or self._connection.closed:
                    self._connection = await grpc.connect(self._host, self._port, self._tls)
                return self._connection
        except OSError as error:  # TimeoutError is one
            raise RpcError(grpc.UNAVAILABLE, str(error) or "no connection in time", sent=False) from error


class EtcdClient:
    """`endpoints` are URLs; https needs `ca`, and `cert` with `key` where etcd asks for them: paths of PEM files."""

    def __init__(self, endpoints: Sequence[str], *, ca: str = "", cert: str = "", key: str = "") -> None:
        if not endpoints:
            raise ValueError("no etcd endpoint is given")
        secure = any(endpoint.startswith("https://") for endpoint in endpoints)
        tls = _tls(ca, cert, key) if secure else None
        self._members = [Member(endpoint, tls) for endpoint in endpoints]
        self._at = 0

    @property
    def member(self) -> Member:
        """The member that is in use."""
        return self._members[self._at]

    def give_up(self, member: Member, why: object) -> None:
        """The member failed: the next one is used, unless somebody has seen to that already."""
        if member is self.member and len(self._members) > 1:
            self._at = (self._at + 1) % len(self._members)
            _log.warning("etcd member failed", endpoint=member.endpoint, next=self.member.endpoint, why=why)

    async def call(self, method: Method, request: Any, *, deadline_s: float = CALL_DEADLINE_S) -> tuple[Any, bool]:
        """The answer, and whether an earlier try may have been carried out. Raises Refused, Unavailable."""
        repeated = False
        backoff: Backoff | None = None
        until = time.monotonic() + deadline_s
        while True:
            member = self.member
            left_s = until - time.monotonic()
            try:
                return await member.unary(method, request, max(min(left_s, TRY_DEADLINE_S), 0.001)), repeated
            except RpcError as error:
                if error.code not in _TRANSIENT:
                    raise Refused(error.code, str(error)) from error
                backoff = backoff or Backoff(0.02, 1.0)
                wait_s = backoff.next()
                if time.monotonic() + wait_s >= until or _NO_SPACE in str(error):
                    raise Unavailable(f"etcd at {member.endpoint}: {error}") from error
                repeated = repeated or error.sent
                self.give_up(member, error)
            await asyncio.sleep(wait_s)

    def close(self) -> None:
        """Breaks every connection."""
        for member in self._members:
            member.close()


def _tls(ca: str, cert: str, key: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca or None)
    if cert:
        context.load_cert_chain(cert, key or None)
    context.set_alpn_protocols(["h2"])
    return context
