"""Pods: born Pending with their quality of service, deleted with grace, bound to a node only by a Binding.

Source: pkg/registry/core/pod/strategy.go.
"""

from typing import Any, ClassVar

from kubepy.api.disabled import drop_from_pod_spec, drop_from_status
from kubepy.api.field_sets import ANY, Filter, including
from kubepy.api.meta import Object
from kubepy.api.pods import qos_class
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.strategies.new_pods import select_by_own_labels, take_apparmor_from_annotations
from kubepy.apiserver.registry.strategy import Strategy, keep

_FINISHED = frozenset(("Succeeded", "Failed"))
_RESIZABLE = ("resources", "resizePolicy")
_GROUPS = ("containers", "initContainers")
_RESIZED = [("spec", group, ANY, field) for group in _GROUPS for field in _RESIZABLE]


class PodStrategy(Strategy):
    """See the module's docstring."""

    tracks_generation = True
    returns_deleted = True
    selectable: ClassVar = {
        "spec.nodeName": ("spec", "nodeName"),
        "spec.restartPolicy": ("spec", "restartPolicy"),
        "spec.schedulerName": ("spec", "schedulerName"),
        "spec.serviceAccountName": ("spec", "serviceAccountName"),
        "spec.hostNetwork": ("spec", "hostNetwork"),
        "status.phase": ("status", "phase"),
        "status.podIP": ("status", "podIP"),
        "status.podIPs": (),  # accepted, and never set: as upstream
        "status.nominatedNodeName": ("status", "nominatedNodeName"),
    }
    status_resets: ClassVar = (("spec",), ("metadata", "deletionTimestamp"), ("metadata", "ownerReferences"))

    def counting(self, subresource: str) -> Filter | None:
        if subresource == "ephemeralcontainers":
            return including([("spec", "ephemeralContainers")])
        if subresource == "resize":
            return including(_RESIZED)
        return super().counting(subresource)

    def fields(self, obj: Object) -> dict[str, str]:
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        return {
            "spec.nodeName": spec.get("nodeName") or "",
            "spec.restartPolicy": spec.get("restartPolicy") or "",
            "spec.schedulerName": spec.get("schedulerName") or "",
            "spec.serviceAccountName": spec.get("serviceAccountName") or "",
            "spec.hostNetwork": "true" if spec.get("hostNetwork") else "false",
            "status.phase": status.get("phase") or "",
            "status.podIP": status.get("podIP") or "",
            "status.nominatedNodeName": status.get("nominatedNodeName") or "",
        }

    def reset_status(self, obj: Object) -> None:
        spec = obj.get("spec") or {}
        status: dict[str, Any] = {"phase": "Pending", "qosClass": qos_class(spec)}
        if spec.get("schedulingGates"):
            status["conditions"] = [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "SchedulingGated",
                    "message": "Scheduling is blocked due to non-empty scheduling gates",
                    "lastProbeTime": None,
                    "lastTransitionTime": None,
                }
            ]
        obj["status"] = status

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        super().prepare_for_create(obj, ctx)
        select_by_own_labels(obj)
        ctx.warnings.extend(take_apparmor_from_annotations(obj))

    def prepare_for_status_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_status_update(new, old, ctx)
        keep(new["metadata"], old["metadata"], "ownerReferences")
        status = new.get("status")
        if status is None:
            status = new["status"] = {}
        before = old.get("status") or {}
        if not status.get("qosClass"):
            status["qosClass"] = before.get("qosClass") or qos_class(new.get("spec") or {})
        _keep_observed(status, before)
        drop_from_status(status, before, "volumeHealth", "nodeAllocatableResourceClaimStatuses")

    def prepare_for_subresource(self, subresource: str, new: Object, old: Object, ctx: Context) -> None:
        if subresource == "ephemeralcontainers":
            added = (new.get("spec") or {}).get("ephemeralContainers")
            new["spec"] = {**old["spec"]}
            if added:
                new["spec"]["ephemeralContainers"] = added
            else:
                new["spec"].pop("ephemeralContainers", None)
        elif subresource == "resize" and not _keep_all_but_resources(new, old):
            return
        keep(new, old, "status")
        for field in ("labels", "annotations", "finalizers", "ownerReferences"):
            keep(new["metadata"], old["metadata"], field)
        drop_from_pod_spec(new.get("spec") or {}, old.get("spec"))
        self.count_generation(new, old)

    def grace_period_s(self, obj: Object, asked: int | None) -> int | None:
        spec = obj.get("spec") or {}
        period = asked if asked is not None else spec.get("terminationGracePeriodSeconds")
        if period is None:
            period = 30
        if not spec.get("nodeName") or (obj.get("status") or {}).get("phase") in _FINISHED:
            return 0
        return 1 if period < 0 else int(period)


def _keep_observed(status: Object, before: Object) -> None:
    """Which generation was seen stays where a writer does not know of it; conditions by type, in their order."""
    seen: dict[str, list[int]] = {}
    for condition in before.get("conditions") or ():
        seen.setdefault(condition.get("type") or "", []).append(condition.get("observedGeneration") or 0)
    pairs = [(status, before.get("observedGeneration") or 0)]
    for condition in status.get("conditions") or ():
        generations = seen.get(condition.get("type") or "")
        pairs.append((condition, generations.pop(0) if generations else 0))
    for holder, generation in pairs:
        if generation and not holder.get("observedGeneration"):
            holder["observedGeneration"] = generation


def _keep_all_but_resources(new: Object, old: Object) -> bool:
    """A resize changes resources and nothing else; other containers than before are left for validation to refuse."""
    wanted, before = new.get("spec") or {}, old["spec"]
    if any(len(wanted.get(group) or ()) != len(before.get(group) or ()) for group in _GROUPS):
        return False
    spec = {**before}
    for group in _GROUPS:
        if before.get(group):
            spec[group] = _resized(wanted[group], before[group])
    keep(spec, wanted, "resources")
    new["spec"] = spec
    return True


def _resized(wanted: list[Object], before: list[Object]) -> list[Object]:
    if [container.get("name") for container in wanted] != [container.get("name") for container in before]:
        return wanted
    merged = [{**container} for container in before]
    for container, now in zip(merged, wanted, strict=True):
        for field in _RESIZABLE:
            keep(container, now, field)
    return merged
