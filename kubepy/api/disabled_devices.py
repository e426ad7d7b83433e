"""Fields of devices that belong to features that are off in v1.37 unless somebody turns them on: dropped, but from
objects that have some of the same feature.

Source: pkg/registry/resource/{resourceslice,resourceclaim,resourceclaimtemplate}/strategy.go (dropDisabledFields) and
the features' pages: DRAListTypeAttributes, DRADerivedAttributes, DRANodeAllocatableResources,
DRAOptionalNodeOperations, DRAPartitionableDevicesType.
"""

from collections.abc import Iterable, Iterator

from kubepy.api.disabled import Place, drop
from kubepy.api.meta import Object

_LISTS = ("bools", "ints", "strings", "versions")


def drop_from_slice(spec: Object, old: Object | None) -> None:
    """Takes away what is off from the spec of a ResourceSlice."""
    drop(_of_slice, spec, old)


def drop_from_claim(spec: Object, old: Object | None) -> None:
    """Takes away what is off from the spec of a ResourceClaim, or of a template's."""
    drop(_of_claim, spec, old)


def drop_from_claim_status(status: Object, old: Object | None) -> None:
    """Takes away what is off from the status of a ResourceClaim."""
    drop(_of_status, status, old)


def _given(holders: Iterable[Object], feature: str, *fields: str) -> Iterator[Place]:
    return ((feature, holder, field) for holder in holders for field in fields if holder.get(field) is not None)


def _of_slice(spec: Object) -> Iterator[Place]:
    devices = spec.get("devices") or ()
    yield from _given([spec], "partitions", "partitionTypeAttribute")
    yield from _given([spec], "operations", "skipNodeOperations")
    yield from _given(devices, "resources", "nodeAllocatableResources")
    for device in devices:
        yield from _given((device.get("attributes") or {}).values(), "lists", *_LISTS)


def _of_claim(spec: Object) -> Iterator[Place]:
    for request in (spec.get("devices") or {}).get("requests") or ():
        asked = [request.get("exactly") or {}, *(request.get("firstAvailable") or ())]
        yield from _given(asked, "derived", "derivedAttributes")


def _of_status(status: Object) -> Iterator[Place]:
    devices = (status.get("allocation") or {}).get("devices") or {}
    return _given(devices.get("results") or (), "operations", "skipNodeOperations")
