"""The rules of PersistentVolumes: capacity, modes, exactly one source that never changes.

Source: pkg/apis/core/validation, ValidatePersistentVolume*.
"""

import posixpath

from kubepy.api import names, quantity
from kubepy.api.errors import FieldError, forbidden, invalid, not_supported, required
from kubepy.api.meta import Object
from kubepy.api.validation import volume_sources
from kubepy.api.validation.affinity import validate_node_selector
from kubepy.api.validation.claims import VOLUME_MODES, access_modes
from kubepy.api.validation.equality import same
from kubepy.api.validation.fields import (
    basic_quantity,
    dns_label,
    dns_subdomain,
    missing,
    positive_quantity,
    required_name,
    supported_if_set,
)
from kubepy.api.validation.meta import IMMUTABLE, immutable, validate_metadata, validate_metadata_update
from kubepy.api.validation.paths import no_backsteps
from kubepy.api.validation.rules import Rules
from kubepy.api.validation.shown import VOLUME_NODE_AFFINITY, show
from kubepy.api.validation.volume_sources import SourceRule, needs, present

_RECLAIM_POLICIES = ("Delete", "Recycle", "Retain")
_CSI_SECRETS = (
    "controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef",
)  # fmt: skip
_MOUNT_OPTIONS = "volume.beta.kubernetes.io/mount-options"
_MOUNTED = (
    "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "nfs", "rbd", "quobyte", "iscsi", "cinder", "cephfs",
    "azureFile", "vsphereVolume", "azureDisk", "photonPersistentDisk",
)  # fmt: skip
_SHOWN_KINDS = {"gcePersistentDisk": "persistentDisk"}
_ONLY_ONE = "may not specify more than 1 volume type"
_STABLE_LABELS = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
}


def validate_persistent_volume(volume: Object) -> list[FieldError]:
    """Faults in a new PersistentVolume."""
    return _volume(volume) + _mount_options(volume)


def _volume(volume: Object) -> list[FieldError]:
    errors = validate_metadata(volume, False, names.is_dns1123_subdomain)
    name = (volume.get("metadata") or {}).get("name") or ""
    return errors + validate_volume_spec(volume.get("spec") or {}, name, "spec")


def _mount_options(volume: Object) -> list[FieldError]:
    """The annotation of old is for the sources of its time alone."""
    annotations, spec = (volume.get("metadata") or {}).get("annotations") or {}, volume.get("spec") or {}
    if _MOUNT_OPTIONS not in annotations or present(spec, _MOUNTED):
        return []
    why = "may not specify mount options for this volume type"
    return [forbidden(f"metadata.annotations.{_MOUNT_OPTIONS}", why)]


def validate_volume_spec(spec: Object, name: str, path: str, *, inline: bool = False) -> list[FieldError]:
    """Faults in a PersistentVolumeSpec; `inline`: of a VolumeAttachment, which has less of it."""
    errors = _inline(spec, path) if inline else []
    modes = spec.get("accessModes") or []
    if not modes:
        errors.append(required(f"{path}.accessModes"))
    errors += access_modes(modes, f"{path}.accessModes")
    if not inline:
        errors += _capacity(spec.get("capacity") or {}, f"{path}.capacity")
        policy = spec.get("persistentVolumeReclaimPolicy") or None
        errors += supported_if_set(policy, f"{path}.persistentVolumeReclaimPolicy", _RECLAIM_POLICIES)
        if (affinity := spec.get("nodeAffinity")) is not None:
            errors += _node_affinity(affinity, f"{path}.nodeAffinity")
    errors += _source(spec, name, path)
    host = (spec.get("hostPath") or {}).get("path")
    if host and posixpath.normpath(host) in ("/", "//") and spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        why = "may not be 'recycle' for a hostPath mount of '/'"
        errors.append(forbidden(f"{path}.persistentVolumeReclaimPolicy", why))
    if not inline:
        if spec.get("storageClassName"):
            errors += dns_subdomain(spec["storageClassName"], f"{path}.storageClassName")
        errors += supported_if_set(spec.get("volumeMode"), f"{path}.volumeMode", VOLUME_MODES)
    return errors + _attributes_class(spec, path)


