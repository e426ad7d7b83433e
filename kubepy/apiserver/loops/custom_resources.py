"""Follows CustomResourceDefinitions: accepts their names, serves what they define, and cleans up after them.

One task for all of them, level-triggered over the watch cache: `sync` of a definition is run whenever it changes, and
does nothing the second time.
Source: apiextensions-apiserver pkg/controller/{status,establish,finalizer}, pkg/apiserver/customresource_handler.go.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from kubepy.api import resources
from kubepy.api.errors import ApiError, Conflict, NotFound
from kubepy.api.meta import Object, remove_finalizer
from kubepy.api.versions import newest_first
from kubepy.apiserver.loops.definition_status import (
    Names,
    claimed,
    condition,
    is_established,
    set_condition,
    with_status,
)
from kubepy.apiserver.registry.codec import decode_stored
from kubepy.apiserver.registry.custom import Custom, customs_of
from kubepy.apiserver.registry.engine import REGISTRY
from kubepy.apiserver.registry.rewriting import rewrite
from kubepy.apiserver.registry.strategies.extensions import CLEANUP
from kubepy.lib import log
from kubepy.lib.clock import rfc3339
from kubepy.storage.base import KeyMissing, RevisionConflict, StoreError
from kubepy.storage.cache import CachedObject

if TYPE_CHECKING:
    from kubepy.apiserver.server import ApiServer

_DEFINITIONS = resources.named("customresourcedefinitions", "apiextensions.k8s.io")
_LOOK_AGAIN_S = 2.0
_JUDGED_WITHIN_S = 1.0
_IN_PROGRESS = "CustomResource deletion is in progress"
_log = log.get(__name__)


class CustomResources:
    """See the module's docstring."""

    def __init__(self, server: "ApiServer") -> None:
        self._server = server
        self._engine = server.engine
        self._served = self._engine.of(_DEFINITIONS)
        self._customs: dict[str, list[Custom]] = {}
        self._waiting: set[str] = set()
        self._synced: dict[str, int] = {}
        self._next_sync = asyncio.Event()
        self._judging = asyncio.Lock()
        self._serving = asyncio.Lock()

    async def start(self) -> None:
        """Serves what is defined already, and from now on what is defined as soon as it is."""
        self._engine.after_create[self._served.prefix] = self._accept_new
        self._server.router.settle = self.settle
        await self._sync_unseen()

    async def run(self) -> None:
        """Follows changes until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="custom resources: follow")
            group.create_task(self._look_again(), name="custom resources: look again")

    async def settle(self) -> bool:
        """Serves what was defined, through whatever server, before the call; whether that was not served yet."""
        await self._served.cache.fresh()
        return await self._sync_unseen()

    async def _sync_unseen(self) -> bool:
        found, _ = self._served.cache.list()
        unseen = [entry for entry in found if self._synced.get(entry.name) != entry.revision]
        for entry in unseen:
            await self._sync_entry(entry)
        return bool(unseen)

    async def _sync_entry(self, entry: CachedObject) -> None:
        if await self.sync(decode_stored(entry.data), leads=self._server.leads):
            self._synced[entry.name] = entry.revision
        self._next_sync.set()
        self._next_sync = asyncio.Event()

    async def _accept_new(self, definition: Object) -> None:
        """Its creator hears of it when it is judged: where another worker leads, that is waited for, not for long."""
        if self._server.leads:
            await self.sync(definition, leads=True)
            return
        name = definition["metadata"]["name"]
        with suppress(TimeoutError):
            async with asyncio.timeout(_JUDGED_WITHIN_S):
                while not self._is_judged(name):
                    await self._next_sync.wait()

    def _is_judged(self, name: str) -> bool:
        found = self._engine.lookup.get(_DEFINITIONS, name)
        return found is None or condition(found, "NamesAccepted") is not None

    async def _look_again(self) -> None:
        """Objects with finalizers go, and a store comes back, without a change of the definition."""
        while True:
            await self._engine.clock.sleep(_LOOK_AGAIN_S)
            for name in tuple(self._waiting):
                self._waiting.discard(name)
                found = self._engine.lookup.get(_DEFINITIONS, name)
                if found is not None:
                    await self.sync(found, leads=self._server.leads)

    async def _follow(self) -> None:
        while True:
            watcher = self._served.cache.watch_events(initial_events=True)
            try:
                async for batch in watcher:
                    for event in batch:
                        if event.type == "BOOKMARK" or self._synced.get(event.object.name, 0) >= event.object.revision:
                            continue
                        if event.type == "DELETED":
                            await self._withdraw(event.object.name)
                        else:
                            await self._sync_entry(event.object)
            finally:
                await watcher.aclose()

    async def sync(self, definition: Object, *, leads: bool) -> bool:
        """Brings what is served up to date; who leads, the definition's status and its end as well.

        Faults are told to the log, and answered with False: it is tried again.
        """
        name, terminating = definition["metadata"]["name"], bool(definition["metadata"].get("deletionTimestamp"))
        try:
            if leads and not terminating:
                definition = await self._judge(definition)
            async with self._serving:
                # The newest, whichever is at hand: what is served never goes back to what was defined before.
                newest = self._engine.lookup.get(_DEFINITIONS, name)
                if newest is not None and is_established(newest):
                    await self._serve(name, customs_of(newest))
            if terminating:
                self._engine.closing |= {self._engine.of(custom.row).prefix for custom in self._customs.get(name) or ()}
            if leads and terminating:
                await self._clean_up(definition)
        except (ApiError, StoreError) as fault:
            _log.warning("definition not synced", name=name, error=fault)
            self._waiting.add(name)
            return False
        return True

    async def _judge(self, definition: Object) -> Object:
        """The definition with the status that it should have, which is stored. One at a time: this claims names."""
        async with self._judging:
            now = rfc3339(self._engine.clock.now())
            judged = with_status(definition, lambda: self._in_use(definition), now)
            if judged == definition:
                return definition

            def judge(current: Object) -> Object:
                nonlocal judged
                judged = with_status(current, lambda: self._in_use(current), now)
                return judged

            await rewrite(self._engine, self._served, definition["metadata"]["name"], "", judge)
        await self._free_names(definition["metadata"]["name"])
        return judged

    def _in_use(self, definition: Object) -> Names:
        """The names that other definitions of the group have claimed."""
        return claimed(self._others(definition["metadata"]["name"]))

    def _others(self, name: str) -> list[Object]:
        """The other definitions of a definition's group."""
        group = name.partition(".")[2]
        found = (entry for entry in self._served.cache.list()[0] if entry.name.partition(".")[2] == group)
        return [decode_stored(entry.data) for entry in found if entry.name != name]

    async def _free_names(self, name: str) -> None:
        """Names that a definition has given up may be what another one waits for."""
        for other in self._others(name):
            accepted = condition(other, "NamesAccepted")
            if accepted is not None and accepted["status"] == "False":
                await self.sync(other, leads=True)

    async def _serve(self, name: str, customs: list[Custom]) -> None:
        if self._customs.get(name) == customs:
            return
        known = {custom.row for custom in customs}
        for old in self._customs.get(name) or ():
            if old.row not in known:
                self._engine.remove(old.row)
        if customs:
            await self._engine.add_customs(customs)
        self._customs[name] = customs
        self._tell()

    async def _withdraw(self, name: str) -> None:
        self._synced.pop(name, None)
        async with self._serving:
            for custom in self._customs.pop(name, ()):
                self._engine.closing.discard(self._engine.of(custom.row).prefix)
                await self._engine.drop(custom.row)
            self._tell()
        if self._server.leads:
            await self._free_names(name)

    def _tell(self) -> None:
        customs = [custom for found in self._customs.values() for custom in found]
        self._server.openapi.set_custom(
            {(custom.row.api_version, custom.row.kind): dict(custom.schema) for custom in customs}
        )
        rows = sorted((custom.row for custom in customs), key=lambda row: (row.group, newest_first(row.version)))
        self._server.documents.set_custom(tuple(rows))

    async def _remove_unserved(self, definition: Object) -> None:
        """Objects of a definition none of whose versions is served go without further ado: nobody can see them."""
        spec, store = definition["spec"], self._engine.store
        if is_established(definition):
            entries, _ = await store.list(f"{REGISTRY}{spec['group']}/{spec['names']['plural']}/")
            for entry in entries:
                with suppress(RevisionConflict, KeyMissing):
                    await store.delete(entry.key, revision=entry.revision)

    async def _clean_up(self, definition: Object) -> None:
        """Deletes every object of the kind; when none is left the definition may go."""
        meta = definition["metadata"]
        if CLEANUP not in (meta.get("finalizers") or ()):
            return
        told = condition(definition, "Terminating")
        if told is None or told.get("status") != "False":
            await self._tell_of_deletion(definition, "True", "InstanceDeletionInProgress", _IN_PROGRESS)
        if not self._customs.get(meta["name"]):
            await self._remove_unserved(definition)
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
        outcome = ("False", "InstanceDeletionCompleted", "removed all instances")
        if not is_established(definition):
            outcome = ("False", "NeverEstablished", "resource was never established")
        if meta["finalizers"] != [CLEANUP]:  # it goes on terminating while others hold it: nothing can be made of it
            outcome = ("True", "InstanceDeletionInProgress", _IN_PROGRESS)
        newest = await self._tell_of_deletion(definition, *outcome)
        if newest is not None:
            remove_finalizer(newest, CLEANUP)
            with suppress(NotFound, Conflict):  # whose change was first is heard of, and leads here again
                await self._server.client.update(_DEFINITIONS, newest)

    async def _tell_of_deletion(self, definition: Object, status: str, reason: str, message: str) -> Object | None:
        """Says how far the deletion of the kind's objects is, as a condition; the definition, if it is there still."""
        now = rfc3339(self._engine.clock.now())

        def tell(current: Object) -> Object:
            set_condition(current, "Terminating", status, reason, message, now)
            return current

        stored = await rewrite(self._engine, self._served, definition["metadata"]["name"], "", tell)
        return decode_stored(stored.data) if stored is not None else None
