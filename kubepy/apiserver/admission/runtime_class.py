"""Pods of a runtime class carry its overhead, and run where it runs.

Source: plugin/pkg/admission/runtimeclass; pkg/util/tolerations.
"""

from kubepy.api import quantity, resources
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.plugin import CREATE, PODS, Plugin
from kubepy.apiserver.admission.tolerations import merge_tolerations
from kubepy.apiserver.lookup import Lookup, Object

_OTHER_OVERHEAD = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
_CLASSES = resources.named("runtimeclasses", "node.k8s.io")


class RuntimeClass(Plugin):
    """See the module's docstring."""

    name = "RuntimeClass"
    operations = frozenset((CREATE,))
    targets = frozenset((PODS,))

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def admit(self, attributes: Attributes) -> None:
        """Fills in overhead, node selector and tolerations. Raises Forbidden."""
        runtime_class = await self._find(attributes)
        if runtime_class is None:
            return
        spec = attributes.new["spec"]
        if why := apply_overhead(spec, runtime_class) or apply_scheduling(spec, runtime_class):
            raise forbid(attributes, why)

    async def validate(self, attributes: Attributes) -> None:
        """Refuses an overhead that is not the class's, also one that another plug-in has made."""
        found = await self._find(attributes)
        fixed = ((found or {}).get("overhead") or {}).get("podFixed")
        given = attributes.new["spec"].get("overhead") or {}
        if fixed and not _same_quantities(given, fixed):
            raise forbid(attributes, _OTHER_OVERHEAD)
        if given and not fixed:
            raise forbid(
                attributes, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
            )

    async def _find(self, attributes: Attributes) -> Object | None:
        name = attributes.new["spec"].get("runtimeClassName")
        if not name:
            return None
        found = self._lookup.get(_CLASSES, name)
        if found is None:
            await self._lookup.fresh(_CLASSES)
            found = self._lookup.get(_CLASSES, name)
        if found is None:
            raise forbid(attributes, f'pod rejected: RuntimeClass "{name}" not found')
        return found


def apply_overhead(spec: Object, runtime_class: Object) -> str | None:
    """Sets the pod's overhead; why that cannot be, or None."""
    fixed = (runtime_class.get("overhead") or {}).get("podFixed")
    given = spec.get("overhead")
    if given and fixed and not _same_quantities(given, fixed):
        return _OTHER_OVERHEAD
    if fixed:
        spec["overhead"] = dict(fixed)
    return None


def apply_scheduling(spec: Object, runtime_class: Object) -> str | None:
    """Narrows the node selector and adds the tolerations of the class; why that cannot be, or None."""
    scheduling = runtime_class.get("scheduling") or {}
    selector = dict(spec.get("nodeSelector") or {})
    for key, value in (scheduling.get("nodeSelector") or {}).items():
        if selector.setdefault(key, value) != value:
            return (
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                f"pod.spec.nodeSelector[{key}] = {selector[key]}"
            )
    if selector:
        spec["nodeSelector"] = selector
    if added := scheduling.get("tolerations"):
        spec["tolerations"] = merge_tolerations(spec.get("tolerations") or [], added)
    return None


def _same_quantities(first: Object, second: Object) -> bool:
    return first.keys() == second.keys() and all(
        quantity.parse(first[name]) == quantity.parse(second[name]) for name in first
    )
