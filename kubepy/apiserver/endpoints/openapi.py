"""/openapi/v2 and /openapi/v3: which fields there are, for kubectl's explain and validation.

A document is made in a thread when first asked for. A v3 document that is asked for by its hash never changes, so
clients may keep it for good; by another hash they are sent to the right one.
Source: kube-openapi pkg/handler, pkg/handler3.
"""

import asyncio
from collections.abc import Mapping, Sequence

import orjson

from kubepy.api.meta import Object
from kubepy.api.openapi import Answer as Document
from kubepy.api.openapi import OpenApi
from kubepy.apiserver.endpoints.paths import Documents, readable
from kubepy.apiserver.http.options import first
from kubepy.apiserver.http.routing import Endpoint, Router, page_not_found
from kubepy.apiserver.registry.context import Context
from kubepy.lib.http import Answer, Response

_TREE = "/openapi/v3/"
_FOR_GOOD = "public, immutable"
_EXPIRES = "Thu, 31 Dec 2099 23:59:59 GMT"


class OpenApiEndpoints:
    """Answers from one OpenApi, made anew when what is served changes."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._custom: Mapping[tuple[str, str], Object] = {}
        self._v2_of_others: Sequence[tuple[str, Object]] = ()
        self._v3_of_others: Mapping[str, tuple[str, Endpoint]] = {}
        self._openapi: OpenApi | None = None
        self._lock = asyncio.Lock()
        documents.on_change.append(self._forget)

    def set_custom(self, schemas: Mapping[tuple[str, str], Object]) -> None:
        """The schemas of custom kinds, by apiVersion and kind."""
        self._custom = schemas
        self._forget()

    def set_others(self, v2: Sequence[tuple[str, Object]], v3: Mapping[str, tuple[str, Endpoint]]) -> None:
        """What other servers tell: v2 documents by the path they are for; v3 links, and who answers, by place."""
        if (v2, v3) != (self._v2_of_others, self._v3_of_others):
            self._v2_of_others, self._v3_of_others = v2, v3
            self._forget()

    def install(self, router: Router) -> None:
        """Adds the paths."""
        router.paths["/openapi/v2"] = readable(self._v2)
        router.paths["/openapi/v3"] = readable(self._index)
        router.trees.append((_TREE, readable(self._v3)))

    def _forget(self) -> None:
        self._openapi = None

    def _current(self) -> OpenApi:
        if self._openapi is None:
            self._openapi = OpenApi(self._documents.resources, dict(self._custom), self._v2_of_others)
        return self._openapi

    async def _v2(self, ctx: Context) -> Answer:
        openapi, accept = self._current(), ctx.request.headers.get("Accept", "")
        async with self._lock:
            return _respond(ctx, await asyncio.to_thread(openapi.v2, accept))

    async def _index(self, ctx: Context) -> Answer:
        index = await asyncio.to_thread(self._current().v3_index)
        if self._v3_of_others:
            links = {place: {"serverRelativeURL": link} for place, (link, _) in self._v3_of_others.items()}
            index = {**index, "paths": dict(sorted((index["paths"] | links).items()))}
        body = orjson.dumps(index)
        return Response(200, body, "application/json", {"Cache-Control": "no-cache, private"})

    async def _v3(self, ctx: Context) -> Answer:
        openapi, place = self._current(), ctx.info.path.removeprefix(_TREE)
        if place in self._v3_of_others:
            return await self._v3_of_others[place][1](ctx)
        async with self._lock:
            found = await asyncio.to_thread(openapi.v3, place)
        if found is None:
            return await page_not_found(ctx)
        asked = first(ctx.params, "hash")
        if asked:
            link: str = openapi.v3_index()["paths"][place]["serverRelativeURL"]
            if not link.endswith(f"hash={asked}"):
                return Response(301, b"", "", {"Location": link})
            return _respond(ctx, found, {"Cache-Control": _FOR_GOOD, "Expires": _EXPIRES})
        return _respond(ctx, found)


def _respond(ctx: Context, found: Document, more: Mapping[str, str] | None = None) -> Response:
    tag = f'"{found.etag}"'
    headers = {"ETag": tag, "Vary": "Accept-Encoding, Accept", **(more or {})}
    if ctx.request.headers.get("If-None-Match") in (tag, found.etag):
        return Response(304, b"", "", headers)
    if "gzip" in ctx.request.headers.get("Accept-Encoding", ""):
        return Response(200, found.gzipped, found.content_type, {**headers, "Content-Encoding": "gzip"})
    return Response(200, found.body(), found.content_type, headers)
