"""A local copy of a collection that follows the server: list, watch, resume, relist.

Promises, as client-go's shared informer: handlers see every object's changes in order and never a step back;
after a gap (410, a restart of the server) the collection is listed again and the differences are told as
ordinary adds, updates and deletes. Handlers only enqueue; they run on the event loop and must be quick.
Objects are shared between all readers: copy before changing one.
"""

import asyncio
import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from kubepy.api import errors
from kubepy.api.meta import key_of
from kubepy.api.resources import Resource
from kubepy.client.client import Client, Object
from kubepy.client.transport import Unreachable
from kubepy.lib import log
from kubepy.lib.backoff import Backoff

IndexFunction = Callable[[Object], Collection[str]]

_log = log.get(__name__)
_WATCH_LEAST_S, _WATCH_MOST_S = 300, 600  # client-go's span: reconnects of many watchers spread out
_SHORT_WATCH_S = 1.0  # a watch that ends sooner was refused in effect: back off
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Handler:
    """What wants to know of changes; a deleted object comes as it was last seen."""

    on_add: Callable[[Object], None]
    on_update: Callable[[Object, Object], None]
    on_delete: Callable[[Object], None]


def _ignore(*_: Object) -> None:
    """A change that nobody asked for."""


class Informer:
    """The objects of one resource (of one namespace, or that selectors select), kept up to date by `run`."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        indexers: Mapping[str, IndexFunction] | None = None,
        transform: Callable[[Object], Object] | None = None,
    ) -> None:
        self.resource = resource
        self._client = client
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._transform = transform
        self._objects: dict[str, Object] = {}
        self._indexers = dict(indexers or {})
        self._indices: dict[str, dict[str, dict[str, None]]] = {name: {} for name in self._indexers}
        self._handlers: list[Handler] = []
        self._synced = asyncio.Event()
        self._revision = ""

    @property
    def synced(self) -> bool:
        """The first list is in, and the handlers have seen it."""
        return self._synced.is_set()

    async def wait_synced(self) -> None:
        """Returns once `synced`."""
        await self._synced.wait()

    def add_handler(
        self,
        *,
        on_add: Callable[[Object], None] = _ignore,
        on_update: Callable[[Object, Object], None] = _ignore,
        on_delete: Callable[[Object], None] = _ignore,
    ) -> None:
        """Tells of every change from now on; objects that are here already are told as adds."""
        self._handlers.append(Handler(on_add, on_update, on_delete))
        for obj in list(self._objects.values()):
            on_add(obj)

    def add_indexer(self, name: str, index: IndexFunction) -> None:
        """Keeps an index more; adding the same name again changes nothing."""
        if name not in self._indexers:
            self._indexers[name] = index
            self._indices[name] = {}
            for key, obj in self._objects.items():
                self._enter(name, key, obj)

    def get(self, key: str) -> Object | None:
        """The object at `namespace/name` (or `name`), or None."""
        return self._objects.get(key)

    def items(self) -> Iterable[Object]:
        """Every object, in no order."""
        return self._objects.values()

    def keys(self) -> Collection[str]:
        """Every object's key."""
        return self._objects.keys()

    def __len__(self) -> int:
        return len(self._objects)

    def by_index(self, name: str, value: str) -> list[Object]:
        """The objects for which the index function of that name gave `value`."""
        return [self._objects[key] for key in self._indices[name].get(value, ())]

    async def run(self) -> None:
        """Follows the server until cancelled, through whatever happens to it."""
        backoff = Backoff(first_s=0.2, most_s=10.0)
        broken = False
        while True:
            started = time.monotonic()
            try:
                if not self._revision:
                    self._revision = await self._relist()
                    self._synced.set()
                if broken:
                    _log.info("following again", resource=self.resource.qualified)
                    broken = False
                await self._follow()
                fault = ""
            except errors.Gone:
                _log.debug("watch too old, listing again", resource=self.resource.qualified)
                self._revision = fault = ""
            except (Unreachable, errors.ApiError) as error:
                fault = str(error)
            if time.monotonic() - started > _SHORT_WATCH_S:
                backoff.reset()
                if not fault:
                    continue  # the server ends watches in good order after some minutes
            if fault and not broken:
                _log.warning("cannot follow", resource=self.resource.qualified, why=fault)
                broken = True
            await asyncio.sleep(backoff.next())

    async def _relist(self) -> str:
        found: dict[str, Object] = {}
        token = ""
        while True:
            page = await self._client.list(
                self.resource,
                self._namespace,
                label_selector=self._label_selector,
                field_selector=self._field_selector,
                limit=_PAGE,
                continue_token=token,
            )
            for obj in page["items"]:
                # items of a list do not repeat what the list says of them
                obj.setdefault("apiVersion", self.resource.api_version)
                obj.setdefault("kind", self.resource.kind)
                found[key_of(obj)] = obj
            token = page["metadata"].get("continue", "")
            if not token:
                break
        for key in [key for key in self._objects if key not in found]:
            self._remove(key)
        for obj in found.values():
            self._put(obj)
        return str(page["metadata"]["resourceVersion"])

    async def _follow(self) -> None:
        events = self._client.watch(
            self.resource,
            self._namespace,
            resource_version=self._revision,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
            timeout_s=random.randint(_WATCH_LEAST_S, _WATCH_MOST_S),
        )
        async for kind, obj in events:
            if kind == "DELETED":
                self._remove(key_of(obj), obj)
            elif kind != "BOOKMARK":
                self._put(obj)
            self._revision = obj["metadata"]["resourceVersion"]

    def _put(self, obj: Object) -> None:
        if self._transform is not None:
            obj = self._transform(obj)
        key = key_of(obj)
        old = self._objects.get(key)
        if old is not None:
            if old["metadata"]["resourceVersion"] == obj["metadata"]["resourceVersion"]:
                return
            for name in self._indexers:
                self._leave(name, key, old)
        self._objects[key] = obj
        for name in self._indexers:
            self._enter(name, key, obj)
        for handler in self._handlers:
            if old is None:
                handler.on_add(obj)
            elif old["metadata"]["uid"] != obj["metadata"]["uid"]:
                handler.on_delete(old)  # deleted and made anew while nobody looked
                handler.on_add(obj)
            else:
                handler.on_update(old, obj)

    def _remove(self, key: str, last: Object | None = None) -> None:
        old = self._objects.pop(key, None)
        if old is None:
            return
        for name in self._indexers:
            self._leave(name, key, old)
        for handler in self._handlers:
            handler.on_delete(last or old)

    def _enter(self, name: str, key: str, obj: Object) -> None:
        index = self._indices[name]
        for value in self._indexers[name](obj):
            index.setdefault(value, {})[key] = None

    def _leave(self, name: str, key: str, obj: Object) -> None:
        index = self._indices[name]
        for value in self._indexers[name](obj):
            keys = index.get(value)
            if keys is not None:
                keys.pop(key, None)
                if not keys:
                    del index[value]
