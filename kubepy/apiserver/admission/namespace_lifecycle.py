"""Nothing is made in a namespace that is not there or on its way out, and some namespaces never go.

Source: apiserver pkg/admission/plugin/namespace/lifecycle.
"""

from kubepy.api import resources
from kubepy.api.errors import object_not_found
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.plugin import CREATE, DELETE, UPDATE, Plugin
from kubepy.apiserver.lookup import Lookup, Object

_NAMESPACES = resources.named("namespaces")
_IMMORTAL = frozenset(("default", "kube-system", "kube-public"))


class NamespaceLifecycle(Plugin):
    """See the module's docstring."""

    name = "NamespaceLifecycle"
    operations = frozenset((CREATE, UPDATE, DELETE))
    subresources = None

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def admit(self, attributes: Attributes) -> None:
        """Raises Forbidden or NotFound."""
        if attributes.resource is _NAMESPACES:
            if attributes.operation == DELETE and attributes.name in _IMMORTAL:
                raise forbid(attributes, "this namespace may not be deleted")
            return
        if not attributes.namespace or attributes.operation == DELETE:
            return
        if attributes.resource.plural == "localsubjectaccessreviews":
            return
        namespace = await self._find(attributes.namespace)
        if namespace is None:
            raise object_not_found("", "namespaces", attributes.namespace)
        if attributes.operation == CREATE and is_terminating(namespace):
            raise _terminating(attributes)

    async def _find(self, name: str) -> Object | None:
        found = self._lookup.get(_NAMESPACES, name)
        if found is None:  # It may have been made through another API server just now.
            await self._lookup.fresh(_NAMESPACES)
            found = self._lookup.get(_NAMESPACES, name)
        return found


def is_terminating(namespace: Object) -> bool:
    """Whether the namespace is being deleted."""
    status = namespace.get("status") or {}
    return status.get("phase") == "Terminating" or bool(namespace["metadata"].get("deletionTimestamp"))


def _terminating(attributes: Attributes) -> Exception:
    name = attributes.namespace
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {name} is being terminated",
        "field": "metadata.namespace",
    }
    why = f"unable to create new content in namespace {name} because it is being terminated"
    return forbid(attributes, why, causes=[cause])
