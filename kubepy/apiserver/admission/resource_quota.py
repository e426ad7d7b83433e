"""A namespace uses no more than its ResourceQuotas allow: what a write adds is booked in their status beforehand.

Invariant: of writes that race for the last of something, one wins. Within this server a namespace's bookings follow
one another; against other servers the status is replaced only at the revision it was read at.
Before a write is refused, what is really there is counted again, so that a stale status refuses nothing; what was
booked a moment ago and is not to be seen yet counts as well, unless its object was deleted meanwhile.
Source: apiserver pkg/admission/plugin/resourcequota/controller.go.
"""

import asyncio
import copy
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kubepy.api import quantity, resources
from kubepy.api.errors import Conflict, InternalError
from kubepy.api.resources import Resource
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.plugin import CREATE, DELETE, UPDATE, Plugin
from kubepy.apiserver.admission.pod_amounts import Amounts, add, subtract
from kubepy.apiserver.admission.quota_usage import is_in_scopes, unset_faults, usage_of
from kubepy.apiserver.lookup import Lookup, Object

QUOTAS = resources.named("resourcequotas")
_TRIES = 5
_IN_FLIGHT_S = 5.0
"""How long a booking counts although its object is not to be seen; longer than any write takes."""


class QuotaWriter(Protocol):
    """Stores the status of a quota."""

    async def update(self, resource: Resource, obj: Object, *, subresource: str | None = None) -> Object:
        """The stored object. Raises Conflict when it is not at its resourceVersion."""


@dataclass(frozen=True, slots=True)
class Booking:
    """What was granted to an object until a moment of the monotonic clock."""

    resource: Resource
    name: str
    usage: Amounts
    until_s: float


class ResourceQuota(Plugin):
    """See the module's docstring."""

    name = "ResourceQuota"
    operations = frozenset((CREATE, UPDATE, DELETE))

    def __init__(self, lookup: Lookup, writer: QuotaWriter) -> None:
        self._lookup = lookup
        self._writer = writer
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._booked: dict[str, list[Booking]] = {}

    async def validate(self, attributes: Attributes) -> None:
        """Books what the write adds. Raises Forbidden when a quota has no room for it."""
        if attributes.operation == DELETE:
            self._forget(attributes)
            return
        if not attributes.namespace or not self._quotas(attributes.namespace):
            return
        resource = attributes.resource
        usage = usage_of(resource.group, resource.plural, attributes.new)
        if attributes.old_object is not None:
            usage = subtract(usage, usage_of(resource.group, resource.plural, attributes.old_object))
        if not usage:
            return
        async with self._locks[attributes.namespace]:
            for quota in self._quotas(attributes.namespace):
                if is_in_scopes(quota, resource.plural, attributes.new):
                    await self._book(attributes, quota, usage)

    async def _book(self, attributes: Attributes, quota: Object, usage: Amounts) -> None:
        hard: Mapping[str, Any] = (quota.get("spec") or {}).get("hard") or {}
        wanted = {name: amount for name, amount in usage.items() if name in hard}
        if attributes.operation == CREATE and attributes.resource.plural == "pods":
            _refuse_unset(attributes, quota, hard)
        if not wanted:
            return
        name = quota["metadata"]["name"]
        for _ in range(_TRIES):
            changed = await self._changed(attributes, quota, wanted)
            try:
                if not attributes.dry_run:
                    await self._writer.update(QUOTAS, changed, subresource="status")
            except Conflict:
                await self._lookup.fresh(QUOTAS)
                found = self._lookup.get(QUOTAS, name, attributes.namespace)
                if found is None:
                    return
                quota = found
                continue
            self._remember(attributes, wanted)
            return
        raise InternalError(f'quota "{name}" is changing too fast: please try again', retry_after_s=1)

    async def _changed(self, attributes: Attributes, quota: Object, wanted: Amounts) -> Object:
        """The quota with `wanted` booked. Raises Forbidden."""
        hard = quota["spec"]["hard"]
        status = quota.get("status") or {}
        used: Amounts = {name: amount for name, amount in (status.get("used") or {}).items() if name in hard}
        if (status.get("hard") or {}) != hard or any(name not in used for name in hard) or exceeded(hard, used, wanted):
            used = await self._count(attributes, quota)
            if over := exceeded(hard, used, wanted):
                raise forbid(attributes, describe_excess(quota, over, used, wanted))
        changed = copy.deepcopy(quota)
        add(used, wanted)
        changed["status"] = {**status, "hard": dict(hard), "used": used}
        return changed

    async def _count(self, attributes: Attributes, quota: Object) -> Amounts:
        """What is there of everything that the quota limits, with what was granted just now."""
        namespace, hard = attributes.namespace, quota["spec"]["hard"]
        used: Amounts = dict.fromkeys(hard, "0")
        for resource in counted_resources(hard, attributes.resource):
            await self._lookup.fresh(resource)
            for obj in self._lookup.list(resource, namespace):
                if is_in_scopes(quota, resource.plural, obj):
                    usage = usage_of(resource.group, resource.plural, obj)
                    add(used, {name: amount for name, amount in usage.items() if name in hard})
        for booking in self._in_flight(namespace):
            if self._lookup.get(booking.resource, booking.name, namespace) is None:
                add(used, {name: amount for name, amount in booking.usage.items() if name in hard})
        return used

    def _quotas(self, namespace: str) -> list[Object]:
        return self._lookup.list(QUOTAS, namespace)

    def _in_flight(self, namespace: str) -> list[Booking]:
        now_s = time.monotonic()
        alive = [booking for booking in self._booked.get(namespace, ()) if booking.until_s > now_s]
        self._booked[namespace] = alive
        return alive

    def _forget(self, attributes: Attributes) -> None:
        """An object that is there to be deleted is not in flight."""
        if bookings := self._booked.get(attributes.namespace):
            what = (attributes.resource, attributes.name)
            self._booked[attributes.namespace] = [one for one in bookings if (one.resource, one.name) != what]

    def _remember(self, attributes: Attributes, usage: Amounts) -> None:
        if attributes.operation == CREATE and not attributes.dry_run:
            name = attributes.new["metadata"].get("name", "")
            bookings = self._in_flight(attributes.namespace)
            bookings.append(Booking(attributes.resource, name, usage, time.monotonic() + _IN_FLIGHT_S))


