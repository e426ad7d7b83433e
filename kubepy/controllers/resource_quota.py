"""Counts what namespaces use of their ResourceQuotas, and tells it in their status.

Admission books what is added; this loop sees what goes away, ends or shrinks, and what admission never saw. It
counts from shared informers, which it makes only for resources that some quota limits.
Source: pkg/controller/resourcequota.
"""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from kubepy.api import quantity, resources
from kubepy.api.amounts import Amounts, add
from kubepy.api.errors import ApiError, NotFound
from kubepy.api.meta import Object, is_deleting, key_of
from kubepy.api.quota_usage import counted_names, counted_resources, is_in_scopes, usage_of
from kubepy.api.resources import Resource
from kubepy.client.discovery import preferred_resources
from kubepy.client.informer import Informer
from kubepy.controllers.controller import Context, Controller
from kubepy.lib import log

_QUOTAS = resources.named("resourcequotas")
_NAMESPACE = "namespace"
_SETTLED_S = 0.5
"""Objects come in crowds: they are counted once, when the first has been here for so long."""
_IN_FLIGHT_S = 2.0
"""What admission has booked may not be seen yet: a smaller count is believed when nothing was booked for so long."""
_log = log.get(__name__)


def counted(quota: Object, objects: Iterable[tuple[Resource, Object]], now: datetime) -> Amounts:
    """What those objects use of everything that the quota limits."""
    hard = (quota.get("spec") or {}).get("hard") or {}
    used: Amounts = dict.fromkeys(hard, "0")
    for resource, obj in objects:
        if is_in_scopes(quota, resource.plural, obj):
            usage = usage_of(resource.group, resource.plural, obj, now)
            add(used, {name: amount for name, amount in usage.items() if name in hard})
    return used


def plan_status(quota: Object, used: Amounts) -> Object | None:
    """The status to write, or None where it says so already; amounts count, not how they are written."""
    hard = {name: quantity.canonical(amount) for name, amount in ((quota.get("spec") or {}).get("hard") or {}).items()}
    status = quota.get("status") or {}
    if _are_equal(status.get("hard") or {}, hard) and _are_equal(status.get("used") or {}, used):
        return None
    return {**status, "hard": hard, "used": used}


def is_less(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether an amount of `after` is smaller than it was."""
    return any(name in after and quantity.compare(after[name], amount) < 0 for name, amount in before.items())


def _are_equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() == other.keys() and all(quantity.compare(one[name], other[name]) == 0 for name in one)


class ResourceQuotaController(Controller):
    """Works quotas; see the module's docstring."""

    name = "resourcequota"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._quotas = self.watch(_QUOTAS)
        self._quotas.add_indexer(_NAMESPACE, lambda obj: [obj["metadata"]["namespace"]])
        self._quotas.add_handler(on_add=self._quota_came, on_update=self._quota_changed, on_delete=self._quota_gone)
        self._booked_at: dict[str, float] = {}
        self._counted: dict[str, Informer] = {}
        self._resync_s = float(str(context.settings.get("resource-quota-sync-period", 300.0)))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(super().run(), name=self.name)
            group.create_task(self._resync(), name=f"{self.name} resync")

    async def _resync(self) -> None:
        while True:
            await self.context.clock.sleep(self._resync_s)
            for key in list(self._quotas.keys()):
                self.queue.add(key)

    async def sync(self, key: str) -> None:
        quota = self._quotas.get(key)
        if quota is None or is_deleting(quota):
            return
        namespace = quota["metadata"]["namespace"]
        informers = await self._informers_of((quota.get("spec") or {}).get("hard") or {})
        objects = ((one.resource, obj) for one in informers for obj in one.by_index(_NAMESPACE, namespace))
        status = plan_status(quota, counted(quota, objects, self.context.clock.now()))
        if status is None:
            return
        wait_s = self._booked_at.get(key, 0.0) + _IN_FLIGHT_S - self.context.clock.monotonic()
        if wait_s > 0 and is_less((quota.get("status") or {}).get("used") or {}, status["used"]):
            self.queue.add_after(key, wait_s)
        else:
            try:
                await self.client.update(_QUOTAS, {**quota, "status": status}, subresource="status")
            except NotFound:
                return

    def _quota_came(self, quota: Object) -> None:
        if (quota.get("status") or {}).get("used"):
            self._booked_at[key_of(quota)] = self.context.clock.monotonic()
        self.queue.add(key_of(quota))

    def _quota_changed(self, old: Object, new: Object) -> None:
        """Status is written by admission too, for every object: only what was booked is of interest, not counted."""
        before, after = ((one.get("status") or {}).get("used") or {} for one in (old, new))
        if is_less(after, before):
            self._booked_at[key_of(new)] = self.context.clock.monotonic()
        if old.get("spec") != new.get("spec"):
            self.queue.add(key_of(new))

    def _quota_gone(self, quota: Object) -> None:
        self._booked_at.pop(key_of(quota), None)

    async def _informers_of(self, hard: Mapping[str, Any]) -> list[Informer]:
        """The informers of what the quota counts, in sync."""
        wanted = counted_names(hard)
        for resource in counted_resources({f"count/{name}": 0 for name in wanted - self._counted.keys()}):
            self._count(resource)
        if unknown := wanted - self._counted.keys():
            await self._discover(unknown)
        found = [self._counted[name] for name in sorted(wanted & self._counted.keys())]
        for informer in found:
            await informer.wait_synced()
        return found

    async def _discover(self, names: set[str]) -> None:
        """Custom resources; one that is not served yet counts as zero until the next round."""
        try:
            served = await preferred_resources(self.client)
        except ApiError as fault:
            _log.warning("custom resources of quotas not counted", names=sorted(names), error=fault)
            return
        for resource in served:
            if resource.namespaced and resource.qualified in names and "watch" in resource.verbs:
                self._count(resource)

    def _count(self, resource: Resource) -> None:
        informer = self.context.informers.of(resource)
        informer.add_indexer(_NAMESPACE, lambda obj: [obj["metadata"].get("namespace") or ""])
        informer.add_handler(
            on_add=self._enqueue_namespace,
            on_update=lambda old, new: self._changed(resource, old, new),
            on_delete=self._enqueue_namespace,
        )
        self._counted[resource.qualified] = informer

    def _changed(self, resource: Resource, old: Object, new: Object) -> None:
        group, plural = resource.group, resource.plural
        if usage_of(group, plural, old) != usage_of(group, plural, new) or old.get("spec") != new.get("spec"):
            self._enqueue_namespace(new)

    def _enqueue_namespace(self, obj: Object) -> None:
        for quota in self._quotas.by_index(_NAMESPACE, obj["metadata"].get("namespace") or ""):
            self.queue.add_after(key_of(quota), _SETTLED_S)
