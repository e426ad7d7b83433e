"""Rules of what ResourceClaims are given: their status, which the scheduler and the drivers write.

An allocation is judged when it is new, never again: what was stored may be older than the rules.
Source: pkg/apis/resource/validation/validation.go.
"""

import re
from typing import Any

from kubepy.api import names
from kubepy.api.errors import (
    FieldError,
    Rendered,
    duplicate,
    forbidden,
    invalid,
    rendered,
    required,
    too_long,
    too_many,
)
from kubepy.api.meta import Object
from kubepy.api.validation.affinity import validate_node_selector
from kubepy.api.validation.checks import (
    checked,
    duplicates,
    one_of_required,
    spec_of,
    status_of,
    unchanged,
    validate_conditions,
)
from kubepy.api.validation.device_checks import (
    binding,
    configuration,
    driver,
    each,
    known_requests,
    pool_name,
    raw_object,
    request_reference,
    request_references,
    unique,
)
from kubepy.api.validation.meta import validate_metadata_update

_MOST_CONSUMERS = 256
_MOST_RESULTS, _MOST_CONFIGURATIONS = 32, 64
_MOST_CONDITIONS = 8
_MOST_ADDRESSES = 16
_DATA_LIMIT = 10 * 1024
_TEXT_LIMITS = {"interfaceName": 256, "hardwareAddress": 128}
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


def claim_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of a ResourceClaim's status: who has it reserved keeps what is allocated."""
    status, stored = status_of(new), status_of(old).get("allocation")
    allocation = status.get("allocation")
    errors = validate_metadata_update(new, old) + _consumers(status.get("reservedFor") or [], "status.reservedFor")
    errors += _devices(status.get("devices") or [], allocation or {}, "status.devices")
    errors += _reserved(new, old, "status.reservedFor")
    if allocation is None:
        return errors
    if stored is not None:
        return errors + unchanged(allocation, stored, "status.allocation")
    return errors + _allocation(allocation, "status.allocation", known_requests(spec_of(new)))


def _consumers(consumers: list[Object], path: str) -> list[FieldError]:
    if len(consumers) > _MOST_CONSUMERS:
        return [too_many(path, len(consumers), _MOST_CONSUMERS)]
    errors = each(consumers, path, _MOST_CONSUMERS, _consumer)
    return errors + unique([consumer.get("uid") for consumer in consumers], path)


def _reserved(new: Object, old: Object, path: str) -> list[FieldError]:
    """Only what is allocated is reserved, and for nobody else once it is to go."""
    consumers, before = (status_of(obj).get("reservedFor") or [] for obj in (new, old))
    if not consumers:
        return []
    if status_of(new).get("allocation") is None:
        return [forbidden(path, "may not be specified when `allocated` is not set")]
    is_deleted = (new.get("metadata") or {}).get("deletionTimestamp")
    if is_deleted and any(consumer not in before for consumer in consumers):
        why = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        return [forbidden(path, why)]
    return []


def _consumer(consumer: Object, path: str) -> list[FieldError]:
    return [required(f"{path}.{field}") for field in ("resource", "name", "uid") if not consumer.get(field)]


def _id(device: Object) -> tuple[str, str, str, str]:
    driver_name, pool, name, share = (device.get(field) or "" for field in ("driver", "pool", "device", "shareID"))
    return driver_name, pool, name, share


def _devices(devices: list[Object], allocation: Object, path: str) -> list[FieldError]:
    """Faults of what drivers tell of devices: of those that are allocated, and of each once."""
    given = {_id(result) for result in (allocation.get("devices") or {}).get("results") or ()}
    errors = [fault for index, device in enumerate(devices) for fault in _device(device, f"{path}[{index}]", given)]
    ids = [_id(device) for device in devices]
    return errors + [duplicate(f"{path}[{index}]", _shown(ids[index])) for index in duplicates(ids)]


def _shown(device: tuple[str, ...]) -> Rendered:
    named = zip(("Driver", "Pool", "Device", "ShareID"), device, strict=True)
    return rendered(dict(named))


def _device(device: Object, path: str, given: set[tuple[str, str, str, str]]) -> list[FieldError]:
    errors = driver(device.get("driver"), f"{path}.driver") + pool_name(device.get("pool"), f"{path}.pool")
    errors += checked(device.get("device") or "", f"{path}.device", names.is_dns1123_label)
    errors += _share(device.get("shareID"), f"{path}.shareID")
    if _id(device) not in given:
        errors.append(invalid(path, _shown(_id(device)), "must be an allocated device in the claim"))
    conditions, at = device.get("conditions") or (), f"{path}.conditions"
    if len(conditions) > _MOST_CONDITIONS:
        errors.append(too_many(at, len(conditions), _MOST_CONDITIONS))
    errors += validate_conditions(conditions, at)
    if device.get("data") is not None:
        errors += raw_object(device["data"], f"{path}.data", _DATA_LIMIT)
    return errors + _network(device.get("networkData") or {}, f"{path}.networkData")


def _network(data: Object, path: str) -> list[FieldError]:
    errors = [
        too_long(f"{path}.{field}", limit)
        for field, limit in _TEXT_LIMITS.items()
        if len((data.get(field) or "").encode()) > limit
    ]
    addresses, at = data.get("ips") or [], f"{path}.ips"
    errors += each(addresses, at, _MOST_ADDRESSES, lambda text, where: checked(text, where, names.is_interface_address))
    return errors + (unique(addresses, at) if len(addresses) <= _MOST_ADDRESSES else [])


def _share(share: str | None, path: str) -> list[FieldError]:
    if share is None or _UUID(share):
        return []
    return [invalid(path, share, "must be a lowercase UUID in 8-4-4-4-12 format")]


def _allocation(allocation: Object, path: str, known: set[str]) -> list[FieldError]:
    devices, at = allocation.get("devices") or {}, f"{path}.devices"

    def result(item: Object, where: str) -> list[FieldError]:
        return _result(item, where, known)

    def told(item: Object, where: str) -> list[FieldError]:
        errors = one_of_required(item.get("source"), f"{where}.source", ("FromClaim", "FromClass"))
        errors += request_references(item.get("requests"), f"{where}.requests", known)
        return errors + configuration(item, where)

    errors = each(devices.get("results"), f"{at}.results", _MOST_RESULTS, result)
    errors += each(devices.get("config"), f"{at}.config", _MOST_CONFIGURATIONS, told)
    selector: Any = allocation.get("nodeSelector")
    return errors if selector is None else errors + validate_node_selector(selector, f"{path}.nodeSelector")


def _result(item: Object, path: str, known: set[str]) -> list[FieldError]:
    errors = request_reference(item.get("request") or "", f"{path}.request", known)
    errors += driver(item.get("driver"), f"{path}.driver", names.is_dns1123_subdomain_caseless)
    errors += pool_name(item.get("pool"), f"{path}.pool")
    errors += checked(item.get("device") or "", f"{path}.device", names.is_dns1123_label)
    return errors + binding(item, path) + _share(item.get("shareID"), f"{path}.shareID")
