"""Rules of Jobs and CronJobs: the spec, and what never changes. Status and policies have modules of their own.

Source: pkg/apis/batch/validation/validation.go; pkg/registry/batch/job/strategy.go (what a suspended Job may change).
"""

from kubepy.api import names
from kubepy.api.errors import FieldError, invalid, not_supported, required, too_long
from kubepy.api.meta import Object, name_of, uid_of
from kubepy.api.validation.apps import NO_MATCH, template_labels
from kubepy.api.validation.checks import (
    domain_path,
    nonnegative,
    one_of,
    one_of_required,
    selects,
    spec_of,
    status_of,
    unchanged,
)
from kubepy.api.validation.equality import same
from kubepy.api.validation.fields import label_selector
from kubepy.api.validation.job_policies import validate_failure_policy, validate_success_policy
from kubepy.api.validation.job_status import is_true, job_status
from kubepy.api.validation.meta import validate_metadata, validate_metadata_update
from kubepy.api.validation.pod import validate_pod_template
from kubepy.api.validation.rules import Rules
from kubepy.api.validation.schedules import validate_schedule, validate_time_zone
from kubepy.api.validation.shown import SUCCESS_POLICY, show

_MODES = ("NonIndexed", "Indexed")
_MANAGED_BY_LIMIT = 63
_MOST_PARALLEL_INDEXED = 100_000
_MANY_COMPLETIONS = 100_000
_MOST_FAILED_INDEXES = 100_000
_MOST_WHEN_MANY = 10_000
_CRON_NAME_LIMIT = 52


def _generated_selector(obj: Object) -> list[FieldError]:
    """What the server put into a new Job must not contradict labels that the user set."""
    spec = spec_of(obj)
    if spec.get("manualSelector") or spec.get("selector") is None:
        return []
    errors = [] if uid_of(obj) else [required("metadata.uid")]
    path = "spec.template.metadata.labels"
    found = template_labels(spec.get("template") or {})
    expected = {
        f"{prefix}{label}": value
        for prefix in ("", "batch.kubernetes.io/")
        for label, value in (("controller-uid", uid_of(obj)), ("job-name", name_of(obj)))
    }
    for label, value in expected.items():
        if label not in found:
            errors.append(required(f"{path}[{label}]", f"must be '{value}'"))
        elif found[label] != value:
            errors.append(invalid(f"{path}[{label}]", dict(found), f"must be '{value}'"))
    if selects(spec["selector"], expected) is False:
        errors.append(invalid("spec.selector", spec["selector"], "`selector` not auto-generated"))
    return errors


def _pod_host_names(obj: Object) -> list[FieldError]:
    spec = spec_of(obj)
    completions = spec.get("completions") or 0
    if spec.get("completionMode") != "Indexed" or completions <= 0:
        return []
    longest = f"{name_of(obj)}-{completions - 1}"
    if not names.is_dns1123_label(longest):
        return []
    return [invalid("metadata.name", name_of(obj), f"will not able to create pod with invalid DNS label: {longest}")]


def _indexed(spec: Object, path: str) -> list[FieldError]:
    completions, parallelism = spec.get("completions"), spec.get("parallelism") or 0
    failed = spec.get("maxFailedIndexes")
    errors: list[FieldError] = []
    if completions is None:
        errors.append(required(f"{path}.completions", "when completion mode is Indexed"))
    if parallelism > _MOST_PARALLEL_INDEXED:
        why = f"must be less than or equal to {_MOST_PARALLEL_INDEXED} when completion mode is Indexed"
        errors.append(invalid(f"{path}.parallelism", parallelism, why))
    if failed is not None:
        if completions is not None and failed > completions:
            errors.append(invalid(f"{path}.maxFailedIndexes", failed, "must be less than or equal to completions"))
        if failed > _MOST_FAILED_INDEXES:
            why = f"must be less than or equal to {_MOST_FAILED_INDEXES}"
            errors.append(invalid(f"{path}.maxFailedIndexes", failed, why))
    if (completions or 0) > _MANY_COMPLETIONS and spec.get("backoffLimitPerIndex") is not None:
        errors += _many_completions(path, parallelism, failed)
    return errors


