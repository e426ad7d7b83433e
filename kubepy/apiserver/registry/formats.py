"""Formats of strings that schemas of custom resources may ask for; formats that are not here say nothing.

Source: kube-openapi pkg/validation/strfmt, apiextensions-apiserver pkg/apiserver/validation/formats.go.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from email.utils import parseaddr
from typing import Final

from kubepy.api.formats import plain_name
from kubepy.api.names import is_dns1123_label, is_dns1123_subdomain
from kubepy.api.quantity import is_quantity
from kubepy.apiserver.cel.library.formats import FORMATS

_HOSTNAME = re.compile(r"(?i)[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)*")
_MAC = re.compile(r"(?i)(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}")
_UUID = re.compile(r"(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?([0-9a-f])[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_DURATION = re.compile(r"(?:\s*\d+(?:\.\d*)?\s*(?:ns|us|µs|ms|s|m|h|d|w|[a-z]+s?))+\s*", re.I)
_HEX_COLOR = re.compile(r"(?i)#?(?:[0-9a-f]{3}|[0-9a-f]{6})")
_OBJECT_ID = re.compile(r"(?i)[0-9a-f]{24}")
_SSN = re.compile(r"\d{3}[- ]?\d{2}[- ]?\d{4}", re.ASCII)
_SHADE = r"\s*(?:0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*"
_RGB_COLOR = re.compile(rf"rgb\({_SHADE},{_SHADE},{_SHADE}\)", re.ASCII)
_CREDIT_CARD = re.compile(
    r"4\d{12}(?:\d{3}(?:\d{3})?)?|5[1-5]\d{14}|222[1-9]\d{12}|22[3-9]\d{13}|2[3-6]\d{14}|27[01]\d{13}|2720\d{12}"
    r"|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11}|6[27]\d{14}",
    re.ASCII,
)


def _is_credit_card(text: str) -> bool:
    """By Luhn's sum."""
    found = re.sub(r"[^0-9]+", "", text)
    if not _CREDIT_CARD.fullmatch(found):
        return False
    doubled = [int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(found))]
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


def _is_isbn10(text: str) -> bool:
    found = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch(r"[0-9]{9}[0-9X]", found):
        return False
    return sum((at + 1) * (10 if digit == "X" else int(digit)) for at, digit in enumerate(found)) % 11 == 0


def _is_isbn13(text: str) -> bool:
    found = re.sub(r"[\s-]+", "", text)
    return bool(re.fullmatch(r"[0-9]{13}", found)) and (
        sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(found)) % 10 == 0
    )


def _is_address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def _uuid(version: str) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        found = _UUID.fullmatch(text)
        return found is not None and (not version or found[1] == version)

    return check


def _known(name: str) -> Callable[[str], bool]:
    return lambda text: not FORMATS[name].check(text)


def check_of(form: str) -> Callable[[str], bool] | None:
    """The test of a format; None where there is nothing to test."""
    return CHECKS.get(plain_name(form))


CHECKS: Final[Mapping[str, Callable[[str], bool]]] = {
    "bsonobjectid": lambda text: _OBJECT_ID.fullmatch(text) is not None,
    "byte": _known("byte"),
    "cidr": _is_network,
    "creditcard": _is_credit_card,
    "date": _known("date"),
    "datetime": _known("datetime"),
    "duration": lambda text: _DURATION.fullmatch(text) is not None or text == "0",
    "email": lambda text: "@" in parseaddr(text)[1],
    "hexcolor": lambda text: _HEX_COLOR.fullmatch(text) is not None,
    "hostname": lambda text: len(text) <= 255 and _HOSTNAME.fullmatch(text) is not None,
    "ipv4": lambda text: _is_address(text, 4),
    "ipv6": lambda text: _is_address(text, 6),
    "isbn": lambda text: _is_isbn10(text) or _is_isbn13(text),
    "isbn10": _is_isbn10,
    "isbn13": _is_isbn13,
    "k8slongname": lambda text: not is_dns1123_subdomain(text),
    "k8sshortname": lambda text: not is_dns1123_label(text),
    "mac": lambda text: _MAC.fullmatch(text) is not None,
    "quantity": is_quantity,
    "rgbcolor": lambda text: _RGB_COLOR.fullmatch(text) is not None,
    "ssn": lambda text: _SSN.fullmatch(text) is not None,
    "uri": _known("uri"),
    "uuid": _uuid(""),
    "uuid3": _uuid("3"),
    "uuid4": _uuid("4"),
    "uuid5": _uuid("5"),
}
