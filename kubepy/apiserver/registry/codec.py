"""Bodies into objects and objects into the bytes that are stored: JSON or YAML in, JSON out.

What is stored has apiVersion, kind and metadata first, and no resourceVersion: that is the store's own revision.
Messages are upstream's (apimachinery pkg/runtime/serializer, apiserver pkg/endpoints/handlers/rest.go).
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import orjson
import yaml

from kubepy.api import resources, schemas
from kubepy.api.errors import BadRequest
from kubepy.api.meta import Object
from kubepy.api.resources import Resource
from kubepy.apiserver.negotiation import JSON, PROTOBUF, YAML, body_type
from kubepy.apiserver.protobuf import parse_protobuf
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.custom import Custom

_HEX_SHOWN = 30


class _Loader(yaml.CSafeLoader):
    """YAML as JSON: dates stay text, and only true and false are booleans."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: bytes) -> Any:
    """The one document of a YAML text. Raises ValueError."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as fault:
        raise ValueError(f"error converting YAML to JSON: yaml: {fault}") from fault


def parse_body(ctx: Context, kind: str) -> Object:
    """The body as a plain dict that should be a `kind`. Raises BadRequest, UnsupportedMediaType."""
    body = ctx.request.body
    media = body_type(ctx.request.headers)
    try:
        obj = _PARSERS[media](body)
    except ValueError as fault:
        raise _unrecognized(kind, f"json parse error: {fault}", body) from fault
    if obj is None and media == JSON:
        return {}  # null leaves a Go struct as it was
    if not isinstance(obj, dict):
        found = {list: "array", str: "string", bool: "bool"}.get(type(obj), "number")
        why = f"json parse error: json: cannot unmarshal {found} into Go value of type struct"
        raise _unrecognized(kind, why, body)
    return obj


_PARSERS: Mapping[str, Callable[[bytes], Any]] = {
    JSON: schemas.parse_json,
    YAML: parse_yaml,
    PROTOBUF: parse_protobuf,
}


def _unrecognized(kind: str, why: str, body: bytes) -> BadRequest:
    shown = body[:_HEX_SHOWN].hex() if body else "<empty>"
    return BadRequest(
        f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; {why} ({shown})"
    )


def check_kind(obj: Object, resource: Resource, *, kind: str, api_version: str) -> None:
    """Fills in apiVersion and kind where they are missing. Raises BadRequest where they are another's."""
    found_version, found_kind = obj.get("apiVersion"), obj.get("kind")
    if not found_version and not found_kind:
        obj["apiVersion"], obj["kind"] = api_version, kind
        return
    found_version = obj["apiVersion"] = found_version or api_version
    found_kind = obj["kind"] = found_kind or kind
    if found_version == api_version and found_kind == kind:
        return
    if not isinstance(found_version, str) or not isinstance(found_kind, str):
        raise BadRequest(f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind")
    head = f'{found_kind} in version "{found_version.rpartition("/")[2]}" cannot be handled as a {kind}: '
    if found_version == api_version or resources.by_kind(found_version, found_kind):
        version = found_version.rpartition("/")[2]
        inner = (resource.group.partition(".")[0] or "core") + "." + kind
        if found_version == api_version and not resources.by_kind(found_version, found_kind):
            raise BadRequest(f'{head}no kind "{found_kind}" is registered for version "{found_version}" in scheme')
        raise BadRequest(f"{head}converting ({version}.{found_kind}) to ({inner}): unknown conversion")
    raise BadRequest(f'{head}no kind "{found_kind}" is registered for version "{found_version}" in scheme')


def decode_object(
    obj: Object, ctx: Context, validation: str, *, raw: bool = True, custom: Custom | None = None
) -> None:
    """Checks types, drops unknown fields and tells of them as `validation` (Strict, Warn, Ignore) says.

    With `raw` the request's body is the object's JSON and is searched for fields that it names twice.
    Raises BadRequest.
    """
    api_version, kind = obj["apiVersion"], obj["kind"]
    decode = custom.decode if custom is not None else partial(schemas.decode_kind, api_version, kind)
    if validation == "Ignore":
        decode(obj)
        return
    is_json = raw and ctx.request.body[:1] == b"{"
    repeated = schemas.duplicate_fields(ctx.request.body, obj) if is_json else []
    faults = repeated + decode(obj)
    if not faults:
        return
    if validation == "Strict":
        error = schemas.strict_error(faults)
        version = api_version.rpartition("/")[2]
        raise BadRequest(f'{kind} in version "{version}" cannot be handled as a {kind}: {error.message}')
    ctx.warnings.extend(faults)


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
