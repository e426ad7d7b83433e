"""Rules of the storage group: classes, attachments and what CSI drivers tell of themselves.

Where the declarative rules of v1.37 are enforced (StorageClass, VolumeAttachment) they tell after all others, and of
nothing that has not changed.
Source: pkg/apis/storage/validation/validation.go; the +k8s:beta tags of staging/src/k8s.io/api/storage/v1/types.go.
"""

from kubepy.api import names, quantity
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, rendered, required, too_long
from kubepy.api.meta import Object
from kubepy.api.validation.checks import (
    checked,
    one_of,
    one_of_required,
    spec_of,
    status_of,
    unchanged,
)
from kubepy.api.validation.equality import same
from kubepy.api.validation.fields import label_selector, unique
from kubepy.api.validation.meta import IMMUTABLE, NOT_NEGATIVE, validate_metadata, validate_metadata_update
from kubepy.api.validation.persistent_volumes import validate_volume_spec
from kubepy.api.validation.rules import Rules
from kubepy.api.validation.shown import CSI_NODE_DRIVER, show

_GROUP = "storage.k8s.io"
_MOST_PARAMETERS = 512
_PARAMETERS_BYTES = 256 * 1024
_DRIVER_NAME_LIMIT = 63
_ATTACHMENT_BYTES = 256 * 1024
_ERROR_LIMIT = 1024
_NODE_ID_LIMIT = 192
_MOST_INT32 = (1 << 31) - 1
_LEAST_TOKEN_S, _MOST_TOKEN_S = 600, 1 << 32
# Upstream spells this path with two letters too many; clients see it.
_ATTACH_PATH = "spec.attachedRequired"
_REQUIRED_OF_DRIVER = {
    "attachRequired": _ATTACH_PATH,
    "podInfoOnMount": "spec.podInfoOnMount",
    "storageCapacity": "spec.storageCapacity",
}
_FS_GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")
_LIFECYCLES = ("Persistent", "Ephemeral")
_RECLAIM = ("Delete", "Retain")
_BINDING = ("Immediate", "WaitForFirstConsumer")


def _parameters(parameters: Object | None, path: str, *, may_be_empty: bool = True) -> list[FieldError]:
    parameters = parameters or {}
    errors: list[FieldError] = []
    if not parameters and not may_be_empty:
        return [required(path, "must contain at least one key/value pair")]
    if len(parameters) > _MOST_PARAMETERS:
        return [too_long(path, _MOST_PARAMETERS)]
    if "" in parameters:
        errors.append(invalid(path, "", "field can not be empty."))
    if sum(len(key) + len(value) for key, value in parameters.items()) > _PARAMETERS_BYTES:
        errors.append(too_long(path, _PARAMETERS_BYTES))
    return errors


def _provisioner(name: str | None, path: str) -> list[FieldError]:
    if not name:
        return [required(path)]
    return [invalid(path, name, text) for text in names.is_qualified_name(name.lower())]


def _driver_name(name: str | None, path: str) -> list[FieldError]:
    if not name:
        return [required(path)]
    errors = [too_long(path, _DRIVER_NAME_LIMIT)] if len(name) > _DRIVER_NAME_LIMIT else []
    return errors + [invalid(path, name, text) for text in names.is_dns1123_subdomain(name.lower())]


