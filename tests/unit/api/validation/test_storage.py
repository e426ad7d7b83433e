"""What is told of storage classes, attachments and CSI's kinds: every fault, in upstream's order."""

from typing import Any

import pytest

from kubepy.api.meta import Object
from kubepy.api.validation.registry import rules_for
from tests.unit.api.validation.test_other_groups import made

SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
CASELESS = (
    "an RFC 1123 subdomain must consist of alphanumeric characters, '-' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'Example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
NAME = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
FIXED = "field is immutable"
ZONE = {"matchLabelExpressions": [{"key": "zone", "values": ["a"]}]}


def told(kind: str, new: Object, old: Object | None = None, *, at: str = "") -> list[str]:
    rules = rules_for("storage.k8s.io", kind)
    if old is None:
        return [str(fault) for fault in rules.create(new)]
    judge = rules.status if at == "status" and rules.status is not None else rules.update
    return [str(fault) for fault in judge(new, old)]


@pytest.mark.parametrize(
    ("kind", "changes", "want"),
    [
        ("StorageClass", {"provisioner": "", "reclaimPolicy": "X"},
         ['reclaimPolicy: Unsupported value: "X": supported values: "Delete", "Retain"',
          "provisioner: Required value"]),
        ("StorageClass", {"allowedTopologies": [ZONE, ZONE]},
         ['allowedTopologies[1].matchLabelExpressions: Duplicate value: ""']),
        ("VolumeAttachment", {"spec.attacher": "", "spec.nodeName": "N"},
         [f'spec.nodeName: Invalid value: "N": {SUBDOMAIN}', "spec.attacher: Required value"]),
        ("VolumeAttachment", {"spec.attacher": "A_"}, [f'spec.attacher: Invalid value: "A_": {CASELESS}']),
        ("VolumeAttachment", {"spec.attacher": "A" * 64}, ["spec.attacher: Too long: may not be more than 63 bytes"]),
        ("VolumeAttachment", {"spec.source": {"persistentVolumeName": ""}},
         ["spec.source.persistentVolumeName: Required value: must specify non empty persistentVolumeName",
          f'spec.source.persistentVolumeName: Invalid value: "": {SUBDOMAIN}']),
        ("CSINode", {"spec.drivers": [{"name": "a", "nodeID": "1"}, {"name": "a", "topologyKeys": ["", "b", "b"]}]},
         ["spec.drivers[1].nodeID: Required value",
          'spec.drivers[1].name: Duplicate value: "a"',
          "spec.drivers[1]: Required value",
          'spec.drivers[1]: Invalid value: "": name part must be non-empty',
          f'spec.drivers[1]: Invalid value: "": {NAME}',
          'spec.drivers[1]: Duplicate value: "b"']),
        ("CSIDriver", {"spec": {"fsGroupPolicy": "X", "volumeLifecycleModes": ["X"]}},
         ["spec.attachedRequired: Required value",
          "spec.podInfoOnMount: Required value",
          "spec.storageCapacity: Required value",
          'spec.fsGroupPolicy: Unsupported value: "X": supported values: "File", "None", "ReadWriteOnceWithFSType"',
          'spec.volumeLifecycleModes: Unsupported value: "X": supported values: "Persistent", "Ephemeral"',
          "spec.seLinuxMount: Required value"]),
        ("CSIDriver", {"spec.tokenRequests": [{"audience": "a"}, {"audience": "a", "expirationSeconds": 1}]},
         ['spec.tokenRequests[1].audience: Duplicate value: "a"']),
    ],
)  # fmt: skip
def test_a_new_object_is_told_of_in_order(kind: str, changes: Object, want: list[str]) -> None:
    assert told(kind, made(kind, changes)) == want


@pytest.mark.parametrize(
    ("kind", "changes", "want"),
    [
        ("StorageClass", {"provisioner": "b.c/d", "parameters": {"a": "b"}, "reclaimPolicy": "Retain"},
         [f'provisioner: Invalid value: "b.c/d": {FIXED}',
          f'parameters: Invalid value: {{"a":"b"}}: {FIXED}',
          f'reclaimPolicy: Invalid value: "Retain": {FIXED}']),
        ("StorageClass", {"provisioner": ""},
         [f'provisioner: Invalid value: "": {FIXED}', "provisioner: Required value"]),
        ("VolumeAttributesClass", {"parameters": {}},
         ["parameters: Forbidden: updates to parameters are forbidden.",
          "parameters: Required value: must contain at least one key/value pair"]),
        ("VolumeAttachment", {"spec.nodeName": "n2"},
         [f'spec: Invalid value: {{"attacher":"a.b","source":{{"persistentVolumeName":"pv"}},"nodeName":"n2"}}: {FIXED}'
          ]),
        ("CSINode", {"spec.drivers": [{"name": "a.b", "nodeID": "2", "allocatable": {"count": 1}}]},
         ['spec.drivers: Invalid value: {"Name":"a.b","NodeID":"2","TopologyKeys":null,"Allocatable":null}: '
          + FIXED]),
        ("CSINode", {"spec.drivers": [{"name": "a.b", "nodeID": "1", "allocatable": {"count": 1}}]}, []),
    ],
)  # fmt: skip
def test_a_change_is_told_of_in_order(kind: str, changes: Object, want: list[str]) -> None:
    assert told(kind, made(kind, changes), made(kind)) == want


@pytest.mark.parametrize(
    ("error", "want"),
    [
        ({"message": "x" * 1024, "errorCode": 3}, []),
        ({"message": "x" * 1025}, ["status.attachError.message: Too long: may not be more than 262144 bytes"]),
        ({"errorCode": -1},
         ["status.attachError.errorCode: Invalid value: -1: must be between 0 and 2147483647, inclusive"]),
    ],
)  # fmt: skip
def test_what_an_attacher_tells_of_is_bounded(error: Any, want: list[str]) -> None:
    new = made("VolumeAttachment", {"status": {"attached": False, "attachError": error}})
    assert told("VolumeAttachment", new, made("VolumeAttachment"), at="status") == want
