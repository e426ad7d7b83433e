"""Changes that the server itself makes to a stored object: no admission, no validation, the same optimistic loop.

For bindings, disruption budgets, definitions' status and the like, where the caller knows what it writes.
"""

from collections.abc import Callable

from kubepy.api.errors import MODIFIED, ApiError, conflict
from kubepy.api.meta import Object
from kubepy.apiserver.registry.codec import decode_stored, encode
from kubepy.apiserver.registry.engine import Engine
from kubepy.apiserver.registry.served import Served
from kubepy.storage.base import Change, KeyMissing, RevisionConflict
from kubepy.storage.cache import CachedObject

_TRIES = 20


async def rewrite(
    engine: Engine,
    served: Served,
    name: str,
    namespace: str,
    alter: Callable[[Object], Object],
    *,
    dry_run: bool = False,
) -> CachedObject | None:
    """Stores what `alter` makes of the current object, which it may change; None when there is no such object.

    A fault that `alter` raises is believed once the cache is known to be fresh.
    """
    key = served.key(namespace, name)
    is_fresh = False
    for _ in range(_TRIES):
        current = served.cache.get(key)
        if current is None and not is_fresh:
            await served.cache.fresh()
            is_fresh = True
            current = served.cache.get(key)
        if current is None:
            return None
        try:
            new = alter(decode_stored(current.data))
        except ApiError:
            if is_fresh:
                raise
            await served.cache.fresh()
            is_fresh = True
            continue
        if dry_run or new == decode_stored(current.data):
            return current
        data = encode(new)
        try:
            revision = await engine.store.update(key, data, revision=current.revision, ttl_s=served.strategy.ttl_s)
        except RevisionConflict as lost:
            served.cache.observe(Change(key, lost.current.value, lost.current.revision, None))
            is_fresh = False
        except KeyMissing:
            is_fresh = False
            await served.cache.fresh()
        else:
            return served.cache.observe(Change(key, data, revision, None), new)
    raise conflict(served.resource.group, served.resource.plural, name, MODIFIED)