def _refuse_unset(attributes: Attributes, quota: Object, hard: Mapping[str, Any]) -> None:
    if faults := unset_faults(attributes.new, hard):
        raise forbid(attributes, f"failed quota: {quota['metadata']['name']}: must specify {'; '.join(faults)}")


def exceeded(hard: Mapping[str, Any], used: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The names of what would be more than is allowed."""
    return sorted(
        name for name in wanted if quantity.compare(quantity.add(used.get(name, "0"), wanted[name]), hard[name]) > 0
    )


def describe_excess(quota: Object, over: list[str], used: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """`exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2`."""

    def shown(amounts: Mapping[str, Any]) -> str:
        return ",".join(f"{name}={quantity.canonical(amounts.get(name, '0'))}" for name in over)

    name, hard = quota["metadata"]["name"], quota["spec"]["hard"]
    return f"exceeded quota: {name}, requested: {shown(wanted)}, used: {shown(used)}, limited: {shown(hard)}"


def counted_resources(hard: Mapping[str, Any], asked: Resource) -> Iterator[Resource]:
    """The resources whose objects the names of a quota count."""
    wanted = {asked.qualified}
    for name in hard:
        if name.startswith("count/"):
            wanted.add(name.removeprefix("count/"))
        elif name.startswith("services"):
            wanted.add("services")
        elif name.endswith(("persistentvolumeclaims", "requests.storage")):
            wanted.add("persistentvolumeclaims")
        elif resources.by_plural("", "v1", name):
            wanted.add(name)
        else:
            wanted.add("pods")
    seen: set[str] = set()
    for resource in (asked, *resources.BUILT_IN):
        if resource.namespaced and resource.stored_as and resource.qualified in wanted - seen:
            seen.add(resource.qualified)
            yield resource
