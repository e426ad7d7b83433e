"""Get and list, from the caches' bytes: nothing is decoded on the way unless the form of the answer needs it.

What "most recent" means is upstream's: without a resourceVersion the cache first reaches the store's revision; "0"
takes what is there; a number waits for it (NotOlderThan) or shows exactly it (Exact, continue).
Source: apiserver pkg/storage/cacher/cacher.go, pkg/storage/continue.go, pkg/endpoints/handlers/get.go.
"""

import base64
import posixpath
import re
from dataclasses import dataclass, replace

import orjson

from kubepy.api.errors import BadRequest, Expired
from kubepy.api.go_values import json_type
from kubepy.api.json_text import parse_json
from kubepy.api.selectors import EVERY_FIELD, FieldSelector
from kubepy.apiserver.http.options import ListOptions, first, parse_list_options, require_uint
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.retrying import missing
from kubepy.apiserver.registry.selecting import known_fields, split_fields
from kubepy.apiserver.registry.served import Served
from kubepy.storage.cache import CachedObject

_EXPIRED_PAGE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)
_TOKEN_VERSION = "meta.k8s.io/v1"
_BASE64 = re.compile(r"[A-Za-z0-9_-]*(?=[^A-Za-z0-9_-])")
"""Matches a token that is no base64, up to what is wrong with it."""


@dataclass(slots=True)
class Page:
    """A list's objects, the revision that they show, and how it goes on."""

    objects: list[CachedObject]
    revision: int
    continue_token: str = ""
    remaining: int | None = None
    late: FieldSelector = EVERY_FIELD
    """What is still to be selected by, when the objects have been converted."""


async def get(served: Served, ctx: Context) -> CachedObject:
    """The object that the URL names. Raises NotFound."""
    info, cache = ctx.info, served.cache
    version = first(ctx.params, "resourceVersion") if ctx.params else ""
    if not version:
        await cache.fresh()
    elif version != "0":
        await cache.wait_revision(require_uint(version))
    found = cache.get(served.key(info.namespace, info.name))
    if found is None:
        raise missing(served, info.name)
    return found


async def list_page(served: Served, ctx: Context) -> Page:
    """What the URL and its options select. Raises ApiError."""
    options = parse_list_options(ctx.params)
    if options.fields.terms:
        options.fields = known_fields(served, options.fields)
    early, late = split_fields(served, options.fields)
    if not late.is_everything:
        page = await _list_page(served, ctx, replace(options, fields=early, limit=0))
        page.late = late
        return page
    return await _list_page(served, ctx, options)


async def _list_page(served: Served, ctx: Context, options: ListOptions) -> Page:
    if options.continue_token:
        return await _continue(served, ctx, options)
    cache, version = served.cache, options.resource_version
    if options.match == "Exact":
        try:
            return await _page_at(served, ctx, options, require_uint(version), "")
        except Expired as gone:
            raise Expired("The resourceVersion for the provided list is too old.") from gone
    if not version:
        await cache.fresh()
    elif version != "0":
        await cache.wait_revision(require_uint(version))
    found, remaining = _select(served, ctx, options, options.limit if version != "0" else 0)
    return _page(served, options, found, remaining, cache.revision)


def _select(served: Served, ctx: Context, options: ListOptions, limit: int) -> tuple[list[CachedObject], int]:
    return served.cache.list(
        served.namespace_of(ctx.info),
        None if options.selector.is_everything else options.selector,
        None if options.fields.is_everything else options.fields,
        limit,
    )


async def _page_at(served: Served, ctx: Context, options: ListOptions, revision: int, after: str) -> Page:
    found, remaining = await served.cache.list_at(
        revision,
        served.namespace_of(ctx.info),
        None if options.selector.is_everything else options.selector,
        None if options.fields.is_everything else options.fields,
        options.limit,
        after,
    )
    return _page(served, options, found, remaining, revision)


async def _continue(served: Served, ctx: Context, options: ListOptions) -> Page:
    if options.resource_version not in ("", "0"):
        raise BadRequest("specifying resource version is not allowed when using continue")
    revision, start = decode_continue(options.continue_token)
    after = served.prefix + start
    if revision < 0:  # the token of an expired page: go on with what is there now
        await served.cache.fresh()
        revision = served.cache.revision
    try:
        return await _page_at(served, ctx, options, revision, after)
    except Expired as gone:
        raise Expired(_EXPIRED_PAGE, metadata={"continue": _token(-1, start)}) from gone


def _page(served: Served, options: ListOptions, found: list[CachedObject], remaining: int, revision: int) -> Page:
    if not remaining:
        return Page(found, revision)
    token = encode_continue(revision, found[-1], served)
    is_exact = options.selector.is_everything and options.fields.is_everything
    return Page(found, revision, token, remaining if is_exact else None)


def encode_continue(revision: int, last: CachedObject, served: Served) -> str:
    """The token of the page after `last`; upstream's format, its key relative to the resource's folder."""
    return _token(revision, last.key[len(served.prefix) :])


def _token(revision: int, after: str) -> str:
    token = orjson.dumps({"v": _TOKEN_VERSION, "rv": revision, "start": after + "\0"})
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def decode_continue(token: str) -> tuple[int, str]:
    """The revision, and the key below the folder after which to go on. Raises BadRequest."""
    if fault := _BASE64.match(token):
        raise _bad_token(f": illegal base64 data at input byte {fault.end()}")
    try:
        parsed = parse_json(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except ValueError as fault:
        raise _bad_token(f": {fault}") from fault
    if not isinstance(parsed, dict):
        raise _bad_token(f": json: cannot unmarshal {json_type(parsed)} into Go value of type storage.continueToken")
    version, revision, start = parsed.get("v") or "", parsed.get("rv") or 0, parsed.get("start") or ""
    if version != _TOKEN_VERSION:
        raise _bad_token(f": server does not recognize this encoded version {version}")
    if revision == 0 or not isinstance(revision, int):
        raise _bad_token(f": incorrect encoded start resourceVersion (version {_TOKEN_VERSION})")
    if not isinstance(start, str) or not start:
        raise _bad_token(f": encoded start key empty (version {_TOKEN_VERSION})")
    if posixpath.normpath("/" + start.removeprefix("/")) != "/" + start.removeprefix("/"):
        raise _bad_token(f": {start}")  # nothing above the folder, whatever the key would name there
    return revision, start.rstrip("\0")


def _bad_token(why: str) -> BadRequest:
    return BadRequest(f"invalid continue token: continue key is not valid{why}")
