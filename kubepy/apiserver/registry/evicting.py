"""Eviction: a delete that asks the pod's disruption budget first.

Source: pkg/registry/core/pod/storage/eviction.go.
"""

from dataclasses import replace

from kubepy.api import resources
from kubepy.api.errors import BadRequest, Conflict, InternalError, TooManyRequests, forbidden_object
from kubepy.api.meta import Object, is_condition_true
from kubepy.api.selectors import from_label_selector
from kubepy.apiserver.http.options import DeleteOptions, parse_delete_options, parse_write_options
from kubepy.apiserver.registry.binding import CREATED
from kubepy.apiserver.registry.codec import check_kind, decode_object, decode_stored, parse_body
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.deleting import check_preconditions, delete_object
from kubepy.apiserver.registry.engine import Engine
from kubepy.apiserver.registry.reading import get
from kubepy.apiserver.registry.result import Result
from kubepy.apiserver.registry.rewriting import rewrite
from kubepy.apiserver.registry.served import Served
from kubepy.lib.clock import rfc3339

_MOST_DISRUPTED = 2000
_BUDGETS = resources.named("poddisruptionbudgets", "policy")
_ALLOWED = "DisruptionAllowed"
_DISRUPTED = {
    "type": "DisruptionTarget",
    "status": "True",
    "reason": "EvictionByEvictionAPI",
    "message": "Eviction API: evicting",
    "lastProbeTime": None,
}
_PROCESSED = "The disruption budget {} is still being processed by the server."
_VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."


async def evict(engine: Engine, served: Served, ctx: Context) -> Result:
    """POST to a pod's eviction. Raises TooManyRequests while the budget allows no disruption."""
    eviction, options = _read(served, ctx)
    pod = decode_stored((await get(served, ctx)).data)
    await engine.admit(served, ctx, "CREATE", eviction, None)
    await engine.admit_validating(served, ctx, "CREATE", eviction, None)
    budget = None if _is_free_to_go(pod) else await _budget_of(engine, pod)
    if budget is None:
        await _delete(engine, served, ctx, options)
    elif may_go_unhealthy(pod, budget):
        await _delete_as_it_is(engine, served, ctx, options, pod, budget)
    else:
        await _take_from(engine, ctx, pod, budget)
        await _delete(engine, served, ctx, options)
    return Result(201, obj=CREATED, foreign=True)


def _read(served: Served, ctx: Context) -> tuple[Object, DeleteOptions]:
    """The Eviction in the body, and how it says to delete. Raises BadRequest."""
    written = parse_write_options(ctx.params, "CreateOptions")
    eviction = parse_body(ctx, "Eviction")
    if eviction.get("apiVersion") == "policy/v1beta1":  # what kubectl drain sent until 1.22; the fields are the same
        eviction["apiVersion"] = "policy/v1"
    check_kind(eviction, served.resource, kind="Eviction", api_version="policy/v1")
    decode_object(eviction, ctx, written.validation)
    if (eviction.get("metadata") or {}).get("name") != ctx.info.name:
        raise BadRequest("name in URL does not match name in Eviction object")
    options = parse_delete_options({}, eviction.get("deleteOptions") or {})
    ctx.dry_run = options.dry_run = written.dry_run or options.dry_run
    return eviction, options


async def _delete(engine: Engine, served: Served, ctx: Context, options: DeleteOptions) -> None:
    """Deletes the pod, which tells first, to those who count failures, that it did not end by itself."""
    name, namespace = ctx.info.name, ctx.info.namespace
    if not ctx.dry_run:
        target = {**_DISRUPTED, "lastTransitionTime": rfc3339(ctx.now)}

        def tell(pod: Object) -> Object:
            check_preconditions(served, pod, options)
            pod["status"] = with_condition(pod.get("status") or {}, target)
            return pod

        told = await rewrite(engine, served, name, namespace, tell)
        if told is not None and options.resource_version:
            options = replace(options, resource_version=str(told.revision))
    await delete_object(engine, served, ctx, name, namespace, options, is_admitted=True)


async def _delete_as_it_is(
    engine: Engine, served: Served, ctx: Context, options: DeleteOptions, pod: Object, budget: Object
) -> None:
    """Deletes a pod that is not ready, unless it has become so: then the client is to ask again."""
    if options.resource_version:
        await _delete(engine, served, ctx, options)
        return
    try:
        seen = replace(options, resource_version=pod["metadata"]["resourceVersion"])
        await _delete(engine, served, ctx, seen)
    except Conflict as changed:
        raise _refused(_PROCESSED.format(budget["metadata"]["name"]), 10) from changed


