"""The formats that schemas of custom resources may ask for; others are warned of, and say nothing.

Source: apiextensions-apiserver pkg/apiserver/validation/formats.go.
"""

from collections.abc import Mapping
from typing import Any, Final

_OF_TEXT: Final = frozenset(
    (
        "bsonobjectid", "byte", "cidr", "creditcard", "date", "datetime", "duration", "email", "hexcolor", "hostname",
        "ipv4", "ipv6", "isbn", "isbn10", "isbn13", "k8slongname", "k8sshortname", "mac", "password", "quantity",
        "rgbcolor", "ssn", "uri", "uuid", "uuid3", "uuid4", "uuid5",
    )
)  # fmt: skip
_OF_NUMBERS: Final[Mapping[str, tuple[str, ...]]] = {"integer": ("int32", "int64"), "number": ("float", "double")}


def plain_name(form: str) -> str:
    """A format's name, which may have dashes wherever it likes, without them."""
    return form.replace("-", "")


def is_known(form: str, kind: str) -> bool:
    """Whether a format says something of values of a type; an empty type may be text."""
    if kind in ("", "string"):
        return plain_name(form) in _OF_TEXT
    return form in _OF_NUMBERS.get(kind, ())


def format_of(schema: Mapping[str, Any]) -> str:
    """The format of a schema, if it says something of the schema's values."""
    form = schema.get("format") or ""
    kind = "" if schema.get("x-kubernetes-int-or-string") else schema.get("type") or ""
    return form if form and is_known(form, kind) else ""
