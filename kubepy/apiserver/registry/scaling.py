"""The scale subresource: the number of replicas of a workload, as an autoscaling/v1 Scale.

Source: pkg/registry/apps/*/storage/storage.go (ScaleREST).
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from kubepy.api import errors, schemas
from kubepy.api.apply import ApplyConflict, check_configuration
from kubepy.api.errors import MODIFIED, BadRequest, InternalError, conflict, invalid
from kubepy.api.field_sets import FieldSet
from kubepy.api.meta import Object
from kubepy.api.printing.custom import SCALE as SHOWN_BY_PATHS
from kubepy.api.resources import Resource
from kubepy.api.selectors import from_label_selector, from_map
from kubepy.apiserver.http.options import WriteOptions, parse_write_options
from kubepy.apiserver.registry import conversion, owning
from kubepy.apiserver.registry.codec import check_kind, decode_object, decode_stored, parse_body
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.custom import Custom
from kubepy.apiserver.registry.engine import Engine
from kubepy.apiserver.registry.json_path import find, put
from kubepy.apiserver.registry.patching import APPLY, media_type, parse_configuration, parse_patch
from kubepy.apiserver.registry.reading import get
from kubepy.apiserver.registry.result import Result
from kubepy.apiserver.registry.served import Served
from kubepy.apiserver.registry.updating import change, check_name

_VERSION, _KIND = "autoscaling/v1", "Scale"
_REPLICAS: FieldSet = {"f:spec": {"f:replicas": {}}}
_ROW = Resource("autoscaling", "v1", _KIND, "scales", "scale", namespaced=True)


def scale_of(obj: Object, custom: Custom | None = None) -> Object:
    """The Scale of a workload, or of a custom object by its definition's paths."""
    if custom is not None and custom.scale is not None:
        return _custom_scale(obj, custom.scale)
    meta, spec = obj["metadata"], obj.get("spec") or {}
    selector = spec.get("selector")
    parse = from_map if obj["kind"] == "ReplicationController" else from_label_selector
    text = str(parse(selector))
    return _render(meta, spec.get("replicas") or 0, (obj.get("status") or {}).get("replicas") or 0, text)


def _custom_scale(obj: Object, paths: Mapping[str, str]) -> Object:
    wanted = _wanted(obj, paths)
    has = find(paths["statusReplicasPath"], obj)
    selector = find(paths["labelSelectorPath"], obj) if paths.get("labelSelectorPath") else []
    return _render(obj["metadata"], wanted or 0, has[0] if has else 0, selector[0] if selector else "")


def _wanted(obj: Object, paths: Mapping[str, str]) -> Any:
    """What a custom object says of its replicas; None where it says nothing."""
    return next(iter(find(paths["specReplicasPath"], obj)), None)


def _answered(obj: Object, custom: Custom | None) -> Object:
    """The Scale of an object, for who asks for it. Raises InternalError where a custom object does not tell."""
    if custom is not None and custom.scale is not None and _wanted(obj, custom.scale) is None:
        path = custom.scale["specReplicasPath"]
        why = f'the spec replicas field "{path}" does not exist'
        raise InternalError(f"Internal error occurred: {why}", details={"causes": [{"message": why}]})
    return scale_of(obj, custom)


def _render(meta: Object, wanted: int, has: int, selector: str) -> Object:
    shown = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": _KIND,
        "apiVersion": _VERSION,
        "metadata": {field: meta[field] for field in shown if field in meta},
        "spec": {"replicas": wanted} if wanted else {},
        "status": {"replicas": has, **({"selector": selector} if selector else {})},
    }


def _result(served: Served, obj: Object) -> Result:
    printer = SHOWN_BY_PATHS if served.custom is not None else None
    return Result(200, obj=_answered(obj, served.custom), foreign=True, resource=_ROW, printer=printer)


async def get_scale(engine: Engine, served: Served, ctx: Context) -> Result:
    """GET. Raises NotFound."""
    found = await get(served, ctx)
    obj = await conversion.read_one(served, decode_stored(found.data))
    return _result(served, obj)


async def update_scale(engine: Engine, served: Served, ctx: Context) -> Result:
    """PUT. Raises ApiError."""
    options = parse_write_options(ctx.params, "UpdateOptions")
    ctx.dry_run = options.dry_run
    sent = parse_body(ctx, _KIND)
    check_kind(sent, served.resource, kind=_KIND, api_version=_VERSION)
    decode_object(sent, ctx, options.validation)
    check_name(sent, ctx.info.name, ctx.info.namespace)
    return await _scale(engine, served, ctx, options, lambda current: sent)


