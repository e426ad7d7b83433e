"""Convert objects between the served versions of a kind: events (core and events.k8s.io) and autoscalers (v1 and v2).

Round trips lose nothing: what autoscaling/v1 has no field for travels in its annotations, as upstream's does. Pure:
answers a new object that shares unchanged parts with the one given.

Source: pkg/apis/autoscaling/v1/conversion.go, pkg/apis/events/v1/conversion.go.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson

from kubepy.api.meta import Object

_EVENTS: Final = "events.k8s.io/v1"
_FROM_CORE_EVENT: Final = {
    "count": "deprecatedCount",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "involvedObject": "regarding",
    "lastTimestamp": "deprecatedLastTimestamp",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
}
_TO_CORE_EVENT: Final = {new: old for old, new in _FROM_CORE_EVENT.items()}

_ANNOTATION: Final = "autoscaling.alpha.kubernetes.io/"
METRICS: Final = _ANNOTATION + "metrics"
CURRENT_METRICS: Final = _ANNOTATION + "current-metrics"
CONDITIONS: Final = _ANNOTATION + "conditions"
BEHAVIOR: Final = _ANNOTATION + "behavior"


def convert(obj: Object, api_version: str) -> Object:
    """The object at `api_version`; the object itself where it is at that version already. Raises KeyError."""
    current = obj.get("apiVersion", "")
    if current == api_version:
        return obj
    return {**_CONVERTERS[(current, api_version, obj.get("kind", ""))](obj), "apiVersion": api_version}


def _renamed(obj: Object, names: dict[str, str]) -> Object:
    return {names.get(field, field): value for field, value in obj.items()}


def _event_from_core(obj: Object) -> Object:
    return _renamed(obj, _FROM_CORE_EVENT)


def _event_to_core(obj: Object) -> Object:
    return _renamed(obj, _TO_CORE_EVENT)


# What autoscaling/v1 calls the parts that say which metric is meant, by the kind of metric.
_PLACES: Final = {
    "object": {"described": "target", "name": "metricName", "selector": "selector"},
    "pods": {"name": "metricName", "selector": "selector"},
    "resource": {},
    "containerResource": {},
    "external": {"name": "metricName", "selector": "metricSelector"},
}
_FIELD_OF_TYPE: Final = {
    "ContainerResource": "containerResource", "External": "external", "Object": "object", "Pods": "pods",
    "Resource": "resource",
}  # fmt: skip


def _value_names(field: str, prefix: str) -> dict[str, str]:
    """The v1 names of a target's (or a current's) values: targetAverageValue, currentValue..."""
    average = "averageValue" if field == "object" else f"{prefix}AverageValue"
    return {"averageUtilization": f"{prefix}AverageUtilization", "averageValue": average, "value": f"{prefix}Value"}


def _metric_to_v1(metric: Object, side: str) -> Object:
    """A metric of v2 in v1's form; `side` is target (a spec's) or current (a status's)."""
    field = _FIELD_OF_TYPE.get(metric.get("type", ""), "")
    source = metric.get(field)
    if source is None:
        return metric
    flat = {key: source[key] for key in ("name", "container") if key in source}
    places = _PLACES[field]
    if "describedObject" in source:
        flat[places["described"]] = source["describedObject"]
    for part in ("name", "selector"):
        value = source.get("metric", {}).get(part)
        if value is not None and part in places:
            flat[places[part]] = value
    names = _value_names(field, side)
    flat.update({names[key]: value for key, value in source.get(side, {}).items() if key in names})
    return {"type": metric["type"], field: flat}


def _metric_from_v1(metric: Object, side: str) -> Object:
    field = _FIELD_OF_TYPE.get(metric.get("type", ""), "")
    flat = metric.get(field)
    if flat is None:
        return metric
    source: Object = {key: flat[key] for key in ("name", "container") if key in flat}
    places = _PLACES[field]
    described = flat.get(places.get("described", ""))
    if described is not None:
        source["describedObject"] = described
    named = {part: flat[places[part]] for part in ("name", "selector") if part in places and places[part] in flat}
    if named:
        source["metric"] = named
    values = {key: flat[name] for key, name in _value_names(field, side).items() if name in flat}
    if side == "target":
        values = {"type": _target_type(values), **values}
    return {"type": metric["type"], field: {**source, side: values}}


def _target_type(values: Object) -> str:
    if "averageUtilization" in values:
        return "Utilization"
    return "AverageValue" if "averageValue" in values else "Value"


def _is_cpu(metric: Object, side: str) -> bool:
    resource = metric.get("resource") or {}
    return (
        metric.get("type") == "Resource"
        and resource.get("name") == "cpu"
        and (resource.get(side) or {}).get("averageUtilization") is not None
    )


def _split_cpu(metrics: Iterable[Object], side: str) -> tuple[int | None, list[Object]]:
    """(the CPU utilization that v1 has a field for, the other metrics)."""
    found: int | None = None
    others = []
    for metric in metrics:
        if found is None and _is_cpu(metric, side):
            found = metric["resource"][side]["averageUtilization"]
        else:
            others.append(metric)
    return found, others


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _autoscaler_to_v1(obj: Object) -> Object:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    annotations = dict((obj.get("metadata") or {}).get("annotations") or {})
    cpu, others = _split_cpu(spec.pop("metrics", None) or [], "target")
    if cpu is not None:
        spec["targetCPUUtilizationPercentage"] = cpu
    if others:
        annotations[METRICS] = _text([_metric_to_v1(metric, "target") for metric in others])
    cpu, others = _split_cpu(status.pop("currentMetrics", None) or [], "current")
    if cpu is not None:
        status["currentCPUUtilizationPercentage"] = cpu
    if others:
        annotations[CURRENT_METRICS] = _text([_metric_to_v1(metric, "current") for metric in others])
    for holder, field, annotation in ((spec, "behavior", BEHAVIOR), (status, "conditions", CONDITIONS)):
        value = holder.pop(field, None)
        if value:
            annotations[annotation] = _text(value)
    # v1 always tells both counts, v2 leaves out a current one of zero.
    return _with_parts(obj, annotations, spec, {"currentReplicas": 0, "desiredReplicas": 0, **status})


def _autoscaler_from_v1(obj: Object) -> Object:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    annotations = dict((obj.get("metadata") or {}).get("annotations") or {})
    metrics = _cpu_metric(spec.pop("targetCPUUtilizationPercentage", None), "target")
    metrics += [_metric_from_v1(metric, "target") for metric in _taken(annotations, METRICS)]
    if metrics:
        spec["metrics"] = metrics
    current = _cpu_metric(status.pop("currentCPUUtilizationPercentage", None), "current")
    current += [_metric_from_v1(metric, "current") for metric in _taken(annotations, CURRENT_METRICS)]
    if current:
        status["currentMetrics"] = current
    if status.get("currentReplicas") == 0:
        del status["currentReplicas"]
    for holder, field, annotation in ((spec, "behavior", BEHAVIOR), (status, "conditions", CONDITIONS)):
        value = _taken(annotations, annotation)
        if value:
            holder[field] = value
    return _with_parts(obj, annotations, spec, status)


def _cpu_metric(utilization: int | None, side: str) -> list[Object]:
    if utilization is None:
        return []
    values = {"averageUtilization": utilization}
    if side == "target":
        values = {"type": "Utilization", **values}  # type: ignore[dict-item]  # a target says of which type it is
    return [{"type": "Resource", "resource": {"name": "cpu", side: values}}]


def _taken(annotations: dict[str, str], key: str) -> Any:
    """The value of an annotation, which is removed; what is not JSON stays where it is, as upstream leaves it."""
    try:
        value = orjson.loads(annotations.get(key, "[]"))
    except orjson.JSONDecodeError:
        return []
    annotations.pop(key, None)
    return value


def _with_parts(obj: Object, annotations: dict[str, str], spec: Object, status: Object) -> Object:
    metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if key != "annotations"}
    if annotations:
        metadata["annotations"] = annotations
    converted = {**obj, "metadata": metadata, "spec": spec}
    if "status" in obj:
        converted["status"] = status
    return converted


_AUTOSCALER: Final = "HorizontalPodAutoscaler"
_CONVERTERS: Final[dict[tuple[str, str, str], Callable[[Object], Object]]] = {
    ("v1", _EVENTS, "Event"): _event_from_core,
    (_EVENTS, "v1", "Event"): _event_to_core,
    ("autoscaling/v1", "autoscaling/v2", _AUTOSCALER): _autoscaler_from_v1,
    ("autoscaling/v2", "autoscaling/v1", _AUTOSCALER): _autoscaler_to_v1,
}
