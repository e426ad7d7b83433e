"""The engine's state: the store, a cache and a strategy for every resource, and the layers that a write passes.

The verbs are modules beside this one (`creating.py`, `updating.py`, ...); each is a function of an Engine, a Served
and a Context. Everything that is stored goes through them, whoever asks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from kubepy.api.meta import Object
from kubepy.api.resources import BUILT_IN, Resource
from kubepy.apiserver.admission.chain import Attributes
from kubepy.apiserver.registry import strategies_table
from kubepy.apiserver.registry.codec import decode_stored
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.converting import Converter
from kubepy.apiserver.registry.converting_metrics import ConversionMetrics
from kubepy.apiserver.registry.custom import Custom, CustomStrategy
from kubepy.apiserver.registry.served import Served
from kubepy.apiserver.webhooks.client import Webhooks
from kubepy.lib.clock import SYSTEM, Clock
from kubepy.storage.base import KeyMissing, Store
from kubepy.storage.cache import CachedObject, ResourceCache
from kubepy.storage.translated import TranslatedStore

REGISTRY = "/registry/"


class Admission(Protocol):
    """The admission chain: first what may change an object, later what may only refuse it."""

    async def admit(self, attributes: Attributes) -> None:
        """Changes `attributes.object` in place. Raises ApiError."""

    async def validate(self, attributes: Attributes) -> None:
        """Raises ApiError."""


class Engine:
    """See the module's docstring. `clock` stamps objects."""

    def __init__(self, store: Store, *, clock: Clock = SYSTEM) -> None:
        self.store = store
        self.clock = clock
        self.admission: Admission | None = None
        self._served: dict[tuple[str, str, str], Served] = {}
        self._caches: dict[str, ResourceCache] = {}
        self.lookup = CacheLookup(self)
        self.closing: set[str] = set()
        """Prefixes of custom resources whose definition is being deleted: nothing is created there any more."""
        self.webhooks: Webhooks | None = None
        """What asks the webhooks that convert custom resources."""
        self.conversion_metrics = ConversionMetrics()
        self.after_create: dict[str, Callable[[Object], Awaitable[None]]] = {}
        """By prefix: what is done about a new object before its creator hears of it."""
        self.min_request_timeout_s = 1800
        """Seconds that a watch lasts which does not say how long; up to twice as much, at random."""
        self.changes = 0
        """Counts how often what is served has changed."""
        for resource in BUILT_IN:
            if resource.stored_as:
                self.add(resource)

    def add(self, resource: Resource) -> Served:
        """Serves a resource; its cache is not started here."""
        storage = resource
        if resource.storage_version is not None:
            storage = next(
                row
                for row in BUILT_IN
                if (row.group, row.version, row.kind)
                == (resource.storage_group or "", resource.storage_version, resource.kind)
            )
        prefix = f"{REGISTRY}{resource.stored_as}/"
        strategy = next((other.strategy for other in self._served.values() if other.prefix == prefix), None)
        if strategy is None:
            strategy = strategies_table.strategy_for(storage)
        cache = self._caches.get(prefix)
        if cache is None:
            cache = self._caches[prefix] = ResourceCache(self.store, prefix, fields=strategy.fields)
            cache.serves(storage.api_version, storage.kind)
            strategy.attach(self.lookup, cache)
        served = Served(resource, storage, strategy, cache, prefix)
        self._served[resource.group, resource.version, resource.plural] = served
        return served

    async def add_customs(self, customs: Sequence[Custom]) -> None:
        """Serves the versions of one custom resource; returns when they can be read.

        A cache that keeps objects in another form than these want is replaced; who watches it must start again.
        """
        first = customs[0]
        storage = replace(first.row, version=first.stored_version, storage_group=None, storage_version=None)
        prefix = f"{REGISTRY}{first.row.stored_as}/"
        known = next((other for other in self._served.values() if other.prefix == prefix), None)
        cache = known.cache if known is not None and known.custom and known.custom.kept == first.kept else None
        if cache is None:
            fields = CustomStrategy(storage, first).fields
            cache = ResourceCache(self.store, prefix, fields=fields, transform=first.kept.read)
            cache.serves(storage.api_version, storage.kind)
            await cache.start()
        for custom in customs:
            row = custom.row
            kept_as = row if row.storage_version is None else storage
            self._served[row.group, row.version, row.plural] = Served(
                row, kept_as, CustomStrategy(kept_as, custom), cache, prefix, custom, custom.typed_schema(),
                self._converter(custom),
            )  # fmt: skip
        self.changes += 1
        self._caches[prefix] = cache
        if known is not None and known.cache is not cache:
            await known.cache.stop()

    def _converter(self, custom: Custom) -> Converter | None:
        if not custom.webhook or self.webhooks is None:
            return None
        name = f"{custom.row.plural}.{custom.row.group}"
        return Converter(self.webhooks, custom.webhook, name, self.conversion_metrics)

    async def is_stale(self, key: str) -> bool:
        """Whether a value is kept otherwise than it would be written now: under an old key, in upstream's protobuf."""
        if not isinstance(self.store, TranslatedStore):
            return False
        try:
            return await self.store.is_stale(key)
        except KeyMissing:
            return False

    def remove(self, row: Resource) -> None:
        """Stops serving one version; what is stored stays."""
        self.changes += 1
        self._served.pop((row.group, row.version, row.plural), None)

    async def drop(self, row: Resource) -> None:
        """Stops serving a version, and its cache if it was the last."""
        self.remove(row)
        prefix = f"{REGISTRY}{row.stored_as}/"
        if not any(other.prefix == prefix for other in self._served.values()):
            cache = self._caches.pop(prefix, None)
            if cache is not None:
                await cache.stop()

    async def start(self) -> None:
        """Starts every cache; returns when all can be read."""
        await asyncio.gather(*(cache.start() for cache in self._caches.values()))

    async def stop(self) -> None:
        """Ends every watch and every cache."""
        await asyncio.gather(*(cache.stop() for cache in self._caches.values()))

    async def catch_up(self) -> bool:
        """Returns when every cache shows all that was acknowledged before the call; whether one was behind.

        Raises Timeout, Unavailable.
        """
        revision = await self.store.revision()
        behind = [cache for cache in self._caches.values() if cache.revision < revision]
        await asyncio.gather(*(cache.wait_revision(revision) for cache in behind))
        return bool(behind)

    @property
    def is_ready(self) -> bool:
        """Whether every cache can be read."""
        return all(cache.ready for cache in self._caches.values())

    def find(self, group: str, version: str, plural: str) -> Served | None:
        """The resource at that place in the URL, or None."""
        return self._served.get((group, version, plural))

    def of(self, resource: Resource) -> Served:
        """A resource that is known to be served. Raises KeyError."""
        return self._served[resource.group, resource.version, resource.plural]

    def all_served(self) -> list[Served]:
        return list(self._served.values())

    async def admit(self, served: Served, ctx: Context, operation: str, obj: Object | None, old: Object | None) -> None:
        """Runs the admission that may change the object."""
        if self.admission is not None:
            await self.admission.admit(attributes_of(served.resource, ctx, operation, obj, old))

    async def admit_unstored(self, resource: Resource, ctx: Context, obj: Object) -> None:
        """Runs all admission of an object that is answered and not stored."""
        if self.admission is not None:
            attributes = attributes_of(resource, ctx, "CREATE", obj, None)
            await self.admission.admit(attributes)
            await self.admission.validate(attributes)

    async def admit_connect(self, served: Served, ctx: Context, options: Object) -> None:
        """Runs all admission of a connection to an object; `options` say what is wanted of it."""
        await self.admit(served, ctx, "CONNECT", options, None)
        await self.admit_validating(served, ctx, "CONNECT", options, None)

    async def admit_validating(
        self, served: Served, ctx: Context, operation: str, obj: Object | None, old: Object | None
    ) -> None:
        """Runs the admission that may only refuse."""
        if self.admission is not None:
            await self.admission.validate(attributes_of(served.resource, ctx, operation, obj, old))


