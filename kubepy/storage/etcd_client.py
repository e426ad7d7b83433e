"""Calls to etcd over gRPC: one member at a time, the next one when it fails, until a deadline.

A call that failed half-way may have been carried out: `call` tells its caller when an answer is that of a later
try, for only the caller knows what a repeated write means.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import grpc
import grpc.aio
from aetcd import rpc

from kubepy.lib import log
from kubepy.lib.backoff import Backoff
from kubepy.storage.base import StoreError, Unavailable

Answer = TypeVar("Answer")

CALL_DEADLINE_S = 20.0
"""How long an outage of etcd is waited out within one call: longer than an election."""
TRY_DEADLINE_S = 5.0
"""How long one member may take."""

_log = log.get(__name__)
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]
_TRANSIENT = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.UNKNOWN,
}


class Refused(StoreError):
    """etcd answered, with an error that another try does not mend."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code


class Method(Generic[Answer]):
    """One unary method of etcd's API."""

    def __init__(self, path: str, serializer: Callable[[Any], bytes], parser: Callable[[bytes], Answer]) -> None:
        self.path = path
        self.serializer = serializer
        self.parser = parser


RANGE: Method[Any] = Method("/etcdserverpb.KV/Range", rpc.RangeRequest.SerializeToString, rpc.RangeResponse.FromString)
TXN: Method[Any] = Method("/etcdserverpb.KV/Txn", rpc.TxnRequest.SerializeToString, rpc.TxnResponse.FromString)
COMPACT: Method[Any] = Method(
    "/etcdserverpb.KV/Compact", rpc.CompactionRequest.SerializeToString, rpc.CompactionResponse.FromString
)
GRANT: Method[Any] = Method(
    "/etcdserverpb.Lease/LeaseGrant", rpc.LeaseGrantRequest.SerializeToString, rpc.LeaseGrantResponse.FromString
)


class Member:
    """The connection to one endpoint, made at the first call."""

    def __init__(self, endpoint: str, credentials: grpc.ChannelCredentials | None) -> None:
        self.endpoint = endpoint
        address = endpoint.partition("://")[2] or endpoint
        if credentials is None:
            self.channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        else:
            self.channel = grpc.aio.secure_channel(address, credentials, options=_OPTIONS)
        self._calls: dict[str, Any] = {}

    def unary(self, method: Method[Answer]) -> Any:
        """The callable of the method."""
        call = self._calls.get(method.path)
        if call is None:
            call = self._calls[method.path] = self.channel.unary_unary(
                method.path, request_serializer=method.serializer, response_deserializer=method.parser
            )
        return call

    def watch(self) -> Any:
        """A new watch stream. It breaks when the member loses its leader."""
        stream = self.channel.stream_stream(
            "/etcdserverpb.Watch/Watch",
            request_serializer=rpc.WatchRequest.SerializeToString,
            response_deserializer=rpc.WatchResponse.FromString,
        )
        return stream(metadata=(("hasleader", "true"),))


class EtcdClient:
    """`endpoints` are URLs; https needs `ca`, and `cert` with `key` where etcd asks for them: paths of PEM files."""

    def __init__(self, endpoints: Sequence[str], *, ca: str = "", cert: str = "", key: str = "") -> None:
        if not endpoints:
            raise ValueError("no etcd endpoint is given")
        self._endpoints = list(endpoints)
        self._credentials: grpc.ChannelCredentials | None = None
        if any(endpoint.startswith("https://") for endpoint in endpoints):
            self._credentials = grpc.ssl_channel_credentials(_read(ca), _read(key), _read(cert))
        self._members: dict[str, Member] = {}
        self._at = 0

    @property
    def member(self) -> Member:
        """The member that is in use."""
        endpoint = self._endpoints[self._at]
        member = self._members.get(endpoint)
        if member is None:
            secure = endpoint.startswith("https://")
            member = self._members[endpoint] = Member(endpoint, self._credentials if secure else None)
        return member

    def give_up(self, member: Member, why: object) -> None:
        """The member failed: the next one is used, unless somebody has seen to that already."""
        if member is self.member and len(self._endpoints) > 1:
            self._at = (self._at + 1) % len(self._endpoints)
            _log.warning("etcd member failed", endpoint=member.endpoint, next=self._endpoints[self._at], why=why)

    async def call(
        self, method: Method[Answer], request: Any, *, deadline_s: float = CALL_DEADLINE_S
    ) -> tuple[Answer, bool]:
        """The answer, and whether an earlier try may have been carried out. Raises Refused, Unavailable."""
        repeated = False
        backoff: Backoff | None = None
        until = time.monotonic() + deadline_s
        while True:
            member = self.member
            left_s = until - time.monotonic()
            try:
                return await member.unary(method)(request, timeout=max(min(left_s, TRY_DEADLINE_S), 0.001)), repeated
            except grpc.aio.AioRpcError as error:
                code, text = error.code(), error.details() or ""
                if code not in _TRANSIENT:
                    raise Refused(code, text) from error
                backoff = backoff or Backoff(0.05, 1.0)
                wait_s = backoff.next()
                if time.monotonic() + wait_s >= until:
                    raise Unavailable(f"etcd at {member.endpoint}: {text or code.name}") from error
                repeated = True
                self.give_up(member, text)
            await asyncio.sleep(wait_s)

    async def close(self) -> None:
        """Closes every connection."""
        for member in self._members.values():
            await member.channel.close()


def _read(path: str) -> bytes | None:
    return Path(path).read_bytes() if path else None
