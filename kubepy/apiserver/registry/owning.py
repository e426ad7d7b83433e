"""Who owns which fields: every write says it in metadata.managedFields, server-side apply decides by it.

Tracked in the request's version, before admission: what admission adds belongs to nobody, as upstream has it. Fields
that the endpoint does not write (status, or all but it) come to nobody's share.
Source: apiserver pkg/endpoints/handlers/{create,update,patch}.go, fieldmanager.
"""

from functools import partial

from kubepy.api import managed_fields, schemas
from kubepy.api.apply import Applied, apply
from kubepy.api.last_applied import KUBECTL, apply_as_kubectl
from kubepy.api.meta import Object
from kubepy.apiserver.http.options import WriteOptions
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.served import Served
from kubepy.apiserver.registry.strategy import Strategy, keep
from kubepy.lib.clock import rfc3339


def track(served: Served, ctx: Context, options: WriteOptions, new: Object, old: Object | None) -> None:
    """Sets the managedFields of an object that is about to be written; both at the request's version."""
    schema = schema_of(served)
    if schema is None:
        return
    entries = managed_fields.track_update(
        old,
        _as_written(served.strategy, ctx.info.subresource, new, old),
        manager=manager_of(ctx, options),
        api_version=served.resource.api_version,
        schema=schema,
        time=rfc3339(ctx.now),
        subresource=ctx.info.subresource,
        counts=served.strategy.counted(ctx.info.subresource),
    )
    if entries:
        new["metadata"]["managedFields"] = entries
    else:
        new["metadata"].pop("managedFields", None)


def apply_configuration(
    served: Served, ctx: Context, options: WriteOptions, live: Object | None, config: Object
) -> Object:
    """The live object with a configuration applied to it. Raises BadRequest, Conflict."""
    schema = schema_of(served)
    assert schema is not None
    ways = partial(
        apply,
        patch=config,
        manager=options.manager,
        schema=schema,
        api_version=served.resource.api_version,
        time=rfc3339(ctx.now),
        subresource=ctx.info.subresource,
        counts=served.strategy.counted(ctx.info.subresource),
    )
    force = bool(options.force)
    if options.manager != KUBECTL or live is None:
        return ways(live, force=force).object

    def run(current: Object, by_force: bool) -> Applied:
        return ways(current, force=by_force)

    return apply_as_kubectl(run, live, config, schema=schema, force=force)


def schema_of(served: Served) -> "schemas.Schema | None":
    """The schema of the kind at the request's version; None where there is none."""
    return served.schema or schemas.schema_of(served.resource.api_version, served.resource.kind)


def manager_of(ctx: Context, options: WriteOptions) -> str:
    """The manager that the request names, or its program."""
    return options.manager or managed_fields.manager_of_user_agent(ctx.request.headers.get("User-Agent", ""))


def _as_written(strategy: Strategy, subresource: str, new: Object, old: Object | None) -> Object:
    """The new object, with what the endpoint leaves alone as it was: that need not be compared."""
    written = dict(new)
    for path in strategy.resets(subresource):
        if len(path) == 1 and path[0] != "metadata":
            keep(written, old or {}, path[0])
    return written
