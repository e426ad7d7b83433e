"""Pods: born Pending with their quality of service, deleted with grace, bound to a node only by a Binding.

Source: pkg/registry/core/pod/strategy.go.
"""

from typing import Any, ClassVar

from kubepy.api.meta import Object
from kubepy.api.pods import qos_class
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.strategy import Strategy, keep

_FINISHED = frozenset(("Succeeded", "Failed"))
_RESIZABLE = ("resources", "resizePolicy")


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

    def prepare_for_status_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_status_update(new, old, ctx)
        keep(new["metadata"], old["metadata"], "ownerReferences")
        status = new.get("status")
        if status is None:
            status = new["status"] = {}
        if not status.get("qosClass"):
            status["qosClass"] = (old.get("status") or {}).get("qosClass") or qos_class(new.get("spec") or {})
        _keep_observed(status, old.get("status") or {})

    def prepare_for_subresource(self, subresource: str, new: Object, old: Object, ctx: Context) -> None:
        keep(new, old, "status")
        if subresource == "ephemeralcontainers":
            added = (new.get("spec") or {}).get("ephemeralContainers")
            new["spec"] = {**old["spec"]}
            if added:
                new["spec"]["ephemeralContainers"] = added
            else:
                new["spec"].pop("ephemeralContainers", None)
        elif subresource == "resize":
            _keep_all_but_resources(new, old)
        for field in ("labels", "annotations", "finalizers", "ownerReferences"):
            keep(new["metadata"], old["metadata"], field)
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


def _keep_all_but_resources(new: Object, old: Object) -> None:
    """A resize changes the containers' resources and nothing else."""
    wanted = new.get("spec") or {}
    spec = {**old["spec"]}
    for group in ("containers", "initContainers"):
        by_name = {c.get("name"): c for c in wanted.get(group) or ()}
        if group in spec:
            spec[group] = [_resized(container, by_name.get(container["name"])) for container in spec[group]]
    if "resources" in wanted:
        spec["resources"] = wanted["resources"]
    new["spec"] = spec


def _resized(old: Object, wanted: Object | None) -> Object:
    if wanted is None:
        return old
    return {**old, **{field: wanted[field] for field in _RESIZABLE if field in wanted}}