def _topologies(terms: list[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: list[dict[str, set[str]]] = []
    for index, term in enumerate(terms):
        expressions = term.get("matchLabelExpressions") or []
        at = f"{path}[{index}].matchLabelExpressions"
        for number, expression in enumerate(expressions):
            if not expression.get("values"):
                errors.append(required(f"{at}[{number}].values"))
            errors += unique(expression.get("values") or (), f"{at}[{number}].values")
            errors += checked(expression.get("key", ""), f"{at}[{number}].key", names.is_qualified_name)
        errors += unique([expression.get("key") for expression in expressions], at, ".key")
        selected = {expression.get("key", ""): set(expression.get("values") or ()) for expression in expressions}
        errors += [duplicate(at, "") for before in seen if before == selected]
        seen.append(selected)
    return errors


def create_storage_class(obj: Object) -> list[FieldError]:
    """Faults of a new StorageClass."""
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain)
    provisioner = obj.get("provisioner") or ""
    if provisioner:
        errors += _provisioner(provisioner, "provisioner")
    errors += _parameters(obj.get("parameters"), "parameters")
    if obj.get("reclaimPolicy"):
        errors += one_of(obj["reclaimPolicy"], "reclaimPolicy", _RECLAIM)
    errors += one_of_required(obj.get("volumeBindingMode"), "volumeBindingMode", _BINDING)
    errors += _topologies(obj.get("allowedTopologies") or [], "allowedTopologies")
    return errors if provisioner else [*errors, required("provisioner")]


def update_storage_class(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed StorageClass: what volumes were made by never changes."""
    errors = validate_metadata_update(new, old)
    for field in ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"):
        errors += unchanged(new.get(field), old.get(field), field)
        if field == "provisioner" and not new.get(field) and old.get(field):
            errors.append(required(field))
    return errors


def create_attributes_class(obj: Object) -> list[FieldError]:
    """Faults of a new VolumeAttributesClass."""
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain)
    errors += _provisioner(obj.get("driverName"), "driverName")
    return errors + _parameters(obj.get("parameters"), "parameters", may_be_empty=False)


def update_attributes_class(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed VolumeAttributesClass: driver and parameters stay."""
    errors = validate_metadata_update(new, old)
    for field in ("driverName", "parameters"):
        if not same(new.get(field), old.get(field), field):
            errors.append(forbidden(field, f"updates to {field} are forbidden."))
    return errors + create_attributes_class(new)


def _attachment_source(source: Object, path: str) -> list[FieldError]:
    inline, volume = source.get("inlineVolumeSpec"), source.get("persistentVolumeName")
    if inline is None and volume is None:
        return [required(path, "must specify exactly one of inlineVolumeSpec and persistentVolumeName")]
    if inline is not None and volume is not None:
        why = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        return [forbidden(path, why)]
    if volume is not None:
        why = "must specify non empty persistentVolumeName"
        return [] if volume else [required(f"{path}.persistentVolumeName", why)]
    return validate_volume_spec(inline or {}, "", f"{path}.inlineVolumeSpec", inline=True)


def _validate_attachment(obj: Object) -> list[FieldError]:
    spec, status = spec_of(obj), status_of(obj)
    errors = _attachment_source(spec.get("source") or {}, "spec.source")
    errors += checked(spec.get("nodeName") or "", "spec.nodeName", names.is_dns1123_subdomain)
    metadata = status.get("attachmentMetadata") or {}
    if sum(len(key) + len(value) for key, value in metadata.items()) > _ATTACHMENT_BYTES:
        errors.append(too_long("status.attachmentMetadata", _ATTACHMENT_BYTES))
    for field in ("attachError", "detachError"):
        errors += _volume_error(status.get(field) or {}, f"status.{field}")
    return errors


def _volume_error(error: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if len((error.get("message") or "").encode()) > _ERROR_LIMIT:
        errors.append(too_long(f"{path}.message", _ATTACHMENT_BYTES))  # upstream names another limit than it holds to
    code = error.get("errorCode")
    if code is not None and code < 0:
        errors.append(invalid(f"{path}.errorCode", code, names.range_message(0, _MOST_INT32)))
    return errors


def _attacher(name: str) -> list[FieldError]:
    """What the declarative rules say of an attacher."""
    if not name:
        return [required("spec.attacher")]
    errors = checked(name, "spec.attacher", names.is_dns1123_subdomain_caseless)
    return [*errors, too_long("spec.attacher", _DRIVER_NAME_LIMIT)] if len(name) > _DRIVER_NAME_LIMIT else errors


def create_attachment(obj: Object) -> list[FieldError]:
    """Faults of a new VolumeAttachment."""
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain) + _validate_attachment(obj)
    volume = (spec_of(obj).get("source") or {}).get("persistentVolumeName")
    if volume is not None:
        errors += checked(volume, "spec.source.persistentVolumeName", names.is_dns1123_subdomain)
    return errors + _attacher(spec_of(obj).get("attacher") or "")


def update_attachment(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed VolumeAttachment, or of its status: its spec stays."""
    errors = validate_metadata_update(new, old) + _validate_attachment(new)
    spec, before = spec_of(new), spec_of(old)
    if not same(spec, before, "spec"):
        shown = {field: spec.get(field) for field in ("attacher", "source", "nodeName")}
        errors.append(invalid("spec", rendered(shown), IMMUTABLE))
        if spec.get("attacher") != before.get("attacher"):
            errors += _attacher(spec.get("attacher") or "")
    return errors


def _csi_node_driver(driver: Object, path: str, *, is_repeated: bool) -> list[FieldError]:
    errors = _driver_name(driver.get("name"), f"{path}.name")
    node_id = driver.get("nodeID") or ""
    if not node_id:
        errors.append(required(f"{path}.nodeID"))
    elif len(node_id) > _NODE_ID_LIMIT:
        errors.append(invalid(f"{path}.nodeID", node_id, f"must be {_NODE_ID_LIMIT} characters or less"))
    count = (driver.get("allocatable") or {}).get("count")
    if count is not None and count < 0:
        errors.append(invalid(f"{path}.allocatable.count", count, NOT_NEGATIVE))
    if is_repeated:
        errors.append(duplicate(f"{path}.name", driver.get("name") or ""))
    # Upstream tells of bad topology keys at the driver.
    keys = driver.get("topologyKeys") or []
    for index, key in enumerate(keys):
        if not key:
            errors.append(required(path))
        if key in keys[:index]:
            errors.append(duplicate(path, key))
        errors += checked(key, path, names.is_qualified_name)
    return errors


def _validate_csi_node(obj: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str | None] = set()
    for index, driver in enumerate(spec_of(obj).get("drivers") or ()):
        name = driver.get("name")
        errors += _csi_node_driver(driver, f"spec.drivers[{index}]", is_repeated=name in seen)
        seen.add(name)
    return errors


def create_csi_node(obj: Object) -> list[FieldError]:
    """Faults of a new CSINode."""
    return validate_metadata(obj, False, names.is_dns1123_subdomain) + _validate_csi_node(obj)


def update_csi_node(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed CSINode: a driver may come and go, but not change in place (but for its limit)."""
    errors = validate_metadata_update(new, old) + _validate_csi_node(new)
    for known in spec_of(old).get("drivers") or ():
        for driver in spec_of(new).get("drivers") or ():
            now, then = ({**each, "allocatable": None} for each in (driver, known))
            if driver.get("name") == known.get("name") and not same(now, then):
                errors.append(invalid("spec.drivers", show(now, CSI_NODE_DRIVER), IMMUTABLE))
    return errors


def _csi_driver_tokens(requests: list[Object]) -> list[FieldError]:
    errors: list[FieldError] = []
    path = "spec.tokenRequests"
    seen: set[str] = set()
    for index, request in enumerate(requests):
        audience = request.get("audience") or ""
        if audience in seen:
            errors.append(duplicate(f"{path}[{index}].audience", audience))
            continue
        seen.add(audience)
        seconds = request.get("expirationSeconds")
        if seconds is None:
            continue
        at = f"{path}[{index}].expirationSeconds"
        if seconds < _LEAST_TOKEN_S:
            errors.append(invalid(at, seconds, "may not specify a duration less than 10 minutes"))
        if seconds > _MOST_TOKEN_S:
            errors.append(invalid(at, seconds, "may not specify a duration larger than 2^32 seconds"))
    return errors


def _validate_csi_driver(spec: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for field, path in _REQUIRED_OF_DRIVER.items():
        if spec.get(field) is None:
            errors.append(required(path))
    if spec.get("fsGroupPolicy") is not None:
        errors += one_of(spec["fsGroupPolicy"], "spec.fsGroupPolicy", _FS_GROUP_POLICIES)
    errors += _csi_driver_tokens(spec.get("tokenRequests") or [])
    for mode in spec.get("volumeLifecycleModes") or ():
        errors += one_of(mode, "spec.volumeLifecycleModes", _LIFECYCLES)
    if spec.get("seLinuxMount") is None:
        errors.append(required("spec.seLinuxMount"))
    period = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if period is not None and period < 10:
        path = "spec.nodeAllocatableUpdatePeriodSeconds"
        errors.append(invalid(path, period, "must be greater than or equal to 10 seconds"))
    return errors


def create_csi_driver(obj: Object) -> list[FieldError]:
    """Faults of a new CSIDriver: its name is the driver's."""
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain)
    return errors + _validate_csi_driver(spec_of(obj))


def update_csi_driver(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed CSIDriver: how its volumes are attached stays."""
    errors = validate_metadata_update(new, old) + _validate_csi_driver(spec_of(new))
    for field, path in (("attachRequired", _ATTACH_PATH), ("volumeLifecycleModes", "spec.volumeLifecycleModes")):
        errors += unchanged(spec_of(new).get(field), spec_of(old).get(field), path)
    return errors


def create_capacity(obj: Object) -> list[FieldError]:
    """Faults of a new CSIStorageCapacity."""
    errors = validate_metadata(obj, True, names.is_dns1123_subdomain)
    errors += label_selector(obj.get("nodeTopology"), "nodeTopology")
    errors += checked(obj.get("storageClassName") or "", "storageClassName", names.is_dns1123_subdomain)
    if obj.get("capacity") is not None and quantity.nano(obj["capacity"]) < 0:
        errors.append(invalid("capacity", obj["capacity"], NOT_NEGATIVE))
    return errors


def update_capacity(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed CSIStorageCapacity: where and for what class stays."""
    errors = validate_metadata_update(new, old)
    for field in ("nodeTopology", "storageClassName"):
        errors += unchanged(new.get(field), old.get(field), field)
    return errors


RULES: dict[tuple[str, str], Rules] = {
    (_GROUP, "StorageClass"): Rules(create_storage_class, update_storage_class),
    (_GROUP, "VolumeAttributesClass"): Rules(create_attributes_class, update_attributes_class),
    (_GROUP, "VolumeAttachment"): Rules(create_attachment, update_attachment, update_attachment),
    (_GROUP, "CSINode"): Rules(create_csi_node, update_csi_node, update_csi_node),
    (_GROUP, "CSIDriver"): Rules(create_csi_driver, update_csi_driver),
    (_GROUP, "CSIStorageCapacity"): Rules(create_capacity, update_capacity),
}
