"""What a pod asks for in all, in quantities that keep their unit (2Gi stays 2Gi), as quotas show them. Pure.

`api/pods.py` has the same sums as bare numbers.
Source: component-helpers/resource/helpers.go.
"""

from collections.abc import Mapping
from typing import Any

from kubepy.api import quantity
from kubepy.api.meta import Object
from kubepy.api.pods import is_sidecar

Amounts = dict[str, str]


def pod_total(spec: Object, part: str, *, overhead: bool) -> Amounts:
    """The `requests` or `limits` of a pod: its containers together, or an init container where that has more.

    What the pod says for itself as a whole comes before what its containers say.
    """
    total: Amounts = {}
    for container in spec.get("containers") or ():
        add(total, _of(container, part))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or ():
        amounts = dict(_of(container, part))
        if is_sidecar(container):
            add(total, amounts)
            add(sidecars, amounts)
            lift(peak, sidecars)
        else:
            add(amounts, sidecars)
            lift(peak, amounts)
    lift(total, peak)
    total |= {name: quantity.canonical(amount) for name, amount in _of(spec, part).items() if is_pod_level(name)}
    if overhead:
        extra = spec.get("overhead") or {}
        add(total, extra if part == "requests" else {name: extra[name] for name in extra if name in total})
    return total


def is_pod_level(name: str) -> bool:
    """Whether a pod may say the resource for itself as a whole."""
    return name in ("cpu", "memory") or name.startswith("hugepages-")


def add(into: Amounts, amounts: Mapping[str, Any]) -> None:
    """Adds amounts by name."""
    for name, amount in amounts.items():
        into[name] = quantity.add(into[name], amount) if name in into else quantity.canonical(amount)


def lift(into: Amounts, amounts: Mapping[str, Any]) -> None:
    """Makes each amount at least the other's."""
    for name, amount in amounts.items():
        if name not in into or quantity.compare(amount, into[name]) > 0:
            into[name] = quantity.canonical(amount)


def subtract(amounts: Mapping[str, Any], others: Mapping[str, Any]) -> Amounts:
    """What is more in `amounts` than in `others`; names without a difference are left out."""
    found: Amounts = {}
    for name, amount in amounts.items():
        rest = quantity.subtract(amount, others[name]) if name in others else quantity.canonical(amount)
        if quantity.parse(rest) > 0:
            found[name] = rest
    return found


def _of(container: Object, part: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (container.get("resources") or {}).get(part) or {}
    return found
