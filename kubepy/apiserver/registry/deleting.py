"""Delete one object or a collection: grace, finalizers, propagation, preconditions.

An object with finalizers or a grace period is only marked; whoever takes the last finalizer away, or ends the grace
with a delete of period 0, makes it go (`updating.is_done`).
Source: apiserver pkg/registry/rest/delete.go, pkg/registry/generic/registry/store.go, endpoints/handlers/delete.go.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from kubepy.api import schemas
from kubepy.api.errors import BadRequest, NotFound, conflict
from kubepy.api.meta import Object
from kubepy.api.resources import BUILT_IN
from kubepy.apiserver.http.options import DeleteOptions, parse_delete_options
from kubepy.apiserver.registry.codec import check_type_meta, decode_stored, encode, parse_body
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.engine import Engine
from kubepy.apiserver.registry.reading import Page, list_page
from kubepy.apiserver.registry.result import Result
from kubepy.apiserver.registry.retrying import LostRace, confirm, remove, retry_on_lost_race, store
from kubepy.apiserver.registry.served import Served
from kubepy.apiserver.registry.updating import is_done
from kubepy.lib.clock import parse_rfc3339, rfc3339
from kubepy.storage.cache import CachedObject

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
_FINALIZER_OF = {"Orphan": ORPHAN, "Foreground": FOREGROUND}
_AT_ONCE = 16
_KIND = "DeleteOptions"
_GROUPS = frozenset(row.group for row in BUILT_IN) | {"meta.k8s.io"}


async def delete(engine: Engine, served: Served, ctx: Context) -> Result:
    """Deletes the object that the URL names. Raises ApiError."""
    options = _options(ctx)
    ctx.dry_run = options.dry_run
    result = await delete_object(engine, served, ctx, ctx.info.name, ctx.info.namespace, options)
    if options.accept_with_202 and result.obj is None:
        result.status = 202
    return result


async def delete_collection(engine: Engine, served: Served, ctx: Context) -> Page:
    """Deletes every object of the page that the options select, which it answers as it was before.

    All are tried; the first fault is raised then, but for objects that another deleted meanwhile.
    """
    options = _options(ctx)
    ctx.dry_run = options.dry_run
    page = await list_page(served, ctx)
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(entry: CachedObject) -> None:
        async with limit:
            its = replace(ctx, info=replace(ctx.info, name=entry.name, namespace=entry.namespace or ""))
            with suppress(NotFound):
                await delete_object(engine, served, its, entry.name, entry.namespace or "", options)

    faults = await asyncio.gather(*(one(entry) for entry in page.objects), return_exceptions=True)
    for fault in faults:
        if fault is not None:
            raise fault
    return page


def _options(ctx: Context) -> DeleteOptions:
    body: Object | None = None
    if ctx.request.body:
        body = ctx.delete_options = parse_body(ctx, _KIND)
        _check_kind(body)
        schemas.decode_kind("v1", _KIND, body)
    return parse_delete_options(ctx.params, body)


def _check_kind(body: Object) -> None:
    """Every group's DeleteOptions will do. Raises BadRequest."""
    kind, version = check_type_meta(body, _KIND)
    kind, version = kind or _KIND, version or "v1"
    if kind != _KIND or version.rpartition("/")[0] not in _GROUPS:
        why = f'no kind "{kind}" is registered for version "{version}" in scheme'
        shown = version.rpartition("/")[2]
        raise BadRequest(f'{kind} in version "{shown}" cannot be handled as a {_KIND}: {why}')


async def delete_object(
    engine: Engine,
    served: Served,
    ctx: Context,
    name: str,
    namespace: str,
    options: DeleteOptions,
    *,
    is_admitted: bool = False,
) -> Result:
    """Deletes or marks one object; its own admission is run, unless another's stood for it (an Eviction's)."""

    async def attempt(current: CachedObject) -> Result:
        return await _try_delete(engine, served, ctx, current, options, is_admitted)

    return await retry_on_lost_race(served, name, namespace, attempt)


async def _try_delete(
    engine: Engine, served: Served, ctx: Context, current: CachedObject, options: DeleteOptions, is_admitted: bool
) -> Result:
    obj = decode_stored(current.data)
    check_preconditions(served, obj, options)
    if not is_admitted:
        await engine.admit(served, ctx, "DELETE", None, obj)
        await engine.admit_validating(served, ctx, "DELETE", None, obj)
    graceful, pending = _begin(served, ctx, obj, options)
    if pending:
        await confirm(served, current)
        return Result(200, data=current.data)
    waits = _set_finalizers(served, obj, options)
    by_itself = served.strategy.begin_delete(obj, ctx)
    waits = waits or by_itself
    if ctx.dry_run:
        await confirm(served, current)
    if waits:
        _mark(obj, ctx, counts=not by_itself)
    if waits or (graceful and obj["metadata"]["deletionGracePeriodSeconds"] > 0):
        if ctx.dry_run:
            return Result(200, obj=obj)
        return await _store_mark(engine, served, current, obj)
    if not ctx.dry_run:
        if graceful:
            marked = await store(engine, served, current, encode(obj), obj)
            revision = await _remove_marked(engine, served, marked)
        else:
            revision = await remove(engine, served, current)
        obj["metadata"]["resourceVersion"] = str(revision)
        await served.strategy.after_delete(obj, ctx)
    return Result(
        200,
        obj=obj if served.strategy.returns_deleted else deleted_status(served, obj),
        foreign=not served.strategy.returns_deleted,
    )


