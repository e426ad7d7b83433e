"""PATCH: the kinds of patches, each applied to the current object in the loop of `updating.change`.

The patch is applied to the object in the request's version; what comes out is decoded as a whole body would be.
Source: apiserver pkg/endpoints/handlers/patch.go.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from kubepy.api import go_values, patches, schemas
from kubepy.api.diagnosis import restoring_fault
from kubepy.api.errors import BadRequest, Invalid, UnsupportedMediaType, conflict, invalid_object, required
from kubepy.api.meta import Object
from kubepy.apiserver.http.options import WriteOptions, parse_write_options
from kubepy.apiserver.registry import conversion, owning
from kubepy.apiserver.registry.codec import check_own_kind, decode_object, missing_kind
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.creating import create_object
from kubepy.apiserver.registry.engine import Engine
from kubepy.apiserver.registry.large_bodies import body_read_by
from kubepy.apiserver.registry.result import Result
from kubepy.apiserver.registry.served import Served
from kubepy.apiserver.registry.updating import change
from kubepy.apiserver.registry.yaml_bodies import read_yaml

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
_ALL = (JSON_PATCH, MERGE_PATCH, STRATEGIC, APPLY)
_OF_CUSTOM = (JSON_PATCH, MERGE_PATCH, APPLY)
_OPERATION = frozenset(("op", "path", "from", "value"))
_NO_OBJECT = "the patch does not leave an object"


@dataclass(frozen=True, slots=True)
class Patch:
    """What applies a patch; what it names twice or knows nothing of; and `merged`, the body of a strategic one."""

    apply: Callable[[Object], Object]
    faults: list[str] = field(default_factory=list)
    merged: Object | None = None

    def keep_kind(self, patched: Object, api_version: str, kind: str) -> None:
        """A strategic patch is merged into an object that knows what it is, whatever the patch says of that.

        Raises BadRequest where there is no object any more.
        """
        if not isinstance(patched, dict):
            raise BadRequest(_NO_OBJECT)
        if self.merged is not None:
            patched["apiVersion"], patched["kind"] = api_version, kind

    def unfit(self, patched: Object, fault: BadRequest) -> Invalid:
        """The 422 for what the patch made; upstream shows the patch, or what came out of it, as it has it at hand."""
        if self.merged is None:
            return patches.unfit(orjson.dumps(patched).decode(), fault.message)
        return patches.unfit(go_values.show(self.merged), restoring_fault(fault.message))


async def patch(engine: Engine, served: Served, ctx: Context) -> Result:
    """Patches the object that the URL names. Raises ApiError."""
    media = media_type(ctx, served)
    options = parse_write_options(ctx.params, "PatchOptions", apply=media == APPLY)
    ctx.dry_run = options.dry_run
    if media == APPLY:
        return await _apply(engine, served, ctx, options)
    sent = parse_patch(ctx, media, served)
    ctx.repeated = sent.faults

    def transform(stored: Object) -> Object:
        current = conversion.from_storage(served, stored)
        new = settle(sent.apply(current), served, ctx, options, sent)
        owning.track(served, ctx, options, new, current)
        return conversion.to_storage(served, new)

    return await change(engine, served, ctx, transform)


async def _apply(engine: Engine, served: Served, ctx: Context, options: WriteOptions) -> Result:
    """Server-side apply; an object that is not there is made, except through a subresource."""
    config = parse_configuration(ctx, options)

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
            if uid := made["metadata"].get("uid"):
                why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                raise conflict(served.resource.group, served.resource.plural, info.name, why)
            return await create_object(engine, served, ctx, settle(made, served, ctx, options), options, is_owned=True)
    return await change(engine, served, ctx, transform)


def parse_configuration(ctx: Context, options: WriteOptions) -> Object:
    """The body of an apply patch. Raises BadRequest."""
    try:
        config, repeated = body_read_by(ctx, read_yaml)
    except ValueError as fault:
        raise BadRequest(f"error decoding YAML: {fault}") from fault
    if config is None:
        config = {}
    if not isinstance(config, dict):
        found = go_values.json_type(config)
        why = f"json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
        raise BadRequest(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {why}")
    ctx.repeated = [f"error converting YAML to JSON: {fault}" for fault in repeated]
    if options.validation == "Strict" and ctx.repeated:
        raise BadRequest(f"error strict decoding YAML: {ctx.repeated[0]}")
    return config


def settle(new: Object, served: Served, ctx: Context, options: WriteOptions, sent: Patch | None = None) -> Object:
    """A patched object, checked, pruned and defaulted as if it had been sent whole; `sent` is blamed for its faults.

    Raises BadRequest, Invalid.
    """
    row, info = served.resource, ctx.info
    if not isinstance(new, dict):
        raise BadRequest(_NO_OBJECT)
    meta = new.get("metadata")
    if not isinstance(meta, dict):
        meta = new["metadata"] = {"name": info.name}
    if sent is not None:
        sent.keep_kind(new, row.api_version, row.kind)
    try:
        if sent is not None and served.custom is not None and not new.get("kind"):
            raise BadRequest(missing_kind(orjson.dumps(new)))
        check_own_kind(new, served.resource, served.custom)
        decode_object(new, ctx, options.validation, custom=served.custom)
    except BadRequest as fault:
        if sent is None:
            raise
        raise sent.unfit(new, fault) from fault
    if sent is None and not meta.get("name"):
        nameless = required("metadata.name", "name or generateName is required")
        raise invalid_object(row.group, row.kind, "", [nameless])
    if meta.get("name") != info.name:
        raise BadRequest(
            f"the name of the object ({meta.get('name') or ''}) does not match the name on the URL ({info.name})"
        )
    if info.namespace and meta.get("namespace") not in (None, "", info.namespace):
        raise BadRequest(
            f"the namespace of the object ({meta['namespace']}) does not match the namespace on the URL "
            f"({info.namespace})"
        )
    conversion.complete(served, new)
    return new


def media_type(ctx: Context, served: Served) -> str:
    """The patch's media type; custom resources have no strategic merge. Raises UnsupportedMediaType."""
    media = ctx.request.headers.get("Content-Type", "").partition(";")[0].strip()
    if served.custom is None and media not in _ALL:  # told by the router of upstream's, which knows no more
        raise UnsupportedMediaType("415: Unsupported Media Type", details={})
    if served.custom is not None and media not in _OF_CUSTOM:
        raise UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: " + ", ".join(_OF_CUSTOM)
        )
    return media