def with_condition(status: Object, condition: Object) -> Object:
    """The status with a condition set; one that holds already keeps its time."""
    before = [known for known in status.get("conditions") or () if known.get("type") == condition["type"]]
    if before and before[0].get("status") == condition["status"]:
        condition = {**condition, "lastTransitionTime": before[0].get("lastTransitionTime")}
    others = [known for known in status.get("conditions") or () if known.get("type") != condition["type"]]
    return {**status, "conditions": [*others, condition]}


def _is_free_to_go(pod: Object) -> bool:
    """Whether the pod counts in no budget: it is over, never began, or is on its way out."""
    phase = (pod.get("status") or {}).get("phase")
    return phase in ("Succeeded", "Failed", "Pending") or bool(pod["metadata"].get("deletionTimestamp"))


async def _budget_of(engine: Engine, pod: Object) -> Object | None:
    """The budget that the pod counts in. Raises where there are several."""
    meta = pod["metadata"]
    await engine.of(_BUDGETS).cache.fresh()
    matching = [
        budget
        for budget in engine.lookup.list(_BUDGETS, meta["namespace"])
        if from_label_selector((budget.get("spec") or {}).get("selector")).matches(meta.get("labels"))
    ]
    if len(matching) > 1:
        raise SeveralBudgets(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
    return matching[0] if matching else None


class SeveralBudgets(InternalError):
    """Upstream answers 500 without a reason."""

    reason = ""


async def _take_from(engine: Engine, ctx: Context, pod: Object, budget: Object) -> None:
    meta, now = pod["metadata"], rfc3339(ctx.now)

    def take(current: Object) -> Object:
        return decrement(current, meta["name"], now)

    budgets = engine.of(_BUDGETS)
    await rewrite(engine, budgets, budget["metadata"]["name"], meta["namespace"], take, dry_run=ctx.dry_run)


def may_go_unhealthy(pod: Object, budget: Object) -> bool:
    """Whether a pod that is not ready may go without asking, by the budget's unhealthyPodEvictionPolicy."""
    if is_condition_true(pod, "Ready"):
        return False
    if (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    desired = status.get("desiredHealthy") or 0
    return desired > 0 and (status.get("currentHealthy") or 0) >= desired


def decrement(budget: Object, pod_name: str, now: str) -> Object:
    """The budget with one disruption less. Raises TooManyRequests where it has none left."""
    meta = budget["metadata"]
    status = {**(budget.get("status") or {})}
    if (status.get("observedGeneration") or 0) < (meta.get("generation") or 0):
        raise _refused(_PROCESSED.format(meta["name"]), 10)
    allowed = status.get("disruptionsAllowed") or 0
    if allowed < 0:
        raise forbidden_object("policy", "poddisruptionbudget", meta["name"], "pdb disruptions allowed is negative")
    disrupted = {**(status.get("disruptedPods") or {})}
    if len(disrupted) > _MOST_DISRUPTED:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise forbidden_object("policy", "poddisruptionbudget", meta["name"], why)
    if allowed == 0:
        raise _refused(_why_none(meta["name"], status), None)
    disrupted[pod_name] = now
    status["disruptionsAllowed"], status["disruptedPods"] = allowed - 1, disrupted
    budget["status"] = status if allowed > 1 else with_condition(status, _exhausted(status, now))
    return budget


def _exhausted(status: Object, now: str) -> Object:
    """The condition of a budget that has just given its last disruption."""
    observed = status.get("observedGeneration")
    return {
        "type": _ALLOWED,
        "status": "False",
        **({"observedGeneration": observed} if observed else {}),
        "lastTransitionTime": now,
        "reason": "InsufficientPods",
        "message": "",
    }


def _why_none(name: str, status: Object) -> str:
    found = (known for known in status.get("conditions") or () if known.get("type") == _ALLOWED)
    condition: Object = next(found, {})
    told = condition.get("status") == "False" and condition.get("message")
    needs, has = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
    budget = f"The disruption budget {name}"
    if told and condition.get("reason") == "SyncFailed":
        return f"{budget} does not allow evicting pods currently because it failed sync: {told}"
    if has <= needs:
        return f"{budget} needs {needs} healthy pods and has {has} currently"
    if told:
        return f"{budget} does not allow evicting pods currently ({condition.get('reason')}): {told}"
    return f"{budget} does not allow evicting pods currently"


def _refused(why: str, retry_after_s: int | None) -> TooManyRequests:
    causes = [{"reason": "DisruptionBudget", "message": why}]
    return TooManyRequests(_VIOLATES, details={"causes": causes}, retry_after_s=retry_after_s)
