"""Checks of single fields that the rules of all kinds are made of: a value and its path in, faults out.

Each answers upstream's reason and text for that sort of field; the texts of names come from api/names.py.
Source: pkg/apis/core/validation/validation.go; apimachinery pkg/apis/meta/v1/validation and pkg/api/validation.
"""

import ipaddress
from collections.abc import Container, Iterable, Mapping
from typing import Any

from kubepy.api import names, quantity
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from kubepy.api.meta import Object
from kubepy.api.validation.meta import NOT_NEGATIVE, validate_labels

PROTOCOLS = ("SCTP", "TCP", "UDP")
NOT_POSITIVE = "must be greater than zero"
_ABSENT: tuple[Any, ...] = (None, "", 0, [], {}, False)


def dns_label(value: str, path: str) -> list[FieldError]:
    return [invalid(path, value, text) for text in names.is_dns1123_label(value)]


def dns_subdomain(value: str, path: str) -> list[FieldError]:
    return [invalid(path, value, text) for text in names.is_dns1123_subdomain(value)]


def qualified_name(value: str, path: str) -> list[FieldError]:
    return [invalid(path, value, text) for text in names.is_qualified_name(value)]


def label_value(value: str, path: str) -> list[FieldError]:
    return [invalid(path, value, text) for text in names.is_label_value(value)]


def ip_address(value: str, path: str) -> list[FieldError]:
    return [invalid(path, value, text) for text in names.is_ip(value)]


def cidr(value: str, path: str) -> list[FieldError]:
    return [invalid(path, value, text) for text in names.is_cidr(value)]


def required_name(value: str | None, path: str) -> list[FieldError]:
    """A DNS subdomain that must be there."""
    return dns_subdomain(value, path) if value else [required(path)]


def missing(holder: Mapping[str, Any], path: str, *fields: str) -> list[FieldError]:
    """A `Required value` for each of those fields that is absent or empty."""
    return [required(f"{path}.{field}") for field in fields if not holder.get(field)]


def one_of(value: str | None, path: str, supported: Iterable[str]) -> list[FieldError]:
    """Required, and one of `supported` (listed in the order given)."""
    if not value:
        return [required(path)]
    return supported_if_set(value, path, supported)


def supported_if_set(value: Any, path: str, supported: Iterable[str]) -> list[FieldError]:
    """One of `supported` unless it is absent."""
    if value is None or value in (supported := tuple(supported)):
        return []
    return [not_supported(path, value, supported)]


def non_negative(value: int | None, path: str) -> list[FieldError]:
    return [invalid(path, value, NOT_NEGATIVE)] if value and value < 0 else []


def in_range(value: int, path: str, low: int, high: int) -> list[FieldError]:
    return [invalid(path, value, text) for text in names.is_in_range(value, low, high)]


def user_id(value: int | None, path: str) -> list[FieldError]:
    """A user or group id, unless it is absent."""
    return [] if value is None else [invalid(path, value, text) for text in names.is_user_id(value)]


def port_number(value: int, path: str) -> list[FieldError]:
    return [invalid(path, value, text) for text in names.is_port_number(value)]


def port_number_or_name(value: int | str | None, path: str) -> list[FieldError]:
    if isinstance(value, str):
        return [invalid(path, value, text) for text in names.is_port_name(value)]
    return port_number(value or 0, path)


def protocol(value: str | None, path: str) -> list[FieldError]:
    return one_of(value, path, PROTOCOLS)


def positive_quantity(value: Any, path: str) -> list[FieldError]:
    return [] if quantity.nano(value) > 0 else [invalid(path, quantity.canonical(value), NOT_POSITIVE)]


def basic_quantity(value: Any, path: str) -> list[FieldError]:
    if quantity.nano(value) >= 0:
        return []
    return [invalid(path, quantity.value(value), "must be a valid resource quantity")]


def unique(values: Iterable[Any], path: str, field: str = "") -> list[FieldError]:
    """A `Duplicate value` for each entry of a list that repeats an earlier one."""
    errors, seen = [], set()
    for index, value in enumerate(values):
        if value in seen:
            errors.append(duplicate(f"{path}[{index}]{field}", value))
        seen.add(value)
    return errors


def ordinary_address(value: str, path: str) -> list[FieldError]:
    """An address that Endpoints or external IPs may have: none of a machine or a link alone."""
    address = names.parse_ip(value)
    if address is None:
        return [invalid(path, value, "must be a valid IP address")]
    if isinstance(address, ipaddress.IPv6Address):  # "::ffff:127.0.0.1" is 127.0.0.1
        address = address.ipv4_mapped or address
    if address.is_unspecified:
        return [invalid(path, value, f"may not be unspecified ({value})")]
    if address.is_loopback:
        return [invalid(path, value, "may not be in the loopback range (127.0.0.0/8, ::1/128)")]
    if address.is_link_local:
        return [invalid(path, value, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")]
    if is_link_local_multicast(address):
        why = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        return [invalid(path, value, why)]
    return []


def is_link_local_multicast(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Multicast that stays on its link, for whatever time it was assigned."""
    number = int(address)
    return number >> 8 == 0xE00000 if address.version == 4 else number >> 112 & 0xFF0F == 0xFF02


def one_per_family(addresses: list[str], path: str, value: Any, *, noun: str = "IP") -> list[FieldError]:
    """At most one address (or network) of IPv4 and one of IPv6. Those that do not parse are told of elsewhere."""
    if len(addresses) < 2:
        return []
    versions = [found.version for address in addresses if (found := names.parse_ip(address.partition("/")[0]))]
    if len(addresses) == 2 and len(set(versions)) == 2:
        return []
    return [invalid(path, value, f"may specify no more than one {noun} for each IP family")]


def label_selector(selector: Object | None, path: str) -> list[FieldError]:
    """Faults in a LabelSelector; None has none."""
    if not selector:
        return []
    errors = validate_labels(selector.get("matchLabels"), f"{path}.matchLabels")
    for index, expression in enumerate(selector.get("matchExpressions") or ()):
        at = f"{path}.matchExpressions[{index}]"
        values = expression.get("values") or ()
        errors += operator_and_values(expression.get("operator") or "", values, at)
        errors += qualified_name(expression.get("key") or "", f"{at}.key")
        for number, value in enumerate(values):
            errors += label_value(value, f"{at}.values[{number}]")
    return errors


def operator_and_values(operator: str, values: Iterable[str], path: str) -> list[FieldError]:
    """In and NotIn need values, Exists and DoesNotExist must have none."""
    if operator in ("In", "NotIn"):
        if not values:
            return [required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")]
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            return [forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")]
    else:
        return [invalid(f"{path}.operator", operator, "not a valid selector operator")]
    return []


def only_allowed(holder: Mapping[str, Any], path: str, allowed: Container[str], why: str) -> list[FieldError]:
    """A `Forbidden` for each field that is set but not allowed here."""
    return [
        forbidden(f"{path}.{field}", why)
        for field, value in holder.items()
        if field not in allowed and value not in _ABSENT
    ]