def _inline(spec: Object, path: str) -> list[FieldError]:
    where = "in the context of inline volumes"
    fields = ("claimRef", "capacity", "nodeAffinity", "storageClassName")
    errors = [forbidden(f"{path}.{field}", f"may not be specified {where}") for field in fields if spec.get(field)]
    if spec.get("csi") is None:
        errors.append(required(f"{path}.csi", f"has to be specified {where}"))
    if spec.get("persistentVolumeReclaimPolicy") not in (None, "", "Retain"):
        errors.append(forbidden(f"{path}.persistentVolumeReclaimPolicy", f"may only be Retain {where}"))
    if spec.get("volumeMode") not in (None, "Filesystem"):
        why = f"may not specify volumeMode other than Filesystem {where}"
        errors.append(forbidden(f"{path}.volumeMode", why))
    return errors


def _capacity(capacity: Object, path: str) -> list[FieldError]:
    errors = [] if capacity else [required(path)]
    if set(capacity) != {"storage"}:
        shown = {name: quantity.canonical(amount) for name, amount in capacity.items()}
        errors.append(not_supported(path, shown or None, ("storage",)))
    for name, amount in capacity.items():
        errors += basic_quantity(amount, f"{path}[{name}]") + positive_quantity(amount, f"{path}[{name}]")
    return errors


def _node_affinity(affinity: Object, path: str) -> list[FieldError]:
    if affinity.get("required") is None:
        return [required(f"{path}.required", "must specify required node constraints")]
    return validate_node_selector(affinity["required"], f"{path}.required")


def _source(spec: Object, name: str, path: str) -> list[FieldError]:
    kinds = present(spec, SOURCES)
    if not kinds:
        return [required(path, "must specify a volume type")]
    errors: list[FieldError] = []
    for number, kind in enumerate(kinds):
        source, at = spec[kind], f"{path}.{_SHOWN_KINDS.get(kind, kind)}"
        if number and kind != "flexVolume":  # of which upstream has as many as there are
            errors.append(forbidden(f"{path}.{'cephFS' if kind == 'cephfs' else kind}", _ONLY_ONE))
        elif kind == "iscsi":
            errors += volume_sources.persistent_iscsi(source, at, name)
        else:
            errors += SOURCES[kind](source, at)
        if not number and kind == "local" and spec.get("nodeAffinity") is None:
            errors.append(required(f"{path}.nodeAffinity", "Local volume requires node affinity"))
    return errors


def _glusterfs(source: Object, path: str) -> list[FieldError]:
    errors = missing(source, path, "endpoints", "path")
    namespace = source.get("endpointsNamespace")
    if namespace == "":
        why = "if the endpointnamespace is set, it must be a valid namespace name"
        errors.append(invalid(f"{path}.endpointsNamespace", namespace, why))
    elif namespace is not None:
        errors += dns_label(namespace, f"{path}.endpointsNamespace")
    return errors


def _cinder(source: Object, path: str) -> list[FieldError]:
    errors = missing(source, path, "volumeID")
    return errors + volume_sources.secret_ref(source, path, "name", "namespace")


def _azure_file(source: Object, path: str) -> list[FieldError]:
    errors = missing(source, path, "secretName", "shareName")
    return errors + ([required(f"{path}.secretNamespace")] if source.get("secretNamespace") == "" else [])


def _local(source: Object, path: str) -> list[FieldError]:
    if not source.get("path"):
        return [required(f"{path}.path")]
    return no_backsteps(source["path"], f"{path}.path")


def _storage_os(source: Object, path: str) -> list[FieldError]:
    errors = volume_sources.storage_os_volume(source, path)
    return errors + volume_sources.secret_ref(source, path, "name", "namespace")


def _csi(source: Object, path: str) -> list[FieldError]:
    errors = volume_sources.csi_driver_name(source.get("driver") or "", f"{path}.driver")
    errors += missing(source, path, "volumeHandle")
    for field in _CSI_SECRETS:
        if (ref := source.get(field)) is not None:
            errors += required_name(ref.get("name"), f"{path}.{field}.name")
            at, namespace = f"{path}.{field}.namespace", ref.get("namespace")
            errors += dns_label(namespace, at) if namespace else [required(at)]
    return errors


