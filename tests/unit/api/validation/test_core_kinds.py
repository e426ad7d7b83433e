"""What is refused in the small kinds of the core group."""

import copy
from base64 import b64encode
from typing import Any

import pytest

from kubepy.api.defaults.registry import apply_defaults
from kubepy.api.validation.registry import rules_for


def made(kind: str, **fields: Any) -> Any:
    obj = {"metadata": {"name": "a", **({} if kind in ("Namespace", "Node") else {"namespace": "ns"})}, **fields}
    apply_defaults("v1", kind, obj)
    return obj


def faults(kind: str, **fields: Any) -> list[str]:
    return [str(fault) for fault in rules_for("", kind).create(made(kind, **fields))]


def changed(kind: str, old: Any, **fields: Any) -> list[str]:
    before = made(kind, **old)
    after = copy.deepcopy(before) | fields
    apply_defaults("v1", kind, after)
    return [str(fault) for fault in rules_for("", kind).update(after, before)]


TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("Namespace", {"spec": {"finalizers": ["kubernetes"]}}, []),
        ("Namespace", {"spec": {"finalizers": ["x"]}},
         ['spec.finalizers: Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified']),
        ("ServiceAccount", {"secrets": [{"name": "s"}]}, []),
        ("ConfigMap", {"data": {"a b": "x"}},
         ['data[a b]: Invalid value: "a b": a valid config key must consist of alphanumeric characters, \'-\', \'_\' '
          'or \'.\' '
          "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"]),
        ("ConfigMap", {"data": {"a": "x"}, "binaryData": {"a": "eA=="}},
         ['data[a]: Invalid value: "a": duplicate of key present in binaryData']),
        ("ConfigMap", {"data": {"a": "x" * 1048577}}, ["[]: Too long: may not be more than 1048576 bytes"]),
        ("Secret", {"data": {"a": b64encode(b"x" * 1048577).decode()}},
         ["data: Too long: may not be more than 1048576 bytes"]),
        ("Secret", {"type": "kubernetes.io/tls"}, ["data[tls.crt]: Required value", "data[tls.key]: Required value"]),
        ("Secret", {"type": "kubernetes.io/basic-auth"},
         ["data[username]: Required value", "data[password]: Required value"]),
        ("Secret", {"type": "kubernetes.io/basic-auth", "stringData": {"username": "me"}}, []),
        ("Secret", {"type": "kubernetes.io/ssh-auth"}, ["data[ssh-privatekey]: Required value"]),
        ("Secret", {"type": "kubernetes.io/service-account-token"},
         ["metadata.annotations[kubernetes.io/service-account.name]: Required value"]),
        ("Secret", {"type": "kubernetes.io/dockerconfigjson"}, ["data[.dockerconfigjson]: Required value"]),
        ("Secret", {"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": '{"auths":{}}'}}, []),
        ("Endpoints", {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]}, []),
        ("Endpoints", {"subsets": [{"addresses": [{"ip": "10.0.0.1", "hostname": "h"}],
                                     "ports": [{"port": 1, "appProtocol": "example.com/p"}]}]}, []),
        ("Endpoints", {"subsets": [{}]},
         ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"]),
        ("Endpoints", {"subsets": [{"addresses": [{"ip": "169.254.1.1", "nodeName": "n"}]}]},
         ['subsets[0].addresses[0].ip: Invalid value: "169.254.1.1": may not be in the link-local range '
          '(169.254.0.0/16, '
          "fe80::/10)"]),
        ("Endpoints", {"subsets": [{"addresses": [{"ip": "10.0.0.1"}],
                                     "ports": [{"port": 1}, {"port": 2, "name": "b"}]}]},
         ["subsets[0].ports[0].name: Required value"]),
        ("ReplicationController", {"spec": {"template": TEMPLATE}}, []),
        ("ReplicationController", {"spec": {}}, ["spec.selector: Required value", "spec.template: Required value"]),
        ("ReplicationController", {"spec": {"replicas": -1, "selector": {"a": "z"}, "template": TEMPLATE}},
         ["spec.replicas: Invalid value: -1: must be greater than or equal to 0",
          'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`']),
        ("ReplicationController",
         {"spec": {"template": {**TEMPLATE, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}}},
         ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"']),
        ("ReplicationController",
         {"spec": {"template": {**TEMPLATE, "spec": {**TEMPLATE["spec"], "activeDeadlineSeconds": 5}}}},
         ["spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicationController is not "
          "Supported"]),
        ("PodTemplate", {"template": TEMPLATE}, []),
        ("Node", {"spec": {"podCIDRs": ["10.0.0.0/24", "10.0.1.0/24"]}},
         ['spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: may specify no more than one CIDR for each IP '
          "family"]),
        ("Node", {"spec": {"taints": [{"key": "a", "effect": "X"}]}},
         ['metadata.taints[0].effect: Unsupported value: "X": supported values: "NoSchedule", "PreferNoSchedule", '
          '"NoExecute"']),
        ("Node", {"spec": {"taints": [{"key": "a", "effect": "NoExecute"}] * 2}},
         ['metadata.taints[1]: Duplicate value: {"Key":"a","Value":"","Effect":"NoExecute","TimeAdded":null}: taints '
          "must be unique by key and effect pair"]),
        ("Node", {"metadata": {"name": "a", "annotations": {"scheduler.alpha.kubernetes.io/taints": '[{"key": "a"}]'}}},
         ["metadata.annotations.scheduler.alpha.kubernetes.io/taints[0].effect: Required value"]),
        ("Node", {"status": {"capacity": {"pods": "1.5"}, "allocatable": {}}},
         ['status.capacity.pods: Invalid value: "1500m": must be an integer']),
        ("Event", {"involvedObject": {"namespace": "ns"}}, []),
        ("Event", {"involvedObject": {"namespace": "other"}},
         ['involvedObject.namespace: Invalid value: "other": does not match event.namespace']),
        ("Event", {"involvedObject": {"namespace": "ns"}, "eventTime": "2026-01-01T00:00:00.000000Z",
                   "reportingComponent": "example.com/c", "reportingInstance": "i", "action": "A"},
         ["reason: Required value"]),
    ],
)  # fmt: skip
def test_a_new_object_is_judged(kind: str, fields: Any, expected: list[str]) -> None:
    assert faults(kind, **fields) == expected


