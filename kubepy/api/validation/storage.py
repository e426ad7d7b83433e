"""Rules of the storage group: classes, attachments and what CSI drivers tell of themselves.

Source: pkg/apis/storage/validation/validation.go.
"""

from kubepy.api import names, quantity
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, required, too_long
from kubepy.api.meta import Object
from kubepy.api.validation.checks import (
    checked,
    duplicates,
    named,
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

_GROUP = "storage.k8s.io"
_MOST_PARAMETERS = 512
_PARAMETERS_BYTES = 256 * 1024
_DRIVER_NAME_LIMIT = 63
_ATTACHMENT_BYTES = 256 * 1024
_ERROR_LIMIT = 1024
_NODE_ID_LIMIT = 192
_LEAST_TOKEN_S, _MOST_TOKEN_S = 600, 1 << 32
# Upstream spells this path with two letters too many; clients see it.
_ATTACH_PATH = "spec.attachedRequired"
_REQUIRED_OF_DRIVER = {
    "attachRequired": _ATTACH_PATH,
    "podInfoOnMount": "spec.podInfoOnMount",
    "storageCapacity": "spec.storageCapacity",
    "seLinuxMount": "spec.seLinuxMount",
}
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
    for index, term in enumerate(terms):
        expressions = term.get("matchLabelExpressions") or []
        at = f"{path}[{index}].matchLabelExpressions"
        for number, expression in enumerate(expressions):
            if not expression.get("values"):
                errors.append(required(f"{at}[{number}].values"))
            errors += unique(expression.get("values") or (), f"{at}[{number}].values")
            errors += checked(expression.get("key", ""), f"{at}[{number}].key", names.is_qualified_name)
        errors += unique([expression.get("key") for expression in expressions], at, ".key")
    return errors


def create_storage_class(obj: Object) -> list[FieldError]:
    """Faults of a new StorageClass."""
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain)
    errors += _provisioner(obj.get("provisioner"), "provisioner")
    errors += _parameters(obj.get("parameters"), "parameters")
    if obj.get("reclaimPolicy"):
        errors += one_of(obj["reclaimPolicy"], "reclaimPolicy", _RECLAIM)
    errors += one_of_required(obj.get("volumeBindingMode"), "volumeBindingMode", _BINDING)
    return errors + _topologies(obj.get("allowedTopologies") or [], "allowedTopologies")


