"""What is refused in the volumes of a pod and in how containers mount them."""

from typing import Any

import pytest

from kubepy.api.defaults.volumes import default_volumes
from kubepy.api.validation.mounts import validate_mounts
from kubepy.api.validation.volumes import validate_volumes

MODE = "must be a number between 0 and 0777 (octal), both inclusive"


def faults(*volumes: Any, pod_name: str = "", in_pod: bool = True) -> list[str]:
    made = list(volumes)
    default_volumes(made)
    return [str(fault) for fault in validate_volumes(made, pod_name, "v", in_pod=in_pod)[1]]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"emptyDir": {"sizeLimit": "-1"}}, ["emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource "
                                             "quantity"]),
        ({"hostPath": {"path": ""}}, ["hostPath.path: Required value"]),
        ({"hostPath": {"path": "/a/../b"}}, ['hostPath.path: Invalid value: "/a/../b": must not contain \'..\'']),
        ({"hostPath": {"path": "/a", "type": "X"}},
         ['hostPath.type: Unsupported value: "X": supported values: "", "BlockDevice", "CharDevice", "Directory", '
          '"DirectoryOrCreate", "File", "FileOrCreate", "Socket"']),
        ({"secret": {}}, ["secret.secretName: Required value"]),
        ({"secret": {"secretName": "s", "defaultMode": 512}}, [f"secret.defaultMode: Invalid value: 512: {MODE}"]),
        ({"configMap": {"name": "m", "items": [{"key": "k", "path": "../x"}]}},
         ['configMap.items[0].path: Invalid value: "../x": must not contain \'..\'']),
        ({"configMap": {"name": "m", "items": [{"key": "k", "path": "..x"}]}},
         ['configMap.items[0].path: Invalid value: "..x": must not start with \'..\'']),
        ({"downwardAPI": {"items": [{"path": "p"}]}},
         ["downwardAPI: Required value: one of fieldRef and resourceFieldRef is required"]),
        ({"downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "spec.nodeName"}}]}},
         ['downwardAPI.fieldRef.fieldPath: Unsupported value: "spec.nodeName": supported values: '
          '"metadata.annotations", '
          '"metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"']),
        ({"downwardAPI": {"items": [{"path": "p", "resourceFieldRef": {"resource": "limits.cpu"}}]}},
         ["downwardAPI.resourceFieldRef.containerName: Required value"]),
        ({"projected": {"sources": [{"secret": {"name": "a"}, "configMap": {"name": "b"}}]}},
         ["projected.sources[0]: Forbidden: may not specify more than 1 volume type per source"]),
        ({"projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 60}}]}},
         ["projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 60: may not specify a duration "
          "less "
          "than 10 minutes"]),
        ({"projected": {"sources": [{"secret": {"name": "a", "items": [{"key": "k", "path": "p"}]}}] * 2}},
         ['projected: Invalid value: "a": conflicting duplicate paths']),
        ({"projected": {"sources": [{"clusterTrustBundle": {"path": "p"}}]}},
         ["projected.sources[0].clusterTrustBundle: Required value: either name or signerName must be specified"]),
        ({"projected": {"sources": [{"podCertificate": {"signerName": "a.com/b", "keyType": "RSA1",
                                                        "credentialBundlePath": "p"}}]}},
         ['projected.sources[0].podCertificate.keyType: Unsupported value: "RSA1": supported values: "ECDSAP256", '
          '"ECDSAP384", "ECDSAP521", "ED25519", "RSA3072", "RSA4096"']),
        ({"persistentVolumeClaim": {}}, ["persistentVolumeClaim.claimName: Required value"]),
        ({"ephemeral": {}}, ["ephemeral.volumeClaimTemplate: Required value"]),
        ({"image": {"pullPolicy": "Never"}}, ["image.reference: Required value"]),
        ({"nfs": {"server": "s", "path": "x"}}, ['nfs.path: Invalid value: "x": must be an absolute path']),
        ({"csi": {"driver": "d" * 64}}, ["csi.driver: Too long: may not be more than 63 bytes"]),
        ({"iscsi": {"targetPortal": "p", "iqn": "x", "lun": 300}},
         ['iscsi.iqn: Invalid value: "x": must be valid format starting with iqn, eui, or naa',
          "iscsi.lun: Invalid value: 300: must be between 0 and 255, inclusive"]),
        ({"fc": {}}, ["fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not both"]),
        ({"flocker": {}}, ["flocker: Required value: one of datasetName and datasetUUID is required"]),
        ({"gcePersistentDisk": {"pdName": ""}}, ["persistentDisk.pdName: Required value"]),
        ({"flexVolume": {"driver": "d", "options": {"kubernetes.io/x": "1"}}},
         ['flexVolume.options[kubernetes.io/x]: Invalid value: "kubernetes.io/x": kubernetes.io and k8s.io namespaces '
          'are '
          "reserved"]),
        ({"azureDisk": {"diskName": "d", "diskURI": "x", "kind": "Managed"}},
         ['azureDisk.diskURI: Unsupported value: "x": supported values: "/subscriptions/{sub-id}/resourcegroups/'
          '{group-name}/providers/microsoft.compute/disks/{disk-id}"']),
        ({"quobyte": {"registry": "nope", "volume": "v"}},
         ['quobyte.registry: Invalid value: "nope": must be a host:port pair or multiple pairs separated by commas']),
        ({"rbd": {}}, ["rbd.monitors: Required value", "rbd.image: Required value"]),
        ({"gitRepo": {"repository": "r", "directory": "/x"}},
         ['gitRepo.directory: Invalid value: "/x": must be a relative path']),
        ({"cinder": {"volumeID": "v", "secretRef": {}}}, ["cinder.secretRef.name: Required value"]),
        ({"storageos": {}}, ["storageos.volumeName: Required value"]),
    ],
)  # fmt: skip
def test_a_source_is_refused(source: Any, expected: list[str]) -> None:
    assert faults({"name": "a", **source}) == [f"v[0].{text}" for text in expected]