def attributes_of(
    resource: Resource, ctx: Context, operation: str, obj: Object | None, old: Object | None
) -> Attributes:
    """What admission sees of a write."""
    meta: Mapping[str, str] = (obj or old or {}).get("metadata") or {}
    return Attributes(
        operation=operation,
        resource=resource,
        subresource=ctx.info.subresource,
        namespace=ctx.info.namespace,
        name=ctx.info.name or meta.get("name") or "",
        object=obj,
        old_object=old,
        user=ctx.user,
        dry_run=ctx.dry_run,
        warnings=ctx.warnings,
        params=ctx.params,
        delete_options=ctx.delete_options,
        verb=ctx.info.verb,
        scratch=ctx.request.context,
    )


_KEPT_DECODED = frozenset(
    ("namespaces", "serviceaccounts", "limitranges", "priorityclasses", "runtimeclasses", "storageclasses")
)
_KEPT_AT_MOST = 2048


class CacheLookup:
    """`apiserver.lookup.Lookup` over the engine's caches.

    What admission reads for nearly every write is small and seldom changes: it is kept decoded, by revision.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._decoded: dict[str, tuple[int, Object]] = {}

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        served = self._engine.of(resource)
        found: CachedObject | None = served.cache.get(served.key(namespace or "", name))
        return self._decode(resource, found) if found is not None else None

    def list(
        self, resource: Resource, namespace: str | None = None, *, fields: Mapping[str, str] | None = None
    ) -> "list[Object]":
        found, _ = self._engine.of(resource).cache.list(namespace)
        if fields:
            wanted = fields.items()
            found = [entry for entry in found if all(entry.fields.get(field) == value for field, value in wanted)]
        return [self._decode(resource, entry) for entry in found]

    def _decode(self, resource: Resource, entry: CachedObject) -> Object:
        if resource.plural not in _KEPT_DECODED:
            return decode_stored(entry.data)
        kept = self._decoded.get(entry.key)
        if kept is not None and kept[0] == entry.revision:
            return kept[1]
        if len(self._decoded) >= _KEPT_AT_MOST:
            self._decoded.clear()
        obj = decode_stored(entry.data)
        self._decoded[entry.key] = (entry.revision, obj)
        return obj

    def version(self, resource: Resource) -> int:
        return self._engine.of(resource).cache.changed_at

    async def fresh(self, resource: Resource) -> None:
        await self._engine.of(resource).cache.fresh()
