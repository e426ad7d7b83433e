"""Follows CustomResourceDefinitions: accepts their names, serves what they define, and cleans up after them.

One task for all of them, level-triggered over the watch cache: `sync` of a definition is run whenever it changes, and
does nothing the second time.
Source: apiextensions-apiserver pkg/controller/{status,establish,finalizer}, pkg/apiserver/customresource_handler.go.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from kubepy.api import resources
from kubepy.api.errors import ApiError
from kubepy.api.meta import Object, remove_finalizer
from kubepy.apiserver.registry.codec import decode_stored
from kubepy.apiserver.registry.custom import Custom, customs_of
from kubepy.apiserver.registry.rewriting import rewrite
from kubepy.apiserver.registry.strategies.extensions import CLEANUP
from kubepy.lib import log
from kubepy.lib.clock import rfc3339
from kubepy.storage.base import StoreError

if TYPE_CHECKING:
    from kubepy.apiserver.server import ApiServer

_DEFINITIONS = resources.named("customresourcedefinitions", "apiextensions.k8s.io")
_LOOK_AGAIN_S = 2.0
_log = log.get(__name__)


class CustomResources:
    """See the module's docstring."""

    def __init__(self, server: "ApiServer") -> None:
        self._server = server
        self._engine = server.engine
        self._served = self._engine.of(_DEFINITIONS)
        self._customs: dict[str, list[Custom]] = {}
        self._waiting: set[str] = set()

    async def start(self) -> None:
        """Serves what is defined already, and from now on what is defined as soon as it is."""
        self._engine.after_create[self._served.prefix] = self.sync
        found, _ = self._served.cache.list()
        for entry in found:
            await self.sync(decode_stored(entry.data))

    async def run(self) -> None:
        """Follows changes until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="custom resources: follow")
            group.create_task(self._look_again(), name="custom resources: look again")

    async def _look_again(self) -> None:
        """Objects with finalizers go without a change of their definition."""
        while True:
            await self._engine.clock.sleep(_LOOK_AGAIN_S)
            for name in tuple(self._waiting):
                found = self._engine.lookup.get(_DEFINITIONS, name)
                if found is None:
                    self._waiting.discard(name)
                else:
                    await self.sync(found)

    async def _follow(self) -> None:
        while True:
            watcher = self._served.cache.watch_events(initial_events=True)
            try:
                async for batch in watcher:
                    for event in batch:
                        if event.type == "DELETED":
                            await self._withdraw(event.object.name)
                        elif event.type != "BOOKMARK":
                            await self.sync(decode_stored(event.object.data))
            finally:
                await watcher.aclose()

    async def sync(self, definition: Object) -> None:
        """Brings one definition's status, and what is served, up to date. Faults are told to the log."""
        name = definition["metadata"]["name"]
        try:
            if definition["metadata"].get("deletionTimestamp"):
                await self._clean_up(definition)
                return
            await self._serve(name, customs_of(definition))
            now = rfc3339(self._engine.clock.now())
            if accepted(definition, now) != definition:
                await rewrite(self._engine, self._served, name, "", lambda current: accepted(current, now))
        except (ApiError, StoreError) as fault:
            _log.warning("definition not synced", name=name, error=fault)

    async def _serve(self, name: str, customs: list[Custom]) -> None:
        if self._customs.get(name) == customs:
            return
        known = {custom.row for custom in customs}
        for old in self._customs.get(name) or ():
            if old.row not in known:
                self._engine.remove(old.row)
        for custom in customs:
            await self._engine.add_custom(custom)
        self._customs[name] = customs
        self._tell()

    async def _withdraw(self, name: str) -> None:
        for custom in self._customs.pop(name, ()):
            await self._engine.drop(custom.row)
        self._tell()

    def _tell(self) -> None:
        customs = [custom for found in self._customs.values() for custom in found]
        self._server.openapi.set_custom(
            {(custom.row.api_version, custom.row.kind): dict(custom.schema) for custom in customs}
        )
        self._server.documents.set_custom(tuple(custom.row for custom in customs))

    async def _clean_up(self, definition: Object) -> None:
        """Deletes every object of the kind; when none is left the definition may go."""
        meta = definition["metadata"]
        if CLEANUP not in (meta.get("finalizers") or ()):
            return
        for custom in (self._customs.get(meta["name"]) or ())[:1]:
            cache = self._engine.of(custom.row).cache
            for namespace in {entry.namespace for entry in cache.list()[0]}:
                await self._server.client.delete_collection(custom.row, namespace or None)
            await cache.fresh()
            if left := len(cache):
                _log.info("definition waits for objects with finalizers", name=meta["name"], left=left)
                self._waiting.add(meta["name"])
                return
        self._waiting.discard(meta["name"])

        def release(current: Object) -> Object:
            remove_finalizer(current, CLEANUP)
            return current

        await self._server.client.update(_DEFINITIONS, release(definition))


def accepted(definition: Object, now: str) -> Object:
    """The definition with its names accepted and established; as it was, if it is already."""
    status: dict[str, Any] = {**(definition.get("status") or {})}
    names = definition["spec"]["names"]
    wanted = {
        "NamesAccepted": ("NoConflicts", "no conflicts found"),
        "Established": ("InitialNamesAccepted", "the initial names have been accepted"),
    }
    conditions = list(status.get("conditions") or ())
    held = {condition.get("type"): condition for condition in conditions}
    for kind, (reason, message) in wanted.items():
        if (held.get(kind) or {}).get("status") != "True":
            condition = {
                "type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message,
            }  # fmt: skip
            conditions = [*(c for c in conditions if c.get("type") != kind), condition]
    if status.get("acceptedNames") == names and status.get("conditions") == conditions:
        return definition
    return {**definition, "status": {**status, "acceptedNames": names, "conditions": conditions}}
