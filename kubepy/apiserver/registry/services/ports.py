"""Node ports: which are in use is one bitmap in the store, changed by comparing revisions.

Any number of API servers may allocate at once: of two that change the bitmap, one tries again on what the other wrote.
Key and form are upstream's (a RangeAllocation), so that an upstream server on the same etcd goes on with it.
Source: pkg/registry/core/service/portallocator, allocator/storage; KEP-3668 for the two bands.
"""

import asyncio
import base64
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import orjson

from kubepy.apiserver.registry.services.addresses import Unavailable, band_size
from kubepy.storage.base import Entry, KeyExists, KeyMissing, RevisionConflict, Store

KEY = "/registry/ranges/servicenodeports"
_BAND_STEP, _BAND_MOST = 32, 128
_DRY_RUN_FIRST = 32769


@dataclass(frozen=True, slots=True)
class Bitmap:
    """The ports in use: bit n is port low + n. Revision 0 is one that is not stored yet."""

    text: str
    bits: int
    revision: int

    def ports(self) -> Iterator[int]:
        """Every port in use."""
        base, bits = int(self.text.partition("-")[0]), self.bits
        while bits:
            lowest = bits & -bits
            yield base + lowest.bit_length() - 1
            bits ^= lowest


def read_bitmap(entry: Entry) -> Bitmap:
    """What is stored."""
    found = orjson.loads(entry.value)
    return Bitmap(found.get("range") or "", _bits(found.get("data") or ""), entry.revision)


def render_bitmap(text: str, bits: int) -> bytes:
    """The RangeAllocation as it is stored."""
    data = base64.b64encode(bits.to_bytes((bits.bit_length() + 7) // 8, "big")).decode()
    meta = {"creationTimestamp": None}
    found = {"kind": "RangeAllocation", "apiVersion": "v1", "metadata": meta, "range": text, "data": data}
    return orjson.dumps(found)


def _bits(data: str) -> int:
    return int.from_bytes(base64.b64decode(data), "big")


class PortAllocator:
    """Node ports of one range, both ends in it."""

    def __init__(self, store: Store, low: int, high: int) -> None:
        self.low, self.high = low, high
        self.text = f"{low}-{high}"
        self._store = store
        self._count = high - low + 1
        self._band = band_size(self._count, step=_BAND_STEP, most=_BAND_MOST)
        self._known: Bitmap | None = None
        self._turn = asyncio.Lock()

    async def reserve(self, port: int) -> None:
        """Takes a certain port. Raises Unavailable."""
        bit = self._bit(port)

        def take(bits: int) -> int:
            if bits & bit:
                raise Unavailable("provided port is already allocated")
            return bits | bit

        await self._change(take)

    async def allocate(self) -> int:
        """Takes any free port: the upper band first. Raises Unavailable."""
        given = 0

        def take(bits: int) -> int:
            nonlocal given
            given = self._free(bits)
            return bits | 1 << (given - self.low)

        await self._change(take)
        return given

    async def release(self, ports: Iterable[int]) -> None:
        """Frees ports; those that are free already, or of no range, stay so."""
        mask = sum({1 << (port - self.low) for port in ports if self.low <= port <= self.high})
        if mask:
            await self._change(lambda bits: bits & ~mask)

    async def check(self, port: int) -> None:
        """Raises Unavailable for a port that cannot be had; takes nothing."""
        if (await self.read()).bits & self._bit(port):
            raise Unavailable("provided port is already allocated")

    async def read(self) -> Bitmap:
        """What is stored now."""
        try:
            return read_bitmap(await self._store.get(KEY))
        except KeyMissing:
            return Bitmap(self.text, 0, 0)

    async def replace(self, old: Bitmap, ports: Iterable[int]) -> None:
        """Stores another bitmap for `old`, whatever its range. Raises RevisionConflict, KeyExists, KeyMissing."""
        bits = sum({1 << (port - self.low) for port in ports})
        if (old.text, old.bits) != (self.text, bits) or not old.revision:
            async with self._turn:
                await self._write(old, bits)

    def _bit(self, port: int) -> int:
        if not self.low <= port <= self.high:
            raise Unavailable(f"provided port is not in the valid range. The range of valid ports is {self.text}")
        return 1 << (port - self.low)

    def _free(self, bits: int) -> int:
        for low, high in ((self._band, self._count), (0, self._band)):
            free = [place for place in range(low, high) if not bits >> place & 1]
            if free:
                return self.low + secrets.choice(free)
        raise Unavailable("range is full")

    async def _change(self, change: Callable[[int], int]) -> None:
        """Stores what `change` makes of the bits; believes its Unavailable only of bits that were just read."""
        async with self._turn:
            is_fresh = False
            while True:
                if self._known is None:
                    self._known, is_fresh = await self.read(), True
                known = self._known
                try:
                    if known.text != self.text:
                        raise Unavailable("the provided port range does not match the current port range")
                    bits = change(known.bits)
                except Unavailable:
                    if is_fresh:
                        raise
                    self._known = None
                    continue
                if bits == known.bits and is_fresh:
                    return
                try:
                    await self._write(known, bits)
                    return
                except RevisionConflict as lost:
                    self._known, is_fresh = read_bitmap(lost.current), True
                except (KeyExists, KeyMissing):
                    self._known = None

    async def _write(self, old: Bitmap, bits: int) -> None:
        data = render_bitmap(self.text, bits)
        if old.revision:
            revision = await self._store.update(KEY, data, revision=old.revision)
        else:
            revision = await self._store.create(KEY, data)
        self._known = Bitmap(self.text, bits, revision)


class PortOperation:
    """The ports that one write takes and gives up; a dry run takes none and makes up what it is given.

    Source: pkg/registry/core/service/portallocator/operation.go.
    """

    def __init__(self, allocator: PortAllocator, *, dry_run: bool) -> None:
        self._allocator, self._dry_run = allocator, dry_run
        self._taken: list[int] = []
        self._freed: list[int] = []

    async def take(self, port: int) -> None:
        """Raises Unavailable."""
        if self._dry_run:
            await self._allocator.check(port)
            if port in self._taken:
                raise Unavailable("provided port is already allocated")
        else:
            await self._allocator.reserve(port)
        self._taken.append(port)

    async def take_any(self) -> int:
        """Raises Unavailable."""
        port = max(self._taken, default=_DRY_RUN_FIRST - 1) + 1 if self._dry_run else await self._allocator.allocate()
        self._taken.append(port)
        return port

    def give_up(self, *ports: int) -> None:
        """Frees them once the write is stored."""
        self._freed += ports

    async def end(self, *, stored: bool) -> None:
        """Frees what is not needed any more."""
        if not self._dry_run:
            await self._allocator.release(self._freed if stored else self._taken)
