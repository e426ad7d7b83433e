"""The paths that are not resources: version, discovery, OpenAPI, metrics, the index.

Documents are rendered when first asked for and kept as bytes until what is served changes.
Source: apiserver pkg/endpoints/discovery, pkg/server/routes.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import orjson

from kubepy.api import discovery, discovery_merge
from kubepy.api.discovery_merge import GroupVersion, Others
from kubepy.api.errors import MethodNotAllowed
from kubepy.api.resources import BUILT_IN, Resource
from kubepy.apiserver.endpoints import version
from kubepy.apiserver.endpoints.metrics import Metrics
from kubepy.apiserver.http.negotiation import JSON, PROTOBUF, negotiate
from kubepy.apiserver.http.protobuf_writing import encode_protobuf
from kubepy.apiserver.http.rendering import encode_object
from kubepy.apiserver.http.routing import Endpoint, Router
from kubepy.apiserver.registry.context import Context
from kubepy.lib.http import Answer, Response

_TEXT = "text/plain; charset=utf-8"
_UNSNIFFED = {"X-Content-Type-Options": "nosniff"}
_AGGREGATED = frozenset(("g=apidiscovery.k8s.io", "v=v2", "as=APIGroupDiscoveryList"))


def readable(endpoint: Endpoint) -> Endpoint:
    """An endpoint that is only read."""

    async def answer(ctx: Context) -> Answer:
        if ctx.request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("the server does not allow this method on the requested resource", details={})
        return await endpoint(ctx)

    return answer


def rendered(render: Callable[[], bytes], content_type: str) -> Endpoint:
    """An endpoint whose answer may be kept for a while."""

    async def answer(ctx: Context) -> Answer:
        return Response(200, render(), content_type, {"Cache-Control": "public, max-age=3600"})

    return readable(answer)


class Documents:
    """Discovery and its relatives for the resources that are served at the moment."""

    def __init__(self, router: Router, server_address: Callable[[], str]) -> None:
        self._router = router
        self._server_address = server_address
        self._custom: tuple[Resource, ...] = ()
        self._others = Others()
        self._paths: set[str] = set()
        self._kept: dict[str, tuple[bytes, str]] = {}
        self.on_change: list[Callable[[], None]] = []
        self.changed()

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Everything that is served, built in or not."""
        return BUILT_IN + self._custom

    @property
    def custom(self) -> tuple[Resource, ...]:
        """What is served because of a definition."""
        return self._custom

    def set_others(self, others: Others, endpoints: Mapping[GroupVersion, Endpoint]) -> None:
        """Replaces what other servers answer for; requests for it go to these endpoints."""
        if (others, endpoints) != (self._others, self._router.remotes):
            self._others = others
            self._router.remotes.clear()
            self._router.remotes.update(endpoints)
            self.changed()

    def set_custom(self, resources: tuple[Resource, ...]) -> None:
        """Replaces the custom resources."""
        if resources != self._custom:
            self._custom = resources
            self.changed()

    def changed(self) -> None:
        """Lays the paths anew."""
        self._kept.clear()
        for path in self._paths:
            self._router.paths.pop(path, None)
        rows = self.resources
        self._router.group_versions = {(row.group, row.version) for row in rows}
        endpoints: dict[str, Endpoint] = {
            "/": self._index,
            "/api": self._root("/api", core=True),
            "/apis": self._root("/apis", core=False),
        }
        for group, found in sorted(self._router.group_versions):
            path = f"/apis/{group}/{found}" if group else f"/api/{found}"
            endpoints[path] = self._kept_document(path, partial(discovery.resource_list, rows, group, found))
            if group:
                endpoints[f"/apis/{group}"] = self._kept_document(
                    f"/apis/{group}", partial(discovery.group, rows, group)
                )
        endpoints = {path: readable(endpoint) for path, endpoint in endpoints.items()} | self._remote_endpoints()
        self._paths = set(endpoints)
        self._router.paths.update(endpoints)
        for told in self.on_change:
            told()

    def _remote_endpoints(self) -> dict[str, Endpoint]:
        """The paths of groups that other servers answer for, in whole or in part."""
        found = {}
        for (group, served), endpoint in self._router.remotes.items():
            found[f"/apis/{group}/{served}" if group else f"/api/{served}"] = endpoint
            if group:
                path = f"/apis/{group}"
                found[path] = readable(self._kept_document(path, partial(discovery_merge.group, self._others, group)))
        return found

    def _kept_document(self, path: str, make: Callable[[], object]) -> Endpoint:
        async def answer(ctx: Context) -> Answer:
            form = negotiate(ctx.request.headers, ctx.params)
            if not form.is_plain:
                made = make()
                assert isinstance(made, dict)
                return Response(200, encode_object(made, form), form.content_type)
            return Response(200, self._bytes(path, make)[0])

        return answer

    def _bytes(self, key: str, make: Callable[[], object]) -> tuple[bytes, str]:
        kept = self._kept.get(key)
        if kept is None:
            body = orjson.dumps(make(), option=orjson.OPT_APPEND_NEWLINE)
            kept = self._kept[key] = (body, hashlib.sha512(body).hexdigest().upper())
        return kept

    def _root(self, path: str, *, core: bool) -> Endpoint:
        def legacy() -> object:
            if core:
                return discovery.api_versions(self._server_address())
            return discovery_merge.group_list(self._others) if self._others.order else discovery.group_list(rows())

        def whole() -> discovery.Document:
            if core or not self._others.order:
                return discovery.aggregated(rows(), core=core)
            return discovery_merge.aggregated(rows(), self._others)

        def rows() -> tuple[Resource, ...]:
            return self.resources

        plain = self._kept_document(path, legacy)

        async def answer(ctx: Context) -> Answer:
            media = aggregated_media(ctx.request.headers.get("Accept", ""))
            if media is None:
                return await plain(ctx)
            if media == PROTOBUF:
                return Response(200, encode_protobuf(whole()) or b"", discovery.aggregated_content_type(media))
            body, tag = self._bytes(f"{path} aggregated", whole)
            return _tagged(ctx, body, tag, discovery.aggregated_content_type(media))

        return answer

    async def _index(self, ctx: Context) -> Answer:
        index = {"paths": sorted(self._router.paths)}
        return Response(200, orjson.dumps(index, option=orjson.OPT_INDENT_2))


