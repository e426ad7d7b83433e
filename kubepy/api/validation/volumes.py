"""The rules of a pod's volumes: unique names, one source each, and what each source demands.

Source: pkg/apis/core/validation, ValidateVolumes and validateVolumeSource.
"""

from kubepy.api import names, quantity
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, required
from kubepy.api.meta import Object
from kubepy.api.validation import projections, volume_sources
from kubepy.api.validation.claims import validate_claim_template
from kubepy.api.validation.fields import dns_label, missing
from kubepy.api.validation.volume_sources import SourceRule, needs, present

_TOO_MANY = "may not specify more than 1 volume type"


def validate_volumes(
    volumes: list[Object], pod_name: str, path: str, *, in_pod: bool
) -> tuple[dict[str, Object], list[FieldError]]:
    """The volumes without fault by name, and all faults.

    `pod_name` (empty where it is not known) names the claims of ephemeral volumes.
    """
    found: dict[str, Object] = {}
    errors: list[FieldError] = []
    made = {f"{pod_name}-{v.get('name', '')}" for v in volumes if v.get("ephemeral") is not None} if pod_name else set()
    for index, volume in enumerate(volumes):
        at = f"{path}[{index}]"
        name = volume.get("name") or ""
        faults = _source(volume, at, pod_name, in_pod=in_pod)
        faults += dns_label(name, f"{at}.name") if name else [required(f"{at}.name")]
        if name in found:
            faults.append(duplicate(f"{at}.name", name))
        if faults:
            errors += faults
        else:
            found[name] = volume
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim and claim in made:
            why = "must not reference a PVC that gets created for an ephemeral volume"
            errors.append(invalid(f"{at}.persistentVolumeClaim.claimName", claim, why))
    return found, errors


def _source(volume: Object, path: str, pod_name: str, *, in_pod: bool) -> list[FieldError]:
    kinds = present(volume, _RULES) if len(volume) > 2 else [kind for kind in volume if kind in _RULES]
    if not kinds:
        return [required(path, "must specify a volume type")]
    kind, name = kinds[0], volume.get("name") or ""
    source, at = volume[kind], f"{path}.{_PATHS.get(kind, kind)}"
    errors = volume_sources.image(source, at, in_pod=in_pod) if kind == "image" else _RULES[kind](source, at)
    if kind == "iscsi" and volume_sources.is_too_long_for_iscsi(source, name):
        errors.append(invalid(f"{path}.name", name, volume_sources.ISCSI_TOO_LONG))
    elif kind == "ephemeral" and pod_name and name:
        claim = f"{pod_name}-{name}"
        for text in names.is_dns1123_subdomain(claim):
            errors.append(invalid(f"{path}.name", name, f'PVC name "{claim}": {text}'))
    return errors + [forbidden(f"{path}.{_EXTRA_PATHS.get(other, other)}", _TOO_MANY) for other in kinds[1:]]


def _empty_dir(source: Object, path: str) -> list[FieldError]:
    limit = source.get("sizeLimit")
    if limit is not None and quantity.nano(limit) < 0:
        return [forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")]
    return []


def _ephemeral(source: Object, path: str) -> list[FieldError]:
    if source.get("volumeClaimTemplate") is None:
        return missing(source, path, "volumeClaimTemplate")
    return validate_claim_template(source["volumeClaimTemplate"], f"{path}.volumeClaimTemplate")


# Upstream's order, which decides which of two sources is the one too many; paths are upstream's too, slips included.
_RULES: dict[str, SourceRule] = {
    "emptyDir": _empty_dir,
    "hostPath": volume_sources.host_path,
    "gitRepo": volume_sources.git_repo,
    "gcePersistentDisk": volume_sources.COMMON["gcePersistentDisk"],
    "awsElasticBlockStore": volume_sources.COMMON["awsElasticBlockStore"],
    "secret": projections.secret,
    "nfs": volume_sources.nfs,
    "iscsi": volume_sources.iscsi,
    "glusterfs": needs("endpoints", "path"),
    "flocker": volume_sources.flocker,
    "persistentVolumeClaim": needs("claimName"),
    "rbd": volume_sources.COMMON["rbd"],
    "cinder": volume_sources.cinder,
    "cephfs": volume_sources.COMMON["cephfs"],
    "quobyte": volume_sources.quobyte,
    "downwardAPI": projections.downward_api,
    "fc": volume_sources.fibre_channel,
    "flexVolume": volume_sources.flex,
    "configMap": projections.config_map,
    "azureFile": needs("secretName", "shareName"),
    "vsphereVolume": volume_sources.COMMON["vsphereVolume"],
    "photonPersistentDisk": volume_sources.COMMON["photonPersistentDisk"],
    "portworxVolume": volume_sources.COMMON["portworxVolume"],
    "azureDisk": volume_sources.azure_disk,
    "storageos": volume_sources.storage_os,
    "projected": projections.projected,
    "scaleIO": volume_sources.COMMON["scaleIO"],
    "csi": volume_sources.csi,
    "ephemeral": _ephemeral,
    "image": needs(),
}
_PATHS = {"gcePersistentDisk": "persistentDisk"}
_EXTRA_PATHS = {"cephfs": "cephFS", "downwardAPI": "downwarAPI"}
