"""A namespace says on which nodes its pods run: by an annotation, or as the cluster's configuration has it.

Source: plugin/pkg/admission/podnodeselector.
"""

from collections.abc import Mapping
from typing import Any

from kubepy.api import resources
from kubepy.api.errors import InternalError, object_not_found
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.plugin import CREATE, PODS, Plugin
from kubepy.apiserver.lookup import Lookup

ANNOTATION = "scheduler.alpha.kubernetes.io/node-selector"
CLUSTER_DEFAULT = "clusterDefaultNodeSelector"
_NAMESPACES = resources.named("namespaces")
Selectors = Mapping[str, str]
"""The labels that pods of a namespace may select by, and the default under CLUSTER_DEFAULT; `a=b,c=d`."""


class PodNodeSelector(Plugin):
    """See the module's docstring."""

    name = "PodNodeSelector"
    operations = frozenset((CREATE,))
    targets = frozenset((PODS,))

    def __init__(self, lookup: Lookup, selectors: Selectors | None = None) -> None:
        self._lookup = lookup
        self._selectors = selectors or {}

    async def admit(self, attributes: Attributes) -> None:
        """Adds the namespace's labels to the pod's. Raises Forbidden."""
        spec = attributes.new["spec"]
        wanted = await self._of_namespace(attributes)
        merged = wanted | (spec.get("nodeSelector") or {})
        self._refuse_conflict(attributes, wanted, merged)
        if merged:
            spec["nodeSelector"] = merged

    async def validate(self, attributes: Attributes) -> None:
        """Refuses labels that others, or the namespace's list, do not allow."""
        found = attributes.new["spec"].get("nodeSelector") or {}
        self._refuse_conflict(attributes, await self._of_namespace(attributes), found)
        allowed = _read(self._selectors.get(attributes.namespace, ""))
        if allowed and any(allowed.get(key) != value for key, value in found.items()):
            raise forbid(attributes, "pod node label selector labels conflict with its namespace whitelist")

    @staticmethod
    def _refuse_conflict(attributes: Attributes, wanted: dict[str, str], found: Mapping[str, str]) -> None:
        if any(found.get(key, value) != value for key, value in wanted.items()):
            raise forbid(attributes, "pod node label selector conflicts with its namespace node label selector")

    async def _of_namespace(self, attributes: Attributes) -> dict[str, str]:
        namespace = self._lookup.get(_NAMESPACES, attributes.namespace)
        if namespace is None:
            await self._lookup.fresh(_NAMESPACES)
            namespace = self._lookup.get(_NAMESPACES, attributes.namespace)
        if namespace is None:
            raise object_not_found("", "namespaces", attributes.namespace)
        text = (namespace["metadata"].get("annotations") or {}).get(ANNOTATION)
        try:
            return _read(self._selectors.get(CLUSTER_DEFAULT, "") if text is None else text)
        except ValueError as error:
            raise InternalError(str(error)) from error


def _read(text: str) -> dict[str, str]:
    """The labels of `a=b,c=d`. Raises ValueError."""
    found = {}
    for part in text.split(",") if text else ():
        key, sign, value = part.partition("=")
        if not sign or "=" in value:
            raise ValueError(f"invalid selector: {part}")
        found[key.strip()] = value.strip()
    return found


def parse_selectors(document: Mapping[str, Any]) -> Selectors:
    """The plug-in's configuration. Raises ValueError."""
    found = document.get("podNodeSelectorPluginConfig") or {}
    if not isinstance(found, dict):
        raise ValueError("podNodeSelectorPluginConfig: must be a map")
    for text in found.values():
        _read(str(text))
    return {str(name): str(text) for name, text in found.items()}
