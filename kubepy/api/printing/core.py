"""Rows of the core group but pods, services and volumes: nodes, namespaces, events, configuration, quotas.

Source: pkg/printers/internalversion/printers.go.
"""

from datetime import datetime
from typing import Any

from kubepy.api.meta import Object, name_of
from kubepy.api.printing.columns import AGE, NAME, STATUS, Cells, Column, Printer, Printers, wide
from kubepy.api.printing.durations import since
from kubepy.api.printing.text import NONE, age_of, condition_status, part

_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE_LABEL = "kubernetes.io/role"
_UNKNOWN = "<unknown>"


def _namespace(obj: Object, now: datetime) -> Cells:
    return [name_of(obj), part(obj, "status").get("phase", ""), age_of(obj, now)]


def _node_status(obj: Object) -> str:
    ready = condition_status(part(obj, "status").get("conditions"), "Ready")
    words = ["Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"]
    if part(obj, "spec").get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def node_roles(obj: Object) -> list[str]:
    """The roles that a node's labels give it, sorted."""
    roles = set()
    for key, value in part(obj, "metadata", "labels").items():
        if key.startswith(_ROLE_PREFIX):
            roles.add(key.removeprefix(_ROLE_PREFIX))
        elif key == _ROLE_LABEL:
            roles.add(value)
    return sorted(roles - {""})


def _node_address(obj: Object, kind: str) -> str:
    addresses = part(obj, "status").get("addresses") or []
    return next((address["address"] for address in addresses if address.get("type") == kind), NONE)


def _node(obj: Object, now: datetime) -> Cells:
    info = part(obj, "status", "nodeInfo")
    return [
        name_of(obj),
        _node_status(obj),
        ",".join(node_roles(obj)) or NONE,
        age_of(obj, now),
        info.get("kubeletVersion", ""),
        _node_address(obj, "InternalIP"),
        _node_address(obj, "ExternalIP"),
        info.get("osImage") or _UNKNOWN,
        info.get("kernelVersion") or _UNKNOWN,
        info.get("containerRuntimeVersion") or _UNKNOWN,
    ]


def _first(obj: Object, *fields: str) -> Any:
    """The first of these fields that says something; an Event's two versions name theirs differently."""
    return next((obj[field] for field in fields if obj.get(field)), None)


def _event_target(obj: Object) -> tuple[str, str]:
    involved = _first(obj, "involvedObject", "regarding") or {}
    kind, name = involved.get("kind", "").lower(), involved.get("name")
    return f"{kind}/{name}" if name else kind, involved.get("fieldPath", "")


def _event_source(obj: Object) -> str:
    source = _first(obj, "source", "deprecatedSource") or {}
    component = source.get("component") or _first(obj, "reportingComponent", "reportingController") or ""
    instance = source.get("host") or obj.get("reportingInstance")
    return f"{component}, {instance}" if instance else component


def _event(obj: Object, now: datetime) -> Cells:
    first = since(_first(obj, "firstTimestamp", "deprecatedFirstTimestamp", "eventTime"), now)
    last_time = _first(obj, "lastTimestamp", "deprecatedLastTimestamp")
    last = since(last_time, now) if last_time else first
    count = _first(obj, "count", "deprecatedCount") or 1
    if series := obj.get("series"):
        last, count = since(series.get("lastObservedTime"), now), series.get("count", 0)
    target, sub_object = _event_target(obj)
    message = (_first(obj, "message", "note") or "").strip()
    return [
        last,
        obj.get("type", ""),
        obj.get("reason", ""),
        target,
        sub_object,
        _event_source(obj),
        message,
        first,
        count,
        name_of(obj),
    ]


def _secret(obj: Object, now: datetime) -> Cells:
    return [name_of(obj), obj.get("type", ""), len(obj.get("data") or {}), age_of(obj, now)]


def _config_map(obj: Object, now: datetime) -> Cells:
    return [name_of(obj), len(obj.get("data") or {}) + len(obj.get("binaryData") or {}), age_of(obj, now)]


def _service_account(obj: Object, now: datetime) -> Cells:
    return [name_of(obj), len(obj.get("secrets") or []), age_of(obj, now)]


def _component_status(obj: Object, _now: datetime) -> Cells:
    healthy = next((c for c in obj.get("conditions") or [] if c.get("type") == "Healthy"), None)
    if healthy is None:
        return [name_of(obj), "Unknown", "", ""]
    status = "Healthy" if healthy.get("status") == "True" else "Unhealthy"
    return [name_of(obj), status, healthy.get("message", ""), healthy.get("error", "")]


def _resource_quota(obj: Object, now: datetime) -> Cells:
    hard, used = part(obj, "status", "hard"), part(obj, "status", "used")
    requests: list[str] = []
    limits: list[str] = []
    for resource in sorted(hard):
        kept = limits if resource.startswith("limits.") else requests
        kept.append(f"{resource}: {used.get(resource, '0')}/{hard[resource]}")
    return [name_of(obj), ", ".join(requests), ", ".join(limits), age_of(obj, now)]


_EVENT = Printer(
    (
        Column("Last Seen", "The last time that the event was seen."),
        Column("Type", "The type of the event: Normal or Warning."),
        Column("Reason", "Why the event came, as one word."),
        Column("Object", "The object that the event is about."),
        wide("Subobject", "The part of the object that the event is about."),
        wide("Source", "The component that reports the event."),
        Column("Message", "What happened, for people."),
        wide("First Seen", "The first time that the event was seen."),
        wide("Count", "How often the event has occurred."),
        Column("Name", NAME.description, format="name", priority=1),
    ),
    _event,
)

PRINTERS: Printers = {
    ("", "Namespace"): Printer((NAME, Column("Status", "The status of the namespace."), AGE), _namespace),
    ("", "Node"): Printer(
        (
            NAME,
            Column("Status", "The status of the node."),
            Column("Roles", "The roles of the node."),
            AGE,
            Column("Version", "The version that the kubelet reports."),
            wide("Internal-IP", "The node's address inside the cluster."),
            wide("External-IP", "The node's address outside the cluster."),
            wide("OS-Image", "The operating system that the node reports."),
            wide("Kernel-Version", "The kernel version that the node reports."),
            wide("Container-Runtime", "The container runtime and its version."),
        ),
        _node,
    ),
    ("", "Event"): _EVENT,
    ("events.k8s.io", "Event"): _EVENT,
    ("", "Secret"): Printer(
        (NAME, Column("Type", "What the secret is for."), Column("Data", "The number of its entries."), AGE), _secret
    ),
    ("", "ConfigMap"): Printer((NAME, Column("Data", "The number of its entries."), AGE), _config_map),
    ("", "ServiceAccount"): Printer(
        (NAME, Column("Secrets", "The number of secrets that pods of this account may mount."), AGE), _service_account
    ),
    ("", "ComponentStatus"): Printer(
        (
            NAME,
            STATUS,
            Column("Message", "What the health check answered."),
            Column("Error", "Why the health check failed."),
        ),
        _component_status,
    ),
    ("", "ResourceQuota"): Printer(
        (
            NAME,
            Column("Request", "Used and hard quota of what is requested or counted."),
            Column("Limit", "Used and hard quota of limits."),
            AGE,
        ),
        _resource_quota,
    ),
}
