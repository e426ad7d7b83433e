"""Binding: the scheduler's word on which node a pod runs.

Source: pkg/registry/core/pod/storage/storage.go (BindingREST.setPodHostAndAnnotations).
"""

from dataclasses import replace

from kubepy.api import errors, resources
from kubepy.api.errors import BadRequest, conflict, object_not_found
from kubepy.api.meta import Object
from kubepy.apiserver.http.options import parse_write_options
from kubepy.apiserver.registry.codec import check_kind, decode_object, parse_body
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.engine import Engine
from kubepy.apiserver.registry.result import Result
from kubepy.apiserver.registry.rewriting import rewrite
from kubepy.apiserver.registry.served import Served
from kubepy.lib.clock import rfc3339

_BINDINGS = resources.named("bindings")
CREATED = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


async def bind(engine: Engine, served: Served, ctx: Context) -> Result:
    """POST to a pod's binding, or to bindings; `served` are the pods. Raises ApiError."""
    options = parse_write_options(ctx.params, "CreateOptions")
    ctx.dry_run = options.dry_run
    binding = parse_body(ctx, "Binding")
    check_kind(binding, served.resource, kind="Binding", api_version="v1")
    decode_object(binding, ctx, options.validation)
    meta = binding.get("metadata") or {}
    name = ctx.info.name or meta.get("name") or ""
    if name != meta.get("name"):
        raise BadRequest("name in URL does not match name in Binding object")
    _check(binding, name)
    await engine.admit_unstored(served.resource if ctx.info.subresource else _BINDINGS, ctx, binding)
    ctx = replace(ctx, info=replace(ctx.info, name=name, subresource="binding"))  # also where it came to bindings
    now = rfc3339(ctx.now)

    def assign(pod: Object) -> Object:
        _assign(pod, binding, now)
        return pod

    found = await rewrite(engine, served, name, ctx.info.namespace, assign, dry_run=ctx.dry_run)
    if found is None:
        raise object_not_found("", "pods", name)
    return Result(201, obj=CREATED, foreign=True)


def _check(binding: Object, name: str) -> None:
    target = binding.get("target") or {}
    faults = []
    if target.get("kind") not in (None, "", "Node"):
        faults.append(errors.not_supported("target.kind", target["kind"], ["Node", "<empty>"]))
    if not target.get("name"):
        faults.append(errors.required("target.name"))
    if faults:
        raise errors.invalid_object("", "Binding", name, faults)


def _assign(pod: Object, binding: Object, now: str) -> None:
    meta, spec = pod["metadata"], pod["spec"]
    name, node = meta["name"], binding["target"]["name"]
    uid = (binding.get("metadata") or {}).get("uid")
    if uid and uid != meta["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {meta['uid']}"
        raise conflict("", "pods/binding", name, why)
    if meta.get("deletionTimestamp"):
        raise conflict("", "pods/binding", name, f"pod {name} is being deleted, cannot be assigned to a host")
    if spec.get("nodeName"):
        raise conflict("", "pods/binding", name, f'pod {name} is already assigned to node "{spec["nodeName"]}"')
    if spec.get("schedulingGates"):
        raise conflict("", "pods/binding", name, f"pod {name} has non-empty .spec.schedulingGates")
    spec["nodeName"] = node
    for field in ("annotations", "labels"):
        if found := (binding.get("metadata") or {}).get(field):
            meta[field] = {**(meta.get(field) or {}), **found}
    status = pod.setdefault("status", {})
    status.pop("nominatedNodeName", None)  # where it was to go is of no use any more
    _set_scheduled(status, now)


def _set_scheduled(status: Object, now: str) -> None:
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
    conditions = list(status.get("conditions") or ())
    at = next((index for index, found in enumerate(conditions) if found.get("type") == "PodScheduled"), None)
    if at is None:
        conditions.append(scheduled)
    else:
        if conditions[at].get("status") == "True":
            scheduled["lastTransitionTime"] = conditions[at].get("lastTransitionTime")
        conditions[at] = scheduled
    status["conditions"] = conditions
