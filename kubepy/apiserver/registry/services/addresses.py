"""Cluster addresses: each that is in use is an IPAddress object, each range that they come from is in a ServiceCIDR.

Whoever creates the IPAddress first has the address, so that any number of API servers may allocate at once; the store
alone decides. Random among the free of a range's upper band, then of its lower one (KEP-3070), as upstream.
Source: pkg/registry/core/service/ipallocator, KEP-1880.
"""

import asyncio
import ipaddress
import secrets
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from kubepy.api import resources
from kubepy.api.errors import AlreadyExists, NotFound
from kubepy.api.meta import Object
from kubepy.api.resources import Resource
from kubepy.apiserver.lookup import Lookup

MANAGER = "ipallocator.k8s.io"
MANAGED_BY, FAMILY = "ipaddress.kubernetes.io/managed-by", "ipaddress.kubernetes.io/ip-family"
ADDRESSES = resources.named("ipaddresses", "networking.k8s.io")
RANGES = resources.named("servicecidrs", "networking.k8s.io")
_BAND_LEAST, _BAND_STEP, _BAND_MOST = 16, 16, 256
_PER_TURN = 1024
_SHORTEST = {"IPv4": 0, "IPv6": 64}
"""The shortest prefix of a range that addresses are given from."""


class Unavailable(ValueError):
    """The value cannot be had; the text says why as upstream does."""


class Writer(Protocol):
    """What makes and removes IPAddress objects."""

    async def create(self, resource: Resource, obj: Object) -> Object:
        """Raises AlreadyExists."""

    async def delete(self, resource: Resource, name: str) -> Object:
        """Raises NotFound."""


class AddressRange:
    """The addresses of one CIDR that may be given: neither its first nor, of IPv4, its last."""

    def __init__(self, cidr: str) -> None:
        self.network = ipaddress.ip_network(cidr, strict=False)
        self.family = f"IPv{self.network.version}"
        self._first = int(self.network.network_address) + 1
        self._last = int(self.network.broadcast_address) - (self.network.version == 4)
        self._count = max(self._last - self._first + 1, 0)
        self._band = band_size(self._count, step=_BAND_STEP, most=_BAND_MOST)

    @property
    def first(self) -> str:
        """That of the `kubernetes` Service."""
        return self._text(self._first)

    def holds(self, address: str) -> bool:
        """Whether the address is of this range, given out or not."""
        return ipaddress.ip_address(address) in self.network

    def check(self, address: str) -> None:
        """Raises Unavailable for one that is never given."""
        if not self._first <= int(ipaddress.ip_address(address)) <= self._last:
            raise Unavailable(
                f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {self.network}"
            )

    def candidates(self) -> Iterator[str]:
        """Every address once: the upper band from a random place on, then the lower, left to those who ask by name."""
        yield from self._around(self._band, self._count)
        yield from self._around(0, self._band)

    def _around(self, low: int, high: int) -> Iterator[str]:
        span = high - low
        if span <= 0:
            return
        start = secrets.randbelow(span)
        step = 0
        while step < span:
            yield self._text(self._first + low + (start + step) % span)
            step += 1

    def _text(self, number: int) -> str:
        return str(ipaddress.IPv4Address(number) if self.network.version == 4 else ipaddress.IPv6Address(number))


def band_size(count: int, *, step: int, most: int) -> int:
    """How many of `count` values are left to those who ask for certain ones; none of a small range."""
    return 0 if count <= _BAND_LEAST else min(max(count // step, _BAND_LEAST), most)


def family_of(address: str) -> str:
    """IPv4 or IPv6."""
    return "IPv6" if ":" in address else "IPv4"


def is_usable(service_cidr: Object) -> bool:
    """Whether addresses may be given from it: one that no controller has judged yet counts as ready."""
    if service_cidr["metadata"].get("deletionTimestamp"):
        return False
    conditions = (service_cidr.get("status") or {}).get("conditions") or ()
    return all(one.get("status") == "True" for one in conditions if one.get("type") == "Ready")


def render_address(address: str, namespace: str, name: str) -> Object:
    """The IPAddress that says that a Service has the address."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IPAddress",
        "metadata": {"name": address, "labels": {FAMILY: family_of(address), MANAGED_BY: MANAGER}},
        "spec": {"parentRef": {"group": "", "resource": "services", "namespace": namespace, "name": name}},
    }


class AddressAllocator:
    """Takes and frees addresses; `is_taken` tells from the cache what another try at the store would only waste."""

    def __init__(self, lookup: Lookup, writer: Writer, is_taken: Callable[[str], bool]) -> None:
        self._lookup, self._writer, self._is_taken = lookup, writer, is_taken
        self._ranges: tuple[AddressRange, ...] = ()
        self._ranges_version: int | None = None

    def ranges(self) -> tuple[AddressRange, ...]:
        """The ranges that may be given from, as far as the cache knows."""
        version = self._lookup.version(RANGES)
        if version != self._ranges_version:
            usable = [found for found in self._lookup.list(RANGES) if is_usable(found)]
            texts = {text: None for found in usable for text in (found.get("spec") or {}).get("cidrs") or ()}
            ranges = map(AddressRange, texts)
            self._ranges = tuple(one for one in ranges if one.network.prefixlen >= _SHORTEST[one.family])
            self._ranges_version = version
        return self._ranges

    async def reserve(self, address: str, service: tuple[str, str], *, dry_run: bool = False) -> None:
        """Takes a certain address for the Service (namespace, name). Raises Unavailable."""
        found = self._range_with(address)
        if found is None:
            await self._lookup.fresh(RANGES)
            found = self._range_with(address)
        if found is None:
            raise Unavailable("the provided network does not match the current range")
        found.check(address)
        if not dry_run and not await self._take(address, service):
            raise Unavailable("provided IP is already allocated")

    async def allocate(self, family: str, service: tuple[str, str], *, dry_run: bool = False) -> str:
        """Takes any free address; a dry run gets a range's own. Raises Unavailable."""
        taken = await self._first_free(family, service, dry_run=dry_run)
        if taken is None:
            await self._lookup.fresh(RANGES)
            taken = await self._first_free(family, service, dry_run=dry_run)
        if taken is None:
            raise Unavailable("range is full")
        return taken

    async def release(self, address: str) -> None:
        """Frees an address; one that is free already stays so."""
        try:
            await self._writer.delete(ADDRESSES, canonical(address))
        except NotFound:
            return

    def _range_with(self, address: str) -> AddressRange | None:
        return next((one for one in self.ranges() if one.holds(address)), None)

    async def _first_free(self, family: str, service: tuple[str, str], *, dry_run: bool) -> str | None:
        for one in self.ranges():
            if one.family != family:
                continue
            if dry_run:
                return str(one.network.network_address)
            for tried, address in enumerate(one.candidates(), start=1):
                if not self._is_taken(address) and await self._take(address, service):
                    return address
                if tried % _PER_TURN == 0:
                    await asyncio.sleep(0)  # a large range that is nearly full must not hold up everyone else
        return None

    async def _take(self, address: str, service: tuple[str, str]) -> bool:
        try:
            await self._writer.create(ADDRESSES, render_address(canonical(address), *service))
        except AlreadyExists:
            return False
        return True


def canonical(address: str) -> str:
    """The one spelling that IPAddress objects are named by."""
    return str(ipaddress.ip_address(address))


def parent_of(address: Object) -> dict[str, Any]:
    """What an IPAddress object says that it belongs to."""
    return (address.get("spec") or {}).get("parentRef") or {}
