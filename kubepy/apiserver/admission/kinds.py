"""How admission sees objects at other versions than they are kept at: a webhook says which version it understands.

The engine implements it (`registry/admission_kinds.py`); a fake for tests needs no conversion.
Source: apiserver pkg/admission/conversion.go, apimachinery pkg/runtime/mapper.go (EquivalentResourceMapper).
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from kubepy.api.definitions import Schema
from kubepy.api.meta import Object
from kubepy.api.resources import Resource


class Kind(NamedTuple):
    """A kind at a version."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


def kind_of(resource: Resource, subresource: str) -> Kind:
    """What a resource, or a subresource of it, takes."""
    found = resource.subresource(subresource) if subresource else None
    if found is None:
        return Kind(resource.group, resource.version, resource.kind)
    return Kind(
        resource.group if found.group is None else found.group,
        resource.version if found.version is None else found.version,
        found.kind,
    )


class Kinds(Protocol):
    """Conversions between the versions of what is served."""

    @property
    def version(self) -> int:
        """A number that changes when other resources are served than before."""

    def equivalents(self, resource: Resource) -> Sequence[Resource]:
        """The other resources through which the same objects are served."""

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource that is served with objects of that kind."""

    def schema(self, resource: Resource) -> Schema | None:
        """The schema of its objects; None where there is none."""

    async def view(self, obj: Object, resource: Resource, subresource: str) -> Object:
        """What admission was given as that resource has it. Never the object itself where it is stored at another."""

    async def settle(
        self, changed: Object, obj: Object, resource: Resource, subresource: str, *, strict: bool = False
    ) -> None:
        """Makes `obj` what a changed view of it says, pruned and defaulted. Raises ApiError where it is no object; with
        `strict`, where a field of it is unknown.
        """
