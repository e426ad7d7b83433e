"""The scale subresource: the number of replicas of a workload, as an autoscaling/v1 Scale.

Source: pkg/registry/apps/*/storage/storage.go (ScaleREST).
"""

from collections.abc import Callable, Mapping

from kubepy.api import errors, schemas
from kubepy.api.errors import MODIFIED, conflict, invalid
from kubepy.api.meta import Object
from kubepy.api.selectors import from_label_selector, from_map
from kubepy.apiserver.options import parse_write_options
from kubepy.apiserver.registry.codec import check_kind, decode_object, decode_stored, parse_body
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.custom import Custom
from kubepy.apiserver.registry.engine import Engine
from kubepy.apiserver.registry.json_path import find, put
from kubepy.apiserver.registry.patching import media_type, patch_function
from kubepy.apiserver.registry.reading import get
from kubepy.apiserver.registry.result import Result
from kubepy.apiserver.registry.served import Served
from kubepy.apiserver.registry.updating import change, check_name

_VERSION, _KIND = "autoscaling/v1", "Scale"


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
    wanted = find(paths["specReplicasPath"], obj)
    has = find(paths["statusReplicasPath"], obj)
    selector = find(paths["labelSelectorPath"], obj) if paths.get("labelSelectorPath") else []
    return _render(obj["metadata"], wanted[0] if wanted else 0, has[0] if has else 0, selector[0] if selector else "")


def _render(meta: Object, wanted: int, has: int, selector: str) -> Object:
    shown = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": _KIND,
        "apiVersion": _VERSION,
        "metadata": {field: meta[field] for field in shown if field in meta},
        "spec": {"replicas": wanted} if wanted else {},
        "status": {"replicas": has, **({"selector": selector} if selector else {})},
    }


async def get_scale(engine: Engine, served: Served, ctx: Context) -> Result:
    """GET. Raises NotFound."""
    found = await get(served, ctx)
    return Result(200, obj=scale_of(decode_stored(found.data), served.custom), foreign=True)


async def update_scale(engine: Engine, served: Served, ctx: Context) -> Result:
    """PUT. Raises ApiError."""
    options = parse_write_options(ctx.params, "UpdateOptions")
    ctx.dry_run = options.dry_run
    sent = parse_body(ctx, _KIND)
    check_kind(sent, served.resource, kind=_KIND, api_version=_VERSION)
    decode_object(sent, ctx, options.validation)
    check_name(sent, ctx.info.name, ctx.info.namespace)
    return await _scale(engine, served, ctx, lambda current: sent)


async def patch_scale(engine: Engine, served: Served, ctx: Context) -> Result:
    """PATCH. Raises ApiError."""
    media = media_type(ctx)
    ctx.dry_run = parse_write_options(ctx.params, "PatchOptions").dry_run
    apply = patch_function(ctx, media, _VERSION, _KIND)

    def patched(current: Object) -> Object:
        scale = apply(current)
        schemas.decode_kind(_VERSION, _KIND, scale)
        return scale

    return await _scale(engine, served, ctx, patched)


async def _scale(engine: Engine, served: Served, ctx: Context, wanted: Callable[[Object], Object]) -> Result:
    def transform(stored: Object) -> Object:
        before = scale_of(stored, served.custom)
        scale = wanted(before)
        replicas = (scale.get("spec") or {}).get("replicas") or 0
        if replicas < 0:
            fault = invalid("spec.replicas", replicas, "must be greater than or equal to 0")
            raise errors.invalid_object("autoscaling", _KIND, ctx.info.name, [fault])
        meta = scale.get("metadata") or {}
        row = served.resource
        if meta.get("resourceVersion") not in (None, "", stored["metadata"]["resourceVersion"]):
            raise conflict(row.group, row.plural, ctx.info.name, MODIFIED)
        if meta.get("uid") not in (None, "", stored["metadata"].get("uid")):
            why = f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: "
            raise conflict(row.group, row.plural, ctx.info.name, why + str(stored["metadata"].get("uid")))
        if served.custom is not None and served.custom.scale is not None:
            put(served.custom.scale["specReplicasPath"], stored, replicas)
        else:
            stored["spec"] = {**(stored.get("spec") or {}), "replicas": replicas}
        return stored

    result = await change(engine, served, ctx, transform)
    obj = decode_stored(result.data) if result.data is not None else result.obj
    assert obj is not None
    return Result(200, obj=scale_of(obj, served.custom), foreign=True)
