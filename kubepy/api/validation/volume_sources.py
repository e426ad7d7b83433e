"""The rules of each volume source, as pods and PersistentVolumes have it in common.

A rule gets the source and its path. Where a PersistentVolume's source differs (secrets in another namespace), its own
rule is in persistent_volumes.py. What makes files out of API objects is in projections.py.
Source: pkg/apis/core/validation, validate*VolumeSource.
"""

import re
from collections.abc import Callable, Iterable, Mapping

from kubepy.api import names
from kubepy.api.errors import FieldError, invalid, not_supported, required, too_long
from kubepy.api.meta import Object
from kubepy.api.validation.fields import dns_label, in_range, missing, one_of, supported_if_set
from kubepy.api.validation.paths import descending_path, no_backsteps

SourceRule = Callable[[Object, str], list[FieldError]]

_HOST_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
_ISCSI_NAMES = {
    "iqn": re.compile(r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)$").search,
    "eui": re.compile(r"eui.[A-Za-z0-9]{16}").fullmatch,
    "naa": re.compile(r"naa.[A-Za-z0-9]{32}").fullmatch,
}
_HOST_AND_PORT = "must be a host:port pair or multiple pairs separated by commas"
ISCSI_TOO_LONG = (
    "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters "
    "if iscsi.initiatorName is specified."
)
_ISCSI_FORMAT = "must be valid format"
_ISCSI_PREFIX = f"{_ISCSI_FORMAT} starting with iqn, eui, or naa"
_DRIVER_LIMIT = 63
PULL_POLICIES = ("Always", "IfNotPresent", "Never")


def needs(*fields: str) -> SourceRule:
    """The rule of a source that only has required fields."""
    return lambda source, path: missing(source, path, *fields)


def host_path(source: Object, path: str) -> list[FieldError]:
    """A directory or file of the node."""
    if not source.get("path"):
        return [required(f"{path}.path")]
    errors = no_backsteps(source["path"], f"{path}.path")
    return errors + supported_if_set(source.get("type"), f"{path}.type", _HOST_PATH_TYPES)


def git_repo(source: Object, path: str) -> list[FieldError]:
    """A clone of a repository."""
    return missing(source, path, "repository") + descending_path(source.get("directory") or "", f"{path}.directory")


def disk(field: str) -> SourceRule:
    """A cloud's disk, named in `field`, with an optional partition."""

    def rule(source: Object, path: str) -> list[FieldError]:
        return missing(source, path, field) + in_range(source.get("partition") or 0, f"{path}.partition", 0, 255)

    return rule


def nfs(source: Object, path: str) -> list[FieldError]:
    """An NFS export."""
    errors = missing(source, path, "server", "path")
    if not (source.get("path") or "").startswith("/"):
        errors.append(invalid(f"{path}.path", source.get("path") or "", "must be an absolute path"))
    return errors


def quobyte(source: Object, path: str) -> list[FieldError]:
    """A Quobyte volume."""
    errors: list[FieldError] = []
    registry = source.get("registry") or ""
    if not registry:
        errors.append(required(f"{path}.registry", _HOST_AND_PORT))
    elif len(source.get("tenant") or "") > 64:
        why = "must be a UUID and may not exceed a length of 64 characters"
        errors.append(required(f"{path}.tenant", why))
    else:
        bad = [pair for pair in registry.split(",") if not re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]*):[^:]*", pair)]
        errors += [invalid(f"{path}.registry", registry, _HOST_AND_PORT) for _ in bad]
    return errors + missing(source, path, "volume")


