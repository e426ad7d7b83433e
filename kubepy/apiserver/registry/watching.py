"""Watch: a stream of events; for plain JSON the cache's own bytes, for another form made event by event.

Source: apiserver pkg/endpoints/handlers/{watch,get}.go, pkg/storage/cacher/cacher.go.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import cast

import orjson

from kubepy.api.errors import Expired
from kubepy.api.meta import Object
from kubepy.api.selectors import FieldSelector
from kubepy.apiserver.http.negotiation import PROTOBUF
from kubepy.apiserver.http.options import ListOptions, parse_list_options, require_uint
from kubepy.apiserver.http.protobuf_writing import encode_event
from kubepy.apiserver.registry import conversion
from kubepy.apiserver.registry.codec import decode_stored
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.selecting import known_fields, matches_late, split_fields
from kubepy.apiserver.registry.served import Served
from kubepy.lib.http import Stream
from kubepy.storage.cache import ByteWatcher, EventWatcher, WatchEvent

Render = Callable[[Object, bool], Object]
Encode = Callable[[str, Object], bytes]
CONTENT_TYPE = "application/json"
_LAST_BOOKMARK_S = 2.0
"""How long before a watch's time is over it is told for the last time how far it is."""
PROTOBUF_STREAM = f"{PROTOBUF};stream=watch"


async def watch(served: Served, ctx: Context, render: Render | None, min_timeout_s: int) -> Stream:
    """The events from where the options say; `render` makes the form that was asked for, if it is not plain.

    `render` is given an object and whether it is the first one. Raises ApiError before anything is sent.
    """
    options = parse_list_options(ctx.params, watch=True)
    if options.fields.terms:
        options.fields = known_fields(served, options.fields)
    encode, content_type = (encode_event, PROTOBUF_STREAM) if ctx.form.protobuf else (_line, CONTENT_TYPE)
    timeout_s = options.timeout_s or int(min_timeout_s * (1 + random.random()))
    version = require_uint(options.resource_version)
    early, late = split_fields(served, options.fields)
    options = replace(options, fields=early)
    try:
        watcher = await _open(served, ctx, options, version, plain=render is None)
    except Expired as gone:
        return Stream(_once(encode("ERROR", gone.status())), content_type=content_type)
    if render is None:
        return Stream(_Plain(cast(ByteWatcher, watcher), timeout_s, served), content_type=CONTENT_TYPE)
    events = cast(EventWatcher, watcher)
    if late.is_everything:
        return Stream(_Rendered(events, timeout_s, render, served, encode), content_type=content_type)
    try:
        shown = set() if options.send_initial_events or not version else await _shown(served, late)
    except BaseException:
        await events.aclose()  # nobody else knows of it
        raise
    return Stream(_Selected(events, timeout_s, render, served, encode, late, shown), content_type=content_type)


async def _shown(served: Served, late: FieldSelector) -> set[str]:
    """The keys of what a client that goes on from a list has been shown."""
    entries, _ = served.cache.list()
    found = await conversion.read(served, [decode_stored(entry.data) for entry in entries])
    return {entry.key for entry, obj in zip(entries, found, strict=True) if matches_late(served, late, obj)}


async def _open(
    served: Served, ctx: Context, options: ListOptions, version: int, *, plain: bool
) -> "ByteWatcher | EventWatcher":
    cache = served.cache
    initial = bool(options.send_initial_events)
    if options.resource_version == "":
        await cache.fresh()
    elif version and initial:
        await cache.wait_revision(version)
    open_watch = cache.watch if plain else cache.watch_events
    return open_watch(
        None if initial or not version else version,
        served.namespace_of(ctx.info),
        ctx.info.name or None,
        None if options.selector.is_everything else options.selector,
        None if options.fields.is_everything else options.fields,
        bookmarks=options.bookmarks,
        initial_events=initial,
        end_bookmark=initial and options.bookmarks,
    )


class _Timed:
    """A watcher's batches until its time is over; then the stream ends as if there were no more to say.

    A class, not a generator: what was never iterated must be closed as well.
    """

    def __init__(self, watcher: "ByteWatcher | EventWatcher", timeout_s: float, served: Served) -> None:
        self._watcher = watcher
        self._cache = served.cache
        before_s = _LAST_BOOKMARK_S if watcher.bookmarks and timeout_s > _LAST_BOOKMARK_S else 0.0
        self._timer = asyncio.get_running_loop().call_later(timeout_s - before_s, self._end, before_s)

    def _end(self, before_s: float) -> None:
        """The time is over, or nearly so: a client that is told how far it is can go on from there."""
        if not before_s:
            self._watcher.end()
            return
        self._cache.send_bookmark(self._watcher)
        self._timer = asyncio.get_running_loop().call_later(before_s, self._watcher.end)

    def __aiter__(self) -> "_Timed":
        return self

    async def __anext__(self) -> bytes:
        batch = await self._watcher.__anext__()
        assert isinstance(batch, bytes)
        return batch

    def when_caught_up(self, tell: Callable[[], None]) -> None:
        """`tell` is called once, when what was there at the start has been taken or nobody wants it."""
        self._watcher.when_caught_up(tell)

    async def aclose(self) -> None:
        """The consumer is done."""
        self._timer.cancel()
        await self._watcher.aclose()


class _Plain(_Timed):
    """The cache's own bytes, which need not pass through this iterator while it waits."""

    def __init__(self, watcher: ByteWatcher, timeout_s: float, served: Served) -> None:
        super().__init__(watcher, timeout_s, served)
        self.push_to = watcher.push_to


class _Rendered(_Timed):
    """The same in another form than the stored one."""

    def __init__(self, watcher: EventWatcher, timeout_s: float, render: Render, served: Served, encode: Encode) -> None:
        super().__init__(watcher, timeout_s, served)
        self._served = served
        self._events = watcher
        self._render = render
        self._encode = encode
        self._is_first = True

    async def __anext__(self) -> bytes:
        lines = []
        for event in await self._events.__anext__():
            obj = decode_stored(event.object.data)
            if event.type == "BOOKMARK":
                obj["apiVersion"] = self._served.resource.api_version
            else:
                obj = await conversion.read_one(self._served, obj)
            kind = self._type(event, obj)
            if kind is not None:
                shown = self._render(obj, self._is_first)
                lines.append(self._encode(kind, shown))
                self._is_first = False
        return b"".join(lines)

    def _type(self, event: WatchEvent, obj: Object) -> str | None:
        """What the event is to the client; None for nothing."""
        return event.type


class _Selected(_Rendered):
    """The same, of what is selected by fields that only converted objects have; `shown` are the keys of what the client
    has seen.
    """

    def __init__(
        self,
        watcher: EventWatcher,
        timeout_s: float,
        render: Render,
        served: Served,
        encode: Encode,
        late: FieldSelector,
        shown: set[str],
    ) -> None:
        super().__init__(watcher, timeout_s, render, served, encode)
        self._late = late
        self._shown = shown

    def _type(self, event: WatchEvent, obj: Object) -> str | None:
        if event.type == "BOOKMARK":
            return event.type
        key = event.object.key
        was_shown = key in self._shown
        if event.type == "DELETED" or not matches_late(self._served, self._late, obj):
            self._shown.discard(key)
            return "DELETED" if was_shown else None
        self._shown.add(key)
        return "MODIFIED" if was_shown else "ADDED"


def _line(kind: str, obj: Object) -> bytes:
    return orjson.dumps({"type": kind, "object": obj}) + b"\n"


async def _once(line: bytes) -> AsyncIterator[bytes]:
    yield line
