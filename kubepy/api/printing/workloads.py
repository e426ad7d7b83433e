"""Rows of what makes pods: apps, batch, autoscaling, policy, ReplicationController and PodTemplate.

Source: pkg/printers/internalversion/printers.go.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kubepy.api.meta import Object, name_of
from kubepy.api.printing.columns import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    SELECTOR,
    Cells,
    Column,
    Printer,
    Printers,
    number,
    truth,
)
from kubepy.api.printing.durations import between, since
from kubepy.api.printing.text import (
    NONE,
    UNSET,
    age_of,
    condition_status,
    containers_text,
    labels_text,
    or_else,
    part,
    selector_query,
    selector_text,
)

_READY = Column("Ready", "The number of pods that are ready, of those desired.")


def _count(obj: Object, where: str, field: str) -> int:
    return int(part(obj, where).get(field) or 0)


def _deployment(obj: Object, now: datetime) -> Cells:
    spec = part(obj, "spec")
    try:
        selector = selector_query(spec.get("selector"))
    except ValueError:
        selector = "<invalid>"
    return [
        name_of(obj),
        f"{_count(obj, 'status', 'readyReplicas')}/{_count(obj, 'spec', 'replicas')}",
        _count(obj, "status", "updatedReplicas"),
        _count(obj, "status", "availableReplicas"),
        age_of(obj, now),
        *containers_text(spec.get("template")),
        selector,
    ]


def _replicas(obj: Object, now: datetime) -> Cells:
    return [
        name_of(obj),
        _count(obj, "spec", "replicas"),
        _count(obj, "status", "replicas"),
        _count(obj, "status", "readyReplicas"),
        age_of(obj, now),
        *containers_text(part(obj, "spec").get("template")),
    ]


def _replica_set(obj: Object, now: datetime) -> Cells:
    return [*_replicas(obj, now), selector_text(part(obj, "spec").get("selector"))]


def _replication_controller(obj: Object, now: datetime) -> Cells:
    return [*_replicas(obj, now), labels_text(part(obj, "spec").get("selector"))]


def _stateful_set(obj: Object, now: datetime) -> Cells:
    ready = f"{_count(obj, 'status', 'readyReplicas')}/{_count(obj, 'spec', 'replicas')}"
    return [name_of(obj), ready, age_of(obj, now), *containers_text(part(obj, "spec").get("template"))]


_DAEMON_COUNTS = (
    "desiredNumberScheduled",
    "currentNumberScheduled",
    "numberReady",
    "updatedNumberScheduled",
    "numberAvailable",
)


def _daemon_set(obj: Object, now: datetime) -> Cells:
    spec = part(obj, "spec")
    return [
        name_of(obj),
        *(_count(obj, "status", field) for field in _DAEMON_COUNTS),
        labels_text(part(spec, "template", "spec").get("nodeSelector")),
        age_of(obj, now),
        *containers_text(spec.get("template")),
        selector_text(spec.get("selector")),
    ]


def _controller_revision(obj: Object, now: datetime) -> Cells:
    owners = part(obj, "metadata").get("ownerReferences") or []
    owner = next((ref for ref in owners if ref.get("controller")), None)
    controller = NONE
    if owner is not None:
        group = owner["apiVersion"].rpartition("/")[0]
        kind = f"{owner['kind']}.{group}" if group else owner["kind"]
        controller = f"{kind.lower()}/{owner['name']}"
    return [name_of(obj), controller, obj.get("revision") or 0, age_of(obj, now)]


def _job_state(obj: Object) -> str:
    conditions = part(obj, "status").get("conditions")
    for kind in ("Complete", "Failed"):
        if condition_status(conditions, kind) == "True":
            return kind
    if part(obj, "metadata").get("deletionTimestamp"):
        return "Terminating"
    for kind in ("Suspended", "FailureTarget"):
        if condition_status(conditions, kind) == "True":
            return kind
    return "Running"


def _job_completions(obj: Object) -> str:
    spec, succeeded = part(obj, "spec"), _count(obj, "status", "succeeded")
    if (completions := spec.get("completions")) is not None:
        return f"{succeeded}/{completions}"
    parallelism = spec.get("parallelism") or 0
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _job_duration(obj: Object, now: datetime) -> str:
    status = part(obj, "status")
    if not status.get("startTime"):
        return ""
    if not status.get("completionTime"):
        return since(status["startTime"], now)
    return between(status["startTime"], status["completionTime"])


def _job(obj: Object, now: datetime) -> Cells:
    spec = part(obj, "spec")
    return [
        name_of(obj),
        _job_state(obj),
        _job_completions(obj),
        _job_duration(obj, now),
        age_of(obj, now),
        *containers_text(spec.get("template")),
        selector_text(spec.get("selector")),
    ]


def _cron_job(obj: Object, now: datetime) -> Cells:
    spec, status = part(obj, "spec"), part(obj, "status")
    job = part(spec, "jobTemplate", "spec")
    suspend = spec.get("suspend")
    last = status.get("lastScheduleTime")
    return [
        name_of(obj),
        spec.get("schedule", ""),
        or_else(spec.get("timeZone"), NONE),
        UNSET if suspend is None else str(bool(suspend)),
        len(status.get("active") or []),
        since(last, now) if last else NONE,
        age_of(obj, now),
        *containers_text(job.get("template")),
        selector_text(job.get("selector")),
    ]


def _pod_template(obj: Object, _now: datetime) -> Cells:
    template = part(obj, "template")
    return [name_of(obj), *containers_text(template), labels_text(part(template, "metadata").get("labels"))]


def _disruption_budget(obj: Object, now: datetime) -> Cells:
    spec = part(obj, "spec")
    bounds = (str(or_else(spec.get(field), "N/A")) for field in ("minAvailable", "maxUnavailable"))
    return [name_of(obj), *bounds, _count(obj, "status", "disruptionsAllowed"), age_of(obj, now)]


_METRIC_SOURCES = {
    "External": "external",
    "Pods": "pods",
    "Object": "object",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}


def _percent(value: int | None, otherwise: str) -> str:
    return otherwise if value is None else f"{value}%"


def _metric(spec: Mapping[str, Any], status: Mapping[str, Any] | None) -> str:
    field = _METRIC_SOURCES.get(spec.get("type", ""))
    if field is None:
        return "<unknown type>"
    source, target = part(spec, field), part(spec, field, "target")
    observed = (status or {}).get(field)
    current = part(observed or {}, "current")
    average = target.get("averageValue")
    if field in ("resource", "containerResource"):
        if average is not None:
            value = "<unknown>" if observed is None else str(current.get("averageValue"))
            return f"{source.get('name')}: {value}/{average}"
        value = _percent(current.get("averageUtilization"), "<unknown>")
        return f"{source.get('name')}: {value}/{_percent(target.get('averageUtilization'), '<auto>')}"
    if average is not None:
        suffix = "" if field == "pods" else " (avg)"
        return f"{or_else(current.get('averageValue'), '<unknown>')}/{average}{suffix}"
    value = "<unknown>" if observed is None else str(current.get("value"))
    return f"{value}/{target.get('value')}"


def _metrics_text(metrics: Sequence[Mapping[str, Any]], statuses: Sequence[Mapping[str, Any]]) -> str:
    if not metrics:
        return NONE
    shown = [_metric(m, statuses[i] if i < len(statuses) else None) for i, m in enumerate(metrics[:2])]
    text = ", ".join(shown)
    return f"{text} + {len(metrics) - 2} more..." if len(metrics) > 2 else text


def _autoscaler_metrics(obj: Object) -> str:
    """The targets of an autoscaler at either version; v1 knows nothing but CPU utilisation."""
    spec, status = part(obj, "spec"), part(obj, "status")
    if "targetCPUUtilizationPercentage" in spec:
        target = _percent(spec["targetCPUUtilizationPercentage"], "<auto>")
        return f"cpu: {_percent(status.get('currentCPUUtilizationPercentage'), '<unknown>')}/{target}"
    return _metrics_text(spec.get("metrics") or [], status.get("currentMetrics") or [])


def _autoscaler(obj: Object, now: datetime) -> Cells:
    spec = part(obj, "spec")
    target = part(spec, "scaleTargetRef")
    return [
        name_of(obj),
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _autoscaler_metrics(obj),
        str(or_else(spec.get("minReplicas"), UNSET)),
        _count(obj, "spec", "maxReplicas"),
        _count(obj, "status", "currentReplicas"),
        age_of(obj, now),
    ]


def _scale(obj: Object, now: datetime) -> Cells:
    return [name_of(obj), _count(obj, "spec", "replicas"), _count(obj, "status", "replicas"), age_of(obj, now)]


_WIDE = (CONTAINERS, IMAGES, SELECTOR)
_REPLICAS = (
    NAME,
    number("Desired", "The number of pods desired."),
    number("Current", "The number of pods observed."),
    number("Ready", "The number of pods that are ready."),
    AGE,
    *_WIDE,
)

PRINTERS: Printers = {
    ("apps", "Deployment"): Printer(
        (
            NAME,
            _READY,
            Column("Up-to-date", "The number of pods that have the desired template."),
            Column("Available", "The number of pods that have been ready for at least minReadySeconds."),
            AGE,
            *_WIDE,
        ),
        _deployment,
    ),
    ("apps", "ReplicaSet"): Printer(_REPLICAS, _replica_set),
    ("", "ReplicationController"): Printer(_REPLICAS, _replication_controller),
    ("apps", "StatefulSet"): Printer((NAME, _READY, AGE, CONTAINERS, IMAGES), _stateful_set),
    ("apps", "DaemonSet"): Printer(
        (
            NAME,
            number("Desired", "The number of nodes that should run the daemon pod."),
            number("Current", "The number of nodes that run it and should."),
            number("Ready", "The number of nodes on which it is ready."),
            number("Up-to-date", "The number of nodes that run the updated pod."),
            number("Available", "The number of nodes on which it is available."),
            Column("Node Selector", "The labels that a node must have to run the pod."),
            AGE,
            *_WIDE,
        ),
        _daemon_set,
    ),
    ("apps", "ControllerRevision"): Printer(
        (
            NAME,
            Column("Controller", "Controller of the object."),
            Column("Revision", "The revision of the state that the data represents."),
            AGE,
        ),
        _controller_revision,
    ),
    ("batch", "Job"): Printer(
        (
            NAME,
            Column("Status", "Status of the job."),
            Column("Completions", "The number of pods that succeeded, of those desired."),
            Column("Duration", "Time required to complete the job."),
            AGE,
            *_WIDE,
        ),
        _job,
    ),
    ("batch", "CronJob"): Printer(
        (
            NAME,
            Column("Schedule", "The schedule in cron format."),
            Column("Timezone", "The time zone that the schedule is meant in."),
            truth("Suspend", "Whether no further jobs are started."),
            number("Active", "The number of jobs that run now."),
            Column("Last Schedule", "The last time that a job was started."),
            AGE,
            *_WIDE,
        ),
        _cron_job,
    ),
    ("", "PodTemplate"): Printer(
        (
            NAME,
            Column("Containers", "Names of each container in the template."),
            Column("Images", "Images referenced by each container in the template."),
            Column("Pod Labels", "The labels for the pod template."),
        ),
        _pod_template,
    ),
    ("policy", "PodDisruptionBudget"): Printer(
        (
            NAME,
            Column("Min Available", "The minimum number of pods that must be available."),
            Column("Max Unavailable", "The maximum number of pods that may be unavailable."),
            number("Allowed Disruptions", "The number of pods that may be disrupted now."),
            AGE,
        ),
        _disruption_budget,
    ),
    ("autoscaling", "HorizontalPodAutoscaler"): Printer(
        (
            NAME,
            Column("Reference", "The resource that is scaled."),
            Column("Targets", "The metrics observed, and what they should be."),
            Column("MinPods", "The lower limit of the number of replicas."),
            Column("MaxPods", "The upper limit of the number of replicas."),
            Column("Replicas", "The number of replicas last seen."),
            AGE,
        ),
        _autoscaler,
    ),
    ("autoscaling", "Scale"): Printer(
        (
            Column("Name", "The name of the scaled object."),
            number("Desired", "The number of replicas desired."),
            number("Available", "The number of replicas observed."),
            AGE,
        ),
        _scale,
    ),
}
