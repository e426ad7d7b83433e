"""ConfigMaps, Secrets and other single objects that pods refer to: fetched when first needed, then watched.

Promises: `fetch` never answers with something older than the pod that asks; while a pod uses an object, each change of
it is told to `on_change(pod uid)`; what no pod uses any more is not watched. One watch an object, however many pods.
Source: pkg/kubelet/util/manager/watch_based_manager.go.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kubepy.api import errors, resources
from kubepy.client.client import Client
from kubepy.client.informer import Informer
from kubepy.lib import tasks

Object = dict[str, Any]
Reference = tuple[str, str, str]
"""(plural, namespace, name)"""


@dataclass(slots=True)
class _Entry:
    users: set[str] = field(default_factory=set)
    value: Object | None = None
    informer: Informer | None = None
    task: "asyncio.Task[None] | None" = None


class ObjectCache:
    """The objects in use on this node."""

    def __init__(self, client: Client, on_change: Callable[[str], None]) -> None:
        self._client = client
        self._on_change = on_change
        self._entries: dict[Reference, _Entry] = {}

    async def fetch(self, pod_uid: str, reference: Reference) -> Object | None:
        """The object, or None when it does not exist. Raises ApiError and Unreachable."""
        entry = self._entries.setdefault(reference, _Entry())
        entry.users.add(pod_uid)
        if entry.informer is not None and entry.informer.synced and entry.value is not None:
            return entry.value
        plural, namespace, name = reference
        try:
            entry.value = await self._client.get(resources.named(plural), name, namespace)
        except errors.NotFound:
            entry.value = None
        self._follow(reference, entry)
        return entry.value

    def cached(self, plural: str, namespace: str, name: str) -> Object | None:
        """What was fetched last."""
        entry = self._entries.get((plural, namespace, name))
        return entry.value if entry else None

    def _follow(self, reference: Reference, entry: _Entry) -> None:
        if entry.informer is not None:
            return
        plural, namespace, name = reference
        entry.informer = Informer(
            self._client, resources.named(plural), namespace, field_selector=f"metadata.name={name}"
        )
        entry.informer.add_handler(
            on_add=lambda obj: self._changed(entry, obj),
            on_update=lambda _, obj: self._changed(entry, obj),
            on_delete=lambda _: self._changed(entry, None),
        )
        entry.task = tasks.spawn(entry.informer.run(), name=f"watch {plural} {namespace}/{name}")

    def _changed(self, entry: _Entry, obj: Object | None) -> None:
        before, entry.value = entry.value, obj
        if before is not None and obj is not None and _revision(before) == _revision(obj):
            return
        for uid in tuple(entry.users):
            self._on_change(uid)

    async def release(self, pod_uid: str) -> None:
        """The pod is gone: what only it used is no longer watched."""
        for reference, entry in list(self._entries.items()):
            entry.users.discard(pod_uid)
            if not entry.users:
                del self._entries[reference]
                await tasks.cancel(entry.task)

    async def close(self) -> None:
        """Ends all watches."""
        await tasks.cancel(*(entry.task for entry in self._entries.values()))
        self._entries.clear()


def _revision(obj: Object) -> str:
    return str(obj["metadata"].get("resourceVersion", ""))