def aggregated_media(accept: str) -> str | None:
    """JSON or PROTOBUF where aggregated discovery is asked for before the other, else None; JSON comes first."""
    found = None
    for clause in accept.split(","):
        media, *options = [part.strip() for part in clause.split(";")]
        if _AGGREGATED.issubset(options):
            if media == JSON:
                return JSON
            found = PROTOBUF if media == PROTOBUF else found
        elif media in (JSON, "application/*", "*/*") and not any(option.startswith("as=") for option in options):
            return found
    return found


def _tagged(ctx: Context, body: bytes, tag: str, content_type: str) -> Response:
    headers = {"ETag": f'"{tag}"', "Vary": "Accept", "Cache-Control": "public"}
    if ctx.request.headers.get("If-None-Match") in (f'"{tag}"', tag):
        return Response(304, b"", "", headers)
    return Response(200, body, content_type, headers)


def install_metrics(router: Router, render: Callable[[], Awaitable[bytes]]) -> None:
    """Adds /metrics, which answers what `render` does."""

    async def show(ctx: Context) -> Answer:
        return Response(200, await render(), "text/plain; version=0.0.4; charset=utf-8")

    router.paths["/metrics"] = readable(show)


def install(router: Router, metrics: Metrics) -> None:
    """Adds what never changes."""

    async def show_version(ctx: Context) -> Answer:
        return Response(200, orjson.dumps(version.INFO, option=orjson.OPT_INDENT_2))

    async def render_metrics() -> bytes:
        return metrics.render()

    async def no_page(ctx: Context) -> Answer:
        if ctx.request.method not in ("GET", "HEAD") or ctx.info.path.startswith(("/api/", "/apis/")):
            return Response(404, b"404 page not found\n", _TEXT, _UNSNIFFED)
        index = {"paths": sorted(router.paths)}
        return Response(404, orjson.dumps(index, option=orjson.OPT_INDENT_2))

    router.paths["/version"] = readable(show_version)
    install_metrics(router, render_metrics)
    router.not_found = no_page
