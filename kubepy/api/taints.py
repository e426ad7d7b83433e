"""Taints and tolerations: which of the one the other covers.

Pure; shared by the scheduler, the eviction of pods and the kubelet, so that no pod is placed where it is thrown out.
Source: component-helpers/scheduling/corev1/helpers.go; core/v1 Toleration.
"""

from collections.abc import Iterable, Mapping
from typing import Any


def tolerates(toleration: Mapping[str, Any], key: str, value: str, effect: str) -> bool:
    """Whether the toleration covers a taint; an empty key or effect covers every one."""
    if toleration.get("effect") and toleration["effect"] != effect:
        return False
    if toleration.get("key") and toleration["key"] != key:
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    if operator in ("Lt", "Gt"):
        return _compares(operator, toleration.get("value", ""), value)
    return bool(toleration.get("key")) and (toleration.get("value") or "") == value


def is_tolerated(taint: Mapping[str, Any], tolerations: Iterable[Mapping[str, Any]]) -> bool:
    """Whether one of the tolerations covers the taint."""
    key, value, effect = taint["key"], taint.get("value") or "", taint["effect"]
    return any(tolerates(toleration, key, value, effect) for toleration in tolerations)


def _compares(operator: str, bound: str, value: str) -> bool:
    """Whether the taint's integer is below (Lt) or above (Gt) the toleration's; what is no integer covers nothing."""
    try:
        found, limit = int(value), int(bound)
    except ValueError:
        return False
    return found < limit if operator == "Lt" else found > limit
