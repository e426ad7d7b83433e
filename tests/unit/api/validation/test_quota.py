"""What is refused in limit ranges and quotas."""

from typing import Any

import pytest

from kubepy.api.validation.registry import rules_for

META = {"name": "a", "namespace": "ns"}


def limit_faults(**item: Any) -> list[str]:
    limits = {"metadata": META, "spec": {"limits": [item]}}
    return [str(fault) for fault in rules_for("", "LimitRange").create(limits)]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"type": "Container", "min": {"cpu": "1"}, "max": {"cpu": "2"}, "default": {"cpu": "2"}}, []),
        ({"type": "Odd"},
         ['spec.limits[0].type: Invalid value: "Odd": must be a standard limit type or fully qualified']),
        ({"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}},
         ['spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1']),
        ({"type": "Container", "defaultRequest": {"cpu": "2"}, "default": {"cpu": "1"}},
         ['spec.limits[0].defaultRequest[cpu]: Invalid value: "2": default request value 2 is greater than default '
          'limit '
          "value 1"]),
        ({"type": "Pod", "default": {"cpu": "1"}},
         ["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"]),
        ({"type": "PersistentVolumeClaim"},
         ["spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was "
          "provided"]),
        ({"type": "Container", "maxLimitRequestRatio": {"cpu": "0.5"}},
         ['spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1']),
        ({"type": "Container", "min": {"cpu": "1"}, "max": {"cpu": "2"}, "maxLimitRequestRatio": {"cpu": "4"}},
         ['spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "4": ratio 4 is greater than max/min = 2.000000']),
        ({"type": "Container", "max": {"odd": "1"}},
         ['spec.limits[0].max[odd]: Invalid value: "odd": must be a standard resource type or fully qualified',
          'spec.limits[0].max[odd]: Invalid value: "odd": must be a standard resource for containers']),
        ({"type": "Container", "default": {"example.com/x": "2"}, "defaultRequest": {"example.com/x": "1"}},
         ['spec.limits[0].defaultRequest[example.com/x]: Invalid value: "1": default value 2 must equal to '
          'defaultRequest '
          "value 1 in example.com/x"]),
    ],
)  # fmt: skip
def test_a_limit_range_is_judged(item: Any, expected: list[str]) -> None:
    assert limit_faults(**item) == expected


def quota(**spec: Any) -> Any:
    return {"metadata": META, "spec": spec}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"hard": {"pods": "1", "requests.cpu": "1", "count/deployments.apps": "3",
                   "requests.example.com/x": "1"}}, []),
        ({"hard": {"odd": "1"}},
         ['spec.hard[odd]: Invalid value: "odd": must be a standard resource type or fully qualified',
          'spec.hard[odd]: Invalid value: "odd": must be a standard resource for quota']),
        ({"hard": {"pods": "1.5"}}, ['spec.hard[pods]: Invalid value: "1500m": must be an integer']),
        ({"hard": {"cpu": "-1"}}, ['spec.hard[cpu]: Invalid value: "-1": must be greater than or equal to 0']),
        ({"scopes": ["Odd"]}, ['spec.scopes: Invalid value: ["Odd"]: unsupported scope']),
        ({"scopes": ["BestEffort"], "hard": {"cpu": "1"}},
         ['spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource']),
        ({"scopes": ["Terminating", "NotTerminating"]},
         ['spec.scopes: Invalid value: ["Terminating","NotTerminating"]: conflicting scopes']),
        ({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In"}]}},
         ["spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is "
          "'In' or "
          "'NotIn' for scope selector"]),
        ({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "X"}]}},
         ['spec.scopeSelector.matchExpressions.operator: Invalid value: "X": not a valid selector operator']),
    ],
)  # fmt: skip
def test_a_quota_is_judged(spec: Any, expected: list[str]) -> None:
    assert [str(fault) for fault in rules_for("", "ResourceQuota").create(quota(**spec))] == expected


def test_the_scopes_of_a_quota_stay() -> None:
    rules = rules_for("", "ResourceQuota")
    old = quota(hard={"pods": "1"}, scopes=["Terminating"])
    assert rules.update(quota(hard={"pods": "2"}, scopes=["Terminating"]), old) == []
    (fault,) = rules.update(quota(hard={"pods": "1"}), old)
    assert str(fault) == "spec.scopes: Invalid value: null: field is immutable"
