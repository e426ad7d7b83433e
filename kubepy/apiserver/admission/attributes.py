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
_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


@dataclass(slots=True, eq=False)
class Reinvocation:
    """A second round of what may change an object, for those who want to see what others changed after them.

    `wanted` asks for it; `again` says that it is under way. For each plug-in: `asked` are those who were asked and
    would like to see later changes, `due` those who are to be asked again, `left` is what the plug-in left behind.
    """

    wanted: bool = False
    again: bool = False
    asked: dict[str, set[str]] = field(default_factory=dict)
    due: dict[str, set[str]] = field(default_factory=dict)
    left: dict[str, Object | None] = field(default_factory=dict)


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
    params: Mapping[str, list[str]] = field(default_factory=dict)
    """The request's query."""
    delete_options: Mapping[str, Any] | None = None
    """The options in the body of a delete."""
    scratch: dict[str, Any] | None = None
    """The request's scratch space, which audit reads."""
    reinvocation: Reinvocation | None = None
    verb: str = ""
    """The request's own: update and patch are the same operation."""

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

    @property
    def shown_namespace(self) -> str:
        """The namespace as webhooks and policies are told of it: that of a namespace is itself."""
        if not self.namespace and self.resource.plural == "namespaces" and not self.resource.group:
            return self.name
        return self.namespace

    def options(self) -> Object | None:
        """The options of the request as an object; None of a CONNECT."""
        kind = _OPTIONS.get(self.operation)
        if kind is None:
            return None
        found: Object = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
        if kind == "DeleteOptions" and self.delete_options is not None:
            return {**self.delete_options, **found}
        if self.dry_run:
            found["dryRun"] = ["All"]
        for name in ("fieldManager", "fieldValidation", "propagationPolicy"):
            if values := self.params.get(name):
                found[name] = values[0]
        if grace := self.params.get("gracePeriodSeconds"):
            found["gracePeriodSeconds"] = int(grace[0])
        return found

    def annotate(self, key: str, value: str) -> None:
        """Adds to what the audit log says of the request; the first word on a key counts."""
        if self.scratch is not None:
            self.scratch.setdefault(ANNOTATIONS, {}).setdefault(key, value)


ANNOTATIONS = "audit annotations"
"""Where in a request's scratch space the audit log finds what admission had to say."""


def forbid(attributes: Attributes, why: str, *, causes: list[Mapping[str, Any]] | None = None) -> Forbidden:
    """403 that names the object as upstream's admission does."""
    metadata = (attributes.object or {}).get("metadata") or {}
    name = attributes.name or metadata.get("name") or metadata.get("generateName") or "Unknown"
    error = forbidden_object(attributes.resource.group, attributes.resource.plural, name, why)
    if causes:
        error.details["causes"] = causes
    return error