def test_a_volume_has_one_source_and_a_name_of_its_own() -> None:
    assert faults({"name": "a", "emptyDir": {}, "hostPath": {"path": "/x"}}) == [
        "v[0].hostPath: Forbidden: may not specify more than 1 volume type"
    ]
    assert faults({"name": "a"}, {"name": "a", "emptyDir": {}}) == ['v[1].name: Duplicate value: "a"']
    assert faults({"emptyDir": {}}) == ["v[0].name: Required value"]
    assert [f.message for f in validate_volumes([{"name": "a"}], "", "v", in_pod=True)[1]] == [
        "Required value: must specify a volume type"
    ]


def test_a_template_may_leave_the_image_to_whoever_makes_the_pod() -> None:
    assert faults({"name": "a", "image": {}}, in_pod=False) == []


def test_a_claim_of_an_ephemeral_volume_is_not_mounted_twice() -> None:
    template = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    assert faults(
        {"name": "a", "ephemeral": {"volumeClaimTemplate": template}},
        {"name": "b", "persistentVolumeClaim": {"claimName": "p-a"}},
        pod_name="p",
    ) == [
        'v[1].persistentVolumeClaim.claimName: Invalid value: "p-a": must not reference a PVC that gets created for an '
        "ephemeral volume"
    ]


VOLUMES = {
    "e": {"name": "e", "emptyDir": {}},
    "b": {"name": "b", "persistentVolumeClaim": {"claimName": "x"}},
    "i": {"name": "i", "image": {}},
}


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"volumeMounts": [{"name": "none", "mountPath": ""}]},
         ['volumeMounts[0].name: Not found: "none"', "volumeMounts[0].mountPath: Required value"]),
        ({"volumeMounts": [{"name": "e", "mountPath": "/a"}, {"name": "b", "mountPath": "/a"}]},
         ['volumeMounts[1].mountPath: Invalid value: "/a": must be unique']),
        ({"volumeMounts": [{"name": "e", "mountPath": "/a", "subPath": "../x"}]},
         ['volumeMounts.subPath: Invalid value: "../x": must not contain \'..\'']),
        ({"volumeMounts": [{"name": "e", "mountPath": "/a", "subPath": "x", "subPathExpr": "y"}]},
         ['volumeMounts[0].subPathExpr: Invalid value: "y": subPathExpr and subPath are mutually exclusive']),
        ({"volumeMounts": [{"name": "e", "mountPath": "/a", "mountPropagation": "Bidirectional"}]},
         ["volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged "
          "containers"]),
        ({"volumeMounts": [{"name": "e", "mountPath": "/a", "recursiveReadOnly": "Enabled"}]},
         ["volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true"]),
        ({"volumeDevices": [{"name": "e", "devicePath": "/d"}]},
         ['volumeDevices[0].name: Invalid value: "e": can only use volume source type of PersistentVolumeClaim or '
          "Ephemeral for block mode"]),
        ({"volumeDevices": [{"name": "b", "devicePath": "/d"}], "volumeMounts": [{"name": "b", "mountPath": "/m"}]},
         ['volumeMounts[0].name: Invalid value: "b": must not already exist in volumeDevices',
          'volumeDevices[0].name: Invalid value: "b": must not already exist in volumeMounts']),
        ({"volumeDevices": [{"devicePath": "/x"}, {"devicePath": "/y"}]},
         ["volumeDevices[0].name: Required value", 'volumeDevices[0].name: Not found: ""',
          "volumeDevices[1].name: Required value", 'volumeDevices[1].name: Not found: ""']),
        ({"volumeDevices": [{"name": "b", "devicePath": "/dev/../x"}]},
         ['volumeDevices[0].devicePath: Invalid value: "/dev/../x": can not contain backsteps (\'..\')']),
        ({"volumeMounts": [{"name": "e", "mountPath": "/a"}, {"name": "i", "mountPath": "/b", "subPath": "ok"}]}, []),
    ],
)  # fmt: skip
def test_a_mount_is_refused(container: Any, expected: list[str]) -> None:
    assert [str(fault) for fault in validate_mounts(container, VOLUMES, "c")] == [f"c.{text}" for text in expected]
