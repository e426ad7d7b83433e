"""What is refused in volumes and claims, new or changed."""

import copy
from typing import Any

import pytest

from kubepy.api.defaults.registry import apply_defaults
from kubepy.api.validation.registry import rules_for

CLAIMS, VOLUMES = rules_for("", "PersistentVolumeClaim"), rules_for("", "PersistentVolume")


def claim(status: Any = None, **spec: Any) -> Any:
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}, **spec}
    made = {"metadata": {"name": "c", "namespace": "ns"}, "spec": wanted, "status": status or {}}
    apply_defaults("v1", "PersistentVolumeClaim", made)
    return made


def volume(**spec: Any) -> Any:
    source = {} if spec.keys() & {"local", "csi", "nfs", "iscsi"} else {"hostPath": {"path": "/x"}}
    made = {
        "metadata": {"name": "v"},
        "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, **source, **spec},
    }
    apply_defaults("v1", "PersistentVolume", made)
    return made


MODES = '"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"'


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"accessModes": []}, ["spec.accessModes: Required value: at least 1 access mode is required"]),
        ({"accessModes": ["X"]}, [f'spec.accessModes: Unsupported value: "X": supported values: {MODES}']),
        ({"accessModes": ["ReadWriteOncePod", "ReadWriteOnce"]},
         ["spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"]),
        ({"resources": {}}, ["spec.resources[storage]: Required value"]),
        ({"resources": {"requests": {"storage": "0"}}},
         ['spec.resources[storage]: Invalid value: "0": must be greater than zero']),
        ({"volumeMode": "X"}, ['spec.volumeMode: Unsupported value: "X": supported values: "Block", "Filesystem"']),
        ({"dataSource": {"kind": "Pod", "name": "p"}}, []),  # dropped, as before there was dataSourceRef
        ({"dataSourceRef": {"kind": "Pod", "name": "p"}},
         ['spec.dataSource: Invalid value: "Pod": must be \'PersistentVolumeClaim\' when referencing the default '
          'apiGroup',
          'spec.dataSourceRef: Invalid value: "Pod": must be \'PersistentVolumeClaim\' when referencing the default '
          "apiGroup"]),
        ({"dataSource": {"kind": "PersistentVolumeClaim", "name": "a"},
          "dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "b"}},
         ['spec: Invalid value: {}: must match dataSourceRef']),
        ({"dataSourceRef": {"kind": "Pod", "name": "p", "namespace": "other", "apiGroup": "B_"}},
         ["spec.dataSourceRef.apiGroup: Invalid value: \"B_\": a lowercase RFC 1123 subdomain must consist of lower "
          "case "
          "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
          "'example.com', "
          r"regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"]),
        ({"dataSource": {"kind": "PersistentVolumeClaim", "name": "a"},
          "dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "a", "namespace": "other"}},
         ['spec: Invalid value: {}: may not be specified when dataSourceRef.namespace is specified']),
        ({"selector": {"matchExpressions": [{"key": "a", "operator": "X"}]}},
         ['spec.selector.matchExpressions[0].operator: Invalid value: "X": not a valid selector operator']),
    ],
)  # fmt: skip
def test_a_new_claim_is_judged(spec: Any, expected: list[str]) -> None:
    assert [str(fault) for fault in CLAIMS.create(claim(**spec))] == expected


def changed_claim(old: Any, **spec: Any) -> list[str]:
    new = copy.deepcopy(old)
    new["spec"].update(spec)
    return [str(fault) for fault in CLAIMS.update(new, old)]


def size(storage: str) -> Any:
    return {"requests": {"storage": storage}}


SPEC = (
    "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for "
    "bound "
    "claims"
)


def test_only_a_bound_claim_grows() -> None:
    bound = {"phase": "Bound", "capacity": {"storage": "2Gi"}}
    assert changed_claim(claim(bound), resources=size("3Gi")) == []
    assert changed_claim(claim(), resources=size("3Gi")) == [SPEC]


def test_a_claim_never_shrinks_below_what_it_has() -> None:
    bound = {"phase": "Bound", "capacity": {"storage": "1Gi"}}
    assert changed_claim(claim(bound), resources=size("1500Mi")) == []  # takes back a growth that did not happen
    assert changed_claim(claim(bound), resources=size("512Mi")) == [
        "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"
    ]


