"""Answers in the form that was asked for: stored bytes as they are, or a Table, metadata only, YAML, indented.

Bytes are decoded only for a form that needs it. Lists of bytes are joined, never parsed.
Source: apiserver pkg/endpoints/handlers/response.go, handlers/responsewriters.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import yaml
from multidict import CIMultiDict

from kubepy.api.errors import ApiError, BadRequest, NotAcceptable
from kubepy.api.meta import Object
from kubepy.api.printing.columns import Printer
from kubepy.api.printing.registry import table
from kubepy.api.resources import Resource, by_kind
from kubepy.apiserver.http.negotiation import PLAIN, Form, not_acceptable
from kubepy.apiserver.http.options import first
from kubepy.apiserver.http.protobuf_writing import encode_protobuf
from kubepy.apiserver.http.warning_headers import warning_headers
from kubepy.apiserver.registry import conversion
from kubepy.apiserver.registry.codec import decode_stored
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.reading import Page
from kubepy.apiserver.registry.result import Result
from kubepy.apiserver.registry.selecting import matches_late
from kubepy.apiserver.registry.served import Served
from kubepy.lib.beside import beside
from kubepy.lib.http import Response
from kubepy.storage.cache import CachedObject

_YAML_THREAD_FROM = 20
"""Objects from which a list is written as YAML beside the loop."""
_NO_FOLDING = 1 << 30
_NO_CACHE = {"Cache-Control": "no-cache, private"}


def encode_object(obj: Object, form: Form) -> bytes:
    """An object as JSON, YAML or protobuf. Raises NotAcceptable for a kind that has no protobuf form.

    As Go's encoder does, JSON ends its line unless it is indented.
    """
    if form.protobuf:
        data = encode_protobuf(obj)
        if data is None:
            raise not_acceptable()
        return data
    if form.yaml:
        return _yaml(obj)
    return orjson.dumps(obj, option=orjson.OPT_INDENT_2 if form.pretty else orjson.OPT_APPEND_NEWLINE)


def _yaml(obj: Object) -> bytes:
    """As Go's writer does: in the order of the keys, lines as long as they are, letters as they are."""
    text: str = yaml.dump(
        obj, Dumper=yaml.CSafeDumper, default_flow_style=False, sort_keys=True, allow_unicode=True, width=_NO_FOLDING
    )
    return text.encode()


def respond(obj: Object, form: Form, status: int = 200, warnings: Sequence[str] = ()) -> Response:
    """An object that is no resource's, or one that has its form already."""
    return Response(status, encode_object(obj, form), form.content_type, _headers(warnings))


def respond_error(error: ApiError, form: Form = PLAIN, warnings: Sequence[str] = ()) -> Response:
    """The Status of a fault."""
    headers = _headers(warnings)
    if error.retry_after_s is not None:
        headers = CIMultiDict(headers)
        headers["Retry-After"] = str(error.retry_after_s)
    return Response(error.code, encode_object(error.status(), form), form.content_type, headers)


def _headers(warnings: Sequence[str]) -> Mapping[str, str]:
    if not warnings:
        return _NO_CACHE
    headers = CIMultiDict(_NO_CACHE)
    for value in warning_headers(warnings):
        headers.add("Warning", value)
    return headers


def with_warnings(headers: Mapping[str, str], warnings: Sequence[str]) -> Mapping[str, str]:
    """The headers, and one for each warning."""
    more = CIMultiDict(headers)
    for value in warning_headers(warnings):
        more.add("Warning", value)
    return more


async def respond_cached(served: Served, ctx: Context, found: CachedObject) -> Response:
    """One stored object."""
    if ctx.form.is_plain and not served.converts:
        return Response(200, found.data + b"\n", headers=_NO_CACHE)
    return respond_result(served, ctx, await conversion.answered(served, Result(200, data=found.data)))


def respond_result(served: Served, ctx: Context, result: Result) -> Response:
    """What a write answers."""
    form = ctx.form
    if result.data is not None:
        if form.is_plain and not served.converts:
            return Response(result.status, result.data + b"\n", headers=_headers(ctx.warnings))
        obj = conversion.from_storage(served, decode_stored(result.data))
    else:
        assert result.obj is not None
        obj = result.obj
        if result.foreign:
            if result.resource is not None:
                obj = _shaped(result.resource, result.printer, ctx, obj)
            return respond(obj, form, result.status, ctx.warnings)
        obj = conversion.from_storage(served, obj)
    return respond(shaped(served, ctx, obj), form, result.status, ctx.warnings)


def shaped(served: Served, ctx: Context, obj: Object, *, headers: bool = True) -> Object:
    """One object in the shape of the form. Raises NotAcceptable."""
    return _shaped(served.resource, served.printer, ctx, obj, headers=headers)


