"""The optimistic loop that every change of a stored object runs in, and the writes that may lose a race.

A write is planned from the cached object and carried out by comparing revisions; whoever lost starts again from what
won. A fault found on an object that may be stale is only believed once the cache is known to be fresh.
Source: apiserver pkg/storage/etcd3/store.go (GuaranteedUpdate, conditionalDelete).
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from kubepy.api.errors import MODIFIED, ApiError, BadRequest, conflict, object_not_found
from kubepy.api.meta import Object
from kubepy.apiserver.registry.engine import Engine
from kubepy.apiserver.registry.served import Served
from kubepy.storage.base import Change, KeyMissing, RevisionConflict
from kubepy.storage.cache import CachedObject

Made = TypeVar("Made")
_TRIES = 20


class LostRace(Exception):
    """Another write came first: start over."""


async def retry_on_lost_race(
    served: Served, name: str, namespace: str, attempt: Callable[[CachedObject], Awaitable[Made]]
) -> Made:
    """What `attempt` makes of the current object; it is called anew after each lost race. Raises ApiError."""
    key = served.key(namespace, name)
    is_fresh = False
    for _ in range(_TRIES):
        current = served.cache.get(key)
        try:
            if current is None:
                raise missing(served, name)
            return await attempt(current)
        except LostRace:
            is_fresh = False
        except ApiError:
            if is_fresh:
                raise
            await served.cache.fresh()
            is_fresh = True
            if served.cache.get(key) is current:
                raise
    raise conflict(served.resource.group, served.resource.plural, name, MODIFIED)


async def confirm(served: Served, current: CachedObject) -> None:
    """Raises LostRace unless `current` is the newest state: what writes nothing is not told so by the store.

    Another server on the same store, or another worker on the same port, may have written just now.
    """
    await served.cache.fresh()
    newest = served.cache.get(current.key)
    if newest is None or newest.revision != current.revision:
        raise LostRace


def missing(served: Served, name: str) -> ApiError:
    """What a request for an object that is not there is answered: 404, or 400 for what can be no name."""
    if name in (".", ".."):
        return BadRequest(f"Name parameter invalid: \"{name}\": may not be '{name}'")
    bad = [f"may not contain '{character}'" for character in "/%" if character in name]
    if bad:
        return BadRequest(f'Name parameter invalid: "{name}": {";".join(bad)}')
    return object_not_found(served.resource.group, served.resource.plural, name)


async def store(engine: Engine, served: Served, current: CachedObject, data: bytes, obj: Object) -> CachedObject:
    """Writes `data`, which is `obj`, over `current`. Raises LostRace."""
    try:
        revision = await engine.store.update(current.key, data, revision=current.revision, ttl_s=served.strategy.ttl_s)
    except (RevisionConflict, KeyMissing) as lost:
        raise await _lost(served, current, lost) from lost
    return served.cache.observe(Change(current.key, data, revision, current.data), obj)


async def remove(engine: Engine, served: Served, current: CachedObject) -> int:
    """Deletes `current`; the revision of that. Raises LostRace."""
    try:
        revision = await engine.store.delete(current.key, revision=current.revision)
    except (RevisionConflict, KeyMissing) as lost:
        raise await _lost(served, current, lost) from lost
    served.cache.observe(Change(current.key, None, revision, current.data))
    return revision


async def _lost(served: Served, current: CachedObject, fault: RevisionConflict | KeyMissing) -> LostRace:
    """Lets the cache know what won."""
    if isinstance(fault, RevisionConflict):
        served.cache.observe(Change(current.key, fault.current.value, fault.current.revision, None))
    else:
        await served.cache.fresh()
    return LostRace()
