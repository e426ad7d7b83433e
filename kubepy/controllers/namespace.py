"""Empties a namespace that is being deleted, then lets it go.

Everything namespaced that the server can delete goes, pods and custom resources alike; the finalizer
`kubernetes` is taken off when nothing is left. What stays, and why, is told in the namespace's conditions.
Source: pkg/controller/namespace/deletion/namespaced_resources_deleter.go.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from kubepy.api import errors, resources
from kubepy.api.meta import Object, is_deleting, key_of
from kubepy.api.resources import Resource
from kubepy.client.discovery import preferred_resources
from kubepy.controllers.controller import Context, Controller
from kubepy.lib import log
from kubepy.lib.clock import rfc3339

_log = log.get(__name__)
_NAMESPACES = resources.named("namespaces")
_FINALIZER = "kubernetes"
_LOOK_AGAIN_S = 1.0
_NOT_DELETED = {("", "bindings"), ("authorization.k8s.io", "localsubjectaccessreviews")}


@dataclass(frozen=True, slots=True)
class Remains:
    """What a sweep left of one resource: how many objects, by finalizer; or the fault that stopped it."""

    resource: Resource
    count: int = 0
    finalizers: tuple[str, ...] = ()
    fault: str = ""


def plan_conditions(old: Sequence[Object], remains: Sequence[Remains], now: str) -> list[Object]:
    """The conditions of a namespace after a sweep; times move only with the status."""
    left = [r for r in remains if r.count]
    stuck = sorted({f for r in left for f in r.finalizers})
    faults = [f"{r.resource.qualified}: {r.fault}" for r in remains if r.fault]
    content = [f"{r.resource.qualified} has {r.count} resource instances" for r in left]
    holders = [f"{f} in {sum(f in r.finalizers for r in left)} resource instances" for f in stuck]
    judged = [
        ("NamespaceDeletionDiscoveryFailure", "", "ResourcesDiscovered", "All resources successfully discovered"),
        ("NamespaceDeletionGroupVersionParsingFailure", "", "ParsedGroupVersions",
         "All legacy kube types successfully parsed"),
        ("NamespaceDeletionContentFailure", "; ".join(faults), "ContentDeleted",
         "All content successfully deleted, may be waiting on finalization"),
        ("NamespaceContentRemaining", _told("Some resources are remaining", content), "ContentRemoved",
         "All content successfully removed"),
        ("NamespaceFinalizersRemaining", _told("Some content in the namespace has finalizers remaining", holders),
         "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
    ]  # fmt: skip
    reasons = {
        "NamespaceDeletionContentFailure": "ContentDeletionFailed",
        "NamespaceContentRemaining": "SomeResourcesRemain",
        "NamespaceFinalizersRemaining": "SomeFinalizersRemain",
    }
    before = {condition["type"]: condition for condition in old}
    conditions = [c for c in old if c["type"] not in {row[0] for row in judged}]
    for kind, trouble, fine_reason, fine_text in judged:
        value = "True" if trouble else "False"
        seen = before.get(kind)
        conditions.append(
            {
                "type": kind,
                "status": value,
                "lastTransitionTime": seen["lastTransitionTime"] if seen and seen["status"] == value else now,
                "reason": reasons.get(kind, fine_reason) if trouble else fine_reason,
                "message": trouble or fine_text,
            }
        )
    return conditions


def _told(fact: str, parts: Sequence[str]) -> str:
    return f"{fact}: {', '.join(parts)}" if parts else ""


class NamespaceController(Controller):
    """Works namespaces that are being deleted."""

    name = "namespace"
    workers = 4

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._namespaces = self.watch(_NAMESPACES)
        self.enqueue_from(self._namespaces, lambda obj: [key_of(obj)] if is_deleting(obj) else [])

    async def sync(self, key: str) -> None:
        namespace = self._namespaces.get(key)
        if namespace is None or not is_deleting(namespace):
            return
        if _FINALIZER not in (namespace["spec"].get("finalizers") or []):
            return
        swept = [r for r in await preferred_resources(self.client) if _is_swept(r)]
        remains = await asyncio.gather(*(self._sweep(resource, key) for resource in swept))
        if any(r.count or r.fault for r in remains):
            await self._tell(namespace, remains)
            self.queue.add_after(key, _LOOK_AGAIN_S)
            return
        await self._finalize(key)

    async def _sweep(self, resource: Resource, namespace: str) -> Remains:
        try:
            found = (await self.client.list(resource, namespace))["items"]
            if found and "deletecollection" in resource.verbs:
                await self.client.delete_collection(resource, namespace, propagation="Background")
            else:
                for obj in found:
                    await self._delete(resource, obj)
            if found:
                found = (await self.client.list(resource, namespace))["items"]
        except (errors.NotFound, errors.MethodNotAllowed):
            return Remains(resource)
        except errors.ApiError as error:
            return Remains(resource, fault=error.message)
        finalizers = {f for obj in found for f in obj["metadata"].get("finalizers") or []}
        return Remains(resource, len(found), tuple(sorted(finalizers)))

    async def _delete(self, resource: Resource, obj: Object) -> None:
        try:
            meta = obj["metadata"]
            await self.client.delete(resource, meta["name"], meta["namespace"], propagation="Background")
        except errors.NotFound:
            return

    async def _tell(self, namespace: Object, remains: Sequence[Remains]) -> None:
        status = namespace.get("status") or {}
        now = rfc3339(self.context.clock.now())
        conditions = plan_conditions(status.get("conditions") or [], remains, now)
        if conditions != status.get("conditions"):
            body = {**namespace, "status": {**status, "conditions": conditions}}
            await self.client.update(_NAMESPACES, body, subresource="status")

    async def _finalize(self, name: str) -> None:
        try:
            live = await self.client.get(_NAMESPACES, name)
            kept = [f for f in live["spec"].get("finalizers") or [] if f != _FINALIZER]
            await self.client.update(_NAMESPACES, {**live, "spec": {**live["spec"], "finalizers": kept}},
                                     subresource="finalize")  # fmt: skip
        except errors.NotFound:
            return
        _log.info("namespace emptied", namespace=name)


def _is_swept(resource: Resource) -> bool:
    return (
        resource.namespaced
        and {"delete", "list"} <= set(resource.verbs)
        and (resource.group, resource.plural) not in _NOT_DELETED
        and not (resource.group == "events.k8s.io" and resource.plural == "events")  # the same objects as core events
    )