def update_storage_class(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed StorageClass: what volumes were made by never changes."""
    errors = validate_metadata_update(new, old)
    for field in ("parameters", "provisioner", "reclaimPolicy"):
        if not same(new.get(field), old.get(field), field):
            errors.append(forbidden(field, f"updates to {field} are forbidden."))
    return errors + unchanged(new.get("volumeBindingMode"), old.get("volumeBindingMode"), "volumeBindingMode")


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
    return errors


def _attachment_source(source: Object, path: str) -> list[FieldError]:
    inline, volume = source.get("inlineVolumeSpec"), source.get("persistentVolumeName")
    if inline is None and volume is None:
        return [required(path, "must specify exactly one of inlineVolumeSpec and persistentVolumeName")]
    if inline is not None and volume is not None:
        why = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        return [forbidden(path, why)]
    if volume is not None:
        if not volume:
            return [required(f"{path}.persistentVolumeName", "must specify non empty persistentVolumeName")]
        return checked(volume, f"{path}.persistentVolumeName", names.is_dns1123_subdomain)
    return validate_volume_spec(inline or {}, "", f"{path}.inlineVolumeSpec", inline=True)


def _validate_attachment(obj: Object) -> list[FieldError]:
    spec, status = spec_of(obj), status_of(obj)
    errors = _driver_name(spec.get("attacher"), "spec.attacher")
    errors += _attachment_source(spec.get("source") or {}, "spec.source")
    errors += checked(spec.get("nodeName") or "", "spec.nodeName", names.is_dns1123_subdomain)
    metadata = status.get("attachmentMetadata") or {}
    if sum(len(key) + len(value) for key, value in metadata.items()) > _ATTACHMENT_BYTES:
        errors.append(too_long("status.attachmentMetadata", _ATTACHMENT_BYTES))
    for field in ("attachError", "detachError"):
        if len((status.get(field) or {}).get("message") or "") > _ERROR_LIMIT:
            errors.append(too_long(f"status.{field}.message", _ERROR_LIMIT))
    return errors


def create_attachment(obj: Object) -> list[FieldError]:
    """Faults of a new VolumeAttachment."""
    return validate_metadata(obj, False, names.is_dns1123_subdomain) + _validate_attachment(obj)


def update_attachment(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed VolumeAttachment: its spec stays."""
    errors = validate_metadata_update(new, old) + _validate_attachment(new)
    return errors + unchanged(spec_of(new), spec_of(old), "spec")


def attachment_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of a VolumeAttachment's status."""
    return validate_metadata_update(new, old) + _validate_attachment(new)


def _csi_node_driver(driver: Object, path: str) -> list[FieldError]:
    errors = _driver_name(driver.get("name"), f"{path}.name")
    node_id = driver.get("nodeID") or ""
    if not node_id:
        errors.append(required(f"{path}.nodeID"))
    elif len(node_id) > _NODE_ID_LIMIT:
        errors.append(invalid(f"{path}.nodeID", node_id, f"must be {_NODE_ID_LIMIT} characters or less"))
    count = (driver.get("allocatable") or {}).get("count")
    if count is not None and count < 0:
        errors.append(invalid(f"{path}.allocatable.count", count, NOT_NEGATIVE))
    # Upstream tells of bad topology keys at the driver.
    keys = driver.get("topologyKeys") or []
    for key in keys:
        errors += named(key, path, names.is_qualified_name)
    return errors + [duplicate(path, keys[index]) for index in duplicates(keys)]


def _validate_csi_node(obj: Object) -> list[FieldError]:
    drivers = spec_of(obj).get("drivers") or []
    errors: list[FieldError] = []
    for index, driver in enumerate(drivers):
        errors += _csi_node_driver(driver, f"spec.drivers[{index}]")
    return errors + unique([driver.get("name") for driver in drivers], "spec.drivers", ".name")


def create_csi_node(obj: Object) -> list[FieldError]:
    """Faults of a new CSINode."""
    return validate_metadata(obj, False, names.is_dns1123_subdomain) + _validate_csi_node(obj)


def update_csi_node(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed CSINode: a driver may come and go, but not change in place (but for its limit)."""
    errors = validate_metadata_update(new, old) + _validate_csi_node(new)
    before = {driver.get("name"): driver for driver in spec_of(old).get("drivers") or ()}
    for driver in spec_of(new).get("drivers") or ():
        known = before.get(driver.get("name"))
        if known is None:
            continue
        now, then = ({**d, "allocatable": None} for d in (driver, known))
        if not same(now, then):
            errors.append(invalid("spec.drivers", driver, IMMUTABLE))
    return errors


def _csi_driver_tokens(requests: list[Object]) -> list[FieldError]:
    errors: list[FieldError] = []
    path = "spec.tokenRequests"
    for index, request in enumerate(requests):
        seconds = request.get("expirationSeconds")
        if seconds is None:
            continue
        at = f"{path}[{index}].expirationSeconds"
        if seconds < _LEAST_TOKEN_S:
            errors.append(invalid(at, seconds, "may not specify a duration less than 10 minutes"))
        if seconds > _MOST_TOKEN_S:
            errors.append(invalid(at, seconds, "may not specify a duration larger than 2^32 seconds"))
    return errors + unique([request.get("audience", "") for request in requests], path, ".audience")


def _validate_csi_driver(spec: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for field, path in _REQUIRED_OF_DRIVER.items():
        if spec.get(field) is None:
            errors.append(required(path))
    if spec.get("fsGroupPolicy") is not None:
        policies = ("ReadWriteOnceWithFSType", "File", "None")
        errors += one_of(spec["fsGroupPolicy"], "spec.fsGroupPolicy", policies)
    errors += _csi_driver_tokens(spec.get("tokenRequests") or [])
    for mode in spec.get("volumeLifecycleModes") or ():
        errors += one_of(mode, "spec.volumeLifecycleModes", ("Ephemeral", "Persistent"))
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
    (_GROUP, "VolumeAttachment"): Rules(create_attachment, update_attachment, attachment_status),
    (_GROUP, "CSINode"): Rules(create_csi_node, update_csi_node, update_csi_node),
    (_GROUP, "CSIDriver"): Rules(create_csi_driver, update_csi_driver),
    (_GROUP, "CSIStorageCapacity"): Rules(create_capacity, update_capacity),
}
