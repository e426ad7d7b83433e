"""Forget the store's history that nobody resumes from any more, as upstream's API server does every five minutes.

What is forgotten is older than one interval: the revision that was the present one a turn ago. Several servers on
one store do no harm to each other: each forgets only what it saw an interval ago.
Source: upstream's pkg/storage/etcd3/compact.go.
"""

from typing import Final

from kubepy.lib import log
from kubepy.lib.clock import SYSTEM, Clock
from kubepy.storage.base import Store, StoreError

INTERVAL_S: Final = 300.0

_log = log.get(__name__)


async def run(store: Store, *, interval_s: float = INTERVAL_S, clock: Clock = SYSTEM) -> None:
    """Compacts until cancelled; an interval of 0 means never. What fails is tried again a turn later."""
    if not interval_s:
        return
    seen = 0
    while True:
        try:
            present = await store.revision()
            if seen:
                await store.compact(seen)
                _log.debug("compacted", revision=seen)
            seen = present
        except StoreError as error:
            _log.warning("cannot compact the store", revision=seen, error=error)
        await clock.sleep(interval_s)