async def patch_scale(engine: Engine, served: Served, ctx: Context) -> Result:
    """PATCH. Raises ApiError."""
    media = media_type(ctx, served)
    options = parse_write_options(ctx.params, "PatchOptions", apply=media == APPLY)
    ctx.dry_run = options.dry_run
    if media == APPLY:
        return await _apply(engine, served, ctx, options)
    sent = parse_patch(ctx, media, served, (_VERSION, _KIND))
    ctx.repeated = sent.faults

    def patched(current: Object) -> Object:
        scale = sent.apply(current)
        sent.keep_kind(scale, _VERSION, _KIND)
        try:
            check_kind(scale, served.resource, kind=_KIND, api_version=_VERSION)
            decode_object(scale, ctx, options.validation)
        except BadRequest as fault:
            raise sent.unfit(scale, fault) from fault
        return scale

    return await _scale(engine, served, ctx, options, patched)


async def _apply(engine: Engine, served: Served, ctx: Context, options: WriteOptions) -> Result:
    """Server-side apply of a Scale: its replicas are owned as the workload's, which says so in its managedFields."""
    config = parse_configuration(ctx, options)
    schema = schemas.schema_of(_VERSION, _KIND)
    assert schema is not None
    check_configuration(config, _VERSION, schema)
    row = served.resource
    meaning: Object = {"apiVersion": row.api_version, "kind": row.kind, "metadata": {"name": ctx.info.name}}
    if (replicas := (config.get("spec") or {}).get("replicas")) is not None:
        _set_replicas(served, meaning, replicas)

    def transform(stored: Object) -> Object:
        current = conversion.from_storage(served, stored)
        _check_claims(served, ctx, config.get("metadata") or {}, current)
        try:
            new = owning.apply_configuration(served, ctx, options, current, meaning)
        except ApplyConflict as fault:
            raise ApplyConflict([(_as_of_scale(entry), _REPLICAS) for entry, _ in fault.found]) from None
        _check_replicas(served, ctx, scale_of(new, served.custom), new)
        return conversion.to_storage(served, new)

    return await _changed(engine, served, ctx, transform)


def _as_of_scale(entry: Object) -> Object:
    """An owner of the workload's replicas, as an owner of the Scale's."""
    return {**entry, "apiVersion": _VERSION}


async def _scale(
    engine: Engine, served: Served, ctx: Context, options: WriteOptions, wanted: Callable[[Object], Object]
) -> Result:
    def transform(stored: Object) -> Object:
        current = conversion.from_storage(served, stored)
        scale = wanted(scale_of(current, served.custom))
        replicas = _check_replicas(served, ctx, scale, current)
        _check_claims(served, ctx, scale.get("metadata") or {}, current)
        new = copy.deepcopy(current)
        _set_replicas(served, new, replicas)
        owning.track(served, ctx, options, new, current)
        return conversion.to_storage(served, new)

    return await _changed(engine, served, ctx, transform)


async def _changed(engine: Engine, served: Served, ctx: Context, transform: Callable[[Object], Object]) -> Result:
    result = await change(engine, served, ctx, transform)
    obj = decode_stored(result.data) if result.data is not None else result.obj
    assert obj is not None
    return _result(served, await conversion.read_one(served, obj))


def _check_replicas(served: Served, ctx: Context, scale: Object, current: Object) -> int:
    """How many replicas a Scale asks for; a custom object's are judged with the object. Raises ApiError."""
    told = (scale.get("spec") or {}).get("replicas")
    replicas = int(told or 0)
    if served.custom is not None and served.custom.scale is not None:
        if told is None and ctx.info.verb == "patch" and _wanted(current, served.custom.scale) is None:
            path = served.custom.scale["specReplicasPath"]
            raise BadRequest(f'the spec replicas field "{path}" cannot be empty')
    elif replicas < 0:
        fault = invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise errors.invalid_object("autoscaling", _KIND, ctx.info.name, [fault])
    return replicas


def _check_claims(served: Served, ctx: Context, meta: Object, current: Object) -> None:
    """Raises Conflict where a Scale names another version or another object than the present one."""
    row, has = served.resource, current["metadata"]
    if meta.get("resourceVersion") not in (None, "", has["resourceVersion"]):
        raise conflict(row.group, row.plural, ctx.info.name, MODIFIED)
    if meta.get("uid") not in (None, "", has.get("uid")):
        why = f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {has.get('uid')}"
        raise conflict(row.group, f"{row.plural}/scale", ctx.info.name, why)


def _set_replicas(served: Served, obj: Object, replicas: int) -> None:
    if served.custom is not None and served.custom.scale is not None:
        put(served.custom.scale["specReplicasPath"], obj, replicas)
    else:
        obj["spec"] = {**(obj.get("spec") or {}), "replicas": replicas}
