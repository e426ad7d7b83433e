"""Rows of volumes, claims, classes and what CSI drivers register.

Source: pkg/printers/internalversion/printers.go; pkg/apis/core/v1/helper (access modes, classes).
"""

from collections.abc import Sequence
from datetime import datetime

from kubepy.api.meta import Object, name_of
from kubepy.api.printing.columns import AGE, NAME, STATUS, Cells, Column, Printer, Printers, number, truth, wide
from kubepy.api.printing.text import NONE, UNSET, age_of, or_else, part

_BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
_DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_DEFAULT_ATTRIBUTES = ("volumeattributesclass.alpha.kubernetes.io/is-default-class",)
_MODES = (("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP"))


def _modes_text(modes: Sequence[str] | None) -> str:
    return ",".join(short for mode, short in _MODES if mode in (modes or ()))


def _class_of(obj: Object) -> str:
    annotations = part(obj, "metadata", "annotations")
    return str(annotations.get(_BETA_CLASS, part(obj, "spec").get("storageClassName") or ""))


def _phase(obj: Object) -> str:
    if part(obj, "metadata").get("deletionTimestamp"):
        return "Terminating"
    return str(part(obj, "status").get("phase", ""))


def _volume(obj: Object, now: datetime) -> Cells:
    spec, claim = part(obj, "spec"), part(obj, "spec").get("claimRef")
    return [
        name_of(obj),
        part(spec, "capacity").get("storage", "0"),
        _modes_text(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        _phase(obj),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        _class_of(obj),
        or_else(spec.get("volumeAttributesClassName"), UNSET),
        part(obj, "status").get("reason", ""),
        age_of(obj, now),
        or_else(spec.get("volumeMode"), UNSET),
    ]


def _claim(obj: Object, now: datetime) -> Cells:
    spec, status = part(obj, "spec"), part(obj, "status")
    volume = spec.get("volumeName") or ""
    return [
        name_of(obj),
        _phase(obj),
        volume,
        part(status, "capacity").get("storage", "0") if volume else "",
        _modes_text(status.get("accessModes")) if volume else "",
        _class_of(obj),
        or_else(spec.get("volumeAttributesClassName"), UNSET),
        age_of(obj, now),
        or_else(spec.get("volumeMode"), UNSET),
    ]


def _class_name(obj: Object, marks: Sequence[str]) -> str:
    annotations = part(obj, "metadata", "annotations")
    is_default = any(annotations.get(mark) == "true" for mark in marks)
    return f"{name_of(obj)} (default)" if is_default else name_of(obj)


def _storage_class(obj: Object, now: datetime) -> Cells:
    return [
        _class_name(obj, _DEFAULT_CLASS),
        obj.get("provisioner", ""),
        or_else(obj.get("reclaimPolicy"), "Delete"),
        or_else(obj.get("volumeBindingMode"), "Immediate"),
        bool(obj.get("allowVolumeExpansion")),
        age_of(obj, now),
    ]


def _attributes_class(obj: Object, now: datetime) -> Cells:
    return [_class_name(obj, _DEFAULT_ATTRIBUTES), obj.get("driverName", ""), age_of(obj, now)]


def _attachment(obj: Object, now: datetime) -> Cells:
    spec = part(obj, "spec")
    return [
        name_of(obj),
        spec.get("attacher", ""),
        part(spec, "source").get("persistentVolumeName") or "",
        spec.get("nodeName", ""),
        bool(part(obj, "status").get("attached")),
        age_of(obj, now),
    ]


def _csi_node(obj: Object, now: datetime) -> Cells:
    return [name_of(obj), len(part(obj, "spec").get("drivers") or []), age_of(obj, now)]


def _csi_driver(obj: Object, now: datetime) -> Cells:
    spec = part(obj, "spec")
    tokens = spec.get("tokenRequests")
    return [
        name_of(obj),
        spec.get("attachRequired") is not False,
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        UNSET if tokens is None else ",".join(token.get("audience", "") for token in tokens),
        bool(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or []) or NONE,
        age_of(obj, now),
    ]


def _csi_capacity(obj: Object, _now: datetime) -> Cells:
    return [name_of(obj), obj.get("storageClassName", ""), or_else(obj.get("capacity"), UNSET)]


_ATTRIBUTES = Column("VolumeAttributesClass", "The VolumeAttributesClass of the volume.")
_CLASS = Column("StorageClass", "The StorageClass of the volume.")
_MODE = wide("VolumeMode", "Whether the volume is a file system or a raw block device.")
_ACCESS = Column("Access Modes", "How the volume may be mounted.")
_GROUP = "storage.k8s.io"

PRINTERS: Printers = {
    ("", "PersistentVolume"): Printer(
        (
            NAME,
            Column("Capacity", "The size of the volume."),
            _ACCESS,
            Column("Reclaim Policy", "What happens to the volume when its claim is gone."),
            STATUS,
            Column("Claim", "The claim that the volume is bound to."),
            _CLASS,
            _ATTRIBUTES,
            Column("Reason", "Why the volume is in a failed state."),
            AGE,
            _MODE,
        ),
        _volume,
    ),
    ("", "PersistentVolumeClaim"): Printer(
        (
            NAME,
            STATUS,
            Column("Volume", "The volume that the claim is bound to."),
            Column("Capacity", "The size of the bound volume."),
            _ACCESS,
            _CLASS,
            _ATTRIBUTES,
            AGE,
            _MODE,
        ),
        _claim,
    ),
    (_GROUP, "StorageClass"): Printer(
        (
            NAME,
            Column("Provisioner", "What makes volumes of this class."),
            Column("ReclaimPolicy", "The reclaim policy of volumes of this class."),
            Column("VolumeBindingMode", "When volumes are provisioned and bound."),
            Column("AllowVolumeExpansion", "Whether volumes may grow."),
            AGE,
        ),
        _storage_class,
    ),
    (_GROUP, "VolumeAttributesClass"): Printer(
        (NAME, Column("DriverName", "The CSI driver that the attributes are for."), AGE), _attributes_class
    ),
    (_GROUP, "VolumeAttachment"): Printer(
        (
            NAME,
            Column("Attacher", "The driver that attaches the volume.", format="name"),
            Column("PV", "The volume that is attached."),
            Column("Node", "The node that it is attached to."),
            truth("Attached", "Whether the volume is attached."),
            AGE,
        ),
        _attachment,
    ),
    (_GROUP, "CSINode"): Printer(
        (NAME, number("Drivers", "The number of CSI drivers registered on the node."), AGE), _csi_node
    ),
    (_GROUP, "CSIDriver"): Printer(
        (
            NAME,
            truth("AttachRequired", "Whether volumes must be attached."),
            truth("PodInfoOnMount", "Whether the driver wants the pod's data at mount."),
            truth("StorageCapacity", "Whether the scheduler regards the driver's capacity."),
            Column("TokenRequests", "The audiences of the tokens that the driver needs."),
            truth("RequiresRepublish", "Whether volumes are published again from time to time."),
            Column("Modes", "The kinds of volumes that the driver supports."),
            AGE,
        ),
        _csi_driver,
    ),
    (_GROUP, "CSIStorageCapacity"): Printer(
        (
            NAME,
            Column("StorageClassName", "The StorageClass that the capacity is for."),
            Column("Capacity", "The capacity that is available."),
        ),
        _csi_capacity,
    ),
}
