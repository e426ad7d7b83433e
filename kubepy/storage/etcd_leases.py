"""Leases for keys with a time to live: one lease for all keys of a TTL that are written within a short span.

A lease is granted for a little longer than the TTL and shared until that is used up, so that etcd need not keep a
lease for every event. Source: upstream's pkg/storage/etcd3/lease_manager.go.
"""

import asyncio
import time
from dataclasses import dataclass

from kubepy.storage import etcd_messages as etcd
from kubepy.storage.etcd_client import GRANT, EtcdClient

SHARED_FOR_S = 60
SHARED_PART = 0.05
"""A lease is shared for this part of its TTL, and for SHARED_FOR_S seconds at most."""
KEYS_AT_MOST = 1000


@dataclass(slots=True)
class _Lease:
    granted: "asyncio.Task[int]"
    until: float
    keys: int = 0


class Leases:
    """The leases that may still be shared, one for each TTL."""

    def __init__(self, client: EtcdClient) -> None:
        self._client = client
        self._leases: dict[int, _Lease] = {}

    async def get(self, ttl_s: int) -> int:
        """The id of a lease that lasts `ttl_s` seconds or somewhat longer. Raises Unavailable."""
        lease = self._leases.get(ttl_s)
        now = time.monotonic()
        if lease is None or now > lease.until or lease.keys >= KEYS_AT_MOST:
            shared_s = min(SHARED_FOR_S, int(ttl_s * SHARED_PART))
            lease = _Lease(asyncio.ensure_future(self._grant(ttl_s + shared_s)), now + shared_s)
            self._leases[ttl_s] = lease
        lease.keys += 1
        try:
            return await asyncio.shield(lease.granted)
        except BaseException:
            if lease.granted.done() and self._leases.get(ttl_s) is lease:
                del self._leases[ttl_s]
            raise

    def forget(self, lease_id: int) -> None:
        """etcd does not know the lease (any more)."""
        for ttl_s, lease in list(self._leases.items()):
            if lease.granted.done() and not lease.granted.exception() and lease.granted.result() == lease_id:
                del self._leases[ttl_s]

    async def _grant(self, ttl_s: int) -> int:
        answer, _ = await self._client.call(GRANT, etcd.LeaseGrantRequest(TTL=ttl_s))
        return int(answer.ID)
