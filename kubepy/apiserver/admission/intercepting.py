"""What plug-ins share that ask what users have configured, webhooks or policies: every kind of write may be theirs.

Source: apiserver pkg/admission/plugin/webhook/generic, pkg/admission/plugin/policy/generic.
"""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from kubepy.api.resources import Resource
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.kinds import Kinds
from kubepy.apiserver.admission.matching import is_exempt
from kubepy.apiserver.admission.plugin import ALL_OPERATIONS, Plugin

T = TypeVar("T")


class Intercepting(Plugin):
    """The base of such plug-ins: they look at all but what must depend on nobody."""

    operations = ALL_OPERATIONS
    subresources = None

    def looks_at(self, operation: str, resource: Resource, subresource: str) -> bool:
        return not is_exempt(resource) and super().looks_at(operation, resource, subresource)


class ByWrite(Generic[T]):
    """What wants a kind of write, worked out by `wanting` once for each; forgotten when kinds come or go."""

    def __init__(self, kinds: Kinds, wanting: Callable[[Attributes], Iterable[T]]) -> None:
        self._kinds = kinds
        self._wanting = wanting
        self._kinds_version = -1
        self._found: dict[tuple[str, str, str, str, str], tuple[T, ...]] = {}

    def clear(self) -> None:
        """Forgets all: what was configured has changed."""
        self._found.clear()

    def of(self, attributes: Attributes) -> tuple[T, ...]:
        """Everything that wants such writes."""
        if self._kinds.version != self._kinds_version:
            self._found.clear()
            self._kinds_version = self._kinds.version
        resource = attributes.resource
        key = (attributes.operation, resource.group, resource.version, resource.plural, attributes.subresource)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = tuple(self._wanting(attributes))
        return found
