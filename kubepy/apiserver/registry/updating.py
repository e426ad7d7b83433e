"""Change an object: PUT, and the loop that PATCH and the subresources share.

Optimistic, see `retrying.py`. A change that changes nothing writes nothing, once it is known to have changed nothing of
the newest state.
Source: apiserver pkg/endpoints/handlers/update.go, pkg/registry/rest/update.go, registry/generic/registry/store.go.
"""

import copy
from collections.abc import Awaitable, Callable

import orjson

from kubepy.api import errors
from kubepy.api.errors import MODIFIED, ApiError, BadRequest, conflict
from kubepy.api.managed_fields import is_unchanged_but_times
from kubepy.api.meta import Object
from kubepy.apiserver.http.options import parse_write_options, require_uint
from kubepy.apiserver.registry import conversion, owning, validating
from kubepy.apiserver.registry.codec import decode_object, decode_stored, encode, parse_own
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.creating import create_object
from kubepy.apiserver.registry.duplicate_owners import drop_duplicate_owners
from kubepy.apiserver.registry.engine import Engine
from kubepy.apiserver.registry.result import Result
from kubepy.apiserver.registry.retrying import LostRace, confirm, remove, retry_on_lost_race, store
from kubepy.apiserver.registry.served import Served
from kubepy.storage.base import TooLarge
from kubepy.storage.cache import CachedObject

Transform = Callable[[Object], Object | Awaitable[Object]]
_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "namespace")


async def update(engine: Engine, served: Served, ctx: Context) -> Result:
    """Replaces the object by the one in the request's body. Raises ApiError."""
    resource, info = served.resource, ctx.info
    options = parse_write_options(ctx.params, "UpdateOptions")
    ctx.dry_run = options.dry_run
    sent = parse_own(ctx, resource, served.custom)
    decode_object(sent, ctx, options.validation, custom=served.custom)
    check_name(sent, info.name, info.namespace)
    conversion.complete(served, sent)
    body = encode_whole(sent)
    strategy = served.strategy
    if strategy.allows_create_on_update and not info.subresource:
        key = served.key(info.namespace, info.name)
        if served.cache.get(key) is None:
            await served.cache.fresh()
            if served.cache.get(key) is None:
                _check_uid(served, ctx, sent["metadata"], "")
                sent["metadata"].pop("resourceVersion", None)
                return await create_object(engine, served, ctx, sent, options)

    def replace(stored: Object) -> Object:
        new = decode_stored(body)
        drop_duplicate_owners(new, ctx.warnings)
        owning.track(served, ctx, options, new, conversion.from_storage(served, stored))
        return conversion.to_storage(served, new)

    return await change(engine, served, ctx, replace, is_put=True)


def encode_whole(obj: Object) -> bytes:
    """An object as bytes with its resourceVersion, to start over from in each try."""
    version = obj["metadata"].get("resourceVersion")
    data = encode(obj)
    if version is None:
        return data
    at = data.index(b'"metadata":{') + len(b'"metadata":{')
    comma = b"" if data[at : at + 1] == b"}" else b","
    return data[:at] + b'"resourceVersion":' + orjson.dumps(version) + comma + data[at:]


