"""What the rules of claims, classes and slices of devices have in common.

Source: pkg/apis/resource/validation/validation.go.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kubepy.api import names
from kubepy.api.errors import FieldError, duplicate, invalid, required, too_long, too_many
from kubepy.api.meta import Object
from kubepy.api.validation.checks import checked, duplicates, one_of_required
from kubepy.api.validation.meta import NameCheck

_DRIVER_LIMIT, _POOL_NAME_LIMIT, _IDENTIFIER_LIMIT = 63, 253, 32
_MOST_CONDITIONS = 4
_MOST_REQUESTS = 32
_PARAMETERS_LIMIT = 10 * 1024
EFFECTS = ("NoExecute", "NoSchedule", "None")

ItemRule = Callable[[Any, str], list[FieldError]]


def each(items: Sequence[Any] | None, path: str, most: int, rule: ItemRule) -> list[FieldError]:
    """Faults of every item; of too many items, that alone."""
    items = items or ()
    if len(items) > most:
        return [too_many(path, len(items), most)]
    return [fault for index, item in enumerate(items) for fault in rule(item, f"{path}[{index}]")]


def unique(values: Iterable[Any], path: str) -> list[FieldError]:
    """A fault at each value that was there before."""
    values = list(values)
    return [duplicate(f"{path}[{index}]", values[index]) for index in duplicates(values)]


def driver(name: str | None, path: str, check: NameCheck = names.is_dns1123_subdomain) -> list[FieldError]:
    """Faults of the name of a driver, which may have capitals; `check` words them."""
    if not name:
        return [required(path)]
    errors = [too_long(path, _DRIVER_LIMIT)] if len(name) > _DRIVER_LIMIT else []
    return errors + [invalid(path, name, text) for text in check(name.lower())]


def pool_name(name: str | None, path: str) -> list[FieldError]:
    """Faults of the name of a pool: subdomains, with slashes between."""
    if not name:
        return [required(path)]
    errors = [too_long(path, _POOL_NAME_LIMIT)] if len(name) > _POOL_NAME_LIMIT else []
    return errors + [fault for part in name.split("/") for fault in checked(part, path, names.is_dns1123_subdomain)]


def property_name(name: str, path: str) -> list[FieldError]:
    """Faults of an identifier, perhaps in a domain; with more slashes upstream looks no further."""
    parts = name.split("/")
    errors: list[FieldError] = []
    if len(parts) == 2:
        errors += driver(parts[0], path) if parts[0] else [invalid(path, "", "the domain must not be empty")]
    if len(parts) > 2:
        return errors
    if len(parts) == 2 and not parts[1]:
        return [*errors, invalid(path, "", "the name must not be empty")]
    if len(parts[-1]) > _IDENTIFIER_LIMIT:
        errors.append(too_long(path, _IDENTIFIER_LIMIT))
    return errors + checked(parts[-1], path, names.is_c_identifier)


def domain_property_name(name: str, path: str) -> list[FieldError]:
    """Faults of an identifier that must be in a domain."""
    errors = property_name(name, path)
    why = "a fully qualified name must be a domain and a name separated by a slash"
    return errors if "/" in name else [*errors, invalid(path, name, why)]


def binding(device: Object, path: str) -> list[FieldError]:
    """Faults of what must come true, or must not, before a device is bound."""
    good, bad = (device.get(field) or [] for field in ("bindingConditions", "bindingFailureConditions"))
    good_at, bad_at = f"{path}.bindingConditions", f"{path}.bindingFailureConditions"

    def condition(name: str, at: str) -> list[FieldError]:
        return checked(name, at, names.is_qualified_name)

    errors = each(good, good_at, _MOST_CONDITIONS, condition) + each(bad, bad_at, _MOST_CONDITIONS, condition)
    errors += unique(good, good_at)
    repeated, why = duplicates(bad), "bindingFailureConditions must not overlap with bindingConditions"
    for index, name in enumerate(bad):
        errors += [duplicate(f"{bad_at}[{index}]", name)] if index in repeated else []
        errors += [invalid(f"{bad_at}[{index}]", name, why)] if name in good else []
    if bad and not good:
        errors.append(invalid(good_at, None, "bindingConditions are required to use bindingFailureConditions"))
    if good and not bad:
        errors.append(invalid(bad_at, None, "bindingFailureConditions are required to use bindingConditions"))
    return errors


def raw_object(value: Any, path: str, limit: int) -> list[FieldError]:
    """Faults of an object of unknown fields."""
    if value is None:
        return [required(path)]
    if len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()) > limit:
        return [too_long(path, limit)]
    return [] if isinstance(value, dict) else [invalid(path, "<value omitted>", "must be a valid JSON object")]


def configuration(given: Object, path: str) -> list[FieldError]:
    """Faults of what a driver is told."""
    opaque = given.get("opaque")
    if opaque is None:
        return [required(f"{path}.opaque")]
    errors = driver(opaque.get("driver"), f"{path}.opaque.driver", names.is_dns1123_subdomain_caseless)
    return errors + raw_object(opaque.get("parameters"), f"{path}.opaque.parameters", _PARAMETERS_LIMIT)


def known_requests(spec: Object) -> set[str]:
    """How the devices of a claim's spec are referred to: by request, or by request and alternative."""
    requests = (spec.get("devices") or {}).get("requests") or ()
    return {request.get("name") or "" for request in requests} | {
        f"{request.get('name')}/{option.get('name')}"
        for request in requests
        for option in request.get("firstAvailable") or ()
    }


def request_reference(name: str, path: str, known: set[str]) -> list[FieldError]:
    """Faults of a name that refers to a request of the claim, or to an alternative of one."""
    why = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
    segments = name.split("/")
    errors: list[FieldError] = []
    if len(segments) <= 2:
        errors = [fault for segment in segments for fault in checked(segment, path, names.is_dns1123_label)]
    return errors if name in known and len(segments) <= 2 else [*errors, invalid(path, name, why)]


def request_references(given: Sequence[str] | None, path: str, known: set[str]) -> list[FieldError]:
    """Faults of the requests that something is for."""
    if len(given or ()) > _MOST_REQUESTS:
        return each(given, path, _MOST_REQUESTS, lambda name, at: [])
    return each(given, path, _MOST_REQUESTS, lambda name, at: request_reference(name, at, known)) + unique(
        given or (), path
    )


def taint(given: Object, path: str, effect: str | None = None) -> list[FieldError]:
    """Faults of the taint of a device; `effect` is what it was before, and may stay."""
    errors = checked(given.get("key") or "", f"{path}.key", names.is_qualified_name)
    if value := given.get("value"):
        errors += checked(value, f"{path}.value", names.is_label_value)
    if effect is not None and given.get("effect") == effect:
        return errors
    return errors + one_of_required(given.get("effect"), f"{path}.effect", EFFECTS)
