"""Bodies into objects and objects into the bytes that are stored: JSON or YAML in, JSON out.

What is stored has apiVersion, kind and metadata first, and no resourceVersion: that is the store's own revision.
Messages are upstream's (apimachinery pkg/runtime/serializer, apiserver pkg/endpoints/handlers/rest.go).
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import orjson

from kubepy.api import resources, schemas, strict_decoding
from kubepy.api.errors import BadRequest, invalid, invalid_object
from kubepy.api.go_values import json_type
from kubepy.api.json_text import parse_json
from kubepy.api.meta import Object
from kubepy.api.resources import Resource
from kubepy.apiserver.http.negotiation import JSON, PROTOBUF, YAML, body_type
from kubepy.apiserver.http.protobuf_messages import SCHEME
from kubepy.apiserver.http.protobuf_reading import BrokenMessage, parse_protobuf
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.custom import Custom
from kubepy.apiserver.registry.large_bodies import body_read_by
from kubepy.apiserver.registry.yaml_bodies import read_yaml

_BYTES_SHOWN = 30
_NO_KIND = "couldn't get version/kind"
_TYPE_META = (
    """struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }"""
)
Parsed = tuple[Any, list[str]]
"""A body, and the faults that only strict decoding minds."""


def parse_body(ctx: Context, kind: str) -> Object:
    """The body as a plain dict that should be a `kind`. Raises BadRequest, UnsupportedMediaType.

    What it names twice is kept in the context, for `decode_object` to mind.
    """
    body = ctx.request.body
    try:
        obj, ctx.repeated = _PARSERS[body_type(ctx.request.headers)](ctx)
    except BrokenMessage as fault:
        raise schemas.decode_fault(fault.api_version, fault.kind, str(fault), into=kind) from fault
    except ValueError as fault:
        raise _unrecognized(kind, str(fault), body) from fault
    if not isinstance(obj, dict):
        why = (
            f"{_NO_KIND}; json parse error: json: cannot unmarshal {json_type(obj)} into Go value of type {_TYPE_META}"
        )
        raise _unrecognized(kind, why, body)
    check_type_meta(obj, kind, body)
    return obj


def _parse_json(ctx: Context) -> Parsed:
    body = ctx.request.body
    try:
        parsed = parse_json(body)
    except ValueError as fault:
        raise ValueError(f"{_NO_KIND}; json parse error: {fault}") from fault
    return {} if parsed is None else parsed, schemas.duplicate_fields(body, parsed)


def _parse_yaml(ctx: Context) -> Parsed:
    parsed, repeated = body_read_by(ctx, read_yaml)
    return {} if parsed is None else parsed, repeated


_PARSERS: Mapping[str, Callable[[Context], Parsed]] = {
    JSON: _parse_json,
    YAML: _parse_yaml,
    PROTOBUF: lambda ctx: (body_read_by(ctx, parse_protobuf), []),
}


def _unrecognized(kind: str, why: str, body: bytes) -> BadRequest:
    return BadRequest(f"the object provided is unrecognized (must be of type {kind}): {why} ({_summary(body)})")


def _summary(body: bytes) -> str:
    if not body:
        return "<empty>"
    shown = body[:_BYTES_SHOWN]
    text = shown.decode(errors="replace") if shown.startswith(b"{") else shown.hex()
    return f"{text} ..." if len(body) > _BYTES_SHOWN else text


def check_type_meta(obj: Object, kind: str, body: bytes = b"") -> tuple[str, str]:
    """The kind and apiVersion of what should be a `kind`; each may be empty. Raises BadRequest if one is none at all.

    `body` is what it was read from, to be shown.
    """
    for field in ("apiVersion", "kind"):
        value = obj.get(field)
        if value is not None and not isinstance(value, str):
            why = f"json: cannot unmarshal {json_type(value)} into Go struct field .{field} of type string"
            raise _unrecognized(kind, f"{_NO_KIND}; json parse error: {why}", body)
    version = obj.get("apiVersion") or ""
    if version.count("/") > 1:
        raise _unrecognized(kind, f"unexpected GroupVersion string: {version}", body)
    return obj.get("kind") or "", version


def parse_own(ctx: Context, resource: Resource, custom: Custom | None) -> Object:
    """The body as an object of the resource itself, its kind checked. Raises ApiError.

    A type of Go knows what it is; a custom object has only its own word for that, and must give it.
    """
    obj = parse_body(ctx, resource.kind)
    if custom is not None and not obj.get("kind"):
        body = ctx.request.body
        raise _unrecognized(resource.kind, missing_kind(body), body)
    if custom is not None and not obj.get("apiVersion"):
        raise _of_other_version("", resource)
    check_own_kind(obj, resource, custom)
    return obj


def missing_kind(body: bytes) -> str:
    """What the decoder of custom objects says of one without a kind."""
    return f"Object 'Kind' is missing in '{body.decode(errors='replace')}'"


def check_own_kind(obj: Object, resource: Resource, custom: Custom | None) -> None:
    """As `check_kind`, of an object of the resource itself; a custom one's kind is judged. Raises Invalid as well."""
    if custom is None:
        check_kind(obj, resource, kind=resource.kind, api_version=resource.api_version)
        return
    found_kind, found_version = check_type_meta(obj, resource.kind)
    obj["apiVersion"], obj["kind"] = found_version or resource.api_version, found_kind or resource.kind
    if obj["apiVersion"] != resource.api_version:
        raise _of_other_version(found_version, resource)
    if obj["kind"] != resource.kind:
        name = (obj.get("metadata") or {}).get("name") or ""
        raise invalid_object(
            resource.group, found_kind, name, [invalid("kind", found_kind, f"must be {resource.kind}")]
        )


