"""Which cluster addresses and node ports are free: what the Services in the cache use, and what is being given away.

There is no list of allocations beside the Services themselves, so none can leak or go stale: a Service that is
stored holds its values through the cache's fields, one that is being written holds them in `_pending`.
Random among the free, as upstream, so that a value that was just given back is not handed out again at once.
Source: pkg/registry/core/service/{ipallocator,portallocator,storage}.
"""

import ipaddress
import secrets

from kubepy.api.selectors import FieldSelector, FieldTerm
from kubepy.storage.cache import ResourceCache

CLUSTER_IP_FIELD = "spec.clusterIP"
PORTS_FIELD = "#nodePorts"
"""A field that no selector can name: the node ports, each between commas."""
_TRIES = 256
_STATIC_BAND_LEAST, _STATIC_BAND_MOST = 16, 256


class Unavailable(ValueError):
    """The value cannot be had; the text says why as upstream does."""


class AddressAllocator:
    """Addresses of one IPv4 range; its network and broadcast addresses are never given."""

    def __init__(self, cidr: str) -> None:
        self.network = ipaddress.IPv4Network(cidr)
        self._pending: set[str] = set()
        self._recent: dict[str, str] = {}
        self._first = int(self.network.network_address) + 1
        self._count = max(self.network.num_addresses - 2, 1)
        # The lower band is left to those who ask for a certain address; see KEP-3070.
        band = min(max(_STATIC_BAND_LEAST, self.network.num_addresses // 16), _STATIC_BAND_MOST)
        self._static = band if band < self._count else 0

    @property
    def first(self) -> str:
        """The range's first address: that of the `kubernetes` Service."""
        return str(ipaddress.IPv4Address(self._first))

    def reserve(self, cache: ResourceCache, address: str) -> None:
        """Takes a certain address. Raises Unavailable."""
        if ipaddress.ip_address(address) not in self.network:
            raise Unavailable(f"provided IP is not in the valid range. The range of valid IPs is {self.network}")
        if not self._is_free(cache, address):
            raise Unavailable("provided IP is already allocated")
        self._pending.add(address)

    def allocate(self, cache: ResourceCache) -> str:
        """Takes any free address. Raises Unavailable."""
        span = self._count - self._static
        for _ in range(_TRIES):
            address = str(ipaddress.IPv4Address(self._first + self._static + secrets.randbelow(span)))
            if self._take(cache, address):
                return address
        for offset in (*range(self._static, self._count), *range(self._static)):
            address = str(ipaddress.IPv4Address(self._first + offset))
            if self._take(cache, address):
                return address
        raise Unavailable("range is full")

    def settle(self, address: str, key: str, *, stored: bool) -> None:
        """The write of the Service at `key` that took the address is over."""
        self._pending.discard(address)
        if stored:
            self._recent[address] = key

    def _take(self, cache: ResourceCache, address: str) -> bool:
        if not self._is_free(cache, address):
            return False
        self._pending.add(address)
        return True

    def _is_free(self, cache: ResourceCache, address: str) -> bool:
        if address in self._pending:
            return False
        found, _ = cache.list(fields=FieldSelector((FieldTerm(CLUSTER_IP_FIELD, "=", address),)))
        keys = {entry.key for entry in found}
        if address in self._recent:
            keys.add(self._recent[address])
        # Lists lag behind what was just written; `get` does not.
        for key in keys:
            entry = cache.get(key)
            if entry is not None and entry.fields.get(CLUSTER_IP_FIELD) == address:
                return False
        self._recent.pop(address, None)
        return True


class PortAllocator:
    """Node ports of one range, both ends in it."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high
        self._pending: set[int] = set()
        self._recent: dict[int, str] = {}

    def used(self, cache: ResourceCache) -> set[int]:
        """Every port that a stored Service holds."""
        found, _ = cache.list()
        used: set[int] = set()
        for key in {entry.key for entry in found if entry.fields[PORTS_FIELD]} | set(self._recent.values()):
            entry = cache.get(key)  # lists lag behind what was just written; `get` does not
            if entry is not None:
                used.update(int(port) for port in entry.fields[PORTS_FIELD].split(",") if port)
        self._recent = {port: key for port, key in self._recent.items() if port in used}
        return used

    def reserve(self, cache: ResourceCache, port: int) -> None:
        """Takes a certain port. Raises Unavailable."""
        if not self.low <= port <= self.high:
            raise Unavailable(
                f"provided port is not in the valid range. The range of valid ports is {self.low}-{self.high}"
            )
        if port in self._pending or port in self.used(cache):
            raise Unavailable("provided port is already allocated")
        self._pending.add(port)

    def allocate(self, cache: ResourceCache) -> int:
        """Takes any free port. Raises Unavailable."""
        taken = self.used(cache) | self._pending
        free = [port for port in range(self.low, self.high + 1) if port not in taken]
        if not free:
            raise Unavailable("range is full")
        port = secrets.choice(free)
        self._pending.add(port)
        return port

    def settle(self, port: int, key: str, *, stored: bool) -> None:
        """See AddressAllocator.settle."""
        self._pending.discard(port)
        if stored:
            self._recent[port] = key
