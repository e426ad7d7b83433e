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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kubepy.api import quantity, resources
from kubepy.api.amounts import Amounts, add, subtract
from kubepy.api.errors import Conflict, InternalError
from kubepy.api.quota_usage import counted_resources, is_in_scopes, matches_scope, scope_terms, unset_faults, usage_of
from kubepy.api.resources import Resource
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.plugin import CREATE, DELETE, UPDATE, Plugin
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
class Limited:
    """Objects that may be used only where a quota covers them: by parts of the names of what they use, or by scope."""

    group: str
    plural: str
    contains: Sequence[str] = ()
    scopes: Sequence[Mapping[str, Any]] = ()


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
    subresources = frozenset(("", "resize"))

    def __init__(self, lookup: Lookup, writer: QuotaWriter, limited: Sequence[Limited] = ()) -> None:
        self._lookup = lookup
        self._writer = writer
        self._limited = limited
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._booked: dict[str, list[Booking]] = {}

    async def validate(self, attributes: Attributes) -> None:
        """Books what the write adds. Raises Forbidden when a quota has no room for it."""
        if attributes.operation == DELETE:
            self._forget(attributes)
            return
        if not attributes.namespace or not (self._limited or self._quotas(attributes.namespace)):
            return
        resource = attributes.resource
        usage = usage_of(resource.group, resource.plural, attributes.new)
        if attributes.old_object is not None:
            usage = subtract(usage, usage_of(resource.group, resource.plural, attributes.old_object))
        if not usage:
            return
        async with self._locks[attributes.namespace]:
            quotas = [
                quota
                for quota in self._quotas(attributes.namespace)
                if is_in_scopes(quota, resource.plural, attributes.new)
            ]
            if self._limited:
                _refuse_uncovered(attributes, usage, quotas, self._limited)
            await self._book_all(attributes, quotas, usage)

    async def _book_all(self, attributes: Attributes, quotas: Sequence[Object], usage: Amounts) -> None:
        """Every quota is asked before anything is booked in one."""
        wanted: list[tuple[Object, Amounts]] = []
        for quota in quotas:
            hard: Mapping[str, Any] = (quota.get("spec") or {}).get("hard") or {}
            if attributes.operation == CREATE and attributes.resource.plural == "pods":
                _refuse_unset(attributes, quota, hard)
            if mine := {name: amount for name, amount in usage.items() if name in hard}:
                wanted.append((quota, mine))
        changed = [await self._changed(attributes, quota, mine) for quota, mine in wanted]
        for (_, mine), quota in zip(wanted, changed, strict=True):
            await self._book(attributes, quota, mine)

    async def _book(self, attributes: Attributes, changed: Object, wanted: Amounts) -> None:
        name = changed["metadata"]["name"]
        for _ in range(_TRIES):
            try:
                if not attributes.dry_run:
                    await self._writer.update(QUOTAS, changed, subresource="status")
            except Conflict:
                await self._lookup.fresh(QUOTAS)
                found = self._lookup.get(QUOTAS, name, attributes.namespace)
                if found is None:
                    return
                changed = await self._changed(attributes, found, wanted)
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
        for resource in counted_resources(hard, (attributes.resource,)):
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


def _refuse_uncovered(
    attributes: Attributes, usage: Amounts, quotas: Sequence[Object], limited: Sequence[Limited]
) -> None:
    """Raises Forbidden for what is limited by the cluster's configuration and by no quota of the namespace."""
    resource = attributes.resource
    mine = [one for one in limited if (one.group, one.plural) == (resource.group, resource.plural)]
    covered = {name for quota in quotas for name in (quota.get("spec") or {}).get("hard") or {}}
    names = {
        name
        for one in mine
        for name, amount in usage.items()
        if quantity.parse(amount) > 0 and any(part in name for part in one.contains)
    }
    if uncovered := sorted(names - covered):
        raise forbid(attributes, f"insufficient quota to consume: {','.join(uncovered)}")
    known = {term.get("scopeName") for quota in quotas for term in scope_terms(quota.get("spec") or {})}
    scopes = [
        term
        for one in mine
        for term in one.scopes
        if matches_scope(term, resource.plural, attributes.new) and term.get("scopeName") not in known
    ]
    if scopes:
        raise forbid(attributes, f"insufficient quota to match these scopes: [{' '.join(map(_show_term, scopes))}]")


def _show_term(term: Mapping[str, Any]) -> str:
    return f"{{{term.get('scopeName')} {term.get('operator')} [{' '.join(term.get('values') or ())}]}}"


def parse_limited(document: Mapping[str, Any]) -> list[Limited]:
    """A ResourceQuotaConfiguration. Raises ValueError."""
    found = []
    for index, one in enumerate(document.get("limitedResources") or ()):
        if not one.get("resource"):
            raise ValueError(f"limitedResources[{index}].resource: Required value")
        contains, scopes = one.get("matchContains") or (), one.get("matchScopes") or ()
        found.append(Limited(one.get("apiGroup") or "", one["resource"], contains, scopes))
    return found


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