def parse_patch(ctx: Context, media: str, served: Served, kind: tuple[str, str] | None = None) -> Patch:
    """The request's patch of an object of the resource, or of `kind` (apiVersion, kind). Raises BadRequest."""
    body = ctx.request.body
    if media == JSON_PATCH:
        operations = patches.parse_json_patch(body)
        faults = [f"json patch {fault}" for fault in _operation_faults(body, operations)]
        return Patch(lambda current: patches.json_patch(current, operations), faults)
    parsed = patches.parse_object_patch(body, is_merge=media == MERGE_PATCH)
    faults = schemas.duplicate_fields(body, parsed)
    if media == MERGE_PATCH:
        return Patch(lambda current: patches.merge_patch(current, parsed), faults)
    schema = schemas.schema_of(*(kind or (served.resource.api_version, served.resource.kind)))
    assert schema is not None
    return Patch(lambda current: patches.strategic_merge(current, parsed, schema), faults, parsed)


def _operation_faults(body: bytes, operations: list[Object]) -> list[str]:
    """What is wrong with the fields of operations, one operation after the other."""
    repeated: dict[str, list[str]] = {}
    for fault in schemas.duplicate_fields(body, operations):
        repeated.setdefault(fault.partition(".")[0], []).append(fault)
    faults: list[str] = []
    for index, operation in enumerate(operations):
        faults += [f'unknown field "[{index}].{name}"' for name in operation if name not in _OPERATION]
        faults += repeated.get(f'duplicate field "[{index}]', ())
    return faults