def test_a_broken_secret_is_not_shown() -> None:
    for text, why in (
        ("{hidden", "invalid character 'h' looking for beginning of object key string"),
        ('"hidden"', "json: cannot unmarshal string into Go value of type map[string]interface {}"),
        ("[1]", "json: cannot unmarshal array into Go value of type map[string]interface {}"),
        ("", "unexpected end of JSON input"),
    ):
        (fault,) = faults("Secret", type="kubernetes.io/dockercfg", stringData={".dockercfg": text})
        assert fault == f'data[.dockercfg]: Invalid value: "<secret contents redacted>": {why}'


FROZEN = "Forbidden: field is immutable when `immutable` is set"


@pytest.mark.parametrize(
    ("kind", "old", "new", "expected"),
    [
        ("Secret", {"data": {"a": "eA=="}}, {"stringData": {"a": "y"}}, []),
        ("Secret", {"immutable": True}, {"stringData": {"a": "y"}}, [f"data: {FROZEN}"]),
        ("Secret", {"immutable": True}, {"immutable": False}, [f"immutable: {FROZEN}"]),
        ("Secret", {}, {"type": "x"}, ['type: Invalid value: "x": field is immutable']),
        ("ConfigMap", {"immutable": True, "data": {"a": "b"}}, {"data": {"a": "c"}, "binaryData": {"d": "eA=="}},
         [f"data: {FROZEN}", f"binaryData: {FROZEN}"]),
        ("ServiceAccount", {}, {"automountServiceAccountToken": False}, []),
        ("Endpoints", {}, {"subsets": [{"addresses": [{"ip": "10.0.0.1"}]}]}, []),
        ("Endpoints", {"subsets": [{"addresses": [{"ip": "010.0.0.1"}]}]},
         {"subsets": [{"notReadyAddresses": [{"ip": "010.0.0.1"}, {"ip": "127.0.0.1"}]}]},
         ['subsets[0].notReadyAddresses[1].ip: Invalid value: "127.0.0.1": may not be in the loopback range '
          "(127.0.0.0/8, ::1/128)"]),
        ("ReplicationController", {"spec": {"template": TEMPLATE}},
         {"spec": {"template": TEMPLATE, "selector": {"a": "b"}, "replicas": -1}},
         ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"] * 2),
        ("Event", {"involvedObject": {"namespace": "ns"}}, {"involvedObject": {"namespace": "x"}},
         ['involvedObject.namespace: Invalid value: "x": does not match event.namespace']),
        ("PodTemplate", {"template": TEMPLATE}, {"template": {"spec": {"containers": []}}},
         ["template.spec.containers: Required value"]),
        ("LimitRange", {}, {"spec": {"limits": [{"type": "Odd"}]}},
         ['spec.limits[0].type: Invalid value: "Odd": must be a standard limit type or fully qualified']),
        ("Node", {"spec": {"podCIDRs": ["10.0.0.0/24"]}}, {"spec": {"podCIDRs": ["10.0.1.0/24"]}},
         ['spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid']),
        ("Node", {"spec": {}}, {"spec": {"podCIDR": "10.0.1.0/24", "providerID": "x"}}, []),
        ("Node", {}, {"spec": {"podCIDR": "10.0.1/24"}},
         ['spec.podCIDRs[0]: Invalid value: "10.0.1/24": must be a valid CIDR value, (e.g. 10.9.8.0/24 or '
          "2001:db8::/64)"]),
        ("Node", {"spec": {"providerID": "x"}}, {"spec": {}},
         ['spec.providerID: Forbidden: node updates may not change providerID except from "" to valid']),
    ],
)  # fmt: skip
def test_a_change_is_judged(kind: str, old: Any, new: Any, expected: list[str]) -> None:
    assert changed(kind, old, **new) == expected


def test_the_phase_of_a_namespace_follows_its_deletion() -> None:
    rules = rules_for("", "Namespace")
    assert rules.status is not None
    live = made("Namespace")
    assert rules.status(live, live) == []
    (fault,) = rules.status({**live, "status": {"phase": "Terminating"}}, live)
    assert str(fault) == (
        "status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty"
    )


def test_a_namespace_is_finalized_by_known_names() -> None:
    live = made("Namespace")
    (fault,) = rules_for("", "Namespace").subresources["finalize"]({**live, "spec": {"finalizers": ["x"]}}, live)
    assert fault.field == "spec.finalizers[0]"


def test_counts_of_a_replication_controller_agree() -> None:
    rules = rules_for("", "ReplicationController")
    old = made("ReplicationController", spec={"template": TEMPLATE})
    assert rules.status is not None
    found = rules.status({**old, "status": {"replicas": 1, "readyReplicas": 2, "availableReplicas": 3}}, old)
    assert [str(fault) for fault in found] == [
        "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
        "status.availableReplicas: Invalid value: 3: cannot be greater than status.replicas",
        "status.availableReplicas: Invalid value: 3: cannot be greater than readyReplicas",
    ]
