"""A resource as it is served: its row, how it is stored, its strategy and its cache, in one place.

Rows that share a folder (events, autoscalers) share the cache; only the row at the storage version is stored as is.
"""

from dataclasses import dataclass

from kubepy.api.definitions import Schema
from kubepy.api.printing.columns import Printer
from kubepy.api.resources import Resource
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.registry.converting import Converter
from kubepy.apiserver.registry.custom import Custom
from kubepy.apiserver.registry.strategy import Strategy
from kubepy.storage.cache import ResourceCache


@dataclass(slots=True)
class Served:
    """`storage` is the row that objects are kept at; `prefix` ends in a slash."""

    resource: Resource
    storage: Resource
    strategy: Strategy
    cache: ResourceCache
    prefix: str
    custom: Custom | None = None
    """What is special about a custom resource; None for a built-in one."""
    schema: Schema | None = None
    """The schema of a custom resource; None takes the built-in kind's."""
    converter: Converter | None = None
    """What asks the webhook that converts custom resources; None where none does."""

    @property
    def printer(self) -> Printer | None:
        """The columns of a custom resource; None takes the kind's own."""
        return self.custom.printer if self.custom is not None else None

    @property
    def converts(self) -> bool:
        """Whether stored bytes must be converted to be this resource's."""
        return self.resource is not self.storage or (self.converter is not None and self.is_mixed)

    @property
    def is_mixed(self) -> bool:
        """Whether what is stored may be of several versions, which only a webhook can make one."""
        return self.custom is not None and self.custom.is_mixed

    def namespace_of(self, info: RequestInfo) -> str | None:
        """The namespace that a list or a watch is narrowed to; None for all."""
        return info.namespace or None if self.resource.namespaced else None

    def key(self, namespace: str, name: str) -> str:
        """The storage key of an object."""
        return f"{self.prefix}{namespace}/{name}" if self.resource.namespaced else self.prefix + name
