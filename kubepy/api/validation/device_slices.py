"""Rules of ResourceSlices: what a driver may tell of its devices.

Source: pkg/apis/resource/validation/validation.go.
"""

import re
from collections.abc import Callable
from typing import Any

from kubepy.api import names, quantity
from kubepy.api.errors import FieldError, forbidden, invalid, required, too_long, too_many
from kubepy.api.meta import Object
from kubepy.api.validation.affinity import validate_node_selector
from kubepy.api.validation.checks import checked, named, spec_of, unchanged
from kubepy.api.validation.device_checks import (
    ItemRule,
    binding,
    driver,
    each,
    pool_name,
    property_name,
    taint,
    unique,
)
from kubepy.api.validation.equality import same
from kubepy.api.validation.meta import validate_metadata, validate_metadata_update
from kubepy.api.validation.rules import Rules
from kubepy.api.validation.shown import NODE_SELECTOR_TERM, show_all

_MOST_DEVICES = 128
_MOST_COMPLEX_DEVICES = 64
"""Of devices that have taints or consume counters."""
_MOST_PROPERTIES = 32
_MOST_TAINTS = 16
_MOST_COUNTER_SETS = 8
_MOST_COUNTERS = 32
_MOST_CONSUMPTIONS = 2
_MOST_AMOUNTS = 10
_TEXT_LIMIT = 64
_KEY_SHOWN = 96
_WHERE = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_PRE = r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_VERSION = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)" + rf"(-{_PRE}(\.{_PRE})*)?" + r"(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
).fullmatch
_ONE_VALUE = "exactly one value must be specified"
_PER_DEVICE = "`perDeviceNodeSelection` is set to true in the ResourceSlice spec"


def create_slice(obj: Object) -> list[FieldError]:
    """Faults of a new ResourceSlice."""
    return validate_metadata(obj, False, names.is_dns1123_subdomain) + _validate_spec(spec_of(obj), {})


