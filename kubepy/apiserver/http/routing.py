"""From what a request is about to the function that answers it: two dictionary look-ups, no patterns.

What is not a resource's path is found whole in `paths`, or below one of `trees`.
Source: apiserver pkg/endpoints/installer.go for which methods exist where, pkg/server/routes for the rest.
"""

from collections.abc import Awaitable, Callable, Mapping

from kubepy.api import resources
from kubepy.api.errors import ApiError, MethodNotAllowed, NotFound, object_not_found
from kubepy.api.meta import Object
from kubepy.apiserver.http import rendering
from kubepy.apiserver.http.negotiation import negotiate, not_acceptable
from kubepy.apiserver.http.websocket_streams import is_websocket, watch_upgrade
from kubepy.apiserver.registry import (
    binding,
    conversion,
    creating,
    deleting,
    evicting,
    large_bodies,
    patching,
    reading,
    scaling,
    updating,
    watching,
)
from kubepy.apiserver.registry.codec import check_kind, decode_object, parse_body
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.engine import Engine
from kubepy.apiserver.registry.result import Result
from kubepy.apiserver.registry.served import Served
from kubepy.lib.http import Answer, Response

Endpoint = Callable[[Context], Awaitable[Answer]]
Review = Callable[[Context, Object], Awaitable[Object]]
"""Answers an object that is not stored: access reviews, token reviews and requests."""
Verb = Callable[[Engine, Served, Context], Awaitable[Result]]

_ON_MANY = frozenset(("list", "watch", "deletecollection"))
"""What has a name only where a field selector tells one."""
_ON_ONE = frozenset(("update", "patch", "delete"))
_METHODS: Mapping[str, tuple[str, ...]] = {
    "": (),
    "get": ("GET",),
    "list": ("GET",),
    "watch": ("GET",),
    "create": ("POST",),
    "update": ("PUT",),
    "patch": ("PATCH",),
    "delete": ("DELETE",),
    "deletecollection": ("DELETE",),
}
"""What asks for a verb: HEAD is a get to authorization, but no resource answers it."""
_STREAM_VERBS: Mapping[str, tuple[str, ...]] = {
    "log": ("get",),
    "exec": ("get", "create"),
    "attach": ("get", "create"),
    "portforward": ("get", "create"),
}
"""A proxy takes every verb: it is the other server's."""
_WHOLE_OBJECT = frozenset(("status", "ephemeralcontainers", "resize", "approval", "finalize"))
_SPECIAL: Mapping[tuple[str, str], Verb] = {
    ("scale", "get"): scaling.get_scale,
    ("scale", "update"): scaling.update_scale,
    ("scale", "patch"): scaling.patch_scale,
    ("binding", "create"): binding.bind,
    ("eviction", "create"): evicting.evict,
}
_CHANGES: Mapping[str, Verb] = {"update": updating.update, "patch": patching.patch}


