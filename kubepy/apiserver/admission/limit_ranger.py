"""Pods and claims keep to the LimitRanges of their namespace, and containers get defaults from them.

Source: plugin/pkg/admission/limitranger.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from kubepy.api import quantity, resources
from kubepy.api.amounts import pod_total
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.plugin import CREATE, PODS, UPDATE, Plugin
from kubepy.apiserver.lookup import Lookup, Object

ANNOTATION = "kubernetes.io/limit-ranger"
_RANGES = resources.named("limitranges")
Amounts = Mapping[str, Any]


class LimitRanger(Plugin):
    """See the module's docstring."""

    name = "LimitRanger"
    targets = frozenset((PODS, ("", "persistentvolumeclaims")))
    subresources = frozenset(("", "resize"))

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def admit(self, attributes: Attributes) -> None:
        """Fills in the defaults of a new pod's containers."""
        if attributes.resource.plural == "pods" and attributes.operation == CREATE:
            for limit_range in self._ranges(attributes):
                fill_defaults(attributes.new, limit_range)

    async def validate(self, attributes: Attributes) -> None:
        """Raises Forbidden with every bound that is not kept."""
        if attributes.resource.plural == "pods" and attributes.operation == UPDATE and not attributes.subresource:
            return
        if (attributes.old_object or {}).get("metadata", {}).get("deletionTimestamp"):
            return  # what is on its way out may lose its finalizers, whatever bounds there are now
        check = pod_faults if attributes.resource.plural == "pods" else claim_faults
        for limit_range in self._ranges(attributes):
            if faults := list(check(attributes.new, limit_range)):
                raise forbid(attributes, faults[0] if len(faults) == 1 else f"[{', '.join(faults)}]")

    def _ranges(self, attributes: Attributes) -> list[Object]:
        return self._lookup.list(_RANGES, attributes.namespace)


def fill_defaults(pod: Object, limit_range: Object) -> None:
    """Sets missing requests and limits, and notes in an annotation which ones."""
    default_limits: dict[str, Any] = {}
    default_requests: dict[str, Any] = {}
    for item in items_of(limit_range, "Container"):
        default_limits |= item.get("default") or {}
        default_requests |= item.get("defaultRequest") or {}
    notes: list[str] = []
    for field, kind in (("containers", "container"), ("initContainers", "init container")):
        for container in pod["spec"].get(field) or ():
            who = f"{kind} {container['name']}"
            notes += _fill(container, "requests", default_requests, f"request for {who}")
            notes += _fill(container, "limits", default_limits, f"limit for {who}")
    if notes:
        annotations = pod["metadata"].setdefault("annotations", {})
        annotations[ANNOTATION] = f"LimitRanger plugin set: {'; '.join(notes)}"


def _fill(container: Object, part: str, defaults: Amounts, tail: str) -> list[str]:
    amounts: Object = (container.get("resources") or {}).get(part) or {}
    missing = [name for name in sorted(defaults) if name not in amounts]
    if not missing:
        return []
    container.setdefault("resources", {})[part] = amounts | {name: defaults[name] for name in missing}
    return [f"{', '.join(missing)} {tail}"]


def pod_faults(pod: Object, limit_range: Object) -> Iterator[str]:
    """The bounds that a pod, or one of its containers, does not keep."""
    spec = pod["spec"]
    for item in items_of(limit_range, "Container"):
        for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
            has = container.get("resources") or {}
            yield from amount_faults(item, "Container", has.get("requests") or {}, has.get("limits") or {})
    for item in items_of(limit_range, "Pod"):
        yield from amount_faults(
            item, "Pod", pod_total(spec, "requests", overhead=False), pod_total(spec, "limits", overhead=False)
        )


def claim_faults(claim: Object, limit_range: Object) -> Iterator[str]:
    """The bounds that a claim does not keep."""
    requests = (claim["spec"].get("resources") or {}).get("requests") or {}
    for item in items_of(limit_range, "PersistentVolumeClaim"):
        for name, least in sorted((item.get("min") or {}).items()):
            yield from _min_faults(name, "PersistentVolumeClaim", least, requests.get(name), None)
        for name, most in sorted((item.get("max") or {}).items()):
            head = f"maximum {name} usage per PersistentVolumeClaim is {_shown(most)}"
            if name not in requests:
                yield f"{head}.  No request is specified"
            elif quantity.compare(requests[name], most) > 0:
                yield f"{head}, but request is {_shown(requests[name])}"


def items_of(limit_range: Object, kind: str) -> Iterator[Object]:
    """The items of a LimitRange for a kind of thing."""
    for item in (limit_range.get("spec") or {}).get("limits") or ():
        if item.get("type") == kind:
            yield item


def amount_faults(item: Object, kind: str, requests: Amounts, limits: Amounts) -> Iterator[str]:
    """The bounds of one item that requests and limits do not keep."""
    for name, least in sorted((item.get("min") or {}).items()):
        yield from _min_faults(name, kind, least, requests.get(name), limits.get(name))
    for name, most in sorted((item.get("max") or {}).items()):
        yield from _max_faults(name, kind, most, requests.get(name), limits.get(name))
    for name, ratio in sorted((item.get("maxLimitRequestRatio") or {}).items()):
        yield from _ratio_faults(name, kind, ratio, requests.get(name), limits.get(name))


def _min_faults(name: str, kind: str, least: Any, request: Any, limit: Any) -> Iterator[str]:
    head = f"minimum {name} usage per {kind} is {_shown(least)}"
    if request is None:
        yield f"{head}.  No request is specified"
    elif quantity.compare(request, least) < 0:
        yield f"{head}, but request is {_shown(request)}"
    elif limit is not None and quantity.compare(limit, least) < 0:
        yield f"{head}, but limit is {_shown(limit)}"


def _max_faults(name: str, kind: str, most: Any, request: Any, limit: Any) -> Iterator[str]:
    head = f"maximum {name} usage per {kind} is {_shown(most)}"
    if limit is None:
        yield f"{head}.  No limit is specified"
    elif quantity.compare(limit, most) > 0:
        yield f"{head}, but limit is {_shown(limit)}"
    elif request is not None and quantity.compare(request, most) > 0:
        yield f"{head}, but request is {_shown(request)}"


def _ratio_faults(name: str, kind: str, ratio: Any, request: Any, limit: Any) -> Iterator[str]:
    head = f"{name} max limit to request ratio per {kind} is {_shown(ratio)}"
    if request is None or not quantity.parse(request):
        yield f"{head}, but no request is specified or request is 0"
    elif limit is None or not quantity.parse(limit):
        yield f"{head}, but no limit is specified or limit is 0"
    elif (found := Decimal(quantity.parse(limit)) / Decimal(quantity.parse(request))) > quantity.parse(ratio):
        yield f"{head}, but provided ratio is {found:.6f}"


def _shown(amount: Any) -> str:
    return str(quantity.canonical(amount))
