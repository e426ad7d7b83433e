"""What an admission plug-in is: a name, what it looks at, and up to two steps.

`admit` may change `attributes.object`, `validate` may not; both raise ApiError to refuse. A plug-in that overrides only
one of them is asked only in that round.
"""

from typing import ClassVar

from kubepy.api.resources import Resource
from kubepy.apiserver.admission.attributes import Attributes

CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"
ALL_OPERATIONS = frozenset((CREATE, UPDATE, DELETE, CONNECT))
Target = tuple[str, str]
PODS: Target = ("", "pods")


class Plugin:
    """The base of all plug-ins."""

    name: ClassVar[str]
    operations: ClassVar[frozenset[str]] = frozenset((CREATE, UPDATE))
    targets: ClassVar[frozenset[Target] | None] = None
    """(group, plural) of what it looks at; None is everything."""
    subresources: ClassVar[frozenset[str] | None] = frozenset(("",))
    """The subresources it looks at; None is every one."""

    def looks_at(self, operation: str, resource: Resource, subresource: str) -> bool:
        """Whether the chain has to ask this plug-in about such a write."""
        return (
            operation in self.operations
            and (self.targets is None or (resource.group, resource.plural) in self.targets)
            and (self.subresources is None or subresource in self.subresources)
        )

    async def admit(self, attributes: Attributes) -> None:
        """May change the object. Raises ApiError."""

    async def validate(self, attributes: Attributes) -> None:
        """Raises ApiError."""
