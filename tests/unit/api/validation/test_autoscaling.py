"""What is told of autoscalers: bounds of replicas last."""

from typing import Any

import pytest

from kubepy.api.validation.registry import rules_for

RULES = rules_for("autoscaling", "HorizontalPodAutoscaler")


def autoscaler(**spec: Any) -> Any:
    target = {"kind": "Deployment", "name": "d"}
    return {"metadata": {"name": "a", "namespace": "n"}, "spec": {"scaleTargetRef": target, "maxReplicas": 2, **spec}}


RULES_OF_NONE: Any = {"policies": []}


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        ({"maxReplicas": 0}, ["spec.maxReplicas: Required value"]),
        ({"maxReplicas": -1, "minReplicas": 0, "scaleTargetRef": {"kind": "D"}},
         ["spec.maxReplicas: Invalid value: -1: must be greater than or equal to `minReplicas`",
          "spec.scaleTargetRef.name: Required value",
          "spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero "
          "replicas",
          "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1",
          "spec.maxReplicas: Invalid value: -1: must be greater than or equal to 1"]),
        ({"behavior": {"scaleDown": RULES_OF_NONE, "scaleUp": RULES_OF_NONE}},
         ["spec.behavior.scaleUp.policies: Required value: must specify at least one Policy",
          "spec.behavior.scaleDown.policies: Required value: must specify at least one Policy"]),
        ({"metrics": [{"type": "ContainerResource", "containerResource": {"target": {"type": "Utilization"}}}]},
         [f"spec.metrics[0].containerResource.{text}" for text in (
             "name: Required value: must specify a resource name",
             "container: Required value: must specify a container",
             "target.averageUtilization: Required value: must set either a target raw value or a target utilization",
         )]),
    ],
)  # fmt: skip
def test_an_autoscaler_is_told_of_in_order(spec: Any, want: list[str]) -> None:
    assert [str(fault) for fault in RULES.create(autoscaler(**spec))] == want


def test_what_scales_to_zero_already_may_go_on() -> None:
    metrics = [{"type": "External", "external": {"metric": {"name": "m"}, "target": {"type": "Value", "value": "1"}}}]
    old = autoscaler(minReplicas=0, metrics=metrics)
    assert RULES.update(autoscaler(minReplicas=0, metrics=metrics, maxReplicas=9), old) == []
