"""Pieces that many kinds' cells are made of: label maps, selectors, containers, cut lists, the age.

All take what may be absent on the wire (None or missing) and answer upstream's placeholders.
Source: apimachinery labels.FormatLabels, metav1.FormatLabelSelector; pkg/printers/internalversion/printers.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from kubepy.api import selectors
from kubepy.api.meta import Object
from kubepy.api.printing.durations import since

NONE = "<none>"
UNSET = "<unset>"


def age_of(obj: Object, now: datetime) -> str:
    """The time since the object was created."""
    return since(part(obj, "metadata").get("creationTimestamp"), now)


def part(obj: Mapping[str, Any], *path: str) -> Any:
    """The object at a path; an empty one where a step is absent or null."""
    for step in path:
        obj = obj.get(step) or {}
    return obj


def labels_text(labels: Mapping[str, str] | None) -> str:
    """`a=1,b=2` in the keys' order."""
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels)) if labels else NONE


def selector_query(selector: Mapping[str, Any] | None) -> str:
    """A LabelSelector as a query; empty when it selects all or nothing. Raises ValueError on a bad one."""
    return str(selectors.from_label_selector(dict(selector))) if selector else ""


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """A LabelSelector as a query, with placeholders for the empty and the bad one."""
    try:
        return selector_query(selector) or NONE
    except ValueError:
        return "<error>"


def selector_struct(selector: Mapping[str, Any]) -> str:
    """A LabelSelector as Go's generated String() writes the struct; policies' bindings are shown with it.

    Source: apimachinery pkg/apis/meta/v1/generated.pb.go.
    """
    labels = selector.get("matchLabels") or {}
    pairs = "".join(f"{key}: {labels[key]}," for key in sorted(labels))
    rules = "".join(
        f"LabelSelectorRequirement{{Key:{rule.get('key', '')},Operator:{rule.get('operator', '')},"
        f"Values:[{' '.join(rule.get('values') or ())}],}},"
        for rule in selector.get("matchExpressions") or ()
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{pairs}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{rules}}},}}"
    )


def containers_text(template: Mapping[str, Any] | None) -> tuple[str, str]:
    """Names and images of a pod template's containers."""
    containers = part(template or {}, "spec").get("containers") or []
    return ",".join(c.get("name", "") for c in containers), ",".join(c.get("image", "") for c in containers)


def cut_list(items: Sequence[str], most: int, total: int | None = None) -> str:
    """The first `most` items, with the number of those left out."""
    total = len(items) if total is None else total
    text = ",".join(items[:most])
    return f"{text} + {total - most} more..." if total > most else text


def or_else(value: Any, otherwise: str) -> Any:
    """The value, or a placeholder where it is absent."""
    return otherwise if value is None else value


def condition_status(conditions: Iterable[Mapping[str, Any]] | None, kind: str) -> str | None:
    """The status of the first condition of this type, or None."""
    return next((str(c.get("status")) for c in conditions or () if c.get("type") == kind), None)
