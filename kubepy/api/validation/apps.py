"""Rules of Deployments, ReplicaSets, StatefulSets, DaemonSets and ControllerRevisions.

Selectors never change; a StatefulSet changes in a few named fields only, because its pods and claims carry its state.
Source: pkg/apis/apps/validation/validation.go; pkg/registry/apps/*/strategy.go (immutable selectors).
"""

from collections.abc import Mapping
from typing import Any

from kubepy.api import names
from kubepy.api.errors import FieldError, forbidden, invalid, not_supported, required
from kubepy.api.meta import Object
from kubepy.api.validation.checks import (
    amount_of,
    at_most_100_percent,
    checked,
    int_or_percent,
    is_empty_selector,
    nonnegative,
    not_decremented,
    one_of,
    selects,
    spec_of,
    status_of,
    unchanged,
)
from kubepy.api.validation.equality import same
from kubepy.api.validation.fields import label_selector
from kubepy.api.validation.meta import (
    validate_annotations,
    validate_labels,
    validate_metadata,
    validate_metadata_update,
)
from kubepy.api.validation.pod import validate_pod_template
from kubepy.api.validation.rules import Rules
from kubepy.api.validation.shown import DEPLOYMENT_STRATEGY, ROLLING_STATEFUL_SET, STATEFUL_SET_STRATEGY, show

NO_MATCH = "`selector` does not match template `labels`"
_TOO_GREAT = "cannot be greater than status.replicas"


def template_labels(template: Object) -> Mapping[str, str]:
    """The labels that pods of a template get."""
    return (template.get("metadata") or {}).get("labels") or {}


def _selector(spec: Object, of: str) -> list[FieldError]:
    selector = spec.get("selector")
    if selector is None:
        return [required("spec.selector")]
    errors = label_selector(selector, "spec.selector")
    if is_empty_selector(selector):
        errors.append(invalid("spec.selector", selector, f"empty selector is invalid for {of}"))
    return errors


def _always_restarts(template: Object, path: str, kind: str) -> list[FieldError]:
    pod = template.get("spec") or {}
    errors = []
    if pod.get("restartPolicy") != "Always":
        errors.append(not_supported(f"{path}.spec.restartPolicy", pod.get("restartPolicy", ""), ["Always"]))
    if pod.get("activeDeadlineSeconds") is not None:
        why = f"activeDeadlineSeconds in {kind} is not Supported"
        errors.append(forbidden(f"{path}.spec.activeDeadlineSeconds", why))
    return errors


def _mismatches(selector: Mapping[str, Any] | None, template: Object) -> bool:
    """Whether pods of the template would not be found. A missing selector finds none, an empty one is let pass."""
    if selector is not None and is_empty_selector(selector):
        return False
    return not selects(selector, template_labels(template))


def validate_selected_template(
    template: Object | None, selector: Mapping[str, Any] | None, path: str
) -> list[FieldError]:
    """Faults of the pod template of a ReplicaSet or ReplicationController with a LabelSelector."""
    if not template:
        return [required(path)]
    errors = []
    if _mismatches(selector, template):
        errors.append(invalid(f"{path}.metadata.labels", dict(template_labels(template)) or None, NO_MATCH))
    errors += validate_pod_template(template, path)
    return errors + _always_restarts(template, path, "ReplicaSet")


def _readable_template(spec: Object, fault: str) -> list[FieldError]:
    """The template's faults, or one of the selector where it cannot be read."""
    if selects(spec.get("selector"), {}) is None:
        return [invalid("spec.selector", spec.get("selector"), fault)]
    return validate_selected_template(spec.get("template"), spec.get("selector"), "spec.template")


