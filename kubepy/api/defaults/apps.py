"""Defaults of Deployments, ReplicaSets, StatefulSets and DaemonSets.

Source: pkg/apis/apps/v1/defaults.go; for claim templates pkg/apis/apps/v1/conversion.go and core's defaults.
"""

from kubepy.api.defaults.pod import default_pod_template, default_resource_list
from kubepy.api.defaults.setting import Defaults, child, set_default
from kubepy.api.meta import Object


def default_deployment(obj: Object) -> None:
    """One replica, rolling updates by quarters, ten revisions, ten minutes for progress."""
    spec = child(obj, "spec")
    default_pod_template(child(spec, "template"))
    set_default(spec, "replicas", 1)
    strategy = child(spec, "strategy")
    set_default(strategy, "type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = child(strategy, "rollingUpdate")
        set_default(rolling, "maxUnavailable", "25%")
        set_default(rolling, "maxSurge", "25%")
    set_default(spec, "revisionHistoryLimit", 10)
    set_default(spec, "progressDeadlineSeconds", 600)


def default_replica_set(obj: Object) -> None:
    """One replica."""
    spec = child(obj, "spec")
    default_pod_template(child(spec, "template"))
    set_default(spec, "replicas", 1)


def default_daemon_set(obj: Object) -> None:
    """Rolling updates, one node at a time."""
    spec = child(obj, "spec")
    default_pod_template(child(spec, "template"))
    strategy = child(spec, "updateStrategy")
    set_default(strategy, "type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = child(strategy, "rollingUpdate")
        set_default(rolling, "maxUnavailable", 1)
        set_default(rolling, "maxSurge", 0)
    set_default(spec, "revisionHistoryLimit", 10)


def default_stateful_set(obj: Object) -> None:
    """One replica, in order; claims are kept whatever becomes of the pods."""
    spec = child(obj, "spec")
    default_pod_template(child(spec, "template"))
    set_default(spec, "podManagementPolicy", "OrderedReady")
    strategy = child(spec, "updateStrategy")
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        child(strategy, "rollingUpdate")
    if strategy["type"] == "RollingUpdate" and strategy.get("rollingUpdate") is not None:
        set_default(strategy["rollingUpdate"], "partition", 0)
        set_default(strategy["rollingUpdate"], "maxUnavailable", 1)
    retention = child(spec, "persistentVolumeClaimRetentionPolicy")
    set_default(retention, "whenDeleted", "Retain")
    set_default(retention, "whenScaled", "Retain")
    set_default(spec, "replicas", 1)
    set_default(spec, "revisionHistoryLimit", 10)
    for claim in spec.get("volumeClaimTemplates") or ():
        _default_claim(claim)


def _default_claim(claim: Object) -> None:
    claim["apiVersion"], claim["kind"] = "v1", "PersistentVolumeClaim"
    child(claim, "metadata")
    set_default(child(claim, "status"), "phase", "Pending")
    spec = child(claim, "spec")
    set_default(spec, "volumeMode", "Filesystem")
    resources = spec.get("resources") or {}
    default_resource_list(resources.get("requests"))
    default_resource_list(resources.get("limits"))


DEFAULTS: Defaults = {
    ("apps", "v1", "Deployment"): default_deployment,
    ("apps", "v1", "ReplicaSet"): default_replica_set,
    ("apps", "v1", "DaemonSet"): default_daemon_set,
    ("apps", "v1", "StatefulSet"): default_stateful_set,
}
