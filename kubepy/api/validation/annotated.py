"""The rules of tolerations and taints in the annotations that held them before there were fields.

Source: pkg/apis/core/validation, ValidateTolerationsInPodAnnotations and ValidateTaintsInNodeAnnotations.
"""

from collections.abc import Callable, Mapping

from kubepy.api.errors import FieldError, invalid
from kubepy.api.go_values import json_type
from kubepy.api.json_text import parse_json
from kubepy.api.meta import Object
from kubepy.api.validation.affinity import validate_taints, validate_tolerations

_TOLERATIONS, _TAINTS = "scheduler.alpha.kubernetes.io/tolerations", "scheduler.alpha.kubernetes.io/taints"


def annotated_tolerations(annotations: Mapping[str, str], path: str) -> list[FieldError]:
    """Faults in the tolerations that a pod has as an annotation."""
    return _judged(annotations, _TOLERATIONS, path, "core.Toleration", validate_tolerations)


def annotated_taints(annotations: Mapping[str, str], path: str) -> list[FieldError]:
    """Faults in the taints that a node has as an annotation."""
    return _judged(annotations, _TAINTS, path, "core.Taint", validate_taints)


def _judged(
    annotations: Mapping[str, str],
    key: str,
    path: str,
    go_type: str,
    rule: Callable[[list[Object], str], list[FieldError]],
) -> list[FieldError]:
    if not (text := annotations.get(key)):
        return []
    try:
        entries = parse_json(text.encode())
    except ValueError as fault:
        return [invalid(path, key, str(fault))]
    if not isinstance(entries, list | None):
        return [invalid(path, key, _mismatch(entries, f"[]{go_type}"))]
    for entry in entries or ():
        if not isinstance(entry, dict | None):
            return [invalid(path, key, _mismatch(entry, go_type))]
    return rule([entry or {} for entry in entries or ()], f"{path}.{key}")


def _mismatch(value: object, go_type: str) -> str:
    return f"json: cannot unmarshal {json_type(value)} into Go value of type {go_type}"