def _of_other_version(found: str, resource: Resource) -> BadRequest:
    expected = f"does not match the expected API version ({resource.api_version})"
    return BadRequest(f"the API version in the data ({found}) {expected}")


def check_kind(obj: Object, resource: Resource, *, kind: str, api_version: str) -> None:
    """Fills in apiVersion and kind where they are missing. Raises BadRequest where they are another's."""
    found_kind, found_version = check_type_meta(obj, kind)
    if not found_version and not found_kind:
        obj["apiVersion"], obj["kind"] = api_version, kind
        return
    found_version = obj["apiVersion"] = found_version or api_version
    found_kind = obj["kind"] = found_kind or kind
    if found_version == api_version and found_kind == kind:
        return
    head = f'{found_kind} in version "{found_version.rpartition("/")[2]}" cannot be handled as a {kind}: '
    if found_version == api_version or resources.by_kind(found_version, found_kind):
        version = found_version.rpartition("/")[2]
        inner = (resource.group.partition(".")[0] or "core") + "." + kind
        if found_version == api_version and not resources.by_kind(found_version, found_kind):
            raise BadRequest(f'{head}no kind "{found_kind}" is registered for version "{found_version}" {SCHEME}')
        raise BadRequest(f"{head}converting ({version}.{found_kind}) to ({inner}): unknown conversion")
    raise BadRequest(f'{head}no kind "{found_kind}" is registered for version "{found_version}" {SCHEME}')


def decode_object(obj: Object, ctx: Context, validation: str, *, custom: Custom | None = None) -> None:
    """Checks types, drops unknown fields and tells of them as `validation` (Strict, Warn, Ignore) says.

    Fields that the body named twice are told of with them. Raises BadRequest.
    """
    api_version, kind = obj["apiVersion"], obj["kind"]
    decode = custom.decode if custom is not None else partial(schemas.decode_kind, api_version, kind)
    if validation == "Ignore":
        decode(obj)
        return
    unknown = decode(obj)
    if not unknown and not ctx.repeated:
        return
    faults = _in_order(ctx, unknown) if custom is None and unknown else ctx.repeated + unknown
    if validation == "Strict":
        error = schemas.strict_error(faults)
        version = api_version.rpartition("/")[2]
        raise BadRequest(f'{kind} in version "{version}" cannot be handled as a {kind}: {error.message}')
    ctx.warnings.extend(text for fault in faults for text in strict_decoding.warnings_of(fault))


def _in_order(ctx: Context, unknown: list[str]) -> list[str]:
    """The faults of a built-in kind: those of a JSON body as it has them, of others as sorted keys would."""
    media = ctx.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media in ("", JSON):
        return strict_decoding.in_order(ctx.request.body, ctx.repeated, unknown)
    return ctx.repeated + strict_decoding.by_keys(unknown)


def encode(obj: Object) -> bytes:
    """The bytes to store."""
    meta = obj["metadata"]
    if "resourceVersion" in meta:
        meta = {field: value for field, value in meta.items() if field != "resourceVersion"}
    stored = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": None, **obj}
    stored["metadata"] = meta
    return orjson.dumps(stored)


def decode_stored(data: bytes) -> Object:
    """An object of its own, made from what is stored or cached."""
    obj: Object = orjson.loads(data)
    return obj