def _many_completions(path: str, parallelism: int, failed: int | None) -> list[FieldError]:
    why = (
        f"must be less than or equal to {_MOST_WHEN_MANY} when completions are above {_MANY_COMPLETIONS} "
        "and used with backoff limit per index"
    )
    errors = []
    if failed is None:
        text = f"must be specified when completions is above {_MANY_COMPLETIONS}"
        errors.append(required(f"{path}.maxFailedIndexes", text))
    if parallelism > _MOST_WHEN_MANY:
        errors.append(invalid(f"{path}.parallelism", parallelism, why))
    if failed is not None and failed > _MOST_WHEN_MANY:
        errors.append(invalid(f"{path}.maxFailedIndexes", failed, why))
    return errors


def _completion_mode(spec: Object, path: str) -> list[FieldError]:
    mode = spec.get("completionMode")
    if mode is not None and mode not in _MODES:
        return [not_supported(f"{path}.completionMode", mode, _MODES)]
    if mode == "Indexed":
        return _indexed(spec, path)
    return [
        invalid(f"{path}.{field}", spec[field], "requires indexed completion mode")
        for field in ("backoffLimitPerIndex", "maxFailedIndexes")
        if spec.get(field) is not None
    ]


def _policies(spec: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if spec.get("podFailurePolicy") is not None:
        errors += validate_failure_policy(spec, f"{path}.podFailurePolicy")
    if spec.get("successPolicy") is not None:
        if spec.get("completionMode") != "Indexed":
            why = "requires indexed completion mode"
            errors.append(invalid(f"{path}.successPolicy", show(spec["successPolicy"], SUCCESS_POLICY), why))
        else:
            errors += validate_success_policy(spec, f"{path}.successPolicy")
    replaced = spec.get("podReplacementPolicy")
    if replaced is not None:
        supported = ("Failed",) if spec.get("podFailurePolicy") is not None else ("Failed", "TerminatingOrFailed")
        errors += one_of(replaced, f"{path}.podReplacementPolicy", supported)
    return errors


def _restart_policy(spec: Object, path: str) -> list[FieldError]:
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    at = f"{path}.template.spec.restartPolicy"
    if policy in (None, "", "Always"):
        return [required(at, 'valid values: "OnFailure", "Never"')]
    if policy not in ("OnFailure", "Never"):
        return [not_supported(at, policy, ("OnFailure", "Never"))]
    if spec.get("podFailurePolicy") is not None and policy != "Never":
        return [invalid(at, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    return []


def _validate_job_fields(spec: Object, path: str) -> list[FieldError]:
    """What Jobs and the Jobs of CronJobs have in common."""
    errors = nonnegative(
        spec,
        path,
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    )
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        errors.append(required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    manager = spec.get("managedBy")
    if manager is not None:
        errors += domain_path(manager, f"{path}.managedBy")
        if len(manager) > _MANAGED_BY_LIMIT:
            errors.append(too_long(f"{path}.managedBy", _MANAGED_BY_LIMIT))
    errors += _completion_mode(spec, path) + _policies(spec, path)
    errors += validate_pod_template(spec.get("template") or {}, f"{path}.template")
    return errors + _restart_policy(spec, path)


def _validate_job_spec(spec: Object) -> list[FieldError]:
    errors = _validate_job_fields(spec, "spec")
    selector, labels = spec.get("selector"), template_labels(spec.get("template") or {})
    if selector is None:
        errors.append(required("spec.selector"))
    else:
        errors += label_selector(selector, "spec.selector")
    if selects(selector, labels) is False:
        errors.append(invalid("spec.template.metadata.labels", dict(labels), NO_MATCH))
    return errors


def create_job(obj: Object) -> list[FieldError]:
    """Faults of a new Job; its selector is there already (defaults/batch.py, generate_selector)."""
    errors = validate_metadata(obj, True, names.is_dns1123_subdomain) + _generated_selector(obj)
    return errors + _validate_job_spec(spec_of(obj)) + _pod_host_names(obj)


def _completions_update(spec: Object, before: Object) -> list[FieldError]:
    """An Indexed Job is elastic: completions change together with parallelism."""
    now = spec.get("completions")
    if spec.get("completionMode") != "Indexed":
        return unchanged(now, before.get("completions"), "spec.completions")
    if now is None or now == before.get("completions") or now == spec.get("parallelism"):
        return []
    return [invalid("spec.completions", now, "can only be modified in tandem with spec.parallelism")]


def _is_resting(job: Object) -> bool:
    """Whether a Job is suspended and no pod of it runs: it has not begun, or its pods are all on their way out."""
    if not spec_of(job).get("suspend"):
        return False
    status = status_of(job)
    return status.get("startTime") is None or (is_true(job, "Suspended") and not status.get("active"))


def _without_directives(template: Object) -> Object:
    """A template without what may change while the Job is resting: where its pods go, and what they may use."""
    metadata = {k: v for k, v in (template.get("metadata") or {}).items() if k not in ("labels", "annotations")}
    free = ("nodeSelector", "tolerations", "schedulingGates")
    pod = {k: v for k, v in (template.get("spec") or {}).items() if k not in free}
    affinity = {k: v for k, v in (pod.pop("affinity", None) or {}).items() if k != "nodeAffinity"}
    for field in ("containers", "initContainers"):
        pod[field] = [{k: v for k, v in each.items() if k != "resources"} for each in pod.get(field) or ()]
    return {"metadata": metadata, "spec": pod | ({"affinity": affinity} if affinity else {})}


def _template_update(new: Object, old: Object) -> list[FieldError]:
    now, before = spec_of(new).get("template") or {}, spec_of(old).get("template") or {}
    if _is_resting(old):
        now, before = _without_directives(now), _without_directives(before)
    if same(now, before):
        return []
    return unchanged(spec_of(new).get("template"), {"spec": None}, "spec.template")


_IMMUTABLE = (
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "managedBy",
    "successPolicy",
)


def update_job(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed Job."""
    spec, before = spec_of(new), spec_of(old)
    errors = validate_metadata_update(new, old) + _validate_job_spec(spec)
    errors += _completions_update(spec, before)
    errors += unchanged(spec.get("selector"), before.get("selector"), "spec.selector")
    errors += _template_update(new, old)
    for field in _IMMUTABLE:
        errors += unchanged(spec.get(field), before.get(field), f"spec.{field}")
    return errors


def _validate_cron_spec(spec: Object, before: Object | None) -> list[FieldError]:
    schedule, zone = spec.get("schedule"), spec.get("timeZone")
    errors: list[FieldError] = []
    if schedule:
        was_inside = before is not None and "TZ" in (before.get("schedule") or "")
        errors += validate_schedule(schedule, "spec.schedule", zone=zone, zone_was_inside=was_inside)
    errors += nonnegative(spec, "spec", "startingDeadlineSeconds")
    if before is None or zone != before.get("timeZone"):
        errors += validate_time_zone(zone, "spec.timeZone")
    policies = ("Allow", "Forbid", "Replace")
    errors += one_of_required(spec.get("concurrencyPolicy"), "spec.concurrencyPolicy", policies)
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    errors += _validate_job_fields(job, "spec.jobTemplate.spec")
    if job.get("selector") is not None:
        path = "spec.jobTemplate.spec.selector"
        errors.append(invalid(path, job["selector"], "`selector` will be auto-generated"))
    if job.get("manualSelector"):
        errors.append(not_supported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false")))
    return errors + nonnegative(spec, "spec", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")


def _missing_schedule(obj: Object) -> list[FieldError]:
    """What v1.37's declarative rules say, after everything else."""
    return [] if spec_of(obj).get("schedule") else [required("spec.schedule")]


def create_cron_job(obj: Object) -> list[FieldError]:
    """Faults of a new CronJob; its Jobs' names are eleven characters longer than its own."""
    errors = validate_metadata(obj, True, names.is_dns1123_subdomain) + _validate_cron_spec(spec_of(obj), None)
    if len(name_of(obj)) > _CRON_NAME_LIMIT:
        why = f"must be no more than {_CRON_NAME_LIMIT} characters"
        errors.append(invalid("metadata.name", name_of(obj), why))
    return errors + _missing_schedule(obj)


def update_cron_job(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed CronJob."""
    errors = validate_metadata_update(new, old) + _validate_cron_spec(spec_of(new), spec_of(old))
    return errors + _missing_schedule(new)


RULES: dict[tuple[str, str], Rules] = {
    ("batch", "Job"): Rules(create_job, update_job, job_status),
    ("batch", "CronJob"): Rules(create_cron_job, update_cron_job, validate_metadata_update),
}
