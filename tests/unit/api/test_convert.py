"""Conversions between served versions lose nothing."""

import copy
from typing import Any

import pytest

from kubepy.api import convert, schemas
from kubepy.api.resources import by_kind

EVENT = {
    "apiVersion": "v1",
    "kind": "Event",
    "metadata": {"name": "e"},
    "involvedObject": {"kind": "Pod", "name": "p"},
    "message": "m",
    "reason": "r",
    "source": {"component": "c"},
    "count": 3,
    "firstTimestamp": "2026-01-01T00:00:00Z",
    "lastTimestamp": "2026-01-01T00:00:00Z",
    "reportingComponent": "c",
    "reportingInstance": "i",
    "type": "Normal",
}
BEHAVIOR = {"scaleDown": {"stabilizationWindowSeconds": 300}}
CONDITIONS = [{"type": "AbleToScale", "status": "True"}]
METRIC = {"name": "m", "selector": {"matchLabels": {"a": "b"}}}
DESCRIBED = {"kind": "Service", "name": "s", "apiVersion": "v1"}


def metrics(side: str) -> list[dict[str, Any]]:
    """One metric of each kind, as a spec's target or a status's current."""

    def values(kind: str, **given: Any) -> dict[str, Any]:
        return {side: {"type": kind, **given} if side == "target" else given}

    utilization = values("Utilization", averageUtilization=50)
    return [
        {"type": "Resource", "resource": {"name": "cpu", **utilization}},
        {"type": "Resource", "resource": {"name": "memory", **values("AverageValue", averageValue="1Gi")}},
        {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c", **utilization}},
        {"type": "Pods", "pods": {"metric": METRIC, **values("AverageValue", averageValue="5")}},
        {
            "type": "Object",
            "object": {"describedObject": DESCRIBED, "metric": METRIC, **values("Value", value="7")},
        },
        {"type": "External", "external": {"metric": METRIC, **values("AverageValue", averageValue="9")}},
    ]


def autoscaler() -> dict[str, Any]:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h", "annotations": {"a": "b"}},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "d"},
            "maxReplicas": 5,
            "metrics": metrics("target"),
            "behavior": BEHAVIOR,
        },
        "status": {"desiredReplicas": 1, "currentMetrics": metrics("current"), "conditions": CONDITIONS},
    }


def test_an_event_goes_to_its_new_group_and_back() -> None:
    before = copy.deepcopy(EVENT)
    new = convert.convert(EVENT, "events.k8s.io/v1")
    assert new["regarding"] == EVENT["involvedObject"]
    assert new["note"] == "m"
    assert new["deprecatedCount"] == 3
    assert new["reportingController"] == "c"
    assert convert.convert(new, "v1") == EVENT == before


def test_an_event_of_the_new_group_fits_its_schema() -> None:
    row = by_kind("events.k8s.io/v1", "Event")
    assert row
    assert schemas.decode(row, convert.convert(copy.deepcopy(EVENT), "events.k8s.io/v1")) == []


def test_an_autoscaler_goes_to_v1_and_back() -> None:
    original = autoscaler()
    old = convert.convert(original, "autoscaling/v1")
    assert old["spec"]["targetCPUUtilizationPercentage"] == 50
    assert old["status"]["currentCPUUtilizationPercentage"] == 50
    assert old["status"]["currentReplicas"] == 0
    assert old["metadata"]["annotations"].keys() == {
        "a",
        convert.METRICS,
        convert.CURRENT_METRICS,
        convert.CONDITIONS,
        convert.BEHAVIOR,
    }
    assert convert.convert(old, "autoscaling/v2") == original == autoscaler()


def test_both_forms_of_an_autoscaler_fit_their_schemas() -> None:
    for version in ("autoscaling/v1", "autoscaling/v2"):
        row = by_kind(version, "HorizontalPodAutoscaler")
        assert row
        assert schemas.decode(row, copy.deepcopy(convert.convert(autoscaler(), version))) == []


def test_a_plain_v1_autoscaler_becomes_one_metric() -> None:
    old = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h"},
        "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 80},
    }
    new = convert.convert(old, "autoscaling/v2")
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
    assert new["spec"] == {"maxReplicas": 3, "metrics": [{"type": "Resource", "resource": cpu}]}
    assert convert.convert(new, "autoscaling/v1") == old


def test_what_is_at_the_version_already_is_left_alone() -> None:
    assert convert.convert(EVENT, "v1") is EVENT


def test_an_unknown_pair_of_versions_is_refused() -> None:
    with pytest.raises(KeyError):
        convert.convert({"apiVersion": "v1", "kind": "Pod"}, "v2")


def test_an_annotation_that_is_no_json_stays() -> None:
    old = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"annotations": {convert.METRICS: "{"}},
        "spec": {"maxReplicas": 3},
    }
    assert convert.convert(old, "autoscaling/v2")["metadata"]["annotations"] == {convert.METRICS: "{"}