def check_name(obj: Object, name: str, namespace: str) -> None:
    """Raises BadRequest unless the object is the one that the URL names; a namespace is filled in."""
    meta: Object | None = obj.get("metadata")
    if meta is None:
        meta = obj["metadata"] = {}
    found = meta.get("name")
    if not found:
        raise BadRequest(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")
    if found != name:
        raise BadRequest(f"the name of the object ({found}) does not match the name on the URL ({name})")
    if namespace and meta.get("namespace") not in (None, "", namespace):
        raise BadRequest(
            f"the namespace of the object ({meta['namespace']}) does not match the namespace on the URL ({namespace})"
        )


async def change(engine: Engine, served: Served, ctx: Context, transform: Transform, *, is_put: bool = False) -> Result:
    """Stores what `transform` makes of the current object (which it may change). Raises ApiError.

    `transform` is called anew in each try. With `is_put` the new object stands for itself: its uid is a precondition.
    """

    async def attempt(current: CachedObject) -> Result:
        return await _try_change(engine, served, ctx, current, transform, is_put=is_put)

    return await retry_on_lost_race(served, ctx.info.name, ctx.info.namespace, attempt)


async def _try_change(
    engine: Engine, served: Served, ctx: Context, current: CachedObject, transform: Transform, *, is_put: bool
) -> Result:
    old, again = decode_stored(current.data), decode_stored(current.data)
    if served.converter is not None:
        old = await conversion.read_one(served, old)
        again = copy.deepcopy(old)
    changed = transform(again)
    new: Object = changed if isinstance(changed, dict) else await changed
    _carry_over(served, ctx, new, old, is_put=is_put)
    await engine.admit(served, ctx, "UPDATE", new, old)
    drop_duplicate_owners(new, ctx.warnings, is_admitted=True)
    subresource = ctx.info.subresource
    _prepare(served, ctx, subresource, new, old)
    strategy = served.strategy
    if not subresource:
        await strategy.begin_write(new, old, ctx)
    stored: bool | None = False
    try:
        await validating.check_update(served, new, old, subresource, ctx.warnings)
        if not subresource:
            ctx.warnings.extend(strategy.warnings(new, old))
        elif subresource == "status":
            ctx.warnings.extend(strategy.status_warnings(new, old))
        await engine.admit_validating(served, ctx, "UPDATE", new, old)
        stored = None if not ctx.dry_run else False  # an answer that is lost may have been a yes
        result = await _store(engine, served, ctx, current, new, old)
        stored = not ctx.dry_run
    except (ApiError, LostRace, TooLarge):
        stored = False
        raise
    finally:
        if not subresource:
            await strategy.end_write(new, old, ctx, stored=stored)
    return result


def _prepare(served: Served, ctx: Context, subresource: str, new: Object, old: Object) -> None:
    strategy = served.strategy
    if subresource in ("", "scale"):
        strategy.prepare_for_update(new, old, ctx)
    elif subresource == "status":
        strategy.prepare_for_status_update(new, old, ctx)
    else:
        strategy.prepare_for_subresource(subresource, new, old, ctx)


def _check_uid(served: Served, ctx: Context, meta: Object, has: str) -> None:
    """Raises Conflict where a PUT means another object; its text is that of upstream's storage."""
    uid, row, info = meta.get("uid"), served.resource, ctx.info
    if uid and uid != has:
        key = served.key(info.namespace, info.name)
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {has}"
        fault = f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: {why}"
        raise conflict(row.group, row.plural, info.name, fault)


def _carry_over(served: Served, ctx: Context, new: Object, old: Object, *, is_put: bool) -> None:
    """Fills in what the server owns of metadata. Raises Conflict on a stale version or another uid."""
    meta, before = new["metadata"], old["metadata"]
    row = served.resource
    if is_put:
        _check_uid(served, ctx, meta, before.get("uid") or "")
    version = meta.get("resourceVersion")
    if version and require_uint(version):
        if version != before["resourceVersion"]:
            raise conflict(row.group, row.plural, ctx.info.name, MODIFIED)
    elif is_put and not served.strategy.allows_unconditional_update:
        why = "Invalid value: 0: must be specified for an update"
        fault = errors.FieldError("metadata.resourceVersion", "FieldValueInvalid", why)
        raise errors.invalid_object(row.group, row.kind, ctx.info.name, [fault])
    meta["resourceVersion"] = before["resourceVersion"]
    for field in _KEPT:
        if field == "generation" or field not in meta or meta[field] is None:
            if field in before:
                meta[field] = before[field]
            else:
                meta.pop(field, None)


async def _store(
    engine: Engine, served: Served, ctx: Context, current: CachedObject, new: Object, old: Object
) -> Result:
    if new == old or (ctx.info.verb == "patch" and is_unchanged_but_times(old, new)):
        if is_done(new) and served.strategy.is_deletable(new):
            return await _remove(engine, served, ctx, current, new)
        if ctx.dry_run or not await engine.is_stale(current.key):
            await confirm(served, current)
            return Result(200, data=current.data)
        new = old  # nothing changes but the key that it is encrypted with
    if ctx.dry_run:
        await confirm(served, current)
        return Result(200, obj=new)
    if is_done(new) and old["metadata"].get("deletionTimestamp") and served.strategy.is_deletable(new):
        return await _remove(engine, served, ctx, current, new)
    if served.converter is not None:
        new = await conversion.stored(served, new)
    return Result(200, data=(await store(engine, served, current, encode(new), new)).data)


def is_done(obj: Object) -> bool:
    """Whether an object that is being deleted has nothing left to wait for."""
    meta = obj["metadata"]
    return bool(
        meta.get("deletionTimestamp") and not meta.get("finalizers") and not meta.get("deletionGracePeriodSeconds")
    )


async def _remove(engine: Engine, served: Served, ctx: Context, current: CachedObject, new: Object) -> Result:
    """The last finalizer went: the object goes."""
    if not ctx.dry_run:
        await remove(engine, served, current)
        await served.strategy.after_delete(new, ctx)
    return Result(200, obj=new)
