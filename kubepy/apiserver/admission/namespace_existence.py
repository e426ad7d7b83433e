"""Two ways to treat writes to a namespace that is not there: refuse them, or make it. Both are off by default.

Source: plugin/pkg/admission/namespace/{autoprovision,exists}.
"""

from typing import Protocol

from kubepy.api import resources
from kubepy.api.errors import AlreadyExists, object_not_found
from kubepy.api.resources import Resource
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.plugin import CREATE, DELETE, UPDATE, Plugin
from kubepy.apiserver.lookup import Lookup, Object

_NAMESPACES = resources.named("namespaces")


class NamespaceMaker(Protocol):
    """Makes namespaces, whoever asks."""

    async def create(self, resource: Resource, obj: Object) -> Object:
        """Raises AlreadyExists."""


class NamespaceExists(Plugin):
    """Refuses what is to be written to a namespace that is not there."""

    name = "NamespaceExists"
    operations = frozenset((CREATE, UPDATE, DELETE))
    subresources = None

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def validate(self, attributes: Attributes) -> None:
        """Raises NotFound."""
        if attributes.namespace and not await _is_there(self._lookup, attributes):
            raise object_not_found("", "namespaces", attributes.namespace)


class NamespaceAutoProvision(Plugin):
    """Makes the namespace of a new object."""

    name = "NamespaceAutoProvision"
    operations = frozenset((CREATE,))
    subresources = None

    def __init__(self, lookup: Lookup, maker: NamespaceMaker) -> None:
        self._lookup, self._maker = lookup, maker

    async def admit(self, attributes: Attributes) -> None:
        """Makes it, unless it is there; a dry run makes none."""
        if attributes.dry_run or not attributes.namespace or await _is_there(self._lookup, attributes):
            return
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": attributes.namespace}}
        try:
            await self._maker.create(_NAMESPACES, made)
        except AlreadyExists:
            return


async def _is_there(lookup: Lookup, attributes: Attributes) -> bool:
    if attributes.resource is _NAMESPACES or lookup.get(_NAMESPACES, attributes.namespace) is not None:
        return True
    await lookup.fresh(_NAMESPACES)
    return lookup.get(_NAMESPACES, attributes.namespace) is not None