def _attributes_class(spec: Object, path: str) -> list[FieldError]:
    name = spec.get("volumeAttributesClassName")
    if name is None:
        return []
    at = f"{path}.volumeAttributesClassName"
    errors = dns_subdomain(name, at) if name else [required(at, "an empty string is disallowed")]
    if spec.get("csi") is None:
        errors.append(required(f"{path}.csi", "has to be specified when using volumeAttributesClassName"))
    return errors


def validate_persistent_volume_update(new: Object, old: Object) -> list[FieldError]:
    """Faults in a changed PersistentVolume."""
    own = _volume(new)
    errors = own + _mount_options(new) + own  # upstream judges it twice
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    now = {kind: spec.get(kind) for kind in SOURCES}
    then = {kind: before.get(kind) for kind in SOURCES}
    csi, had = now["csi"], then["csi"]
    if csi is not None and had is not None and had.get("controllerExpandSecretRef") is None:
        now["csi"] = {**csi, "controllerExpandSecretRef": None}  # it may be set later, once
    if not same(now, then):
        changed = "".join(f"\n  spec.{kind}" for kind in SOURCES if not same(now[kind], then[kind], kind))
        why = f"spec.persistentvolumesource is immutable after creation{changed}"
        errors.append(forbidden("spec.persistentvolumesource", why))
    errors += immutable("volumeMode", spec.get("volumeMode"), before.get("volumeMode"))
    affinity, bound = spec.get("nodeAffinity"), before.get("nodeAffinity")
    if bound is not None and not same(affinity, bound) and not same(affinity, _with_stable_labels(bound, affinity)):
        why = f"{IMMUTABLE}, except for updating from beta label to GA"
        shown = None if affinity is None else show(affinity, VOLUME_NODE_AFFINITY)
        errors.append(invalid("nodeAffinity", shown, why))
    if before.get("volumeAttributesClassName") is not None and spec.get("volumeAttributesClassName") is None:
        why = "update from non-nil value to nil is forbidden"
        errors.append(forbidden("spec.volumeAttributesClassName", why))
    return errors


def _with_stable_labels(old: Object, new: Object | None) -> Object:
    """The old affinity with those beta labels renamed that the new one has renamed."""
    terms = ((new or {}).get("required") or {}).get("nodeSelectorTerms") or []
    renamed = []
    for index, term in enumerate((old.get("required") or {}).get("nodeSelectorTerms") or []):
        theirs = (terms[index].get("matchExpressions") or []) if index < len(terms) else []
        expressions = []
        for number, expression in enumerate(term.get("matchExpressions") or []):
            key = theirs[number].get("key") if number < len(theirs) else None
            stable = key is not None and _STABLE_LABELS.get(expression.get("key", "")) == key
            expressions.append({**expression, "key": key} if stable else expression)
        renamed.append({**term, "matchExpressions": expressions})
    return {**old, "required": {**(old.get("required") or {}), "nodeSelectorTerms": renamed}}


SOURCES: dict[str, SourceRule] = {
    "hostPath": volume_sources.host_path,
    "gcePersistentDisk": volume_sources.COMMON["gcePersistentDisk"],
    "awsElasticBlockStore": volume_sources.COMMON["awsElasticBlockStore"],
    "glusterfs": _glusterfs,
    "flocker": volume_sources.flocker,
    "nfs": volume_sources.nfs,
    "rbd": volume_sources.COMMON["rbd"],
    "quobyte": volume_sources.quobyte,
    "cephfs": volume_sources.COMMON["cephfs"],
    "iscsi": volume_sources.iscsi,
    "cinder": _cinder,
    "fc": volume_sources.fibre_channel,
    "flexVolume": volume_sources.flex,
    "azureFile": _azure_file,
    "vsphereVolume": needs("volumePath"),
    "photonPersistentDisk": needs("pdID"),
    "portworxVolume": needs("volumeID"),
    "azureDisk": volume_sources.azure_disk,
    "scaleIO": needs("gateway", "system", "volumeName"),
    "local": _local,
    "storageos": _storage_os,
    "csi": _csi,
}

RULES = {
    ("", "PersistentVolume"): Rules(
        validate_persistent_volume, validate_persistent_volume_update, validate_metadata_update
    ),
}
