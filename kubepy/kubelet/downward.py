"""What a pod may learn of itself: fieldRef and resourceFieldRef.

Pure. Raises KeyError for a path that does not exist, as the API server should have done.
Source: pkg/fieldpath/fieldpath.go; pkg/api/v1/resource/helpers.go ExtractContainerResourceValue.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubepy.api import quantity

Object = dict[str, Any]

_SUBSCRIPT = re.compile(r"^(metadata\.(?:labels|annotations))\['(.+)'\]$")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """What is not in the pod's own object when its containers are made."""

    pod_ips: Sequence[str] = ()
    host_ips: Sequence[str] = ()
    allocatable: Mapping[str, str] | None = None


def field_value(pod: Object, path: str, facts: PodFacts) -> str:
    """The text of a field, as a variable's value or a file's content."""
    meta = pod["metadata"]
    if match := _SUBSCRIPT.match(path):
        section = "labels" if match.group(1).endswith("labels") else "annotations"
        return str((meta.get(section) or {}).get(match.group(2), ""))
    if path in ("metadata.labels", "metadata.annotations"):
        return _map_text(meta.get(path.split(".")[1]) or {})
    if path in ("metadata.name", "metadata.namespace", "metadata.uid"):
        return str(meta.get(path.split(".")[1], ""))
    if path == "spec.nodeName":
        return str(pod["spec"].get("nodeName", ""))
    if path == "spec.serviceAccountName":
        return str(pod["spec"].get("serviceAccountName", ""))
    computed = {
        "status.hostIP": facts.host_ips[:1],
        "status.hostIPs": facts.host_ips,
        "status.podIP": facts.pod_ips[:1],
        "status.podIPs": facts.pod_ips,
    }
    return ",".join(computed[path])


def _map_text(section: Mapping[str, str]) -> str:
    """As Go quotes it: one key="value" a line, sorted."""
    return "\n".join(f"{key}={_quoted(value)}" for key, value in sorted(section.items()))


def _quoted(text: str) -> str:
    escaped = (
        text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    )
    return f'"{escaped}"'


def resource_value(container: Object, reference: Mapping[str, Any], facts: PodFacts) -> str:
    """A request or limit in units of the divisor, rounded up; a missing limit is what the node could give."""
    kind, _, name = str(reference["resource"]).partition(".")
    section = (container.get("resources") or {}).get(kind) or {}
    amount = section.get(name)
    if amount is None and kind == "limits" and facts.allocatable and name in ("cpu", "memory", "ephemeral-storage"):
        amount = facts.allocatable.get(name)
    divisor = reference.get("divisor") or "1"
    if quantity.milli(divisor) == 0:
        divisor = "1"
    numerator, denominator = quantity.nano(amount or "0"), quantity.nano(divisor)
    return str(-(-numerator // denominator))
