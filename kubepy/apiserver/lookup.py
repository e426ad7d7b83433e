"""How the layers around a request (authn, authz, admission) read other objects: from the caches, without waiting.

The engine implements it over its watch caches; a fake for tests is a dict (tests/unit/apiserver/conftest.py).
Objects that come out are shared or made for the call: never change them.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from kubepy.api.errors import object_not_found
from kubepy.api.resources import Resource

Object = dict[str, Any]


class Lookup(Protocol):
    """The objects of this API server as its caches know them."""

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        """The object, or None."""

    def list(
        self, resource: Resource, namespace: str | None = None, *, fields: Mapping[str, str] | None = None
    ) -> list[Object]:
        """Every object, of one namespace where given, whose selectable fields have the values of `fields`."""

    def version(self, resource: Resource) -> int:
        """A number that changes with every change of an object of `resource`, and only then if possible.

        What was compiled from `list` stays right as long as this number stays.
        """

    async def fresh(self, resource: Resource) -> None:
        """Returns when the cache of `resource` holds every write that was acknowledged before the call."""


async def find(lookup: Lookup, resource: Resource, name: str, namespace: str | None = None) -> Object:
    """The object, as new as the store is where the caches have none. Raises NotFound."""
    found = lookup.get(resource, name, namespace)
    if found is None:
        await lookup.fresh(resource)
        found = lookup.get(resource, name, namespace)
    if found is None:
        raise object_not_found(resource.group, resource.plural, name)
    return found
