"""PATCH: the kinds of patches, each applied to the current object in the loop of `updating.change`.

The patch is applied to the object in the request's version; what comes out is decoded as a whole body would be.
Source: apiserver pkg/endpoints/handlers/patch.go.
"""

from collections.abc import Callable

from kubepy.api import patches, schemas
from kubepy.api.errors import BadRequest, UnsupportedMediaType
from kubepy.api.meta import Object
from kubepy.apiserver.options import WriteOptions, parse_write_options
from kubepy.apiserver.registry import conversion, owning
from kubepy.apiserver.registry.codec import decode_object, parse_yaml
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.creating import create_object
from kubepy.apiserver.registry.engine import Engine
from kubepy.apiserver.registry.result import Result
from kubepy.apiserver.registry.served import Served
from kubepy.apiserver.registry.updating import change

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
Apply = Callable[[Object], Object]


async def patch(engine: Engine, served: Served, ctx: Context) -> Result:
    """Patches the object that the URL names. Raises ApiError."""
    media = media_type(ctx)
    options = parse_write_options(ctx.params, "PatchOptions", apply=media == APPLY)
    ctx.dry_run = options.dry_run
    if media == APPLY:
        return await _apply(engine, served, ctx, options)
    apply = patch_function(ctx, media, served.resource.api_version, served.resource.kind)

    def transform(stored: Object) -> Object:
        current = conversion.from_storage(served, stored)
        new = settle(apply(current), served, ctx, options)
        owning.track(served, ctx, options, new, current)
        return conversion.to_storage(served, new)

    return await change(engine, served, ctx, transform)


async def _apply(engine: Engine, served: Served, ctx: Context, options: WriteOptions) -> Result:
    """Server-side apply; an object that is not there is made, except through a subresource."""
    try:
        config = parse_yaml(ctx.request.body)
    except ValueError as fault:
        raise BadRequest(f"error decoding YAML: {fault}") from fault
    if not isinstance(config, dict):
        raise BadRequest("error decoding YAML: the configuration is not an object")
    if options.validation == "Strict":
        repeated = schemas.duplicate_fields(ctx.request.body, config) if ctx.request.body[:1] == b"{" else []
        if repeated:
            raise schemas.strict_error(repeated)

    def transform(stored: Object) -> Object:
        current = conversion.from_storage(served, stored)
        new = owning.apply_configuration(served, ctx, options, current, config)
        return conversion.to_storage(served, settle(new, served, ctx, options))

    info = ctx.info
    if not info.subresource:
        key = served.key(info.namespace, info.name)
        if served.cache.get(key) is None:
            await served.cache.fresh()
        if served.cache.get(key) is None:
            made = owning.apply_configuration(served, ctx, options, None, config)
            return await create_object(engine, served, ctx, settle(made, served, ctx, options), options, is_owned=True)
    return await change(engine, served, ctx, transform)


def settle(new: Object, served: Served, ctx: Context, options: WriteOptions) -> Object:
    """A patched object, checked, pruned and defaulted as if it had been sent whole. Raises BadRequest."""
    row, info = served.resource, ctx.info
    if not isinstance(new, dict):
        raise BadRequest("the patch does not leave an object")
    meta = new.get("metadata")
    if not isinstance(meta, dict):
        meta = new["metadata"] = {"name": info.name}
    if new.get("apiVersion") != row.api_version or new.get("kind") != row.kind:
        raise BadRequest(
            f'{new.get("kind")} in version "{new.get("apiVersion")}" cannot be handled as a {row.kind}: '
            "the patch changes what the object is"
        )
    try:
        decode_object(new, ctx, options.validation, raw=False, custom=served.custom)
    except BadRequest as fault:
        if "strict decoding error" in fault.message:
            raise
        raise patches.unfit(new, fault) from fault
    if meta.get("name") != info.name:
        raise BadRequest(
            f"the name of the object ({meta.get('name')}) does not match the name on the URL ({info.name})"
        )
    if info.namespace and meta.get("namespace") not in (None, "", info.namespace):
        raise BadRequest(
            f"the namespace of the object ({meta['namespace']}) does not match the namespace on the URL "
            f"({info.namespace})"
        )
    conversion.complete(served, new)
    return new


def media_type(ctx: Context) -> str:
    """The patch's media type. Raises UnsupportedMediaType."""
    media = ctx.request.headers.get("Content-Type", "").partition(";")[0].strip()
    if media not in (JSON_PATCH, MERGE_PATCH, STRATEGIC, APPLY):
        raise _unsupported((JSON_PATCH, MERGE_PATCH, STRATEGIC, APPLY))
    return media


def _unsupported(accepted: tuple[str, ...]) -> UnsupportedMediaType:
    return UnsupportedMediaType(
        "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
    )


def patch_function(ctx: Context, media: str, api_version: str, kind: str) -> Apply:
    """What applies the request's patch to an object of that kind. Raises BadRequest on a malformed patch."""
    body = ctx.request.body
    if media == JSON_PATCH:
        operations = patches.parse_json_patch(body)
        return lambda current: patches.json_patch(current, operations)
    parsed = patches.parse_object_patch(body)
    if media == MERGE_PATCH:
        return lambda current: patches.merge_patch(current, parsed)
    schema = schemas.schema_of(api_version, kind)
    if schema is None:
        raise _unsupported((JSON_PATCH, MERGE_PATCH, APPLY))
    return lambda current: patches.strategic_merge(current, parsed, schema)