def test_a_claim_is_bound_once_and_may_be_given_a_class() -> None:
    assert changed_claim(claim(), volumeName="v") == []
    assert changed_claim(claim(volumeName="v"), volumeName="w") == [SPEC]
    assert changed_claim(claim(), storageClassName="fast") == []
    assert changed_claim(claim(storageClassName="slow"), storageClassName="fast") == [SPEC]


def test_a_claim_keeps_its_class_of_attributes() -> None:
    bound = {"phase": "Bound"}
    gold = claim(bound, volumeAttributesClassName="gold")
    assert changed_claim(gold, volumeAttributesClassName="silver") == []
    assert changed_claim(claim(bound), volumeAttributesClassName="gold") == []
    path = "spec.volumeAttributesClassName: Forbidden: update from non-nil value to"
    assert f"{path} nil is forbidden" in changed_claim(gold, volumeAttributesClassName=None)
    assert f"{path} an empty string is forbidden" in changed_claim(gold, volumeAttributesClassName="")


def test_the_class_may_move_from_its_old_annotation_into_the_spec() -> None:
    beta = "volume.beta.kubernetes.io/storage-class"
    old = claim()
    old["metadata"]["annotations"] = {beta: "fast"}
    assert changed_claim(old, storageClassName="fast") == []
    assert changed_claim(old, storageClassName="slow") == [SPEC]
    new = copy.deepcopy(old)
    new["metadata"]["annotations"] = {beta: "slow"}
    assert [fault.field for fault in CLAIMS.update(new, old)] == [f"metadata.annotations.{beta}"]


def test_the_status_of_a_claim_is_judged() -> None:
    old = claim()
    status = {"capacity": {"storage": "-1"}, "allocatedResourceStatuses": {"cpu": "Odd"}}
    assert CLAIMS.status is not None
    found = [str(fault) for fault in CLAIMS.status({**old, "status": status}, old)]
    assert found[0] == "status.capacity[storage]: Invalid value: -1: must be a valid resource quantity"
    assert found[1] == 'status.allocatedResourceStatus: Unsupported value: "cpu": supported values: "storage"'


TERM = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["n"]}]}
AFFINITY = {"required": {"nodeSelectorTerms": [TERM]}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"local": {"path": "/x"}, "nodeAffinity": AFFINITY}, []),
        ({"accessModes": []}, ["spec.accessModes: Required value"]),
        ({"capacity": {}},
         ["spec.capacity: Required value", 'spec.capacity: Unsupported value: null: supported values: "storage"']),
        ({"capacity": {"storage": "0"}}, ['spec.capacity[storage]: Invalid value: "0": must be greater than zero']),
        ({"hostPath": None}, ["spec: Required value: must specify a volume type"]),
        ({"hostPath": {"path": "/x"}, "nfs": {"server": "s", "path": "/p"}},
         ["spec.nfs: Forbidden: may not specify more than 1 volume type"]),
        ({"local": {"path": "/x"}}, ["spec.nodeAffinity: Required value: Local volume requires node affinity"]),
        ({"nodeAffinity": {}}, ["spec.nodeAffinity.required: Required value: must specify required node constraints"]),
        ({"persistentVolumeReclaimPolicy": "X"},
         ['spec.persistentVolumeReclaimPolicy: Unsupported value: "X": supported values: "Delete", "Recycle", '
          '"Retain"']),
        ({"hostPath": {"path": "/"}, "persistentVolumeReclaimPolicy": "Recycle"},
         ["spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"]),
        ({"csi": {"driver": "d", "nodeStageSecretRef": {}, "nodePublishSecretRef": {"name": "s"}}},
         ["spec.csi.volumeHandle: Required value", "spec.csi.nodePublishSecretRef.namespace: Required value"]),
        ({"iscsi": {"targetPortal": "p" * 64, "iqn": "iqn.2026-01.a:b", "initiatorName": "iqn.2026-01.a:c"}},
         [f'spec.iscsi.targetportal: Invalid value: "{"p" * 64}": Total length of <volume name>:<iscsi.targetPortal> '
          f'must be '
          "under 64 characters if iscsi.initiatorName is specified."]),
        ({"iscsi": {"initiatorName": "x", "secretRef": {}, "lun": 300}},
         ["spec.iscsi.targetPortal: Required value", "spec.iscsi.iqn: Required value",
          "spec.iscsi.lun: Invalid value: 300: must be between 0 and 255, inclusive",
          "spec.iscsi.secretRef.name: Required value",
          'spec.iscsi.initiatorname: Invalid value: "x": must be valid format']),
        ({"nfs": {"server": "s", "path": "/p"}, "flexVolume": {}, "local": {}},
         ["spec.flexVolume.driver: Required value", "spec.local: Forbidden: may not specify more than 1 volume type"]),
        ({"local": {}},
         ["spec.local.path: Required value", "spec.nodeAffinity: Required value: Local volume requires node affinity"]),
        ({"hostPath": {"path": "/./"}, "persistentVolumeReclaimPolicy": "Recycle"},
         ["spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"]),
        ({"hostPath": {"path": "."}, "persistentVolumeReclaimPolicy": "Recycle"}, []),
        ({"volumeAttributesClassName": "gold"},
         ["spec.csi: Required value: has to be specified when using volumeAttributesClassName"]),
    ],
)  # fmt: skip
def test_a_new_volume_is_judged(spec: Any, expected: list[str]) -> None:
    assert [str(fault) for fault in VOLUMES.create(volume(**spec))] == expected


