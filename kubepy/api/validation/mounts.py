"""The rules of volume mounts and volume devices of a container.

Source: pkg/apis/core/validation, ValidateVolumeMounts and ValidateVolumeDevices.
"""

from collections.abc import Mapping

from kubepy.api.errors import FieldError, forbidden, invalid, not_found, not_supported, required
from kubepy.api.meta import Object
from kubepy.api.validation.paths import descending_path

_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE = ("Disabled", "Enabled", "IfPossible")


def validate_mounts(container: Object, volumes: Mapping[str, Object], path: str) -> list[FieldError]:
    """Faults in `volumeMounts` and `volumeDevices` of a container; `volumes` are the pod's by name."""
    mounts, devices = container.get("volumeMounts") or (), container.get("volumeDevices") or ()
    if not mounts and not devices:
        return []
    mounted = {mount.get("name") or "": mount.get("mountPath") or "" for mount in mounts}
    raw = {device.get("name") or "": device.get("devicePath") or "" for device in devices}
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        at = f"{path}.volumeMounts[{index}]"
        errors += _place(mount, volumes, raw, seen, at)
        errors += _sub_path(mount, volumes, at, f"{path}.volumeMounts")
        if mount.get("mountPropagation") is not None:
            errors += _propagation(mount["mountPropagation"], container, f"{path}.volumeMounts.mountPropagation")
        if mount.get("recursiveReadOnly") is not None:
            errors += _recursive(mount, f"{path}.volumeMounts.recursiveReadOnly")
    if devices:
        errors += _devices(devices, volumes, mounted, f"{path}.volumeDevices")
    return errors


def _place(
    mount: Object, volumes: Mapping[str, Object], raw: Mapping[str, str], seen: set[str], path: str
) -> list[FieldError]:
    name, place = mount.get("name") or "", mount.get("mountPath") or ""
    errors: list[FieldError] = []
    if not name:
        errors.append(required(f"{path}.name"))
    if name not in volumes:
        errors.append(not_found(f"{path}.name", name))
    if not place:
        errors.append(required(f"{path}.mountPath"))
    if place in seen:
        errors.append(invalid(f"{path}.mountPath", place, "must be unique"))
    seen.add(place)
    if name in raw:
        errors.append(invalid(f"{path}.name", name, "must not already exist in volumeDevices"))
    if place in raw.values():
        errors.append(invalid(f"{path}.mountPath", place, "must not already exist as a path in volumeDevices"))
    return errors


def _sub_path(mount: Object, volumes: Mapping[str, Object], path: str, list_path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    plain, expanded = mount.get("subPath") or "", mount.get("subPathExpr") or ""
    if plain:
        # Upstream tells of these at the list, without an index.
        errors += descending_path(plain, f"{list_path}.subPath")
    if expanded:
        if plain:
            why = "subPathExpr and subPath are mutually exclusive"
            errors.append(invalid(f"{path}.subPathExpr", expanded, why))
        errors += descending_path(expanded, f"{list_path}.subPathExpr")
    return errors


def _propagation(mode: str, container: Object, path: str) -> list[FieldError]:
    errors = [] if mode in _PROPAGATIONS else [not_supported(path, mode, _PROPAGATIONS)]
    if mode == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
        why = "Bidirectional mount propagation is available only to privileged containers"
        errors.append(forbidden(path, why))
    return errors


def _recursive(mount: Object, path: str) -> list[FieldError]:
    mode = mount["recursiveReadOnly"]
    if mode not in _RECURSIVE:
        return [not_supported(path, mode, _RECURSIVE)]
    errors: list[FieldError] = []
    if mode != "Disabled":
        if not mount.get("readOnly"):
            errors.append(forbidden(path, "may only be specified when readOnly is true"))
        if mount.get("mountPropagation") not in (None, "None"):
            why = "may only be specified when mountPropagation is None or not specified"
            errors.append(forbidden(path, why))
    return errors


def _devices(
    devices: list[Object], volumes: Mapping[str, Object], mounted: Mapping[str, str], path: str
) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    places: set[str] = set()
    for index, device in enumerate(devices):
        at = f"{path}[{index}]"
        name, place = device.get("name") or "", device.get("devicePath") or ""
        volume = volumes.get(name)
        if not name:
            errors.append(required(f"{at}.name"))
        if name in names:
            errors.append(invalid(f"{at}.name", name, "must be unique"))
        if volume is None:
            errors.append(not_found(f"{at}.name", name))
        elif volume.get("persistentVolumeClaim") is None and volume.get("ephemeral") is None:
            why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            errors.append(invalid(f"{at}.name", name, why))
        if not place:
            errors.append(required(f"{at}.devicePath"))
        if place in places:
            errors.append(invalid(f"{at}.devicePath", place, "must be unique"))
        if ".." in place.split("/"):
            errors.append(invalid(f"{at}.devicePath", place, "can not contain backsteps ('..')"))
        else:
            places.add(place)
        if name in mounted:
            errors.append(invalid(f"{at}.name", name, "must not already exist in volumeMounts"))
        if place in mounted.values():
            errors.append(invalid(f"{at}.devicePath", place, "must not already exist as a path in volumeMounts"))
        if name:
            names.add(name)
    return errors
