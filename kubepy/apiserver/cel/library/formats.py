"""Named formats: format.dns1123Label().validate('x') tells what is wrong, or nothing.

Source: apiserver pkg/cel/library/format.go.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from kubepy.api import names
from kubepy.api.instants import parse as parse_instant
from kubepy.apiserver.cel.library.urls import fault_of
from kubepy.apiserver.cel.registry import REGEX, function, opaque, size
from kubepy.apiserver.cel.values import NONE, Optional

Check = Callable[[str], list[str]]
_UUID = re.compile(r"(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


@opaque
@dataclass(frozen=True, slots=True)
class Format:
    """A format; `regex_size` is what its checking costs a character."""

    CEL_TYPE = "kubernetes.NamedFormat"
    name: str
    check: Check
    regex_size: int = 60


def _uri(text: str) -> list[str]:
    fault = fault_of(text)
    return [fault] if fault else []


def _byte(text: str) -> list[str]:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ["invalid base64"]
    return []


def _date(text: str) -> list[str]:
    try:
        date.fromisoformat(text)
    except ValueError:
        return ["invalid date"]
    return [] if len(text) == 10 else ["invalid date"]


def _datetime(text: str) -> list[str]:
    return [] if parse_instant(text) is not None else ["invalid datetime"]


FORMATS: Final[Mapping[str, Format]] = {
    "dns1123Label": Format("DNS1123Label", names.is_dns1123_label, 30),
    "dns1123Subdomain": Format("DNS1123Subdomain", names.is_dns1123_subdomain),
    "dns1035Label": Format("DNS1035Label", names.is_dns1035_label, 30),
    "qualifiedName": Format("QualifiedName", names.is_qualified_name),
    "dns1123LabelPrefix": Format("DNS1123LabelPrefix", names.without_trailing_dash(names.is_dns1123_label), 30),
    "dns1123SubdomainPrefix": Format("DNS1123SubdomainPrefix", names.without_trailing_dash(names.is_dns1123_subdomain)),
    "dns1035LabelPrefix": Format("DNS1035LabelPrefix", names.without_trailing_dash(names.is_dns1035_label), 30),
    "labelValue": Format("LabelValue", names.is_label_value, 40),
    "uri": Format("URI", _uri),
    "uuid": Format("uuid", lambda text: [] if _UUID.fullmatch(text) else ["does not match the UUID format"]),
    "byte": Format("byte", _byte),
    "date": Format("date", _date),
    "datetime": Format("datetime", _datetime),
}


def _give(name: str) -> None:
    @function(f"format:{name}() kubernetes.NamedFormat")
    def give() -> Format:
        return FORMATS[name]


for _name in FORMATS:
    _give(_name)


@function("format:named(string) optional_type<kubernetes.NamedFormat>")
def named(name: str) -> Optional:
    return Optional(True, FORMATS[name]) if name in FORMATS else NONE


def _validated(arguments: tuple[Any, ...], result: Any) -> int:
    return int((1 + size(arguments[1])) * 0.1 * arguments[0].regex_size * REGEX) + 1


@function("kubernetes.NamedFormat.validate(string) optional_type<list<string>>", cost=_validated)
def validate(found: Format, text: str) -> Optional:
    faults = found.check(text)
    return Optional(True, faults) if faults else NONE