def changed_volume(old: Any, **spec: Any) -> list[str]:
    new = copy.deepcopy(old)
    new["spec"].update(spec)
    return [str(fault) for fault in VOLUMES.update(new, old)]


def test_mount_options_in_an_annotation_are_for_old_sources() -> None:
    meta = {"name": "v", "annotations": {"volume.beta.kubernetes.io/mount-options": "ro"}}
    (fault,) = VOLUMES.create(volume() | {"metadata": meta})
    at = "metadata.annotations.volume.beta.kubernetes.io/mount-options"
    assert str(fault) == f"{at}: Forbidden: may not specify mount options for this volume type"
    assert VOLUMES.create(volume(nfs={"server": "s", "path": "/x"}) | {"metadata": meta}) == []


def test_the_source_of_a_volume_stays() -> None:
    assert changed_volume(volume(), capacity={"storage": "2Gi"}, storageClassName="a") == []
    assert changed_volume(volume(), hostPath={"path": "/y"}) == [
        "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n  "
        "spec.hostPath"
    ]
    csi = {"driver": "d", "volumeHandle": "h"}
    secret = {"name": "s", "namespace": "ns"}
    assert changed_volume(volume(csi=csi), csi={**csi, "controllerExpandSecretRef": secret}) == []


def test_the_affinity_of_a_volume_changes_from_beta_labels_only() -> None:
    def at(key: str) -> Any:
        terms = [{"matchExpressions": [{"key": key, "operator": "In", "values": ["a"]}]}]
        return {"required": {"nodeSelectorTerms": terms}}

    beta, stable = "failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"
    assert changed_volume(volume(nodeAffinity=at(beta)), nodeAffinity=at(stable)) == []
    assert changed_volume(volume(), nodeAffinity=at(stable)) == []
    (fault,) = changed_volume(volume(nodeAffinity=at(stable)), nodeAffinity=at("other"))
    assert fault.endswith("field is immutable, except for updating from beta label to GA")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"capacity": {"storage": "1Gi"}}, ["capacity: Forbidden: may not be specified in the context of inline "
                                            "volumes"]),
        ({"persistentVolumeReclaimPolicy": "Delete"},
         ["persistentVolumeReclaimPolicy: Forbidden: may only be Retain in the context of inline volumes"]),
        ({"volumeMode": "Block"},
         ["volumeMode: Forbidden: may not specify volumeMode other than Filesystem in the context of inline volumes"]),
        ({"csi": None, "hostPath": {"path": "/x"}},
         ["csi: Required value: has to be specified in the context of inline volumes"]),
    ],
)  # fmt: skip
def test_a_volume_in_an_attachment_is_csi_alone(spec: Any, expected: list[str]) -> None:
    inline = {"accessModes": ["ReadWriteOnce"], "csi": {"driver": "d", "volumeHandle": "h"}, **spec}
    attachment = {
        "metadata": {"name": "a"},
        "spec": {"attacher": "d", "nodeName": "n", "source": {"inlineVolumeSpec": inline}},
    }
    found = [str(fault) for fault in rules_for("storage.k8s.io", "VolumeAttachment").create(attachment)]
    assert found == [f"spec.source.inlineVolumeSpec.{text}" for text in expected]
