"""What is refused in a ResourceSlice, in upstream's words."""

import copy
from typing import Any

import pytest

from kubepy.api.validation.registry import rules_for

RULES = rules_for("resource.k8s.io", "ResourceSlice")
IDENTIFIER = (
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric "
    "characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is "
    "'[A-Za-z_][A-Za-z0-9_]*')"
)
PER_DEVICE = "`perDeviceNodeSelection` is set to true in the ResourceSlice spec"
POLICY = "spec.devices[0].capacity[c].requestPolicy"


def resource_slice(devices: Any = None, **spec: Any) -> Any:
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
    where = (
        {} if {"nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection"} & spec.keys() else {"nodeName": "n"}
    )
    held = {} if devices is None else {"devices": devices}
    return {"metadata": {"name": "s"}, "spec": {"driver": "a.b", "pool": pool, **where, **held, **spec}}


def faults(obj: Any) -> list[str]:
    return [str(fault) for fault in RULES.create(obj)]


def shared(policy: Any, value: str = "10") -> Any:
    """A device whose capacity is shared as a policy says."""
    return {"name": "d", "allowMultipleAllocations": True, "capacity": {"c": {"value": value, "requestPolicy": policy}}}


@pytest.mark.parametrize(
    "device",
    [
        {"name": "d"},
        {"name": "d", "attributes": {"a.b/model": {"string": "x"}, "driver": {"version": "1.2.3-rc.1+build"}}},
        {"name": "d", "consumesCounters": [{"counterSet": "c", "counters": {"memory": {"value": "1Gi"}}}]},
        {"name": "d", "bindingConditions": ["a.b/ready"], "bindingFailureConditions": ["a.b/failed"]},
        shared({"default": "2", "validValues": ["1", "2"]}),
        shared({"default": "4", "validRange": {"min": "2", "max": "8", "step": "2"}}),
    ],
)
def test_devices_of_all_sorts_are_fine(device: Any) -> None:
    assert faults(resource_slice([device])) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"nodeName": ""},
         ['spec.nodeName: Invalid value: "": must be either unset or set to a non-empty string',
          "spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is "
          "required"]),
        ({"nodeName": "n", "allNodes": True},
         ['spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, `allNodes`, '
          "`perDeviceNodeSelection` is required, but multiple fields are set"]),
        ({"nodeName": "n", "allNodes": False},
         ["spec.allNodes: Invalid value: false: must be either unset or set to true"]),
        ({"devices": [], "sharedCounters": []},
         ['spec: Invalid value: "": only one of `sharedCounters` or `devices` is allowed']),
        ({"sharedCounters": [{"name": "c", "counters": {}}, {"name": "c", "counters": {"m": {"value": "1"}}}]},
         ["spec.sharedCounters[0].counters: Required value", 'spec.sharedCounters[1]: Duplicate value: "c"']),
        ({"devices": [{"name": "d"}, {"name": "d"}]}, ['spec.devices[1]: Duplicate value: "d"']),
        ({"devices": [{"name": f"d{n}"} for n in range(129)]},
         ["spec.devices: Too many: 129: must have at most 128 items"]),
        ({"devices": [{"name": f"d{n}", "taints": [{"key": "k", "effect": "None"}]} for n in range(65)]},
         ["spec.devices: Too many: 65: must have at most 64 items"]),
        ({"devices": [{"name": "d", "nodeName": "n"}]},
         [f"spec.devices[0]: Invalid value: null: `nodeName`, `nodeSelector` and `allNodes` can only be set if "
          f"{PER_DEVICE}"]),
        ({"perDeviceNodeSelection": True, "devices": [{"name": "d"}]},
         [f"spec.devices[0]: Required value: exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when "
          f"{PER_DEVICE}"]),
    ],
)  # fmt: skip
def test_a_slice_is_judged(spec: Any, expected: list[str]) -> None:
    assert faults(resource_slice(**spec)) == expected


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ({"attributes": {"a b": {"int": 1}}}, [f'attributes[a b]: Invalid value: "a b": {IDENTIFIER}']),
        ({"attributes": {"/x": {"int": 1}}}, ['attributes[/x]: Invalid value: "": the domain must not be empty']),
        ({"attributes": {"a.b/": {"int": 1}}}, ['attributes[a.b/]: Invalid value: "": the name must not be empty']),
        ({"attributes": {"x": {}}}, ['attributes[x]: Invalid value: "": exactly one value must be specified']),
        ({"attributes": {"x": {"version": "1.2"}}},
         ['attributes[x].version: Invalid value: "1.2": must be a string compatible with semver.org spec 2.0.0']),
        ({"attributes": {"x": {"string": "s" * 65}}},
         ["attributes[x].string: Too long: may not be more than 64 bytes"]),
        ({"capacity": {"x": {"value": "1", "requestPolicy": {}}}},
         ["capacity[x].requestPolicy: Forbidden: allowMultipleAllocations must be true"]),
        ({"taints": [{"key": "k", "effect": "X"}]},
         ['taints[0].effect: Unsupported value: "X": supported values: "NoExecute", "NoSchedule", "None"']),
        ({"consumesCounters": [{"counters": {}}]},
         ["consumesCounters[0].counterSet: Required value", "consumesCounters[0].counters: Required value"]),
        ({"bindingConditions": ["a"], "bindingFailureConditions": ["a"]},
         ['bindingFailureConditions[0]: Invalid value: "a": bindingFailureConditions must not overlap with '
          "bindingConditions"]),
        ({"bindingConditions": ["a"]},
         ["bindingFailureConditions: Invalid value: null: bindingFailureConditions are required to use "
          "bindingConditions"]),
    ],
)  # fmt: skip
def test_a_device_is_judged(device: Any, expected: list[str]) -> None:
    assert faults(resource_slice([{"name": "d", **device}])) == [f"spec.devices[0].{fault}" for fault in expected]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"validValues": ["1"], "validRange": {"min": "1"}},
         [': Forbidden: exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same '
          "time"]),
        ({"validValues": ["1"]}, [".default: Required value: required when validValues is defined"]),
        ({"default": "1", "validRange": {}}, [".validRange.min: Required value: required when validRange is defined"]),
        ({"default": "3", "validValues": ["2", "1", "11"]},
         ['.validValues[1]: Invalid value: "1": values must be sorted in ascending order',
          '.validValues[2]: Invalid value: "11": option is larger than capacity value: 10',
          '.validValues: Invalid value: "3": default value is not valid according to the requestPolicy']),
        ({"default": "1", "validRange": {"min": "2", "max": "12", "step": "3"}},
         ['.validRange.min: Invalid value: "1": default is less than min: 2',
          '.validRange.max: Invalid value: "12": max is larger than capacity value: 10',
          '.validRange.step: Invalid value: "1": value is not a multiple of a given step (3) from (2)',
          '.validRange.step: Invalid value: "12": value is not a multiple of a given step (3) from (2)']),
    ],
)  # fmt: skip
def test_how_a_capacity_is_shared_is_judged(policy: Any, expected: list[str]) -> None:
    assert faults(resource_slice([shared(policy)])) == [f"{POLICY}{fault}" for fault in expected]


def test_a_slice_stays_with_its_driver_pool_and_node_and_taints_that_were_there_are_not_judged_again() -> None:
    old = resource_slice([{"name": "d", "taints": [{"key": "k", "effect": "Old"}]}])
    new = copy.deepcopy(old)
    new["spec"]["devices"][0]["attributes"] = {"x": {"int": 1}}
    assert RULES.update(new, old) == []
    new["spec"] |= {"driver": "c.d", "nodeName": "m"}
    assert [str(fault) for fault in RULES.update(new, old)] == [
        'spec.driver: Invalid value: "c.d": field is immutable',
        'spec.nodeName: Invalid value: "m": field is immutable',
    ]


def test_terms_are_shown_as_go_has_them() -> None:
    terms = [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"matchFields": []}]
    shown = (
        '[{"MatchExpressions":[{"Key":"a","Operator":"Exists","Values":null}],"MatchFields":null},'
        '{"MatchExpressions":null,"MatchFields":[]}]'
    )
    assert faults(resource_slice(nodeSelector={"nodeSelectorTerms": terms})) == [
        f"spec.nodeSelector.nodeSelectorTerms: Invalid value: {shown}: must have exactly one node selector term"
    ]
