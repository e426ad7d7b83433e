"""Whether a custom object has numbers and a selector where its scale subresource looks for them.

Source: apiextensions-apiserver pkg/registry/customresource/validator.go, ValidateScaleSpec and ValidateScaleStatus.
"""

from collections.abc import Mapping
from typing import Any, Final

from kubepy.api.errors import FieldError, invalid
from kubepy.api.go_values import go_type, show
from kubepy.api.meta import Object
from kubepy.apiserver.registry.json_path import find

_REPLICAS_MOST: Final = 2**31 - 1


def faults_of_scale(scale: Mapping[str, str], obj: Object) -> list[FieldError]:
    """Faults at the paths of a scale subresource; what is not there is none."""
    found: list[FieldError] = []
    for name in ("specReplicasPath", "statusReplicasPath"):
        path = scale.get(name) or ""
        for value in find(path, obj):
            if isinstance(value, bool) or not isinstance(value, int):
                found.append(invalid(path, 0, _mistyped(path, value, "int64")))
            elif value < 0:
                found.append(invalid(path, value, "should be a non-negative integer"))
            elif value > _REPLICAS_MOST:
                found.append(invalid(path, value, f"should be less than or equal to {_REPLICAS_MOST}"))
    if path := scale.get("labelSelectorPath") or "":
        found += [
            invalid(path, "", _mistyped(path, value, "string"))
            for value in find(path, obj)
            if not isinstance(value, str)
        ]
    return found


def _mistyped(path: str, value: Any, wanted: str) -> str:
    return f"{path} accessor error: {show(value)} is of the type {go_type(value)}, expected {wanted}"
