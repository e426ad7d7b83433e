"""What a pod amounts to: its quality of service, the resources it asks for in all, whether it is ready or over.

Pure functions on a Pod (or its spec) that the API server, the scheduler, the controllers and the kubelet share, so that
they agree. Amounts are exact numbers in base units (cores, bytes).
Source: pkg/apis/core/v1/helper/qos; component-helpers/resource/helpers.go; pkg/api/v1/pod/util.go.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from kubepy.api import quantity
from kubepy.api.meta import Object, is_condition_true

Amount = int | Decimal
Amounts = dict[str, Amount]

GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"
_QOS_RESOURCES = ("cpu", "memory")


def containers_of(spec: Object) -> Iterator[Object]:
    """Init containers, then containers; no ephemeral ones."""
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def is_sidecar(init_container: Object) -> bool:
    """Whether an init container goes on running beside the main ones."""
    return bool(init_container.get("restartPolicy") == "Always")


def qos_class(spec: Object) -> str:
    """`Guaranteed`, `Burstable` or `BestEffort`; resources of the pod itself go before its containers'."""
    own = spec.get("resources") or {}
    holders = [own] if own.get("requests") or own.get("limits") else _resources(spec)
    requests: Amounts = {}
    limits: Amounts = {}
    guaranteed = True
    for resources in holders:
        _accumulate(requests, resources.get("requests"))
        if len(_accumulate(limits, resources.get("limits"))) < len(_QOS_RESOURCES):
            guaranteed = False
    if not requests and not limits:
        return BEST_EFFORT
    return GUARANTEED if guaranteed and requests == limits else BURSTABLE


def pod_requests(pod: Object, *, use_status: bool = False, overhead: bool = True) -> Amounts:
    """What a node must have free for the pod: its containers together, or any init container if that is more.

    With `use_status` a container counts with the larger of what it asks for and what it is allocated, as the scheduler
    counts pods that are being resized.
    """
    spec = pod.get("spec") or {}
    allocated = _allocated(pod) if use_status else {}
    return _effective(spec, "requests", allocated, overhead=overhead)


def pod_limits(pod: Object, *, overhead: bool = True) -> Amounts:
    """The most that the pod may use of each resource that is limited at all."""
    return _effective(pod.get("spec") or {}, "limits", {}, overhead=overhead)


def aggregate(spec: Object, kind: str, allocated: Mapping[str, Amounts] | None = None) -> Amounts:
    """Requests or limits of all containers together, without those of the pod itself and without overhead."""
    total: Amounts = {}
    for container in spec.get("containers") or ():
        _add(total, _amounts_of(container, kind, allocated))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or ():
        amounts = _amounts_of(container, kind, allocated)
        if is_sidecar(container):
            _add(total, amounts)
            _add(sidecars, amounts)
            _raise(peak, sidecars)
        else:
            _add(amounts, sidecars)
            _raise(peak, amounts)
    _raise(total, peak)
    return total


def as_quantity(name: str, amount: Amount) -> str:
    """An amount as upstream would write it: sizes in powers of 1024 where they divide it."""
    if isinstance(amount, int):
        return quantity.from_value(amount, binary=name != "cpu")
    return quantity.canonical(str(amount))


def is_ready(pod: Object) -> bool:
    """Whether the pod's Ready condition is True."""
    return is_condition_true(pod, "Ready")


def phase(pod: Object) -> str:
    """The pod's phase; `Pending` where none is told yet."""
    return (pod.get("status") or {}).get("phase") or "Pending"


def is_terminal(pod: Object) -> bool:
    """Whether the pod has run to its end and will never run again."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_active(pod: Object) -> bool:
    """Whether the pod counts as a replica: neither over nor being deleted."""
    return not is_terminal(pod) and not (pod.get("metadata") or {}).get("deletionTimestamp")


def node_name(pod: Object) -> str:
    """The node that the pod is bound to, or an empty string."""
    return (pod.get("spec") or {}).get("nodeName") or ""


def _resources(spec: Object) -> list[Object]:
    return [container.get("resources") or {} for container in containers_of(spec)]


def _accumulate(into: Amounts, resources: Mapping[str, Any] | None) -> list[str]:
    """Adds the amounts that decide the quality of service; answers which of them were above zero."""
    found = []
    for name in _QOS_RESOURCES:
        amount = quantity.parse(resources[name]) if resources and name in resources else 0
        if amount > 0:
            into[name] = into.get(name, 0) + amount
            found.append(name)
    return found


def _effective(spec: Object, kind: str, allocated: Mapping[str, Amounts], *, overhead: bool) -> Amounts:
    total = aggregate(spec, kind, allocated)
    total |= _parse((spec.get("resources") or {}).get(kind))
    if overhead and spec.get("overhead"):
        extra = _parse(spec["overhead"])
        if kind == "limits":  # only what is limited grows: overhead alone is no limit
            extra = {name: amount for name, amount in extra.items() if total.get(name)}
        _add(total, extra)
    return total


def _allocated(pod: Object) -> dict[str, Amounts]:
    status = pod.get("status") or {}
    found: dict[str, Amounts] = {}
    for field in ("containerStatuses", "initContainerStatuses"):
        for entry in status.get(field) or ():
            amounts = _parse(entry.get("allocatedResources"))
            _raise(amounts, _parse((entry.get("resources") or {}).get("requests")))
            if amounts:
                found[entry["name"]] = amounts
    return found


def _amounts_of(container: Object, kind: str, allocated: Mapping[str, Amounts] | None) -> Amounts:
    amounts = _parse((container.get("resources") or {}).get(kind))
    if allocated and container.get("name") in allocated:
        _raise(amounts, allocated[container["name"]])
    return amounts


def _parse(resources: Mapping[str, Any] | None) -> Amounts:
    return {name: quantity.parse(amount) for name, amount in resources.items()} if resources else {}


def _add(into: Amounts, amounts: Mapping[str, Amount]) -> None:
    for name, amount in amounts.items():
        into[name] = into.get(name, 0) + amount


def _raise(into: Amounts, amounts: Mapping[str, Amount]) -> None:
    """Lifts each amount to at least the other's."""
    for name, amount in amounts.items():
        if name not in into or into[name] < amount:
            into[name] = amount
