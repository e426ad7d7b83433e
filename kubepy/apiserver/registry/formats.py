"""Formats of strings that schemas of custom resources may ask for; formats that are not here say nothing.

Source: kube-openapi pkg/validation/strfmt, apiextensions-apiserver pkg/apiserver/validation/formats.go.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from email.utils import parseaddr
from typing import Final

from kubepy.api.names import is_dns1123_label, is_dns1123_subdomain
from kubepy.apiserver.cel.library.formats import FORMATS

_HOSTNAME = re.compile(r"(?i)[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)*")
_MAC = re.compile(r"(?i)(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}")
_UUID = re.compile(r"(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?([0-9a-f])[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_DURATION = re.compile(r"(?:\s*\d+(?:\.\d*)?\s*(?:ns|us|µs|ms|s|m|h|d|w|[a-z]+s?))+\s*", re.I)
_HEX_COLOR = re.compile(r"(?i)#?(?:[0-9a-f]{3}|[0-9a-f]{6})")


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


CHECKS: Final[Mapping[str, Callable[[str], bool]]] = {
    "byte": _known("byte"),
    "cidr": _is_network,
    "date": _known("date"),
    "date-time": _known("datetime"),
    "datetime": _known("datetime"),
    "duration": lambda text: _DURATION.fullmatch(text) is not None or text == "0",
    "email": lambda text: "@" in parseaddr(text)[1],
    "hexcolor": lambda text: _HEX_COLOR.fullmatch(text) is not None,
    "hostname": lambda text: len(text) <= 255 and _HOSTNAME.fullmatch(text) is not None,
    "ipv4": lambda text: _is_address(text, 4),
    "ipv6": lambda text: _is_address(text, 6),
    "k8s-long-name": lambda text: not is_dns1123_subdomain(text),
    "k8s-short-name": lambda text: not is_dns1123_label(text),
    "mac": lambda text: _MAC.fullmatch(text) is not None,
    "uri": _known("uri"),
    "uuid": _uuid(""),
    "uuid3": _uuid("3"),
    "uuid4": _uuid("4"),
    "uuid5": _uuid("5"),
}
