"""Pods get the priority of their PriorityClass, or of the global default; no two classes are that default.

Source: plugin/pkg/admission/priority.
"""

from collections.abc import Sequence
from typing import Any

from kubepy.api import resources
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.plugin import PODS, UPDATE, Plugin
from kubepy.apiserver.lookup import Lookup, Object

GROUP = "scheduling.k8s.io"
_CLASSES = resources.named("priorityclasses", GROUP)
SYSTEM_CLASSES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
"""Values of the classes that every cluster has, also in the moment before they are made."""


class Priority(Plugin):
    """See the module's docstring."""

    name = "Priority"
    targets = frozenset((PODS, (GROUP, "priorityclasses")))

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def admit(self, attributes: Attributes) -> None:
        """Fills in the priority of a pod."""
        if attributes.resource.plural != "pods":
            return
        spec = attributes.new["spec"]
        if attributes.operation == UPDATE:
            keep_priority(spec, attributes.old["spec"])
            return
        name = spec.get("priorityClassName") or ""
        chosen = self._class(name) if name else default_class(self._lookup.list(_CLASSES))
        if name and chosen is None:
            raise forbid(attributes, f"no PriorityClass with name {name} was found")
        if why := fill_priority(spec, chosen):
            raise forbid(attributes, why)

    async def validate(self, attributes: Attributes) -> None:
        """Refuses a second global default."""
        if attributes.resource.plural == "pods" or not attributes.new.get("globalDefault"):
            return
        default = default_class(self._lookup.list(_CLASSES))
        if default is not None and default["metadata"]["name"] != attributes.new["metadata"]["name"]:
            name = default["metadata"]["name"]
            raise forbid(
                attributes,
                f"PriorityClass {name} is already marked as default. Only one default can exist",
            )

    def _class(self, name: str) -> Object | None:
        found = self._lookup.get(_CLASSES, name)
        if found is None and name in SYSTEM_CLASSES:
            return {"metadata": {"name": name}, "value": SYSTEM_CLASSES[name]}
        return found


def default_class(classes: Sequence[Object]) -> Object | None:
    """The global default with the lowest value, or None."""
    defaults = [obj for obj in classes if obj.get("globalDefault")]
    return min(defaults, key=lambda obj: int(obj["value"]), default=None)


def fill_priority(spec: Object, chosen: Object | None) -> str | None:
    """Sets class, priority and preemption policy of a pod; why that cannot be, or None."""
    value = int(chosen["value"]) if chosen else 0
    policy: Any = (chosen.get("preemptionPolicy") if chosen else None) or "PreemptLowerPriority"
    if chosen and not spec.get("priorityClassName"):
        spec["priorityClassName"] = chosen["metadata"]["name"]
    given = spec.get("priority")
    if given is not None and given != value:
        return (
            f"the integer value of priority ({given}) must not be provided in pod spec; priority admission controller "
            f"computed {value} from the given PriorityClass name"
        )
    spec["priority"] = value
    given_policy = spec.get("preemptionPolicy")
    if given_policy is not None and given_policy != policy:
        return (
            f"the string value of PreemptionPolicy ({given_policy}) must not be provided in pod spec; priority "
            f"admission controller computed {policy} from the given PriorityClass name"
        )
    spec["preemptionPolicy"] = policy
    return None


def keep_priority(spec: Object, old: Object) -> None:
    """An update that says nothing about the priority means the one that there is."""
    for field in ("priority", "preemptionPolicy"):
        if spec.get(field) is None and old.get(field) is not None:
            spec[field] = old[field]