def update_slice(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed ResourceSlice: whose it is, and of which node, stays."""
    return validate_metadata_update(new, old) + _validate_spec(spec_of(new), spec_of(old))


def _validate_spec(spec: Object, before: Object) -> list[FieldError]:
    """Faults of a spec; `before` is empty of a new one."""
    errors = driver(spec.get("driver"), "spec.driver") + _pool(spec.get("pool") or {}, "spec.pool")
    if before:
        now, then = ((one.get("pool") or {}).get("name") for one in (spec, before))
        errors += unchanged(now, then, "spec.pool.name")
        for field in ("driver", "nodeName"):
            errors += unchanged(spec.get(field), before.get(field), f"spec.{field}")
    errors += _place(spec, "spec", "must be either unset or set to a non-empty string", _WHERE)
    chosen = _chosen(spec, _WHERE)
    why = f"exactly one of {', '.join(f'`{field}`' for field in _WHERE)} is required"
    if not chosen:
        errors.append(required("spec", why))
    elif len(chosen) > 1:
        errors.append(invalid("spec", _shown(chosen), f"{why}, but multiple fields are set"))
    devices, counters = spec.get("devices"), spec.get("sharedCounters")
    if devices is not None and counters is not None:
        errors.append(invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed"))
    old_devices = {device.get("name"): device for device in before.get("devices") or ()}
    complex_ones = any(device.get("taints") or device.get("consumesCounters") for device in devices or ())
    most = _MOST_COMPLEX_DEVICES if complex_ones else _MOST_DEVICES

    def device(item: Object, path: str) -> list[FieldError]:
        return _device(item, old_devices.get(item.get("name")), path, per_device=bool(spec.get(_WHERE[-1])))

    errors += _each_once(devices, "spec.devices", most, device, "name")
    return errors + _each_once(counters, "spec.sharedCounters", _MOST_COUNTER_SETS, _counter_set, "name")


def _each_once(items: list[Object] | None, path: str, most: int, rule: ItemRule, key: str) -> list[FieldError]:
    errors = each(items, path, most, rule)
    return errors if len(items or ()) > most else errors + unique([item.get(key) for item in items or ()], path)


def _pool(pool: Object, path: str) -> list[FieldError]:
    errors = pool_name(pool.get("name"), f"{path}.name")
    if (pool.get("resourceSliceCount") or 0) <= 0:
        why = "must be greater than zero"
        errors.append(invalid(f"{path}.resourceSliceCount", pool.get("resourceSliceCount") or 0, why))
    if (pool.get("generation") or 0) < 0:
        errors.append(invalid(f"{path}.generation", pool["generation"], "must be greater than or equal to zero"))
    return errors


def _chosen(holder: Object, fields: tuple[str, ...]) -> list[str]:
    return [field for field in fields if holder.get(field) not in (None, "", False)]


def _shown(fields: list[str]) -> str:
    return "{" + ", ".join(f"`{field}`" for field in fields) + "}"


def _place(holder: Object, path: str, empty: str, fields: tuple[str, ...]) -> list[FieldError]:
    """Faults of where devices are, field by field; `empty` tells what is wrong with the empty name of a node."""
    errors: list[FieldError] = []
    node, selector = holder.get("nodeName"), holder.get("nodeSelector")
    if node:
        errors += checked(node, f"{path}.nodeName", names.is_dns1123_subdomain)
    elif node is not None:
        errors.append(invalid(f"{path}.nodeName", node, empty))
    if selector is not None:
        errors += validate_node_selector(selector, f"{path}.nodeSelector")
        terms = selector.get("nodeSelectorTerms")
        if fields is _WHERE and len(terms or ()) != 1:
            why = "must have exactly one node selector term"
            shown = show_all(terms, NODE_SELECTOR_TERM)
            errors.append(invalid(f"{path}.nodeSelector.nodeSelectorTerms", shown, why))
    for field in fields[2:]:
        if holder.get(field) is False:
            errors.append(invalid(f"{path}.{field}", False, "must be either unset or set to true"))
    return errors


def _device(device: Object, old: Object | None, path: str, *, per_device: bool) -> list[FieldError]:
    errors = named(device.get("name"), f"{path}.name", names.is_dns1123_label)
    attributes, capacity = device.get("attributes") or {}, device.get("capacity") or {}
    if (count := len(attributes) + len(capacity)) > _MOST_PROPERTIES:
        why = f"the total number of attributes and capacities must not exceed {_MOST_PROPERTIES}"
        errors.append(invalid(path, count, why))
    errors += _each_named(attributes, f"{path}.attributes", property_name, _attribute)
    rule = _shared_capacity if device.get("allowMultipleAllocations") else _whole_capacity
    errors += _each_named(capacity, f"{path}.capacity", property_name, rule)
    if old is None or not same(old.get("taints"), device.get("taints"), "taints"):
        errors += each(device.get("taints"), f"{path}.taints", _MOST_TAINTS, taint)
    at, uses = f"{path}.consumesCounters", device.get("consumesCounters")
    errors += _each_once(uses, at, _MOST_CONSUMPTIONS, _consumption, "counterSet")
    return errors + _device_place(device, path, per_device) + binding(device, path)


def _device_place(device: Object, path: str, per_device: bool) -> list[FieldError]:
    fields = _WHERE[:3]
    if not per_device:
        given = [field for field in fields if device.get(field) is not None]
        why = f"`nodeName`, `nodeSelector` and `allNodes` can only be set if {_PER_DEVICE}"
        return [invalid(path, None, why)] if given else []
    errors, chosen = _place(device, path, "must not be empty", fields), _chosen(device, fields)
    why = f"exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when {_PER_DEVICE}"
    if not chosen:
        return [*errors, required(path, why)]
    return errors if len(chosen) == 1 else [*errors, invalid(path, _shown(chosen), why)]


def _each_named(
    items: Object, path: str, name_rule: Callable[[str, str], list[FieldError]], rule: ItemRule
) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, item in items.items():
        half = (_KEY_SHOWN - 3) // 2
        shown = name if len(name) <= _KEY_SHOWN else f"{name[: half + 1]}...{name[-half:]}"
        errors += name_rule(name, f"{path}[{shown}]") + rule(item, f"{path}[{shown}]")
    return errors


def _attribute(attribute: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    text, version = attribute.get("string"), attribute.get("version")
    if text is not None and len(text.encode()) > _TEXT_LIMIT:
        errors.append(too_long(f"{path}.string", _TEXT_LIMIT))
    if version is not None:
        if not _VERSION(version):
            errors.append(invalid(f"{path}.version", version, "must be a string compatible with semver.org spec 2.0.0"))
        if len(version.encode()) > _TEXT_LIMIT:
            errors.append(too_long(f"{path}.version", _TEXT_LIMIT))
    if len([value for value in attribute.values() if value is not None]) != 1:
        errors.append(invalid(path, attribute or "", _ONE_VALUE))
    return errors


def _whole_capacity(capacity: Object, path: str) -> list[FieldError]:
    given = capacity.get("requestPolicy") is not None
    return [forbidden(f"{path}.requestPolicy", "allowMultipleAllocations must be true")] if given else []


def _shared_capacity(capacity: Object, path: str) -> list[FieldError]:
    policy, path = capacity.get("requestPolicy") or {}, f"{path}.requestPolicy"
    values, bounds, default = policy.get("validValues"), policy.get("validRange"), policy.get("default")
    if values and bounds is not None:
        why = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'
        return [forbidden(path, why)]
    for field in ("validValues", "validRange"):
        if (values if field == "validValues" else bounds is not None) and default is None:
            return [required(f"{path}.default", f"required when {field} is defined")]
    most = capacity.get("value") or "0"
    if values:
        return _valid_values(default, most, values, f"{path}.validValues")
    return _valid_range(default, most, bounds, f"{path}.validRange") if bounds is not None else []


def _amount(path: str, value: Any, why: str) -> FieldError:
    return invalid(path, quantity.canonical(value), why)


def _valid_values(default: Any, most: Any, values: list[Any], path: str) -> list[FieldError]:
    errors = [
        _amount(f"{path}[{index}]", value, "values must be sorted in ascending order")
        for index, value in enumerate(values)
        if index and quantity.compare(values[index - 1], value) > 0
    ]
    if len(values) > _MOST_AMOUNTS:
        errors.append(too_many(path, len(values), _MOST_AMOUNTS))
    else:
        why = f"option is larger than capacity value: {quantity.canonical(most)}"
        for index, value in enumerate(values):
            errors += [_amount(f"{path}[{index}]", value, why)] if quantity.compare(value, most) > 0 else []
        errors += unique([str(quantity.value(value)) for value in values], path)
    if len(values) > _MOST_AMOUNTS or all(quantity.compare(value, default) for value in values):
        errors.append(_amount(path, default, "default value is not valid according to the requestPolicy"))
    return errors


def _valid_range(default: Any, most: Any, bounds: Object, path: str) -> list[FieldError]:
    low, high, step = (bounds.get(field) for field in ("min", "max", "step"))
    if low is None:
        return [required(f"{path}.min", "required when validRange is defined")]
    least, limit, whole = quantity.compare, quantity.canonical(low), quantity.canonical(most)
    errors: list[FieldError] = []
    if least(low, most) > 0:
        errors.append(_amount(f"{path}.min", low, f"min is larger than capacity value: {whole}"))
    if least(default, low) < 0:
        errors.append(_amount(f"{path}.min", default, f"default is less than min: {limit}"))
    if high is not None:
        top = quantity.canonical(high)
        if least(low, high) > 0:
            errors.append(_amount(f"{path}.max", low, f"min is larger than max: {top}"))
        if least(high, most) > 0:
            errors.append(_amount(f"{path}.max", high, f"max is larger than capacity value: {whole}"))
        if least(default, high) > 0:
            errors.append(_amount(f"{path}.max", default, f"default is more than max: {top}"))
    if step is not None and quantity.value(step):
        first = quantity.add(low, step)
        if least(first, most) > 0:
            errors.append(_amount(f"{path}.step", step, f"one step {first} is larger than capacity value: {whole}"))
        why = f"value is not a multiple of a given step ({quantity.canonical(step)}) from ({limit})"
        for value in (default, *(() if high is None else (high,))):
            if (quantity.value(value) - quantity.value(low)) % quantity.value(step):
                errors.append(_amount(f"{path}.step", value, why))
    return errors


def _counter_name(name: str, path: str) -> list[FieldError]:
    return checked(name, path, names.is_dns1123_label)


def _counters(counters: Object | None, path: str) -> list[FieldError]:
    if not counters:
        return [required(path)]
    if len(counters) > _MOST_COUNTERS:
        return [too_many(path, len(counters), _MOST_COUNTERS)]
    return _each_named(counters, path, _counter_name, lambda counter, at: [])


def _counter_set(given: Object, path: str) -> list[FieldError]:
    errors = named(given.get("name"), f"{path}.name", names.is_dns1123_label)
    return errors + _counters(given.get("counters"), f"{path}.counters")


def _consumption(given: Object, path: str) -> list[FieldError]:
    errors = named(given.get("counterSet"), f"{path}.counterSet", names.is_dns1123_label)
    return errors + _counters(given.get("counters"), f"{path}.counters")


RULES = {("resource.k8s.io", "ResourceSlice"): Rules(create_slice, update_slice)}