def check_preconditions(served: Served, obj: Object, options: DeleteOptions) -> None:
    """Raises Conflict, which names the kind where others name the resource."""
    meta, row = obj["metadata"], served.resource
    if options.uid is not None and options.uid != meta.get("uid"):
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({meta.get('uid')}). "
            "The object might have been deleted and then recreated"
        )
        raise conflict(row.group, row.kind, meta["name"], why)
    if options.resource_version is not None and options.resource_version != meta.get("resourceVersion"):
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the ResourceVersion "
            f"in record ({meta.get('resourceVersion')}). The object might have been modified"
        )
        raise conflict(row.group, row.kind, meta["name"], why)


def _begin(served: Served, ctx: Context, obj: Object, options: DeleteOptions) -> tuple[bool, bool]:
    """(the object is given grace, a grace that runs already goes on); sets the times in the object."""
    meta = obj["metadata"]
    asked = options.grace_period_s
    if meta.get("deletionTimestamp"):
        running = meta.get("deletionGracePeriodSeconds")
        if not running:
            return False, False  # no grace is waited for: but for finalizers, the object should be gone
        if asked is None or asked >= running:
            return False, True
        asked = 1 if asked < 0 else asked
        ends = parse_rfc3339(meta["deletionTimestamp"]) - timedelta(seconds=running - asked)
        meta["deletionTimestamp"], meta["deletionGracePeriodSeconds"] = rfc3339(ends), asked
        return True, False
    grace = served.strategy.grace_period_s(obj, asked)
    if grace is None:
        return False, False
    meta["deletionTimestamp"] = rfc3339(ctx.now + timedelta(seconds=grace))
    meta["deletionGracePeriodSeconds"] = grace
    if meta.get("generation"):
        meta["generation"] += 1
    return True, False


def _set_finalizers(served: Served, obj: Object, options: DeleteOptions) -> bool:
    """Sets or removes the garbage collector's finalizers as asked; whether any finalizer is waited for."""
    meta = obj["metadata"]
    before: list[str] = meta.get("finalizers") or []
    wanted, by_default = options.propagation, served.strategy.default_propagation
    if by_default is None:
        held = None
    elif wanted is None:
        held = ORPHAN if ORPHAN in before else FOREGROUND if FOREGROUND in before else None
        if held is None:
            held = _FINALIZER_OF.get(by_default)
    else:
        held = _FINALIZER_OF.get(wanted)
    after = [name for name in before if name not in (ORPHAN, FOREGROUND)]
    if held is not None:
        after.append(held)
    if after:
        meta["finalizers"] = after
    else:
        meta.pop("finalizers", None)
    return bool(after)


def _mark(obj: Object, ctx: Context, *, counts: bool) -> None:
    meta = obj["metadata"]
    if counts and meta.get("deletionGracePeriodSeconds") is None and meta.get("generation"):
        meta["generation"] += 1
    if not meta.get("deletionTimestamp"):
        meta["deletionTimestamp"] = rfc3339(ctx.now)
    if not meta.get("deletionGracePeriodSeconds"):
        meta["deletionGracePeriodSeconds"] = 0


async def _remove_marked(engine: Engine, served: Served, marked: CachedObject) -> int:
    """Deletes an object that was just marked to go at once; who does so first does not matter. The revision of that."""
    while True:
        try:
            return await remove(engine, served, marked)
        except LostRace:
            newest = served.cache.get(marked.key)
            if newest is None:
                return marked.revision
            if not is_done(decode_stored(newest.data)):
                raise
            marked = newest


async def _store_mark(engine: Engine, served: Served, current: CachedObject, obj: Object) -> Result:
    if obj == decode_stored(current.data):
        await confirm(served, current)
        return Result(200, data=current.data)
    return Result(200, data=(await store(engine, served, current, encode(obj), obj)).data)


def deleted_status(served: Served, obj: Object) -> Object:
    """The Status that tells of a delete that is done."""
    meta, row = obj["metadata"], served.resource
    details: dict[str, Any] = {"name": meta["name"]}
    if row.group:
        details["group"] = row.group
    details |= {"kind": row.plural, "uid": meta["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
