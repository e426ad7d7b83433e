"""What a resize may change of a Pod: CPU and memory, of its containers and of itself, never its quality of service.

Source: pkg/apis/core/validation, ValidatePodResize.
"""

from typing import Any

from kubepy.api import pods
from kubepy.api.errors import FieldError, forbidden, invalid
from kubepy.api.meta import Object
from kubepy.api.validation.equality import same
from kubepy.api.validation.meta import validate_metadata_update
from kubepy.api.validation.pod import MIRROR_ANNOTATION, validate_pod_now

_ONLY_AMOUNTS = "only cpu and memory resources are mutable"
_ONLY_SIDECARS_RESTART = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"


def validate_resize(new: Object, old: Object) -> list[FieldError]:
    """Faults in a resize."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if MIRROR_ANNOTATION in ((old.get("metadata") or {}).get("annotations") or {}):
        return [forbidden("", "static pods cannot be resized")]
    if (before.get("os") or {}).get("name") == "windows":
        return [forbidden("", "windows pods cannot be resized")]
    errors = validate_metadata_update(new, old) + validate_pod_now(new)
    if ((old.get("status") or {}).get("qosClass") or pods.qos_class(before)) != pods.qos_class(spec):
        shown = (new.get("status") or {}).get("qosClass") or ""
        errors.append(invalid("spec", shown, "Pod QOS Class may not change as a result of resizing"))
    if not _resize_supported(old):
        errors.append(forbidden("spec", "Pod running on node without support for resize"))
    kept = dict(spec)
    if _has_amounts(spec) or _has_amounts(before):
        errors += _own(kept, before)
    if (old.get("status") or {}).get("nodeAllocatableResourceClaimStatuses"):
        errors.append(forbidden("spec", "pods with node allocatable resource claims cannot be resized"))
    if moved := _moved(spec, before):
        return errors + moved
    for field in ("initContainers", "containers"):
        for index, (now, then) in enumerate(_pairs(spec, before, field)):
            errors += _removed(now, then, f"spec.{field}[{index}].resources", "resource")
    kept["containers"] = [_with_old_amounts(now, then) for now, then in _pairs(spec, before, "containers")]
    changed = [then for now, then in _pairs(kept, before, "containers") if not same(now, then)]
    errors += [forbidden("spec", _ONLY_AMOUNTS) for _ in changed] + _init(kept, before)
    if not errors and not same(kept, before):
        errors.append(forbidden("spec", _ONLY_AMOUNTS))
    return errors


def _pairs(spec: Object, before: Object, field: str) -> list[tuple[Object, Object]]:
    return [*zip(spec.get(field) or (), before.get(field) or (), strict=True)]


def _resize_supported(pod: Object) -> bool:
    """A kubelet that can resize tells the resources of each running container."""
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        if (status.get("state") or {}).get("running") is not None:
            return status.get("resources") is not None
    return True


def _has_amounts(spec: Object) -> bool:
    own = spec.get("resources") or {}
    return bool(own.get("requests") or own.get("limits"))


def _own(kept: Object, before: Object) -> list[FieldError]:
    """Faults in the resources of the pod itself; in `kept`, what may change of them is put back."""
    own, had = kept.get("resources"), before.get("resources")
    if own is None and had is not None:
        return [forbidden("spec.resources", "pod-level resources cannot be removed")]
    errors = _removed(kept, before, "spec.resources", "pod-level resource") if had is not None else []
    restored = _old_amounts(own or {}, had or {})
    kept["resources"] = restored if had is not None or any(restored.values()) else None
    if not same(kept["resources"], had):
        errors.append(forbidden("spec", f"{_ONLY_AMOUNTS} at pod-level"))
    return errors


def _moved(spec: Object, before: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("containers", "initContainers"):
        if len(spec.get(field) or ()) != len(before.get(field) or ()):
            errors.append(forbidden(f"spec.{field}", f"{field} may not be added or removed on resize"))
            continue
        renamed = [
            index
            for index, (now, then) in enumerate(_pairs(spec, before, field))
            if now.get("name") != then.get("name")
        ]
        why = f"{field} may not be renamed or reordered on resize"
        errors += [forbidden(f"spec.{field}[{index}].name", why) for index in renamed]
    return errors


def _init(kept: Object, before: Object) -> list[FieldError]:
    """Faults in init containers; in `kept`, what may change of them is put back."""
    errors: list[FieldError] = []
    restored: list[Object] = []
    for index, (now, then) in enumerate(_pairs(kept, before, "initContainers")):
        path, whole = f"spec.initContainers[{index}]", _with_old_amounts(now, then)
        if not same(whole, then):
            errors.append(forbidden(path, f"{_ONLY_AMOUNTS.replace(' are', ' for init or sidecar containers are')}"))
        policies = {policy.get("restartPolicy") for policy in then.get("resizePolicy") or ()}
        if not same(now, then) and not pods.is_sidecar(now) and "RestartContainer" in policies:
            errors.append(forbidden(path, _ONLY_SIDECARS_RESTART))
        restored.append(whole)
    if "initContainers" in kept:
        kept["initContainers"] = restored
    return errors


def _removed(new: Object, old: Object, path: str, noun: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for kind in ("requests", "limits"):
        then = (old.get("resources") or {}).get(kind) or {}
        now = (new.get("resources") or {}).get(kind) or {}
        if then.keys() - now.keys():
            errors.append(forbidden(f"{path}.{kind}", f"{noun} {kind} cannot be removed"))
    return errors


def _with_old_amounts(container: Object, before: Object) -> Object:
    resources = _old_amounts(container.get("resources") or {}, before.get("resources") or {})
    return {**container, "resources": resources, "resizePolicy": before.get("resizePolicy")}


def _old_amounts(resources: Object, old: Object) -> Any:
    merged = dict(resources)
    for kind in ("requests", "limits"):
        now, then = dict(resources.get(kind) or {}), old.get(kind) or {}
        for name in ("cpu", "memory"):
            now.pop(name, None)
            if name in then:
                now[name] = then[name]
        merged[kind] = now or None
    return merged
