"""Fields of features that are off in v1.37 unless somebody turns them on: dropped, but from objects that have them.

`stopSignal` stays: its feature became beta in v1.37, and our kubelet honours it.
Source: pkg/api/pod/util.go, DropDisabledPodFields; pkg/api/persistentvolumeclaim/util.go; pkg/features.
"""

from collections.abc import Callable, Iterator

from kubepy.api.meta import Object

Place = tuple[str, Object, str]
"""A field of a feature that is off: the feature, what holds the field, and its name."""
Places = Callable[[Object], Iterator[Place]]
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_OF_PODS = ("schedulingGroup", "evictionResponders")
_FILES = ("configMap", "secret", "downwardAPI", "projected")
_PROJECTED = ("serviceAccountToken", "clusterTrustBundle", "podCertificate")
_USERS = "AtomicWriteVolumeUserFields"


def drop_from_pod_spec(spec: Object, old: Object | None) -> None:
    """Takes away what is off, unless the old spec has something of that feature."""
    drop(_places, spec, old)


def drop(places: Places, holder: Object, old: Object | None) -> None:
    """Takes away what is in these places, unless the old one has something of the same feature."""
    found = list(places(holder))
    if not found:
        return
    kept = {feature for feature, _, _ in places(old or {})}
    for feature, at, field in found:
        if feature not in kept:
            del at[field]


def _places(spec: Object) -> Iterator[Place]:
    for field in _OF_PODS:
        if spec.get(field) is not None:
            yield field, spec, field
    for volume in spec.get("volumes") or ():
        if (volume.get("emptyDir") or {}).get("mode") is not None:
            yield "EmptyDirVolumeMode", volume["emptyDir"], "mode"
        for kind in _FILES:
            if source := volume.get(kind):
                yield from _users(source)
    for kind in _CONTAINERS:
        for container in spec.get(kind) or ():
            for mount in container.get("volumeMounts") or ():
                if mount.get("bindMountOptions") is not None:
                    yield "VolumeBindMountOptions", mount, "bindMountOptions"


def _users(source: Object) -> Iterator[Place]:
    if source.get("defaultUser") is not None:
        yield _USERS, source, "defaultUser"
    holders = [*(source.get("items") or ())]
    for projection in source.get("sources") or ():
        holders += [projection[kind] for kind in _PROJECTED if projection.get(kind)]
        for kind in _FILES:
            holders += (projection.get(kind) or {}).get("items") or ()
    for holder in holders:
        if holder.get("user") is not None:
            yield _USERS, holder, "user"


def drop_from_status(status: Object, old: Object, *fields: str) -> None:
    """Takes away those fields of a status, unless the old one has them."""
    for field in fields:
        if not old.get(field):
            status.pop(field, None)


def drop_foreign_source(spec: Object, old: Object | None) -> bool:
    """Takes away a claim's source in another namespace; whether there was one."""
    ref = spec.get("dataSourceRef")
    if ref is None or ref.get("namespace") is None or (old or {}).get("dataSourceRef") is not None:
        return False
    del spec["dataSourceRef"]
    return True
