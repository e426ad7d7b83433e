"""Warnings about volumes, claims and the classes of storage.

Source: pkg/api/{persistentvolume,persistentvolumeclaim,storage}/util.go.
"""

from collections.abc import Iterator

from kubepy.api import quantity
from kubepy.api.meta import Object
from kubepy.api.warnings.labels import DEPRECATED, warn_of_term

_CLASS = "volume.beta.kubernetes.io/storage-class"
_OPTIONS = "volume.beta.kubernetes.io/mount-options"
_USE_CLASS = 'deprecated since v1.8; use "storageClassName" attribute instead'
_USE_OPTIONS = 'deprecated since v1.31; use "mountOptions" attribute instead'
_NO_RECYCLING = (
    "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
)
_VOLUMES = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
_SHOWN_AS = {"storageos": "storageOS", "cephfs": "cephFS"}


def warn_of_claim_spec(spec: Object, path: str) -> Iterator[str]:
    """Of sizes that are no whole bytes."""
    for part in ("requests", "limits"):
        text = ((spec.get("resources") or {}).get(part) or {}).get("storage")
        if text is not None and quantity.milli(text) % 1000:
            shown = quantity.canonical(text)
            yield f'{path}.resources.{part}[storage]: fractional byte value "{shown}" is invalid, must be an integer'


def warn_of_claim(claim: Object, old: Object | None) -> list[str]:
    """Of a PersistentVolumeClaim."""
    annotations = claim["metadata"].get("annotations") or {}
    told = [f"metadata.annotations[{_CLASS}]: {_USE_CLASS}"] if _CLASS in annotations else []
    return [*told, *warn_of_claim_spec(claim.get("spec") or {}, "spec")]


def warn_of_volume(volume: Object, old: Object | None) -> list[str]:
    """Of a PersistentVolume."""
    annotations, spec = volume["metadata"].get("annotations") or {}, volume.get("spec") or {}
    told = [
        f"metadata.annotations[{key}]: {why}"
        for key, why in ((_CLASS, _USE_CLASS), (_OPTIONS, _USE_OPTIONS))
        if key in annotations
    ]
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        told.append(f"spec.persistentVolumeReclaimPolicy: {_NO_RECYCLING}")
    terms = ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or ()
    for index, term in enumerate(terms):
        told += warn_of_term(term, f"spec.nodeAffinity.required.nodeSelectorTerms[{index}]")
    return told + [f"spec.{_SHOWN_AS.get(kind, kind)}: {why}" for kind, why in _VOLUMES.items() if kind in spec]


def warn_of_storage_class(storage_class: Object, old: Object | None) -> list[str]:
    """Of a StorageClass."""
    return [
        f"allowedTopologies[{index}].matchLabelExpressions[{place}].key: {expression['key']} is "
        f"{DEPRECATED[expression['key']]}"
        for index, topology in enumerate(storage_class.get("allowedTopologies") or ())
        for place, expression in enumerate(topology.get("matchLabelExpressions") or ())
        if expression.get("key") in DEPRECATED
    ]


def warn_of_capacity(capacity: Object, old: Object | None) -> list[str]:
    """Of a CSIStorageCapacity."""
    topology = capacity.get("nodeTopology") or {}
    told = list(warn_of_term(topology, "nodeTopology"))
    labels = topology.get("matchLabels") or ()
    return told + [f"nodeTopology.matchLabels.{key}: {DEPRECATED[key]}" for key in labels if key in DEPRECATED]
