"""Rules of HorizontalPodAutoscalers, at either version, and of Scale.

Source: pkg/apis/autoscaling/validation/validation.go. A v1 object is judged as the v2 object that it stands for, since
that is what upstream validates: faults are told of at v2's fields. Bounds of replicas are told of by v1.37's
declarative rules, after everything else.
"""

from collections.abc import Sequence
from typing import Any

from kubepy.api import names, quantity
from kubepy.api.errors import FieldError, forbidden, invalid, required
from kubepy.api.meta import Object
from kubepy.api.validation.checks import nonnegative, one_of, spec_of, status_of
from kubepy.api.validation.meta import validate_metadata, validate_metadata_update
from kubepy.api.validation.resources import container_resource_name
from kubepy.api.validation.rules import Rules

_MOST_PERIOD_S = 1800
_MOST_WINDOW_S = 3600
_TYPES = ("ContainerResource", "External", "Object", "Pods", "Resource")
_FIELD_OF = {
    "Object": "object",
    "External": "external",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}
_V1_TARGET = "targetCPUUtilizationPercentage"


def _metrics(spec: Object) -> Sequence[Object]:
    if spec.get(_V1_TARGET) is None:
        return spec.get("metrics") or ()
    target = {"type": "Utilization", "averageUtilization": spec[_V1_TARGET]}
    return [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _validate_spec(spec: Object, least: int) -> list[FieldError]:
    low, high = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    errors: list[FieldError] = []
    if low is not None and high < low:
        errors.append(invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`"))
    errors += _object_reference(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef")
    metrics = _metrics(spec)
    for index, metric in enumerate(metrics):
        errors += _metric(metric, f"spec.metrics[{index}]")
    if low == 0 and not any(metric.get("type") in ("Object", "External") for metric in metrics):
        why = "must specify at least one Object or External metric to support scaling to zero replicas"
        errors.append(forbidden("spec.metrics", why))
    for field in ("scaleUp", "scaleDown"):
        if (rules := (spec.get("behavior") or {}).get(field)) is not None:
            errors += _scaling_rules(rules, f"spec.behavior.{field}")
    if low is not None and low < least:
        errors.append(invalid("spec.minReplicas", low, f"must be greater than or equal to {least}"))
    if not high:
        errors.append(required("spec.maxReplicas"))
    elif high < 1:
        errors.append(invalid("spec.maxReplicas", high, "must be greater than or equal to 1"))
    return errors


def _object_reference(reference: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("kind", "name"):
        value = reference.get(field)
        if not value:
            errors.append(required(f"{path}.{field}"))
        else:
            errors += [invalid(f"{path}.{field}", value, text) for text in names.is_path_segment_name(value)]
    return errors


def _scaling_rules(rules: Object, path: str) -> list[FieldError]:
    window, select = rules.get("stabilizationWindowSeconds"), rules.get("selectPolicy")
    at = f"{path}.stabilizationWindowSeconds"
    errors: list[FieldError] = []
    if window is not None and window < 0:
        errors.append(invalid(at, window, "must be greater than or equal to zero"))
    if window is not None and window > _MOST_WINDOW_S:
        errors.append(invalid(at, window, f"must be less than or equal to {_MOST_WINDOW_S}"))
    if select is not None:
        errors += one_of(select, f"{path}.selectPolicy", ("Disabled", "Max", "Min"))
    if not rules.get("policies"):
        errors.append(required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(rules.get("policies") or ()):
        errors += _scaling_policy(policy, f"{path}.policies[{index}]")
    if rules.get("tolerance") is not None and quantity.compare(rules["tolerance"], 0) < 0:
        errors.append(invalid(f"{path}.tolerance", rules["tolerance"], "must be greater or equal to 0"))
    return errors


def _scaling_policy(policy: Object, path: str) -> list[FieldError]:
    errors = one_of(policy.get("type"), f"{path}.type", ("Percent", "Pods"))
    for field in ("value", "periodSeconds"):
        if (policy.get(field) or 0) <= 0:
            errors.append(invalid(f"{path}.{field}", policy.get(field) or 0, "must be greater than zero"))
    period = policy.get("periodSeconds") or 0
    if period > _MOST_PERIOD_S:
        why = f"must be less than or equal to {_MOST_PERIOD_S}"
        errors.append(invalid(f"{path}.periodSeconds", period, why))
    return errors


def _metric(metric: Object, path: str) -> list[FieldError]:
    kind = metric.get("type") or ""
    errors: list[FieldError] = []
    if not kind:
        errors.append(required(f"{path}.type", "must specify a metric source type"))
    errors += one_of(kind, f"{path}.type", _TYPES)
    present = [field for field in _FIELD_OF.values() if metric.get(field) is not None]
    if present:
        errors += _SOURCE_RULES[present[0]](metric[present[0]], f"{path}.{present[0]}")
    expected = _FIELD_OF.get(kind)
    if expected is None:
        errors += one_of(kind, f"{path}.type", _TYPES)
    elif expected not in present:
        why = "must populate information for the given metric source"
        errors.append(required(f"{path}.{expected}", why))
    if len(present) != 1:
        why = "must populate the given metric source only"
        errors += [forbidden(f"{path}.{field}", why) for field in present if field != expected]
    return errors


def _identifier(identifier: Object, path: str) -> list[FieldError]:
    name = identifier.get("name")
    if not name:
        return [required(f"{path}.name", "must specify a metric name")]
    return [invalid(f"{path}.name", name, text) for text in names.is_path_segment_name(name)]


def _target(target: Object, path: str) -> list[FieldError]:
    kind, utilization = target.get("type"), target.get("averageUtilization")
    errors: list[FieldError] = []
    if not kind:
        errors.append(required(f"{path}.type", "must specify a metric target type"))
    if kind not in ("Utilization", "Value", "AverageValue"):
        errors.append(invalid(f"{path}.type", kind or "", "must be either Utilization, Value, or AverageValue"))
    for field in ("value", "averageValue"):
        if target.get(field) is not None and quantity.compare(target[field], 0) <= 0:
            errors.append(invalid(f"{path}.{field}", target[field], "must be positive"))
    if utilization is not None and utilization < 1:
        errors.append(invalid(f"{path}.averageUtilization", utilization, "must be greater than 0"))
    return errors


def _has_none(target: Object, *fields: str) -> bool:
    return all(target.get(field) is None for field in fields)


def _object_source(source: Object, path: str) -> list[FieldError]:
    target = source.get("target") or {}
    errors = _object_reference(source.get("describedObject") or {}, f"{path}.describedObject")
    errors += _identifier(source.get("metric") or {}, f"{path}.metric") + _target(target, f"{path}.target")
    if _has_none(target, "value", "averageValue"):
        errors.append(required(f"{path}.target.averageValue", "must set either a target value or averageValue"))
    return errors


def _external_source(source: Object, path: str) -> list[FieldError]:
    target = source.get("target") or {}
    errors = _identifier(source.get("metric") or {}, f"{path}.metric") + _target(target, f"{path}.target")
    if _has_none(target, "value", "averageValue"):
        why = "must set either a target value for metric or a per-pod target"
        errors.append(required(f"{path}.target.averageValue", why))
    if target.get("value") is not None and target.get("averageValue") is not None:
        why = "may not set both a target value for metric and a per-pod target"
        errors.append(forbidden(f"{path}.target.value", why))
    return errors


def _pods_source(source: Object, path: str) -> list[FieldError]:
    target = source.get("target") or {}
    errors = _identifier(source.get("metric") or {}, f"{path}.metric") + _target(target, f"{path}.target")
    if _has_none(target, "averageValue"):
        errors.append(required(f"{path}.target.averageValue", "must specify a positive target averageValue"))
    return errors


def _resource_source(source: Object, path: str) -> list[FieldError]:
    errors = [] if source.get("name") else [required(f"{path}.name", "must specify a resource name")]
    return errors + _resource_target(source.get("target") or {}, path)


def _resource_target(target: Object, path: str) -> list[FieldError]:
    errors = _target(target, f"{path}.target")
    if _has_none(target, "averageUtilization", "averageValue"):
        why = "must set either a target raw value or a target utilization"
        errors.append(required(f"{path}.target.averageUtilization", why))
    if target.get("averageUtilization") is not None and target.get("averageValue") is not None:
        why = "may not set both a target raw value and a target utilization"
        errors.append(forbidden(f"{path}.target.averageValue", why))
    return errors


def _container_source(source: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if name := source.get("name"):
        errors += container_resource_name(name, f"{path}.name")
    else:
        errors.append(required(f"{path}.name", "must specify a resource name"))
    container = source.get("container")
    if not container:
        errors.append(required(f"{path}.container", "must specify a container"))
    else:
        errors += [invalid(f"{path}.container", container, text) for text in names.is_dns1123_label(container)]
    return errors + _resource_target(source.get("target") or {}, path)


_SOURCE_RULES: dict[str, Any] = {
    "object": _object_source,
    "external": _external_source,
    "pods": _pods_source,
    "resource": _resource_source,
    "containerResource": _container_source,
}


def create_autoscaler(obj: Object) -> list[FieldError]:
    """Faults of a new HorizontalPodAutoscaler."""
    return validate_metadata(obj, True, names.is_dns1123_subdomain) + _validate_spec(spec_of(obj), 1)


def update_autoscaler(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed HorizontalPodAutoscaler; one that scales to zero already may go on."""
    least = 0 if spec_of(old).get("minReplicas") == 0 else 1
    return validate_metadata_update(new, old) + _validate_spec(spec_of(new), least)


def autoscaler_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of a HorizontalPodAutoscaler's status."""
    errors = validate_metadata_update(new, old)
    return errors + nonnegative(status_of(new), "status", "currentReplicas", "desiredReplicas")


def create_scale(obj: Object) -> list[FieldError]:
    """Faults of a Scale."""
    return validate_metadata(obj, True, names.is_dns1123_subdomain) + nonnegative(spec_of(obj), "spec", "replicas")


def update_scale(new: Object, _old: Object) -> list[FieldError]:
    """Faults of a changed Scale: those of a new one."""
    return create_scale(new)


RULES: dict[tuple[str, str], Rules] = {
    ("autoscaling", "HorizontalPodAutoscaler"): Rules(create_autoscaler, update_autoscaler, autoscaler_status),
    ("autoscaling", "Scale"): Rules(create_scale, update_scale),
}
