"""Deployments, ReplicaSets, ReplicationControllers, StatefulSets, DaemonSets: a status of their own, a counted spec.

Source: pkg/registry/apps/*/strategy.go, pkg/registry/core/replicationcontroller/strategy.go.
"""

from typing import ClassVar

from kubepy.api.meta import Object
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.strategy import Strategy, keep


class DeploymentStrategy(Strategy):
    """Annotations count as spec: the rollback of old was one."""

    tracks_generation = True
    status_resets: ClassVar = (("spec",), ("metadata", "labels"))

    def is_spec_changed(self, new: Object, old: Object) -> bool:
        annotations = new["metadata"].get("annotations") or {}, old["metadata"].get("annotations") or {}
        return super().is_spec_changed(new, old) or annotations[0] != annotations[1]

    def prepare_for_status_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_status_update(new, old, ctx)
        keep(new["metadata"], old["metadata"], "labels")


class ReplicaSetStrategy(Strategy):
    """ReplicaSets; the status always says how many replicas there are."""

    tracks_generation = True
    empty_status: ClassVar = {"replicas": 0}
    selectable: ClassVar = {"status.replicas": ("status", "replicas")}


class ReplicationControllerStrategy(ReplicaSetStrategy):
    """Its pods are left alone by a delete that does not say what to do with them."""

    default_propagation = "Orphan"


class StatefulSetStrategy(Strategy):
    """StatefulSets."""

    tracks_generation = True
    empty_status: ClassVar = {"replicas": 0, "availableReplicas": 0}


class DaemonSetStrategy(Strategy):
    """DaemonSets; the template's generation is counted in the spec's own annotation as upstream does."""

    tracks_generation = True
    empty_status: ClassVar = {
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    }
    _GENERATION = "deprecated.daemonset.template.generation"

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        super().prepare_for_create(obj, ctx)
        annotations = obj["metadata"].setdefault("annotations", {})
        annotations.setdefault(self._GENERATION, "1")

    def prepare_for_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_update(new, old, ctx)
        before = (old["metadata"].get("annotations") or {}).get(self._GENERATION)
        if before is None:
            return
        changed = (new.get("spec") or {}).get("template") != (old.get("spec") or {}).get("template")
        annotations = {**(new["metadata"].get("annotations") or {})}
        annotations[self._GENERATION] = str(int(before) + 1) if changed and before.isdigit() else before
        new["metadata"]["annotations"] = annotations


class PodDisruptionBudgetStrategy(Strategy):
    """PodDisruptionBudgets."""

    tracks_generation = True
    allows_unconditional_update = False
    empty_status: ClassVar = {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}


class AutoscalerStrategy(Strategy):
    """HorizontalPodAutoscalers."""

    tracks_generation = True
    empty_status: ClassVar = {"desiredReplicas": 0, "currentMetrics": None}
