"""Create: the steps that every new object goes through, in upstream's order.

Decode, default, admit, prepare, validate, admit again, store. Nothing is stored unless every step passed.
Source: apiserver pkg/endpoints/handlers/create.go, pkg/registry/rest/create.go, pkg/registry/generic/registry.
"""

import secrets

from kubepy.api import errors
from kubepy.api.errors import ApiError, BadRequest, InternalError, forbidden_object
from kubepy.api.meta import Object, new_uid
from kubepy.apiserver.http.options import WriteOptions, parse_write_options
from kubepy.apiserver.registry import conversion, owning, validating
from kubepy.apiserver.registry.codec import decode_object, encode, parse_own
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.duplicate_owners import drop_duplicate_owners
from kubepy.apiserver.registry.engine import Engine
from kubepy.apiserver.registry.result import Result
from kubepy.apiserver.registry.served import Served
from kubepy.lib.clock import rfc3339
from kubepy.storage.base import Change, KeyExists, TooLarge

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX = 5
_NAME_MOST = 63
_NAME_TRIES = 8
_SYSTEM_FIELDS = (
    "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion",
)  # fmt: skip


async def create(engine: Engine, served: Served, ctx: Context) -> Result:
    """Creates the object in the request's body. Raises ApiError."""
    resource = served.resource
    options = parse_write_options(ctx.params, "CreateOptions")
    ctx.dry_run = options.dry_run
    obj = parse_own(ctx, resource, served.custom)
    decode_object(obj, ctx, options.validation, custom=served.custom)
    return await create_object(engine, served, ctx, obj, options)


async def create_object(
    engine: Engine, served: Served, ctx: Context, obj: Object, options: WriteOptions, *, is_owned: bool = False
) -> Result:
    """Creates an object that is decoded already; with `is_owned` its managedFields are right already."""
    resource = served.resource
    conversion.complete(served, obj)
    meta = _claim_metadata(obj, ctx, namespaced=resource.namespaced)
    if not is_owned:
        drop_duplicate_owners(obj, ctx.warnings)
        owning.track(served, ctx, options, obj, None)
    obj = conversion.to_storage(served, obj)
    meta = obj["metadata"]
    _refuse_resource_version(meta)
    _wipe_system_fields(meta)
    if engine.closing and served.prefix in engine.closing:
        why = "create not allowed while custom resource definition is terminating"
        raise forbidden_object(resource.group, resource.plural, meta.get("name") or "", why)
    await engine.admit(served, ctx, "CREATE", obj, None)
    drop_duplicate_owners(obj, ctx.warnings, is_admitted=True)
    prefix = _fill_system_fields(obj["metadata"], ctx)
    strategy = served.strategy
    strategy.prepare_for_create(obj, ctx)
    strategy.finalizers_on_create(obj)
    await strategy.begin_write(obj, None, ctx)
    stored: bool | None = False
    try:
        await validating.check_create(served, obj)
        ctx.warnings.extend(strategy.warnings(obj, None))
        await engine.admit_validating(served, ctx, "CREATE", obj, None)
        stored = None if not ctx.dry_run else False  # an answer that is lost may have been a yes
        result = await _store(engine, served, ctx, obj, prefix)
        stored = not ctx.dry_run
    except (ApiError, TooLarge):
        stored = False
        raise
    finally:
        await strategy.end_write(obj, None, ctx, stored=stored)
    if stored:
        strategy.after_create(obj, ctx)
        if follow_up := engine.after_create.get(served.prefix):
            await follow_up(obj)
    return result


async def _store(engine: Engine, served: Served, ctx: Context, obj: Object, prefix: str) -> Result:
    meta = obj["metadata"]
    for left in reversed(range(_NAME_TRIES if prefix else 1)):
        key = served.key(meta.get("namespace") or "", meta["name"])
        kept = obj if served.converter is None else await conversion.stored(served, obj)
        data = encode(kept)
        if ctx.dry_run:
            await served.cache.fresh()
            if served.cache.get(key) is None:
                return Result(201, obj=obj)
        else:
            try:
                revision = await engine.store.create(key, data, ttl_s=served.strategy.ttl_s)
            except KeyExists:
                pass
            else:
                return Result(201, data=served.cache.observe(Change(key, data, revision, None), kept).data)
        if left:
            meta["name"] = generate_name(prefix)
            await served.strategy.rename_write(obj, ctx)
    if prefix:
        row = served.resource
        raise errors.AlreadyExists(
            f'{row.qualified} "{meta["name"]}" already exists, the server was not able to generate a unique name '
            "for the object",
            details={"name": meta["name"], **({"group": row.group} if row.group else {}), "kind": row.plural},
            retry_after_s=1,
        )
    raise errors.already_exists(served.resource.group, served.resource.plural, meta["name"])


def generate_name(prefix: str) -> str:
    """`prefix` and five random characters, at most 63 in all."""
    return prefix[: _NAME_MOST - _SUFFIX] + "".join(secrets.choice(_ALPHABET) for _ in range(_SUFFIX))


def _claim_metadata(obj: Object, ctx: Context, *, namespaced: bool) -> Object:
    """The metadata, in the namespace of the request. Raises BadRequest where it says another."""
    meta: Object | None = obj.get("metadata")
    if meta is None:
        meta = obj["metadata"] = {}
    if not namespaced:
        meta.pop("namespace", None)
        return meta
    asked = ctx.info.namespace
    if (meta.get("namespace") or asked) != asked:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
    meta["namespace"] = asked
    return meta


def _refuse_resource_version(meta: Object) -> None:
    if meta.get("resourceVersion"):
        raise _VersionOnCreate("resourceVersion should not be set on objects to be created")


class _VersionOnCreate(InternalError):
    """Upstream's storage refuses with an error that has no reason: 500."""

    reason = ""


def _wipe_system_fields(meta: Object) -> None:
    """Takes away what only the server may say, before admission looks."""
    for field in _SYSTEM_FIELDS:
        meta.pop(field, None)


def _fill_system_fields(meta: Object, ctx: Context) -> str:
    """Names and stamps the object; the prefix that its name was generated from, or nothing."""
    _wipe_system_fields(meta)
    meta["uid"] = new_uid()
    meta["creationTimestamp"] = rfc3339(ctx.now)
    prefix: str = "" if meta.get("name") else meta.get("generateName") or ""
    if prefix:
        meta["name"] = generate_name(prefix)
    return prefix
