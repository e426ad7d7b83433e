"""A namespace's annotations say which tolerations its pods get, and which they may have at most.

Source: plugin/pkg/admission/podtolerationrestriction.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubepy.api import pods, resources
from kubepy.api.errors import InternalError, object_not_found
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.plugin import CREATE, PODS, Plugin
from kubepy.apiserver.admission.tolerations import Toleration, is_covered, merge_tolerations
from kubepy.apiserver.lookup import Lookup

DEFAULTS = "scheduler.alpha.kubernetes.io/defaultTolerations"
WHITELIST = "scheduler.alpha.kubernetes.io/tolerationsWhitelist"
_NAMESPACES = resources.named("namespaces")
_MEMORY_PRESSURE = {"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"}


@dataclass(frozen=True, slots=True)
class Defaults:
    """What counts for namespaces without annotations."""

    default: Sequence[Toleration] = ()
    whitelist: Sequence[Toleration] = ()


class Conflict(InternalError):
    """Upstream refuses with an error that has no reason: 500."""

    reason = ""


class PodTolerationRestriction(Plugin):
    """See the module's docstring."""

    name = "PodTolerationRestriction"
    targets = frozenset((PODS,))

    def __init__(self, lookup: Lookup, defaults: Defaults | None = None) -> None:
        self._lookup = lookup
        self._defaults = defaults or Defaults()

    async def admit(self, attributes: Attributes) -> None:
        """Adds the namespace's tolerations. Raises InternalError for annotations that cannot be read."""
        spec = attributes.new["spec"]
        extra: list[Toleration] = []
        if attributes.operation == CREATE:
            own = await self._annotated(attributes, DEFAULTS)
            extra += self._defaults.default if own is None else own
        if pods.qos_class(spec) != pods.BEST_EFFORT:
            extra.append(_MEMORY_PRESSURE)
        if extra:
            spec["tolerations"] = merge_tolerations(spec.get("tolerations") or [], extra)

    async def validate(self, attributes: Attributes) -> None:
        """Refuses tolerations that are not on the list."""
        present = attributes.new["spec"].get("tolerations") or []
        if not present:
            return
        own = await self._annotated(attributes, WHITELIST)
        allowed = self._defaults.whitelist if own is None else own
        if allowed and not all(any(is_covered(one, other) for other in allowed) for one in present):
            raise Conflict(
                "pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace "
                "whitelist"
            )

    async def _annotated(self, attributes: Attributes, key: str) -> list[Toleration] | None:
        namespace = self._lookup.get(_NAMESPACES, attributes.namespace)
        if namespace is None:
            await self._lookup.fresh(_NAMESPACES)
            namespace = self._lookup.get(_NAMESPACES, attributes.namespace)
        if namespace is None:
            raise object_not_found("", "namespaces", attributes.namespace)
        text = (namespace["metadata"].get("annotations") or {}).get(key)
        if text is None:
            return None
        try:
            return list(json.loads(text)) if text else []
        except (ValueError, TypeError) as error:
            raise Conflict(str(error)) from error


def parse_defaults(document: Mapping[str, Any]) -> Defaults:
    """A Configuration of podtolerationrestriction.admission.k8s.io. Raises ValueError."""
    for part in ("default", "whitelist"):
        if not all(isinstance(one, dict) for one in document.get(part) or ()):
            raise ValueError(f"{part}: must be a list of tolerations")
    return Defaults(document.get("default") or (), document.get("whitelist") or ())
