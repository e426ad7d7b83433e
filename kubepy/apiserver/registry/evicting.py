"""Eviction: a delete that asks the pod's disruption budget first.

Source: pkg/registry/core/pod/storage/eviction.go.
"""

from kubepy.api import resources
from kubepy.api.errors import InternalError, TooManyRequests, forbidden_object
from kubepy.api.meta import Object, is_condition_true
from kubepy.api.selectors import from_label_selector
from kubepy.apiserver.options import DeleteOptions, dry_run_faults, parse_delete_options, parse_write_options
from kubepy.apiserver.registry.binding import CREATED
from kubepy.apiserver.registry.codec import check_kind, decode_object, decode_stored, parse_body
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.deleting import delete_object
from kubepy.apiserver.registry.engine import Engine
from kubepy.apiserver.registry.reading import get
from kubepy.apiserver.registry.result import Result
from kubepy.apiserver.registry.rewriting import rewrite
from kubepy.apiserver.registry.served import Served
from kubepy.lib.clock import rfc3339

_MOST_DISRUPTED = 2000
_BUDGETS = resources.named("poddisruptionbudgets", "policy")
_VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."


async def evict(engine: Engine, served: Served, ctx: Context) -> Result:
    """POST to a pod's eviction. Raises TooManyRequests while the budget allows no disruption."""
    written = parse_write_options(ctx.params, "CreateOptions")
    eviction = parse_body(ctx, "Eviction")
    if eviction.get("apiVersion") == "policy/v1beta1":  # what kubectl drain sent until 1.22; the fields are the same
        eviction["apiVersion"] = "policy/v1"
    check_kind(eviction, served.resource, kind="Eviction", api_version="policy/v1")
    decode_object(eviction, ctx, written.validation)
    sent: Object = eviction.get("deleteOptions") or {}
    options = parse_delete_options({}, sent)
    ctx.dry_run = options.dry_run = written.dry_run or (bool(sent.get("dryRun")) and not dry_run_faults(sent["dryRun"]))
    pod = decode_stored((await get(served, ctx)).data)
    await engine.admit(served, ctx, "CREATE", eviction, None)
    await engine.admit_validating(served, ctx, "CREATE", eviction, None)
    if not _is_free_to_go(pod, options):
        await _ask_budget(engine, ctx, pod)
    await delete_object(engine, served, ctx, ctx.info.name, ctx.info.namespace, options, is_admitted=True)
    return Result(201, obj=CREATED, foreign=True)


def _is_free_to_go(pod: Object, options: DeleteOptions) -> bool:
    """Whether the pod counts in no budget: it is over, never began, or is on its way out."""
    phase = (pod.get("status") or {}).get("phase")
    return phase in ("Succeeded", "Failed", "Pending") or bool(pod["metadata"].get("deletionTimestamp"))


async def _ask_budget(engine: Engine, ctx: Context, pod: Object) -> None:
    meta = pod["metadata"]
    budgets = engine.of(_BUDGETS)
    await budgets.cache.fresh()
    matching = [
        budget
        for budget in engine.lookup.list(_BUDGETS, meta["namespace"])
        if from_label_selector((budget.get("spec") or {}).get("selector")).matches(meta.get("labels"))
    ]
    if len(matching) > 1:
        raise InternalError(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
    if not matching or may_go_unhealthy(pod, matching[0]):
        return
    now = rfc3339(ctx.now)

    def take(budget: Object) -> Object:
        return decrement(budget, meta["name"], now)

    await rewrite(engine, budgets, matching[0]["metadata"]["name"], meta["namespace"], take, dry_run=ctx.dry_run)


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
        raise _refused(f"The disruption budget {meta['name']} is still being processed by the server.", 10)
    allowed = status.get("disruptionsAllowed") or 0
    if allowed < 0:
        raise forbidden_object("policy", "poddisruptionbudgets", meta["name"], "pdb disruptions allowed is negative")
    disrupted = {**(status.get("disruptedPods") or {})}
    if len(disrupted) > _MOST_DISRUPTED:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise forbidden_object("policy", "poddisruptionbudgets", meta["name"], why)
    if allowed == 0:
        needs, has = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
        raise _refused(f"The disruption budget {meta['name']} needs {needs} healthy pods and has {has} currently", None)
    disrupted[pod_name] = now
    status["disruptionsAllowed"], status["disruptedPods"] = allowed - 1, disrupted
    budget["status"] = status
    return budget


def _refused(why: str, retry_after_s: int | None) -> TooManyRequests:
    causes = [{"reason": "DisruptionBudget", "message": why}]
    return TooManyRequests(_VIOLATES, details={"causes": causes}, retry_after_s=retry_after_s)
