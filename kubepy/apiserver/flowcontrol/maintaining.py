"""Keep the objects of flow control: the default ones as they should be, and every FlowSchema's condition Dangling.

Mandatory objects are always mended. Suggested ones are, while their annotation `apf.kubernetes.io/autoupdate-spec` is
"true" (or absent and the object never changed); what this server once suggested and no longer does is removed.
Source: pkg/registry/flowcontrol/{rest,ensurer}; apiserver pkg/util/flowcontrol/apf_controller.go.
"""

import contextlib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from kubepy.api import flow_objects, resources
from kubepy.api.errors import AlreadyExists, Conflict, NotFound
from kubepy.api.flow_objects import AUTO_UPDATE, MANDATORY
from kubepy.api.resources import Resource
from kubepy.client.client import Client
from kubepy.lib import log
from kubepy.lib.clock import rfc3339

Object = dict[str, Any]
SCHEMAS = resources.named("flowschemas", "flowcontrol.apiserver.k8s.io")
LEVELS = resources.named("prioritylevelconfigurations", "flowcontrol.apiserver.k8s.io")
_log = log.get(__name__)


async def maintain(client: Client, levels: Iterable[Object], schemas: Iterable[Object], now: datetime) -> None:
    """Writes what is missing or wrong; writes nothing when all is well. Raises ApiError."""
    levels, schemas = list(levels), list(schemas)
    await _mend(client, LEVELS, flow_objects.priority_levels(), levels)
    await _mend(client, SCHEMAS, flow_objects.flow_schemas(), schemas)
    known = {obj["metadata"]["name"] for obj in levels} | {
        obj["metadata"]["name"] for obj in flow_objects.priority_levels()
    }
    for schema in schemas:
        condition = plan_condition(schema, known, now)
        if condition is not None:
            with contextlib.suppress(NotFound):
                await client.patch(
                    SCHEMAS, schema["metadata"]["name"], {"status": {"conditions": [condition]}}, subresource="status"
                )


async def _mend(client: Client, resource: Resource, wanted: list[Object], found: list[Object]) -> None:
    by_name = {obj["metadata"]["name"]: obj for obj in found}
    for obj in wanted:
        existing = by_name.get(obj["metadata"]["name"])
        # Another server may be doing the same: who is late sees the other's work the next time.
        with contextlib.suppress(AlreadyExists, Conflict, NotFound):
            if existing is None:
                await client.create(resource, obj)
            elif (mended := plan_mended(existing, obj)) is not None:
                _log.info("flow control mended", kind=resource.kind, name=obj["metadata"]["name"])
                await client.update(resource, mended)
    for name in plan_removed(found, {obj["metadata"]["name"] for obj in wanted}):
        with contextlib.suppress(NotFound):
            await client.delete(resource, name)


def plan_mended(existing: Mapping[str, Any], wanted: Object) -> Object | None:
    """`existing` as it should be, or None when it is, or is not ours to mend."""
    metadata = existing["metadata"]
    annotations = metadata.get("annotations") or {}
    automatic = annotations.get(AUTO_UPDATE)
    # Of the exempt level the seats that it lends are the administrators' to set.
    is_mandatory = metadata["name"] in MANDATORY and "exempt" not in wanted["spec"]
    if is_mandatory or automatic not in ("true", "false"):
        automatic = "true" if is_mandatory or metadata.get("generation", 1) == 1 else "false"
    spec = wanted["spec"] if automatic == "true" else existing["spec"]
    if spec == existing["spec"] and annotations.get(AUTO_UPDATE) == automatic:
        return None
    annotated = {**metadata, "annotations": {**annotations, AUTO_UPDATE: automatic}}
    return {**existing, "apiVersion": wanted["apiVersion"], "kind": wanted["kind"], "metadata": annotated, "spec": spec}


def plan_removed(found: Iterable[Mapping[str, Any]], wanted: Collection[str]) -> list[str]:
    """Names of the objects that an older release suggested and that nobody has made their own."""
    return [
        obj["metadata"]["name"]
        for obj in found
        if obj["metadata"]["name"] not in wanted
        and (obj["metadata"].get("annotations") or {}).get(AUTO_UPDATE) == "true"
    ]


def plan_condition(schema: Mapping[str, Any], levels: Collection[str], now: datetime) -> Object | None:
    """The condition that the schema should have, or None when it has it."""
    name = schema["spec"]["priorityLevelConfiguration"]["name"]
    head = f'This FlowSchema references the PriorityLevelConfiguration object named "{name}" '
    wanted = {"type": "Dangling", "status": "False", "reason": "Found", "message": f"{head}and it exists"}
    if name not in levels:
        wanted |= {"status": "True", "reason": "NotFound", "message": f"{head}but there is no such object"}
    for condition in (schema.get("status") or {}).get("conditions") or ():
        if all(condition.get(field) == value for field, value in wanted.items()):
            return None
    return {**wanted, "lastTransitionTime": rfc3339(now)}