def flocker(source: Object, path: str) -> list[FieldError]:
    """A Flocker dataset, by name or by uuid."""
    name, uuid = source.get("datasetName") or "", source.get("datasetUUID") or ""
    errors: list[FieldError] = []
    if not name and not uuid:
        errors.append(required(path, "one of datasetName and datasetUUID is required"))
    if name and uuid:
        errors.append(invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"))
    if "/" in name:
        errors.append(invalid(f"{path}.datasetName", name, "must not contain '/'"))
    return errors


def fibre_channel(source: Object, path: str) -> list[FieldError]:
    """A Fibre Channel disk, by target and LUN or by wwid."""
    targets, wwids, lun = source.get("targetWWNs"), source.get("wwids"), source.get("lun")
    errors: list[FieldError] = []
    if not targets and not wwids:
        why = "must specify either targetWWNs or wwids, but not both"
        errors.append(required(f"{path}.targetWWNs", why))
    if targets and wwids:
        why = "targetWWNs and wwids can not be specified simultaneously"
        errors.append(invalid(f"{path}.targetWWNs", targets, why))
    if targets and lun is None:
        errors.append(required(f"{path}.lun", "lun is required if targetWWNs is specified"))
    elif targets and lun is not None:
        errors += in_range(lun, f"{path}.lun", 0, 255)
    return errors


def iscsi(source: Object, path: str) -> list[FieldError]:
    """An iSCSI disk."""
    errors = missing(source, path, "targetPortal", "iqn") + _iscsi_target(source, path)
    initiator = source.get("initiatorName")
    return errors + (_iscsi_name(initiator, f"{path}.initiatorname") if initiator is not None else [])


def persistent_iscsi(source: Object, path: str, volume: str) -> list[FieldError]:
    """An iSCSI disk as a PersistentVolume's source, whose secret has a namespace."""
    errors = missing(source, path, "targetPortal")
    if is_too_long_for_iscsi(source, volume):
        errors.append(invalid(f"{path}.targetportal", source.get("targetPortal") or "", ISCSI_TOO_LONG))
    errors += missing(source, path, "iqn") + _iscsi_target(source, path) + secret_ref(source, path, "name")
    if (initiator := source.get("initiatorName")) is not None:
        errors += _iscsi_name(initiator, f"{path}.initiatorname", unknown=_ISCSI_FORMAT)
    return errors


def is_too_long_for_iscsi(source: Object, volume: str) -> bool:
    """With an initiator of its own, the volume's name and the portal become one short name."""
    return source.get("initiatorName") is not None and len(f"{volume}:{source.get('targetPortal') or ''}") > 64


def _iscsi_target(source: Object, path: str) -> list[FieldError]:
    errors = _iscsi_name(source["iqn"], f"{path}.iqn") if source.get("iqn") else []
    errors += in_range(source.get("lun") or 0, f"{path}.lun", 0, 255)
    if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and source.get("secretRef") is None:
        errors.append(required(f"{path}.secretRef"))
    return errors


def _iscsi_name(name: str, path: str, *, unknown: str = _ISCSI_PREFIX) -> list[FieldError]:
    matches = _ISCSI_NAMES.get(name[:3])
    if matches is None:
        return [invalid(path, name, unknown)]
    return [] if matches(name) else [invalid(path, name, _ISCSI_FORMAT)]


def flex(source: Object, path: str) -> list[FieldError]:
    """A FlexVolume driver's volume."""
    errors = missing(source, path, "driver")
    for key in source.get("options") or ():
        domain = "." + key.partition("/")[0].lower()
        if domain.endswith((".kubernetes.io", ".k8s.io")):
            why = "kubernetes.io and k8s.io namespaces are reserved"
            errors.append(invalid(f"{path}.options[{key}]", key, why))
    return errors


def azure_disk(source: Object, path: str) -> list[FieldError]:
    """An Azure disk; what its URI looks like depends on the kind of disk."""
    errors = missing(source, path, "diskName", "diskURI")
    kind, uri = source.get("kind"), source.get("diskURI") or ""
    caching = ("None", "ReadOnly", "ReadWrite")
    errors += supported_if_set(source.get("cachingMode"), f"{path}.cachingMode", caching)
    errors += supported_if_set(kind, f"{path}.kind", ("Dedicated", "Managed", "Shared"))
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        shape = (
            "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
        )  # fmt: skip
        errors.append(not_supported(f"{path}.diskURI", uri, shape))
    elif kind not in (None, "Managed") and not uri.startswith("https://"):
        shape = ("https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd",)
        errors.append(not_supported(f"{path}.diskURI", uri, shape))
    return errors


def secret_ref(source: Object, path: str, *fields: str) -> list[FieldError]:
    """The required fields of an optional reference to a secret."""
    ref = source.get("secretRef")
    return [] if ref is None else missing(ref, f"{path}.secretRef", *fields)


def cinder(source: Object, path: str) -> list[FieldError]:
    """An OpenStack volume."""
    return missing(source, path, "volumeID") + secret_ref(source, path, "name")


def storage_os(source: Object, path: str) -> list[FieldError]:
    """A StorageOS volume."""
    return storage_os_volume(source, path) + secret_ref(source, path, "name")


def storage_os_volume(source: Object, path: str) -> list[FieldError]:
    """The names of a StorageOS volume."""
    errors = missing(source, path, "volumeName")
    for field in ("volumeName", "volumeNamespace"):
        if source.get(field):
            errors += dns_label(source[field], f"{path}.{field}")
    return errors


def csi_driver_name(name: str, path: str) -> list[FieldError]:
    """The name of a CSI driver."""
    errors = [] if name else [required(path)]
    if len(name) > _DRIVER_LIMIT:
        errors.append(too_long(path, _DRIVER_LIMIT))
    return errors + [invalid(path, name, text) for text in names.is_dns1123_subdomain(name.lower())]


def csi(source: Object, path: str) -> list[FieldError]:
    """An inline volume of a CSI driver."""
    errors = csi_driver_name(source.get("driver") or "", f"{path}.driver")
    ref = source.get("nodePublishSecretRef")
    if ref is not None:
        name = ref.get("name")
        if not name:
            errors.append(required(f"{path}.nodePublishSecretRef.name"))
        else:
            errors += [invalid(f"{path}.name", name, text) for text in names.is_dns1123_subdomain(name)]
    return errors


def image(source: Object, path: str, *, in_pod: bool) -> list[FieldError]:
    """An image as a volume; a template may leave the reference to whoever makes the pod."""
    errors = missing(source, path, "reference") if in_pod else []
    return errors + one_of(source.get("pullPolicy"), f"{path}.pullPolicy", PULL_POLICIES)


def present(holder: Mapping[str, object], order: Iterable[str]) -> list[str]:
    """The sources that are set, in upstream's order."""
    return [name for name in order if holder.get(name) is not None]


COMMON: dict[str, SourceRule] = {
    "hostPath": host_path,
    "gcePersistentDisk": disk("pdName"),
    "awsElasticBlockStore": disk("volumeID"),
    "nfs": nfs,
    "flocker": flocker,
    "quobyte": quobyte,
    "fc": fibre_channel,
    "flexVolume": flex,
    "vsphereVolume": needs("volumePath"),
    "photonPersistentDisk": needs("pdID"),
    "portworxVolume": needs("volumeID"),
    "azureDisk": azure_disk,
    "scaleIO": needs("gateway", "system", "volumeName"),
    "rbd": needs("monitors", "image"),
    "cephfs": needs("monitors"),
}
