"""Feeds the ownership graph from informers of every resource, and carries out what it decides.

Resources come from discovery, so custom ones are collected too; they are looked for again when definitions
change. Objects are kept as bare metadata. Source: pkg/controller/garbagecollector/garbagecollector.go.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from kubepy.api import errors, resources
from kubepy.api.meta import Object
from kubepy.api.resources import Resource
from kubepy.client.discovery import preferred_resources
from kubepy.client.informer import Informer
from kubepy.controllers.controller import Context
from kubepy.controllers.garbage_collector.graph import FOREGROUND, ORPHAN, Graph, Node, Owners, Work, judge
from kubepy.lib import log
from kubepy.lib.workqueue import Retry, WorkQueue, run_workers

_log = log.get(__name__)
_IGNORED = {("", "events"), ("events.k8s.io", "events")}
_WORKERS = 8
_DISCOVER_EVERY_S = 30.0
_SERVED_AFTER_S = 1.0
"""What is served follows a definition within this time."""
_DEFINITIONS = {("apiextensions.k8s.io", "customresourcedefinitions"), ("apiregistration.k8s.io", "apiservices")}
_SHARED = {
    ("", "pods"), ("", "nodes"), ("", "services"), ("", "endpoints"), ("", "namespaces"), ("", "serviceaccounts"),
    ("", "configmaps"), ("apps", "deployments"), ("apps", "replicasets"), ("discovery.k8s.io", "endpointslices"),
    ("", "replicationcontrollers"), ("coordination.k8s.io", "leases"),
}  # fmt: skip
"""Resources that other controllers hold whole anyway: one watch serves both."""


def bare(obj: Object) -> Object:
    """What the graph needs of an object, and no more."""
    meta = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "ownerReferences", "finalizers", "deletionTimestamp")
    return {"metadata": {name: meta[name] for name in kept if name in meta}}


class GarbageCollector:
    """Collects the dependents of owners that are gone or going."""

    name = "garbage-collector"

    def __init__(self, context: Context) -> None:
        self.context = context
        self.client = context.client
        self.graph = Graph()
        self._judge: WorkQueue[str] = WorkQueue()
        self._orphan: WorkQueue[str] = WorkQueue()
        self._informers: dict[Resource, Informer] = {}
        self._resources: dict[tuple[str, str], Resource] = {}
        self._absent: dict[str, None] = {}
        self._unserved: set[str] = set()
        """Objects whose owner is of a kind that is not served, as far as is known."""
        self._discovered = asyncio.Event()
        self._defined = asyncio.Event()

    async def run(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            following: dict[Resource, asyncio.Task[None]] = {}
            group.create_task(self._discover(group, following), name="gc-discover")
            await self._discovered.wait()
            for informer in list(self._informers.values()):
                await informer.wait_synced()
            group.create_task(run_workers(self._judge, _WORKERS, self._sync, name="gc-judge"))
            group.create_task(run_workers(self._orphan, _WORKERS, self._sync_orphans, name="gc-orphan"))

    async def _discover(self, group: asyncio.TaskGroup, following: dict[Resource, asyncio.Task[None]]) -> None:
        while True:
            try:
                found = {r for r in await preferred_resources(self.client) if _is_collected(r)}
            except (errors.ApiError, ConnectionError) as error:
                _log.warning("discovery failed", error=str(error))
                await asyncio.sleep(1)
                continue
            self._resources = {(r.api_version, r.kind): r for r in found}
            for resource in [known for known in following if known not in found]:
                following.pop(resource).cancel()
                del self._informers[resource]
            for resource in found - self._informers.keys():
                self._follow(group, following, resource)
            for uid in self._unserved:
                self._judge.add(uid)
            self._unserved.clear()
            self._discovered.set()
            await self._until_defined()

    async def _until_defined(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_DISCOVER_EVERY_S):
                await self._defined.wait()
                self._defined.clear()
                await asyncio.sleep(_SERVED_AFTER_S)

    def _note_definition(self, _: Object) -> None:
        self._defined.set()

    def _follow(
        self, group: asyncio.TaskGroup, following: dict[Resource, asyncio.Task[None]], resource: Resource
    ) -> None:
        built_in = resources.by_kind(resource.api_version, resource.kind)
        if built_in and (built_in.group, built_in.plural) in _SHARED:
            informer = self.context.informers.of(built_in)
        else:
            informer = Informer(self.client, resource, transform=bare)
            following[resource] = group.create_task(self._run_informer(informer), name=f"gc-{resource.qualified}")
        self._informers[resource] = informer
        seen = self._observer(resource)
        informer.add_handler(on_add=seen, on_update=lambda _, new: seen(new), on_delete=self._gone)
        if (resource.group, resource.plural) in _DEFINITIONS:
            noted = self._note_definition
            informer.add_handler(on_add=noted, on_update=lambda _, new: noted(new), on_delete=noted)

    async def _run_informer(self, informer: Informer) -> None:
        """An owner that went before its kind was followed is told of by no event: its dependents are looked at."""
        came_later = self._discovered.is_set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(informer.run(), name="gc-informer")
            if came_later:
                await informer.wait_synced()
                for dependent in self.graph.doubtful():
                    self._judge.add(dependent.uid)

    def _observer(self, resource: Resource) -> Callable[[Object], None]:
        def seen(obj: Object) -> None:
            self._take(self.graph.observe(resource, obj))

        return seen

    def _gone(self, obj: Object) -> None:
        self._note_absent(obj["metadata"]["uid"])
        self._take(self.graph.forget(obj["metadata"]["uid"]))

    def _note_absent(self, uid: str) -> None:
        self._absent[uid] = None
        if len(self._absent) > 1000:  # a bounded memory; forgetting only costs a look at the server
            self._absent.pop(next(iter(self._absent)))

    def _take(self, work: Work) -> None:
        for node in work.judge:
            self._judge.add(node.uid)
        for node in work.orphan:
            self._orphan.add(node.uid)

    async def _sync(self, uid: str) -> None:
        node = self.graph.get(uid)
        if node is None or node.resource is None:
            return
        if node.deleting and not node.deletes_dependents:
            return
        if node.deletes_dependents:
            await self._finish_foreground(node)
            return
        live = await self._live(node)
        if live is None:
            self._take(self.graph.forget(uid))
            return
        references = live["metadata"].get("ownerReferences") or []
        if not references:
            return
        node.finalizers = tuple(live["metadata"].get("finalizers") or ())
        verdict = judge(node, await self._classify(node, references))
        if verdict.unblock:
            await self._patch(node, live, [{**ref, "blockOwnerDeletion": False} for ref in references])
        if verdict.delete:
            await self._delete(node, verdict.delete)
        elif verdict.drop:
            await self._patch(node, live, [ref for ref in references if ref["uid"] not in verdict.drop])

    async def _finish_foreground(self, node: Node) -> None:
        blocking = node.blocking()
        if not blocking:
            await self._remove_finalizer(node, FOREGROUND)
            return
        for dependent in blocking:
            if not dependent.deleting:
                self._judge.add(dependent.uid)

    async def _classify(self, node: Node, references: list[Object]) -> Owners:
        owners = Owners([], [], [])
        for ref in references:
            owner = await self._find_owner(node, ref)
            if owner is None:
                owners.dangling.append(ref)
            elif owner["metadata"].get("deletionTimestamp") and FOREGROUND in (
                owner["metadata"].get("finalizers") or []
            ):
                owners.waiting.append(ref)
            else:
                owners.solid.append(ref)
        return owners

    async def _find_owner(self, node: Node, ref: Object) -> Object | None:
        """The owner as the server has it now; None when it is surely gone.

        An owner whose kind is not served (yet) raises Retry, so that nothing is deleted for want of knowledge.
        """
        if ref["uid"] in self._absent:
            return None
        resource = self._resources.get((ref["apiVersion"], ref["kind"])) or resources.by_kind(
            ref["apiVersion"], ref["kind"]
        )
        if resource is None:
            self._unserved.add(node.uid)
            _log.debug("owner's kind is not served", kind=ref["kind"], version=ref["apiVersion"], of=node.name)
            raise Retry
        if resource.namespaced and not node.namespace:
            return None  # an object of the cluster cannot have an owner in a namespace
        try:
            owner = await self.client.get(resource, ref["name"], node.namespace or None)
        except errors.NotFound:
            self._note_absent(ref["uid"])
            return None
        return owner if owner["metadata"]["uid"] == ref["uid"] else None

    async def _live(self, node: Node) -> Object | None:
        assert node.resource is not None
        try:
            live = await self.client.get(node.resource, node.name, node.namespace or None)
        except errors.NotFound:
            return None
        return live if live["metadata"]["uid"] == node.uid else None

    async def _delete(self, node: Node, policy: str) -> None:
        assert node.resource is not None
        try:
            await self.client.delete(node.resource, node.name, node.namespace or None, propagation=policy, uid=node.uid)
        except (errors.NotFound, errors.Conflict):
            return
        _log.info("collected", kind=node.kind, namespace=node.namespace, name=node.name, policy=policy)

    async def _patch(self, node: Node, live: Object, references: list[Object]) -> None:
        assert node.resource is not None
        meta = {"uid": node.uid, "resourceVersion": live["metadata"]["resourceVersion"]}
        patch = {"metadata": {**meta, "ownerReferences": references or None}}
        try:
            await self.client.patch(node.resource, node.name, patch, node.namespace or None)
        except errors.NotFound:
            return
        except errors.Conflict as conflict:
            raise Retry from conflict

    async def _sync_orphans(self, uid: str) -> None:
        """Takes the owner off its dependents, then lets it go."""
        node = self.graph.get(uid)
        if node is None or not node.orphans_dependents:
            return
        for dependent in list(node.dependents.values()):
            live = await self._live(dependent) if dependent.resource else None
            if live is not None:
                kept = [ref for ref in live["metadata"].get("ownerReferences") or [] if ref["uid"] != uid]
                await self._patch(dependent, live, kept)
        await self._remove_finalizer(node, ORPHAN)

    async def _remove_finalizer(self, node: Node, finalizer: str) -> None:
        live = await self._live(node)
        if live is None or finalizer not in (live["metadata"].get("finalizers") or []):
            return
        assert node.resource is not None
        kept = [f for f in live["metadata"]["finalizers"] if f != finalizer]
        meta = {"uid": node.uid, "resourceVersion": live["metadata"]["resourceVersion"], "finalizers": kept}
        try:
            await self.client.patch(node.resource, node.name, {"metadata": meta}, node.namespace or None)
        except errors.NotFound:
            return
        except errors.Conflict as conflict:
            raise Retry from conflict


def _is_collected(resource: Resource) -> bool:
    verbs = {"delete", "get", "list", "watch", "patch"}
    return verbs <= set(resource.verbs) and (resource.group, resource.plural) not in _IGNORED
