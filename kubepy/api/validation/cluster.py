"""Rules of PriorityClasses, Leases and RuntimeClasses.

Source: pkg/apis/{scheduling,coordination,node}/validation/validation.go.
"""

from kubepy.api import names
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid
from kubepy.api.meta import Object, name_of
from kubepy.api.validation.affinity import validate_tolerations
from kubepy.api.validation.checks import checked, duplicates, nonnegative, one_of, spec_of, unchanged
from kubepy.api.validation.meta import validate_labels, validate_metadata, validate_metadata_update
from kubepy.api.validation.resources import resource_requirements
from kubepy.api.validation.rules import Rules
from kubepy.api.validation.shown import TOLERATION, show

_SYSTEM_PREFIX = "system-"
_SYSTEM_CLASSES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_HIGHEST_USER_PRIORITY = 1_000_000_000
_STRATEGIES = ("OldestEmulationVersion",)


def _system_class_fault(obj: Object) -> str | None:
    name = name_of(obj)
    value = _SYSTEM_CLASSES.get(name)
    if value is None:
        return f"{name} is not a known system priority class"
    if obj.get("value") != value:
        return f"value of {name} PriorityClass must be {value}"
    if obj.get("globalDefault"):
        return f"globalDefault of {name} PriorityClass must be false"
    return None


def create_priority_class(obj: Object) -> list[FieldError]:
    """Faults of a new PriorityClass; names that begin with `system-` are Kubernetes' own."""
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain)
    if name_of(obj).startswith(_SYSTEM_PREFIX):
        if (fault := _system_class_fault(obj)) is not None:
            why = "priority class names with 'system-' prefix are reserved for system use only. error: "
            errors.append(forbidden("metadata.name", why + fault))
    elif (obj.get("value") or 0) > _HIGHEST_USER_PRIORITY:
        why = f"maximum allowed value of a user defined priority is {_HIGHEST_USER_PRIORITY}"
        errors.append(forbidden("value", why))
    if obj.get("preemptionPolicy") is not None:
        errors += one_of(obj["preemptionPolicy"], "preemptionPolicy", ("PreemptLowerPriority", "Never"))
    return errors


def update_priority_class(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed PriorityClass: its value and what it may push out stay."""
    errors = validate_metadata_update(new, old)
    if (new.get("value") or 0) != (old.get("value") or 0):
        errors.append(forbidden("value", "may not be changed in an update."))
    return errors + unchanged(new.get("preemptionPolicy"), old.get("preemptionPolicy"), "preemptionPolicy")


def _validate_lease(spec: Object) -> list[FieldError]:
    duration, preferred, strategy = (
        spec.get(field) for field in ("leaseDurationSeconds", "preferredHolder", "strategy")
    )
    errors: list[FieldError] = []
    if duration is not None and duration <= 0:
        errors.append(invalid("spec.leaseDurationSeconds", duration, "must be greater than 0"))
    errors += nonnegative(spec, "spec", "leaseTransitions")
    if strategy is not None:
        errors += [] if strategy in _STRATEGIES else checked(strategy, "spec.strategy", names.is_qualified_name)
    if preferred and not strategy:
        why = "may only be specified if `strategy` is defined"
        errors.append(forbidden("spec.preferredHolder", why))
    return errors


def create_lease(obj: Object) -> list[FieldError]:
    """Faults of a new Lease."""
    return validate_metadata(obj, True, names.is_dns1123_subdomain) + _validate_lease(spec_of(obj))


def update_lease(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed Lease."""
    return validate_metadata_update(new, old) + _validate_lease(spec_of(new))


def create_runtime_class(obj: Object) -> list[FieldError]:
    """Faults of a new RuntimeClass."""
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain)
    errors += checked(obj.get("handler") or "", "handler", names.is_dns1123_label)
    if (overhead := (obj.get("overhead") or {}).get("podFixed")) is not None:
        # Upstream judges it as if it were a container's limits, and tells of it so.
        errors += resource_requirements({"limits": overhead}, "overhead")
    scheduling = obj.get("scheduling") or {}
    errors += validate_labels(scheduling.get("nodeSelector"), "scheduling.nodeSelector")
    return errors + _tolerations(scheduling.get("tolerations") or [], "scheduling.tolerations")


def _tolerations(tolerations: list[Object], path: str) -> list[FieldError]:
    """Faults of tolerations: each once, however long it tolerates."""
    keys = [
        tuple(toleration.get(field) or "" for field in ("key", "operator", "value", "effect"))
        for toleration in tolerations
    ]
    return validate_tolerations(tolerations, path) + [
        duplicate(f"{path}[{index}]", show(tolerations[index], TOLERATION)) for index in duplicates(keys)
    ]


def update_runtime_class(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed RuntimeClass: its handler stays."""
    return validate_metadata_update(new, old) + unchanged(new.get("handler") or "", old.get("handler") or "", "handler")


RULES: dict[tuple[str, str], Rules] = {
    ("scheduling.k8s.io", "PriorityClass"): Rules(create_priority_class, update_priority_class),
    ("coordination.k8s.io", "Lease"): Rules(create_lease, update_lease),
    ("node.k8s.io", "RuntimeClass"): Rules(create_runtime_class, update_runtime_class),
}
