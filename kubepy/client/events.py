"""Tells users what happened to an object, as Events that `kubectl describe` shows.

The same fact told again raises the count of its Event instead of making another; a source that floods is
thinned out per object. Telling never delays or fails what is told of.
Source: client-go tools/record/events_cache.go (spam filter: 25 at once, then one in five minutes).
"""

import asyncio
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass

from kubepy.api import errors, resources
from kubepy.client.client import Client, Object
from kubepy.client.transport import Unreachable
from kubepy.lib import clock, log, tasks

_log = log.get(__name__)
_EVENTS = resources.named("events")
_REMEMBERED = 4096
_BURST, _REFILL_S = 25.0, 300.0
_QUEUE_MOST = 1000


@dataclass(slots=True)
class _Told:
    name: str
    count: int


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class EventRecorder:
    """Events of one component; `run` sends them, in order, while the daemon lives."""

    def __init__(self, client: Client, component: str, host: str = "") -> None:
        self._client = client
        self._source = {"component": component, **({"host": host} if host else {})}
        self._queue: asyncio.Queue[tuple[tuple[str, ...], Object]] = asyncio.Queue(_QUEUE_MOST)
        self._told: OrderedDict[tuple[str, ...], _Told] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._sender: asyncio.Task[None] | None = None
        self._dropped = 0

    def event(self, obj: Object, kind: str, reason: str, message: str, *, field_path: str = "") -> None:
        """Tells of `obj`; `kind` is Normal or Warning, `reason` one CamelCase word. Returns at once."""
        meta = obj["metadata"]
        uid = meta.get("uid", "")
        if not self._allowed(uid or meta["name"]):
            return
        if self._sender is None or self._sender.done():
            self._sender = tasks.spawn(self._send_all(), name="events")
        about = {
            "kind": obj.get("kind", ""),
            "apiVersion": obj.get("apiVersion", ""),
            "name": meta["name"],
            "uid": uid,
            **({"namespace": meta["namespace"]} if meta.get("namespace") else {}),
            **({"resourceVersion": meta["resourceVersion"]} if meta.get("resourceVersion") else {}),
            **({"fieldPath": field_path} if field_path else {}),
        }
        now = clock.rfc3339(clock.SYSTEM.now())
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{meta['name'][:200]}.{uuid.uuid4().hex[:16]}",
                "namespace": meta.get("namespace") or "default",
            },
            "involvedObject": about,
            "reason": reason,
            "message": message[:1024],
            "type": kind,
            "source": self._source,
            "reportingComponent": self._source["component"],
            "reportingInstance": self._source.get("host", ""),
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            self._queue.put_nowait(((uid or meta["name"], field_path, kind, reason, message), event))
        except asyncio.QueueFull:
            self._dropped += 1

    async def close(self) -> None:
        """Stops sending; what waits is dropped."""
        await tasks.cancel(self._sender)

    def _allowed(self, about: str) -> bool:
        now = time.monotonic()
        bucket = self._buckets.setdefault(about, _Bucket(_BURST, now))
        self._buckets.move_to_end(about)
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        bucket.tokens = min(_BURST, bucket.tokens + (now - bucket.filled_at) / _REFILL_S)
        bucket.filled_at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    async def _send_all(self) -> None:
        while True:
            fact, event = await self._queue.get()
            if self._dropped and self._queue.empty():
                _log.warning("more events than could be sent", dropped=self._dropped)
                self._dropped = 0
            try:
                await self._send(fact, event)
            except (errors.ApiError, Unreachable) as error:
                _log.debug("event not stored", reason=event["reason"], error=str(error))

    async def _send(self, fact: tuple[str, ...], event: Object) -> None:
        namespace = event["metadata"]["namespace"]
        told = self._told.get(fact)
        if told is not None:
            patch = {"count": told.count + 1, "lastTimestamp": event["lastTimestamp"]}
            try:
                await self._client.patch(_EVENTS, told.name, patch, namespace)
            except errors.NotFound:
                del self._told[fact]  # it was told so long ago that it is gone
            else:
                told.count += 1
                self._told.move_to_end(fact)
                return
        await self._client.create(_EVENTS, event, namespace)
        self._told[fact] = _Told(event["metadata"]["name"], 1)
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