class Router:
    """Owns the tables that others fill in: `paths`, `trees`, `reviews`, `streams`, `virtual`, `remotes`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.paths: dict[str, Endpoint] = {}
        self.trees: list[tuple[str, Endpoint]] = []
        self.reviews: dict[tuple[str, str, str], Review] = {}
        """(group, plural, subresource): what a create there answers."""
        self.streams: dict[tuple[str, str], Endpoint] = {}
        """(plural, subresource) in the core group: log, exec, attach, portforward, proxy."""
        self.virtual: dict[tuple[str, str], Endpoint] = {}
        """(group, plural): resources that are computed and only read."""
        self.remotes: dict[tuple[str, str], Endpoint] = {}
        """(group, version): what other servers answer; it comes before what this one serves itself."""
        self.group_versions: set[tuple[str, str]] = {(row.group, row.version) for row in resources.BUILT_IN}
        self.not_found: Endpoint = page_not_found
        self.settle: Callable[[], Awaitable[bool]] = _nothing_to_settle
        """Serves definitions that are stored but not served yet; whether there was one."""

    async def route(self, ctx: Context) -> Answer:
        """The answer. Raises ApiError."""
        info = ctx.info
        if not info.is_resource:
            return await self._non_resource(ctx)
        if self.remotes and (remote := self.remotes.get((info.group, info.version))):
            return await remote(ctx)
        if len(ctx.request.body) > large_bodies.LARGE_FROM:
            await large_bodies.read_ahead(ctx)
        served = self._engine.find(info.group, info.version, info.resource)
        if served is None:
            return await self._unstored(ctx)
        if ctx.form.protobuf and not ctx.form.shape and served.custom is not None:
            raise not_acceptable()
        if served.custom is not None and served.custom.deprecation:
            return await self._warned(served, ctx, served.custom.deprecation)
        return await self._stored(served, ctx)

    async def _warned(self, served: Served, ctx: Context, warning: str) -> Answer:
        """The answer, or the fault, with a warning."""
        try:
            answer = await self._stored(served, ctx)
        except ApiError:
            ctx.warnings.append(warning)
            raise
        answer.headers = rendering.with_warnings(answer.headers, [warning])
        return answer

    async def _stored(self, served: Served, ctx: Context) -> Answer:
        info = ctx.info
        if info.subresource:
            return await self._subresource(served, ctx)
        if served.resource.namespaced and info.name and not info.namespace and info.verb not in _ON_MANY:
            raise _no_such_resource()
        if ctx.request.method not in _METHODS[info.verb]:
            raise _method_not_allowed()
        if info.verb == "get":
            return await rendering.respond_cached(served, ctx, await reading.get(served, ctx))
        if info.verb not in served.resource.verbs or (
            served.resource.namespaced and not info.namespace and info.verb not in ("list", "watch")
        ):
            raise _method_not_allowed()
        if bool(info.name) != (info.verb in _ON_ONE) and info.verb in _ON_ONE | {"create"}:
            raise _method_not_allowed()
        return await self._verb(served, ctx)

    async def _verb(self, served: Served, ctx: Context) -> Answer:
        engine, verb = self._engine, ctx.info.verb
        if verb == "list":
            return await rendering.respond_list(served, ctx, await reading.list_page(served, ctx))
        if verb == "watch":
            events = await watching.watch(served, ctx, _renderer(served, ctx), engine.min_request_timeout_s)
            return watch_upgrade(ctx.request, events) if is_websocket(ctx.request) else events
        if verb == "create":
            return await _respond(served, ctx, await creating.create(engine, served, ctx))
        if verb == "deletecollection":
            return await rendering.respond_list(served, ctx, await deleting.delete_collection(engine, served, ctx))
        if verb == "delete":
            return await _respond(served, ctx, await deleting.delete(engine, served, ctx))
        return await _respond(served, ctx, await _CHANGES[verb](engine, served, ctx))

    async def _subresource(self, served: Served, ctx: Context) -> Answer:
        info = ctx.info
        row = served.resource
        found = row.subresource(info.subresource)
        # The watch paths of old are of whole objects; a proxy below them would take any method as a watch.
        if found is None or info.verb == "watch":
            raise object_not_found(row.group, row.plural, info.name) if served.custom else _no_such_resource()
        if not row.group and (endpoint := self.streams.get((row.plural, info.subresource))):
            if info.verb not in _STREAM_VERBS.get(info.subresource, (info.verb,)):
                raise _method_not_allowed()
            return await endpoint(ctx)
        if info.verb not in found.verbs or info.rest:
            raise _method_not_allowed()
        if special := _SPECIAL.get((info.subresource, info.verb)):
            return await _respond(served, ctx, await special(self._engine, served, ctx))
        if info.subresource in _WHOLE_OBJECT:
            if info.verb == "get":
                return await rendering.respond_cached(served, ctx, await reading.get(served, ctx))
            return await _respond(served, ctx, await _CHANGES[info.verb](self._engine, served, ctx))
        if review := self.reviews.get((row.group, row.plural, info.subresource)):
            assert found.group is not None
            version = f"{found.group}/{found.version}"
            return await self._review(ctx, review, served.resource, kind=found.kind, api_version=version)
        raise _no_such_resource()

    async def _unstored(self, ctx: Context) -> Answer:
        info = ctx.info
        row = resources.by_plural(info.group, info.version, info.resource)
        if row is None and await self.settle() and self._engine.find(info.group, info.version, info.resource):
            return await self.route(ctx)
        if row is None:
            if (info.group, info.version) in self.group_versions:
                raise _no_such_resource()
            return await page_not_found(ctx)
        if endpoint := self.virtual.get((row.group, row.plural)):
            if info.verb not in row.verbs:
                raise _method_not_allowed()
            return await endpoint(ctx)
        if info.name or (row.namespaced and not info.namespace):
            raise _no_such_resource()
        if info.verb != "create":
            raise _method_not_allowed()
        if row.kind == "Binding":
            pods = self._engine.of(resources.named("pods"))
            return rendering.respond_result(pods, ctx, await binding.bind(self._engine, pods, ctx))
        if review := self.reviews.get((row.group, row.plural, "")):
            return await self._review(ctx, review, row, kind=row.kind, api_version=row.api_version)
        raise _no_such_resource()

    async def _review(
        self, ctx: Context, review: Review, row: resources.Resource, *, kind: str, api_version: str
    ) -> Answer:
        if ctx.form.shape:  # what is answered and forgotten is no row of anything
            ctx.form = negotiate(ctx.request.headers, ctx.params, tables=False)
        obj = parse_body(ctx, kind)
        check_kind(obj, row, kind=kind, api_version=api_version)
        decode_object(obj, ctx, "Warn")
        if not ctx.info.subresource:
            await self._engine.admit_unstored(row, ctx, obj)
        return rendering.respond(await review(ctx, obj), ctx.form, 201, ctx.warnings)

    async def _non_resource(self, ctx: Context) -> Answer:
        path = ctx.info.path
        endpoint = self.paths.get(path)
        if endpoint is None and len(path) > 1 and path.endswith("/"):
            endpoint = self.paths.get(path.rstrip("/"))
        if endpoint is None and path.startswith("/apis/") and await self.settle():
            endpoint = self.paths.get(path.rstrip("/"))
        if endpoint is None:
            endpoint = next((found for tree, found in self.trees if path.startswith(tree)), self.not_found)
        return await endpoint(ctx)


async def _respond(served: Served, ctx: Context, result: Result) -> Response:
    return rendering.respond_result(served, ctx, await conversion.answered(served, result))


def _renderer(served: Served, ctx: Context) -> watching.Render | None:
    if ctx.form.yaml:
        raise not_acceptable(streams=True)
    if not ctx.form.shape and not ctx.form.protobuf and not served.converts:
        return None
    if ctx.form.shape == "Table":
        rendering.include_of(ctx)
    elif ctx.form.shape == "PartialObjectMetadataList":
        raise not_acceptable(streams=True)

    def render(obj: Object, is_first: bool) -> Object:
        from_store = conversion.from_storage(served, obj)
        return rendering.shaped(served, ctx, from_store, headers=is_first)

    return render


def _method_not_allowed() -> MethodNotAllowed:
    return MethodNotAllowed("the server does not allow this method on the requested resource", details={})


def _no_such_resource() -> NotFound:
    return NotFound("the server could not find the requested resource", details={})


async def _nothing_to_settle() -> bool:
    return False


async def page_not_found(ctx: Context) -> Answer:
    """404 as upstream answers paths that nothing serves."""
    headers = {"X-Content-Type-Options": "nosniff"}
    return Response(404, b"404 page not found\n", "text/plain; charset=utf-8", headers)
