"""The rules of PersistentVolumeClaims: what a claim must say, and that only its size may change later.

Source: pkg/apis/core/validation, ValidatePersistentVolumeClaim*.
"""

from typing import Any

from kubepy.api import names, quantity
from kubepy.api.errors import FieldError, forbidden, invalid, not_supported, required
from kubepy.api.meta import Object
from kubepy.api.validation.equality import same
from kubepy.api.validation.fields import (
    basic_quantity,
    dns_label,
    dns_subdomain,
    label_selector,
    missing,
    positive_quantity,
    qualified_name,
    supported_if_set,
)
from kubepy.api.validation.meta import (
    IMMUTABLE,
    immutable,
    validate_metadata,
    validate_metadata_update,
    validate_template_metadata,
)
from kubepy.api.validation.resources import is_native, resource_quantity
from kubepy.api.validation.rules import Rules
from kubepy.api.validation.shown import FIELD_PATH

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
_BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
_RESIZE_STATES = (
    "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible",
    "NodeResizePending",
)  # fmt: skip
_IMMUTABLE_SPEC = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)


def validate_claim(claim: Object) -> list[FieldError]:
    """Faults in a new PersistentVolumeClaim."""
    errors = validate_metadata(claim, True, names.is_dns1123_subdomain)
    return errors + validate_claim_spec(claim.get("spec") or {}, "spec")


def validate_claim_template(template: Object, path: str) -> list[FieldError]:
    """Faults in the template of a claim that is made together with something else."""
    errors = validate_template_metadata(template.get("metadata") or {}, f"{path}.metadata")
    return errors + validate_claim_spec(template.get("spec") or {}, f"{path}.spec")


def validate_claim_spec(spec: Object, path: str) -> list[FieldError]:
    """Faults in a PersistentVolumeClaimSpec."""
    modes = spec.get("accessModes") or []
    errors = [] if modes else [required(f"{path}.accessModes", "at least 1 access mode is required")]
    errors += label_selector(spec.get("selector"), f"{path}.selector")
    errors += access_modes(modes, f"{path}.accessModes")
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if size is None:
        errors.append(required(f"{path}.resources[storage]"))
    else:
        at = f"{path}.resources[storage]"
        errors += positive_quantity(size, at) or resource_quantity("storage", size, at)
    if spec.get("storageClassName"):
        errors += dns_subdomain(spec["storageClassName"], f"{path}.storageClassName")
    errors += supported_if_set(spec.get("volumeMode"), f"{path}.volumeMode", VOLUME_MODES)
    errors += _data_sources(spec, path)
    if spec.get("volumeAttributesClassName"):
        errors += dns_subdomain(spec["volumeAttributesClassName"], f"{path}.volumeAttributesClassName")
    return errors


def access_modes(modes: list[str], path: str) -> list[FieldError]:
    """Known ones; ReadWriteOncePod only alone."""
    errors = [not_supported(path, mode, ACCESS_MODES) for mode in modes if mode not in ACCESS_MODES]
    if "ReadWriteOncePod" in modes and any(m in ACCESS_MODES and m != "ReadWriteOncePod" for m in modes):
        errors.append(forbidden(path, "may not use ReadWriteOncePod with other access modes"))
    return errors


def _data_sources(spec: Object, path: str) -> list[FieldError]:
    source, ref = spec.get("dataSource"), spec.get("dataSourceRef")
    errors: list[FieldError] = []
    if source is not None:
        errors += _data_source(source, f"{path}.dataSource")
    if ref is not None:
        errors += _data_source(ref, f"{path}.dataSourceRef")
        if ref.get("namespace"):
            errors += dns_label(ref["namespace"], f"{path}.dataSourceRef.namespace")
    if source is None or ref is None:
        return errors
    if ref.get("namespace"):
        why = "may not be specified when dataSourceRef.namespace is specified"
        errors.append(invalid(path, FIELD_PATH, why))
    elif any(source.get(field) != ref.get(field) for field in ("apiGroup", "kind", "name")):
        errors.append(invalid(path, FIELD_PATH, "must match dataSourceRef"))
    return errors


def _data_source(source: Object, path: str) -> list[FieldError]:
    errors = missing(source, path, "name", "kind")
    group, kind = source.get("apiGroup") or "", source.get("kind") or ""
    if not group and kind != "PersistentVolumeClaim":
        why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        errors.append(invalid(path, kind, why))
    return errors + (dns_subdomain(group, f"{path}.apiGroup") if group else [])


