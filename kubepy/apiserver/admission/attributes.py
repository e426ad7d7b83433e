"""What admission sees of a write, and how a plug-in refuses it.

Source: apiserver pkg/admission/attributes.go and errors.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kubepy.api.errors import Forbidden, forbidden_object
from kubepy.api.resources import Resource
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.lookup import Object

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


@dataclass(slots=True)
class Attributes:
    """One write: `object` is the new state (None on DELETE), which plug-ins may change; `old_object` the old one.

    `name` may be empty on CREATE; `warnings` go back to the client in Warning headers.
    """

    operation: str
    resource: Resource
    subresource: str
    namespace: str
    name: str
    object: Object | None
    old_object: Object | None
    user: UserInfo
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def new(self) -> Object:
        """The new state, for plug-ins of CREATE and UPDATE."""
        assert self.object is not None
        return self.object

    @property
    def old(self) -> Object:
        """The old state, for plug-ins of UPDATE and DELETE."""
        assert self.old_object is not None
        return self.old_object


def forbid(attributes: Attributes, why: str, *, causes: list[Mapping[str, Any]] | None = None) -> Forbidden:
    """403 that names the object as upstream's admission does."""
    metadata = (attributes.object or {}).get("metadata") or {}
    name = attributes.name or metadata.get("name") or metadata.get("generateName") or "Unknown"
    error = forbidden_object(attributes.resource.group, attributes.resource.plural, name, why)
    if causes:
        error.details["causes"] = causes
    return error