def _validate_deployment_spec(spec: Object) -> list[FieldError]:
    errors = nonnegative(spec, "spec", "replicas")
    errors += _selector(spec, "deployment")
    errors += _readable_template(spec, "invalid label selector")
    errors += _deployment_strategy(spec.get("strategy") or {}, "spec.strategy")
    errors += nonnegative(spec, "spec", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= (spec.get("minReadySeconds") or 0):
        errors.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return errors


def _deployment_strategy(strategy: Object, path: str) -> list[FieldError]:
    rolling = strategy.get("rollingUpdate")
    match strategy.get("type"):
        case "Recreate":
            if rolling is None:
                return []
            why = "may not be specified when strategy `type` is 'Recreate'"
            return [forbidden(f"{path}.rollingUpdate", why)]
        case "RollingUpdate":
            if rolling is None:
                return [required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")]
            return _rolling_deployment(rolling, f"{path}.rollingUpdate")
    return [not_supported(path, show(strategy, DEPLOYMENT_STRATEGY), ["Recreate", "RollingUpdate"])]


def _rolling_deployment(rolling: Object, path: str) -> list[FieldError]:
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    errors = int_or_percent(unavailable, f"{path}.maxUnavailable") + int_or_percent(surge, f"{path}.maxSurge")
    if amount_of(unavailable) == 0 and amount_of(surge) == 0:
        errors.append(invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    return errors + at_most_100_percent(unavailable, f"{path}.maxUnavailable")


def create_deployment(obj: Object) -> list[FieldError]:
    """Faults of a new Deployment."""
    return validate_metadata(obj, True, names.is_dns1123_subdomain) + _validate_deployment_spec(spec_of(obj))


def update_deployment(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed Deployment."""
    errors = validate_metadata_update(new, old) + _validate_deployment_spec(spec_of(new))
    return errors + unchanged(spec_of(new).get("selector"), spec_of(old).get("selector"), "spec.selector")


def _at_most(status: Object, bound: str, fields: tuple[str, ...], why: str) -> list[FieldError]:
    most = status.get(bound) or 0
    return [
        invalid(f"status.{field}", status.get(field) or 0, why) for field in fields if (status.get(field) or 0) > most
    ]


def deployment_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of a Deployment's status."""
    status = status_of(new)
    errors = validate_metadata_update(new, old)
    errors += nonnegative(
        status,
        "status",
        "observedGeneration",
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
        "terminatingReplicas",
        "collisionCount",
    )
    errors += _at_most(status, "replicas", ("updatedReplicas", "readyReplicas", "availableReplicas"), _TOO_GREAT)
    errors += _at_most(status, "readyReplicas", ("availableReplicas",), "cannot be greater than readyReplicas")
    return errors + not_decremented(new, old, "collisionCount")


def _validate_replica_set_spec(spec: Object) -> list[FieldError]:
    errors = nonnegative(spec, "spec", "replicas", "minReadySeconds")
    # Upstream names the wrong kind here; clients see its text.
    errors += _selector(spec, "deployment")
    return errors + _readable_template(spec, "invalid label selector")


def create_replica_set(obj: Object) -> list[FieldError]:
    """Faults of a new ReplicaSet."""
    return validate_metadata(obj, True, names.is_dns1123_subdomain) + _validate_replica_set_spec(spec_of(obj))


def update_replica_set(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed ReplicaSet."""
    errors = validate_metadata_update(new, old) + _validate_replica_set_spec(spec_of(new))
    return errors + unchanged(spec_of(new).get("selector"), spec_of(old).get("selector"), "spec.selector")


def replica_set_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of the status of a ReplicaSet or ReplicationController."""
    status = status_of(new)
    counts = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    errors = validate_metadata_update(new, old)
    errors += nonnegative(status, "status", "replicas", *counts, "observedGeneration", "terminatingReplicas")
    errors += _at_most(status, "replicas", counts, _TOO_GREAT)
    return errors + _at_most(status, "readyReplicas", ("availableReplicas",), "cannot be greater than readyReplicas")


_MUTABLE_STATEFUL = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_STATEFUL_TEXT = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def _validate_stateful_set_spec(spec: Object) -> list[FieldError]:
    policy = spec.get("podManagementPolicy")
    errors: list[FieldError] = []
    if not policy:
        errors.append(required("spec.podManagementPolicy"))
    elif policy not in ("OrderedReady", "Parallel"):
        errors.append(invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"))
    errors += _stateful_strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy")
    if (retention := spec.get("persistentVolumeClaimRetentionPolicy")) is not None:
        path = "spec.persistentVolumeClaimRetentionPolicy"
        for field in ("whenDeleted", "whenScaled"):
            errors += one_of(retention.get(field), f"{path}.{field}", ("Retain", "Delete"))
    errors += nonnegative(spec, "spec", "replicas", "minReadySeconds")
    errors += nonnegative(spec.get("ordinals") or {}, "spec.ordinals", "start")
    errors += _selector(spec, "statefulset")
    return errors + _stateful_template(spec)


def _stateful_template(spec: Object) -> list[FieldError]:
    """Of the template only labels and annotations are judged: its mounts name claims that are made later."""
    template, selector = spec.get("template") or {}, spec.get("selector")
    matches = selects(selector, template_labels(template))
    errors: list[FieldError] = []
    if matches is None:
        errors.append(invalid("spec.selector", selector, ""))
    else:
        if _mismatches(selector, template):
            labels = dict(template_labels(template)) or None
            errors.append(invalid("spec.template.metadata.labels", labels, NO_MATCH))
        metadata = template.get("metadata") or {}
        errors += validate_labels(metadata.get("labels"), "spec.template.labels")
        errors += validate_annotations(metadata.get("annotations"), "spec.template.annotations")
    return errors + _always_restarts(template, "spec.template", "StatefulSet")


def _stateful_strategy(strategy: Object, path: str) -> list[FieldError]:
    rolling = strategy.get("rollingUpdate")
    match strategy.get("type"):
        case None | "":
            return [required(path)]
        case "OnDelete":
            if rolling is None:
                return []
            why = "only allowed for updateStrategy 'RollingUpdate'"
            return [invalid(f"{path}.rollingUpdate", show(rolling, ROLLING_STATEFUL_SET), why)]
        case "RollingUpdate":
            return _rolling_stateful(rolling or {}, f"{path}.rollingUpdate")
    return [invalid(path, show(strategy, STATEFUL_SET_STRATEGY), "must be 'RollingUpdate' or 'OnDelete'")]


def _rolling_stateful(rolling: Object, path: str) -> list[FieldError]:
    errors = nonnegative(rolling, path, "partition")
    unavailable = rolling.get("maxUnavailable")
    if unavailable is not None:
        at = f"{path}.maxUnavailable"
        errors += int_or_percent(unavailable, at)
        if amount_of(unavailable) == 0:
            errors.append(invalid(at, unavailable, "cannot be 0"))
        errors += at_most_100_percent(unavailable, at)
    return errors


def create_stateful_set(obj: Object) -> list[FieldError]:
    """Faults of a new StatefulSet; its name becomes part of its pods' host names."""
    errors = validate_metadata(obj, True, names.is_dns1123_label) + _validate_stateful_set_spec(spec_of(obj))
    service = spec_of(obj).get("serviceName")
    return errors + (checked(service, "spec.serviceName", names.is_dns1123_label) if service else [])


def update_stateful_set(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed StatefulSet."""
    errors = validate_metadata_update(new, old) + _validate_stateful_set_spec(spec_of(new))
    now, before = (
        {field: value for field, value in spec_of(obj).items() if field not in _MUTABLE_STATEFUL} for obj in (new, old)
    )
    return errors if same(now, before) else [*errors, forbidden("spec", _STATEFUL_TEXT)]


def stateful_set_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of a StatefulSet's status."""
    status = status_of(new)
    counts = ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
    errors = nonnegative(status, "status", "replicas", *counts, "observedGeneration", "collisionCount")
    errors += _at_most(status, "replicas", counts, _TOO_GREAT)
    why = "cannot be greater than status.readyReplicas"
    errors += _at_most(status, "readyReplicas", ("availableReplicas",), why)
    return errors + validate_metadata_update(new, old) + not_decremented(new, old, "collisionCount")


def _validate_daemon_set_spec(spec: Object) -> list[FieldError]:
    selector, template = spec.get("selector"), spec.get("template") or {}
    errors = label_selector(selector, "spec.selector")
    if selects(selector, template_labels(template)) is False:
        errors.append(invalid("spec.template.metadata.labels", dict(template_labels(template)) or None, NO_MATCH))
    if selector is not None and is_empty_selector(selector):
        errors.append(invalid("spec.selector", selector, "empty selector is invalid for daemonset"))
    errors += validate_pod_template(template, "spec.template")
    errors += _always_restarts(template, "spec.template", "DaemonSet")
    errors += nonnegative(spec, "spec", "minReadySeconds")
    errors += _daemon_strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy")
    return errors + nonnegative(spec, "spec", "revisionHistoryLimit")


def _daemon_strategy(strategy: Object, path: str) -> list[FieldError]:
    match strategy.get("type"):
        case "OnDelete":
            return []
        case "RollingUpdate":
            rolling = strategy.get("rollingUpdate")
            if rolling is None:
                return [required(f"{path}.rollingUpdate")]
            return _rolling_daemon(rolling, f"{path}.rollingUpdate")
    # A Deployment's and a DaemonSet's have the same fields.
    return [not_supported(path, show(strategy, DEPLOYMENT_STRATEGY), ["RollingUpdate", "OnDelete"])]


def _rolling_daemon(rolling: Object, path: str) -> list[FieldError]:
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    errors: list[FieldError] = []
    for rule in (int_or_percent, at_most_100_percent):
        errors += rule(unavailable, f"{path}.maxUnavailable") + rule(surge, f"{path}.maxSurge")
    if amount_of(unavailable) and amount_of(surge):
        errors.append(invalid(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero"))
    elif not amount_of(unavailable) and not amount_of(surge):
        errors.append(required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return errors


def create_daemon_set(obj: Object) -> list[FieldError]:
    """Faults of a new DaemonSet."""
    return validate_metadata(obj, True, names.is_dns1123_subdomain) + _validate_daemon_set_spec(spec_of(obj))


def update_daemon_set(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed DaemonSet."""
    errors = validate_metadata_update(new, old) + _validate_daemon_set_spec(spec_of(new))
    return errors + unchanged(spec_of(new).get("selector"), spec_of(old).get("selector"), "spec.selector")


def daemon_set_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of a DaemonSet's status."""
    errors = validate_metadata_update(new, old)
    errors += nonnegative(
        status_of(new),
        "status",
        "currentNumberScheduled",
        "numberMisscheduled",
        "desiredNumberScheduled",
        "numberReady",
        "observedGeneration",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
        "collisionCount",
    )
    return errors + not_decremented(new, old, "collisionCount")


def _validate_revision(obj: Object) -> list[FieldError]:
    errors = validate_metadata(obj, True, names.is_dns1123_subdomain)
    if (obj.get("revision") or 0) < 0:
        errors.append(invalid("revision", obj["revision"], "must be greater than or equal to 0"))
    return errors


def create_revision(obj: Object) -> list[FieldError]:
    """Faults of a new ControllerRevision."""
    errors, data = _validate_revision(obj), obj.get("data")
    if data is None:
        errors.append(required("data", "data is mandatory"))
    elif not isinstance(data, dict):
        errors.append(invalid("data", "<value omitted>", "data must be a valid JSON object"))
    return errors


def update_revision(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed ControllerRevision: its data never changes."""
    errors = validate_metadata_update(new, old) + _validate_revision(new)
    return errors + unchanged(new.get("data"), old.get("data"), "data")


RULES: dict[tuple[str, str], Rules] = {
    ("apps", "Deployment"): Rules(create_deployment, update_deployment, deployment_status),
    ("apps", "ReplicaSet"): Rules(create_replica_set, update_replica_set, replica_set_status),
    ("apps", "StatefulSet"): Rules(create_stateful_set, update_stateful_set, stateful_set_status),
    ("apps", "DaemonSet"): Rules(create_daemon_set, update_daemon_set, daemon_set_status),
    ("apps", "ControllerRevision"): Rules(create_revision, update_revision),
}
