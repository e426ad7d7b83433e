"""The names of the objects that a pod's spec refers to, all in the pod's own namespace. Pure.

Source: pkg/api/v1/pod/util.go (VisitPodSecretNames, VisitPodConfigmapNames).
"""

from collections.abc import Iterator
from typing import Any

from kubepy.api.meta import Object

_CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")
_SECRET_REFS = (
    ("cephfs", "secretRef", "name"),
    ("cinder", "secretRef", "name"),
    ("flexVolume", "secretRef", "name"),
    ("rbd", "secretRef", "name"),
    ("scaleIO", "secretRef", "name"),
    ("iscsi", "secretRef", "name"),
    ("storageos", "secretRef", "name"),
    ("csi", "nodePublishSecretRef", "name"),
    ("azureFile", "secretName"),
    ("secret", "secretName"),
)


def containers_of(spec: Object) -> Iterator[Object]:
    """Every container of a pod's spec: init, regular and ephemeral."""
    for kind in _CONTAINER_LISTS:
        yield from spec.get(kind) or ()


def secret_names(spec: Object) -> set[str]:
    """Secrets used by volumes, environments and image pulls."""
    names = {ref.get("name", "") for ref in spec.get("imagePullSecrets") or ()}
    names |= set(_environment_names(spec, "secretKeyRef", "secretRef"))
    for volume in spec.get("volumes") or ():
        names |= {name for path in _SECRET_REFS if (name := _dig(volume, path))}
        names |= set(_projected_names(volume, "secret"))
    return names - {""}


def config_map_names(spec: Object) -> set[str]:
    """ConfigMaps used by volumes and environments."""
    names = set(_environment_names(spec, "configMapKeyRef", "configMapRef"))
    for volume in spec.get("volumes") or ():
        names |= {(volume.get("configMap") or {}).get("name", "")}
        names |= set(_projected_names(volume, "configMap"))
    return names - {""}


def claim_names(pod: Object) -> set[str]:
    """PersistentVolumeClaims used by volumes, those of ephemeral volumes among them."""
    names = set()
    for volume in pod["spec"].get("volumes") or ():
        if claim := volume.get("persistentVolumeClaim"):
            names.add(claim.get("claimName", ""))
        elif "ephemeral" in volume:
            names.add(f"{pod['metadata']['name']}-{volume['name']}")
    return names - {""}


def resource_claim_names(pod: Object) -> set[str]:
    """ResourceClaims named by the pod or made for it."""
    names = {claim.get("resourceClaimName", "") for claim in pod["spec"].get("resourceClaims") or ()}
    status = pod.get("status") or {}
    made = [*(status.get("resourceClaimStatuses") or ()), status.get("extendedResourceClaimStatus") or {}]
    return (names | {claim.get("resourceClaimName") or "" for claim in made}) - {""}


def volume_secret_refs(volume: Object, claim_namespace: str) -> set[tuple[str, str]]:
    """(namespace, name) of the Secrets that a PersistentVolume's source refers to."""
    found = set()
    for source in (volume.get("spec") or {}).values():
        if not isinstance(source, dict):
            continue
        for key, value in source.items():
            if key.endswith("ecretRef") and isinstance(value, dict) and value.get("name"):
                found.add((value.get("namespace") or claim_namespace, value["name"]))
        if isinstance(source.get("secretName"), str):
            found.add((source.get("secretNamespace") or claim_namespace, source["secretName"]))
    return found


def _environment_names(spec: Object, one: str, whole: str) -> Iterator[str]:
    for container in containers_of(spec):
        for variable in container.get("env") or ():
            yield _dig(variable, ("valueFrom", one, "name"))
        for source in container.get("envFrom") or ():
            yield _dig(source, (whole, "name"))


def _projected_names(volume: Object, kind: str) -> Iterator[str]:
    for source in (volume.get("projected") or {}).get("sources") or ():
        yield _dig(source, (kind, "name"))


def _dig(value: Any, path: tuple[str, ...]) -> str:
    for key in path:
        value = (value or {}).get(key)
    return value or ""
