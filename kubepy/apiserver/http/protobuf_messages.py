"""Which message a kind is sent as in Kubernetes' protobuf form, and which number each of its fields has.

The numbers and types are in protobuf_fields.json: per message, number -> [name, type], where a type is s(tring),
i(nteger), b(ool), (b)y(tes), d(ouble) or a message, after `*` for a list, `{` for a map of it, `@` for a message whose
fields JSON has inline. Names are those of JSON. Messages whose JSON is no object (times, quantities, raw JSON) are not
in it: reading and writing know them.
Source: the protobuf and json tags of Kubernetes v1.37's types.
"""

import importlib.resources
from collections.abc import Mapping
from functools import cache

import orjson

from kubepy.api import resources

MAGIC = b"k8s\x00"
"""What every object begins with: after it comes an envelope with apiVersion, kind and the object's own message."""
SCHEME = 'in scheme "pkg/api/legacyscheme/scheme.go:30"'
"""Where upstream looks a kind up, as its messages tell."""
STRING_LISTS = frozenset(
    (
        "authentication.v1.AttestationValue",
        "authentication.v1.ExtraValue",
        "authorization.v1.ExtraValue",
        "certificates.v1.ExtraValue",
        "meta.v1.Verbs",
    )
)
"""Messages that stand for a list of strings which may be null."""
Table = Mapping[str, tuple[str, str]]

_OPTIONS = frozenset(
    ("CreateOptions", "DeleteOptions", "GetOptions", "ListOptions", "PatchOptions", "UpdateOptions", "WatchEvent")
)
"""Kinds that every group and version has."""
_UNVERSIONED = frozenset(("APIGroup", "APIGroupList", "APIResourceList", "APIVersions", "Status"))
_METADATA = frozenset(("PartialObjectMetadata", "PartialObjectMetadataList"))
_GROUPS = frozenset(row.group for row in resources.BUILT_IN) | {"apidiscovery.k8s.io"}


@cache
def tables() -> dict[str, Table]:
    """The fields of every message by number: see the module's docstring."""
    text = importlib.resources.files("kubepy.apiserver.http").joinpath("protobuf_fields.json").read_bytes()
    found: dict[str, Table] = orjson.loads(text)
    return found


def message_of(api_version: str, kind: str) -> str | None:
    """The message that a kind is sent as, or None."""
    group, _, version = api_version.rpartition("/")
    if group in _GROUPS:
        name = f"{group.partition('.')[0] or 'core'}.{version}.{kind}"
        if name in tables():
            return name
    if kind in _OPTIONS or (kind in _UNVERSIONED and api_version in ("v1", "")):  # discovery of the core group has none
        return f"meta.v1.{kind}"
    if kind in _METADATA and group == "meta.k8s.io":
        name = f"meta.{version}.{kind}"  # the lists of v1beta1 and v1 have their numbers the other way round
        return name if name in tables() else f"meta.v1.{kind}"
    return None
