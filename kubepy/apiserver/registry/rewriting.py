"""Changes that the server itself makes to a stored object: no admission, no validation, the same optimistic loop.

For bindings, disruption budgets, definitions' status and the like, where the caller knows what it writes.
"""

from collections.abc import Callable

from kubepy.api.errors import NotFound
from kubepy.api.meta import Object
from kubepy.apiserver.registry.codec import decode_stored, encode
from kubepy.apiserver.registry.engine import Engine
from kubepy.apiserver.registry.retrying import confirm, retry_on_lost_race, store
from kubepy.apiserver.registry.served import Served
from kubepy.storage.cache import CachedObject


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

    async def attempt(current: CachedObject) -> CachedObject:
        new = alter(decode_stored(current.data))
        if dry_run or new == decode_stored(current.data):
            await confirm(served, current)
            return current
        return await store(engine, served, current, encode(new), new)

    try:
        return await retry_on_lost_race(served, name, namespace, attempt)
    except NotFound:
        return None
