"""Defaults of HorizontalPodAutoscalers at both versions.

Source: pkg/apis/autoscaling/v1 and v2 defaults.go; v1's CPU target comes from its conversion.go.
"""

from typing import Any

from kubepy.api.defaults.setting import Defaults, child, set_default
from kubepy.api.meta import Object

_CPU_TARGET_PERCENT = 80
_METRICS_ANNOTATION = "autoscaling.alpha.kubernetes.io/metrics"
_UP: dict[str, Any] = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_DOWN: dict[str, Any] = {
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}


def _fill(rules: Object, defaults: dict[str, Any]) -> None:
    for field, value in defaults.items():
        if rules.get(field) is None:
            rules[field] = [dict(item) for item in value] if isinstance(value, list) else value


def default_autoscaler(obj: Object) -> None:
    """At least one replica; without metrics 80 % of the requested CPU."""
    spec = child(obj, "spec")
    set_default(spec, "minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": _CPU_TARGET_PERCENT}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is not None:
        _fill(child(behavior, "scaleUp"), _UP)
        _fill(child(behavior, "scaleDown"), _DOWN)


def default_autoscaler_v1(obj: Object) -> None:
    """As v2; the annotation with further metrics stands for the default too."""
    spec = child(obj, "spec")
    set_default(spec, "minReplicas", 1)
    if _METRICS_ANNOTATION not in ((obj.get("metadata") or {}).get("annotations") or {}):
        set_default(spec, "targetCPUUtilizationPercentage", _CPU_TARGET_PERCENT)


def default_scale(obj: Object) -> None:
    """A Scale always says a number."""
    set_default(child(obj, "spec"), "replicas", 0)


DEFAULTS: Defaults = {
    ("autoscaling", "v2", "HorizontalPodAutoscaler"): default_autoscaler,
    ("autoscaling", "v1", "HorizontalPodAutoscaler"): default_autoscaler_v1,
    ("autoscaling", "v1", "Scale"): default_scale,
}