def _shaped(row: Resource, printer: Printer | None, ctx: Context, obj: Object, *, headers: bool = True) -> Object:
    form = ctx.form
    if not form.shape:
        return obj
    if form.shape == "Table":
        meta = obj["metadata"]
        list_meta = {"resourceVersion": meta["resourceVersion"]} if "resourceVersion" in meta else {}
        include = include_of(ctx)
        made = table(row, [obj], now=ctx.now, include=include, list_meta=list_meta, printer=printer, headers=headers)
        return _at(made, form)
    if form.shape == "PartialObjectMetadata":
        return _partial(obj, form)
    raise NotAcceptable(f"you requested {form.shape}, but the requested object is not a list ({_go_type(row)})")


def include_of(ctx: Context) -> str:
    """The includeObject option of a Table. Raises BadRequest."""
    include = first(ctx.params, "includeObject") or "Metadata"
    if include not in ("None", "Metadata", "Object"):
        why = f"Invalid value: \"{include}\": must be 'Metadata', 'Object', 'None', or empty"
        raise BadRequest(f"Unable to convert to Table as requested: includeObject: {why}")
    return include


def _go_type(row: Resource) -> str:
    is_built_in = by_kind(row.api_version, row.kind) is not None
    return f"*{row.group.partition('.')[0] or 'core'}.{row.kind}" if is_built_in else "*unstructured.Unstructured"


def _at(made: Object, form: Form) -> Object:
    """The Table at the version that was asked for, and the metadata in its rows too."""
    version = f"meta.k8s.io/{form.shape_version}"
    if made["apiVersion"] != version:
        for row in made["rows"]:
            if row["object"] and row["object"]["apiVersion"] == made["apiVersion"]:
                row["object"]["apiVersion"] = version
        made["apiVersion"] = version
    return made


def _partial(obj: Object, form: Form) -> Object:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{form.shape_version}",
        "metadata": obj.get("metadata") or {},
    }


async def respond_list(served: Served, ctx: Context, page: Page) -> Response:
    """A list, whole or a page of it."""
    form = ctx.form
    if form.is_plain and not served.converts:
        return Response(200, _join(served, page), headers=_NO_CACHE)
    found = await conversion.read(served, [decode_stored(entry.data) for entry in page.objects])
    objects = [conversion.from_storage(served, obj) for obj in found if matches_late(served, page.late, obj)]
    made = _list_in_shape(served, ctx, objects, _list_meta(page))
    if form.yaml and len(objects) > _YAML_THREAD_FROM:  # it takes long, and others are to be answered meanwhile
        return await beside(lambda: respond(made, form))
    return respond(made, form)


def _list_meta(page: Page) -> dict[str, Any]:
    meta: dict[str, Any] = {"resourceVersion": str(page.revision)}
    if page.continue_token:
        meta["continue"] = page.continue_token
    if page.remaining is not None:
        meta["remainingItemCount"] = page.remaining
    return meta


def list_of(served: Served, objects: Iterable[Object], meta: Mapping[str, Any]) -> Object:
    """A plain list object."""
    row = served.resource
    return {"kind": row.list_kind, "apiVersion": row.api_version, "metadata": dict(meta), "items": list(objects)}


def _list_in_shape(served: Served, ctx: Context, objects: list[Object], meta: dict[str, Any]) -> Object:
    form = ctx.form
    if form.shape == "Table":
        made = table(
            served.resource,
            objects,
            now=ctx.now,
            include=include_of(ctx),
            list_meta=meta,
            printer=served.printer,
        )
        return _at(made, form)
    if form.shape == "PartialObjectMetadataList":
        return {
            "kind": form.shape,
            "apiVersion": f"meta.k8s.io/{form.shape_version}",
            "metadata": meta,
            "items": [_partial(obj, form) for obj in objects],
        }
    if form.shape:
        raise NotAcceptable(
            f"you requested {form.shape}, but the requested object is a list ({_go_type(served.resource)}List)"
        )
    return list_of(served, objects, meta)


def respond_objects(served: Served, ctx: Context, objects: list[Object], revision: int) -> Response:
    """A list of objects that are at the request's version already."""
    return respond(_list_in_shape(served, ctx, objects, {"resourceVersion": str(revision)}), ctx.form)


def _join(served: Served, page: Page) -> list[bytes]:
    row = served.resource
    head = orjson.dumps({"kind": row.list_kind, "apiVersion": row.api_version, "metadata": _list_meta(page)})
    # The cache's own bytes, which the server joins piece by piece as the peer takes them.
    parts = [b","] * (2 * len(page.objects))
    parts[1::2] = [entry.data for entry in page.objects]
    parts[:1] = [head[:-1] + b',"items":[']
    parts.append(b"]}\n")
    return parts