def validate_claim_update(new: Object, old: Object) -> list[FieldError]:
    """Faults in a changed claim: the spec stays, but a bound claim may grow and an unbound one be bound."""
    own = validate_claim(new)
    errors = own + validate_metadata_update(new, old) + own  # upstream judges the claim itself twice
    spec, before = dict(new.get("spec") or {}), dict(old.get("spec") or {})
    if not before.get("volumeName"):
        before["volumeName"] = spec.get("volumeName")
    errors += _class_annotation(new, old, spec, before)
    bound = (new.get("status") or {}).get("phase") == "Bound"
    if bound and (spec.get("resources") or {}).get("requests"):
        kept = {**spec["resources"]["requests"], "storage": _size(old)}
        spec["resources"] = {**spec["resources"], "requests": kept}
    if bound and spec.get("volumeAttributesClassName") is not None:
        spec["volumeAttributesClassName"] = before.get("volumeAttributesClassName")
    if not same(spec, before):
        errors.append(forbidden("spec", _IMMUTABLE_SPEC))
    errors += _size_change(new, old)
    errors += immutable("volumeMode", (new.get("spec") or {}).get("volumeMode"), before.get("volumeMode"))
    return errors + _attributes_class(new.get("spec") or {}, before)


def _class_annotation(new: Object, old: Object, spec: Object, before: Object) -> list[FieldError]:
    """The class may move from its old annotation into the spec, or be set where there was none."""
    annotations = (new.get("metadata") or {}).get("annotations") or {}
    annotated = ((old.get("metadata") or {}).get("annotations") or {}).get(_BETA_CLASS)
    wanted = spec.get("storageClassName")
    settable = wanted is not None and before.get("storageClassName") is None and annotated in (None, wanted)
    if settable:
        spec["storageClassName"] = None
        if annotated is not None and annotations.get(_BETA_CLASS, annotated) == annotated:
            return []
    if annotations.get(_BETA_CLASS, "") != (annotated or ""):
        path = f"metadata.annotations.{_BETA_CLASS}"
        return [invalid(path, annotations.get(_BETA_CLASS, ""), IMMUTABLE)]
    return []


def _size(claim: Object) -> Any:
    return (((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}).get("storage")


def _size_change(new: Object, old: Object) -> list[FieldError]:
    """A claim never shrinks below what it has; a growth that failed may be taken back."""
    size, before = _size(new) or 0, _size(old) or 0
    if quantity.compare(size, before) >= 0:
        return []
    capacity = ((old.get("status") or {}).get("capacity") or {}).get("storage") or 0
    if quantity.compare(size, capacity) > 0:
        return []
    return [forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")]


def _attributes_class(spec: Object, before: Object) -> list[FieldError]:
    if before.get("volumeAttributesClassName") is None:
        return []
    path, now = "spec.volumeAttributesClassName", spec.get("volumeAttributesClassName")
    if now is None:
        return [forbidden(path, "update from non-nil value to nil is forbidden")]
    return [forbidden(path, "update from non-nil value to an empty string is forbidden")] if now == "" else []


def validate_claim_status(new: Object, old: Object) -> list[FieldError]:
    """Faults in a changed status of a claim."""
    errors = validate_metadata_update(new, old)
    if not (new.get("spec") or {}).get("accessModes"):
        errors.append(required("Spec.accessModes"))
    status = new.get("status") or {}
    for name, amount in (status.get("capacity") or {}).items():
        errors += basic_quantity(amount, f"status.capacity[{name}]")
    for name, state in (status.get("allocatedResourceStatuses") or {}).items():
        errors += _claim_resource(name, "status.allocatedResourceStatus")
        if state not in _RESIZE_STATES:
            errors.append(not_supported("status.allocatedResourceStatus", name, _RESIZE_STATES))
    for name, amount in (status.get("allocatedResources") or {}).items():
        at = f"status.allocatedResources[{name}]"
        faults = _claim_resource(name, "status.allocatedResources") or basic_quantity(amount, at)
        errors += faults or resource_quantity("storage", amount, at)
    return errors


def _claim_resource(name: str, path: str) -> list[FieldError]:
    errors = qualified_name(name, path)
    if not errors and is_native(name) and name != "storage":
        return [not_supported(path, name, ("storage",))]
    return errors


RULES = {
    ("", "PersistentVolumeClaim"): Rules(validate_claim, validate_claim_update, validate_claim_status),
}
