"""Rules of a Job's status: its conditions must tell one story, and counters do not run backwards.

A rule that a stored status breaks already is not applied to the next one, so that an old Job can still be finished.
Source: pkg/apis/batch/validation/validation.go (validateJobStatus, ValidateJobStatusUpdate); the switches are
getStatusValidationOptions of pkg/registry/batch/job/strategy.go.
"""

from collections.abc import Iterable, Sequence

from kubepy.api.errors import FieldError, duplicate, invalid, required
from kubepy.api.meta import Object
from kubepy.api.validation.checks import duplicates, hidden, nonnegative, spec_of, status_of
from kubepy.api.validation.indexes import BadIndexes, first_overlap, parse_indexes
from kubepy.api.validation.meta import validate_metadata_update


def is_true(obj: Object, kind: str) -> bool:
    """Whether a condition of the object is true."""
    conditions = status_of(obj).get("conditions") or ()
    return any(c.get("type") == kind and c.get("status") == "True" for c in conditions)


def _conditions(why: str) -> FieldError:
    return hidden("status.conditions", why)


_EXCLUSIVE = (
    ("Complete", "Failed", "cannot set Complete=True and Failed=true conditions"),
    ("Complete", "FailureTarget", "cannot set Complete=True and FailureTarget=true conditions"),
    ("SuccessCriteriaMet", "Failed", "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
    ("SuccessCriteriaMet", "FailureTarget", "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
)
_PRECEDED = (
    ("Failed", "FailureTarget", "cannot set Failed=True condition without the FailureTarget=true condition"),
    (
        "Complete",
        "SuccessCriteriaMet",
        "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
    ),
)
_TERMINAL = ("Failed", "Complete", "FailureTarget", "SuccessCriteriaMet")


def _condition_faults(new: Object, old: Object) -> list[FieldError]:
    errors = [_conditions(why) for a, b, why in _EXCLUSIVE if is_true(new, a) and is_true(new, b)]
    for final, earlier, why in _PRECEDED:
        if is_true(new, final) and not is_true(new, earlier) and not is_true(old, final):
            errors.append(_conditions(why))
    for kind in _TERMINAL:
        if is_true(old, kind) and not is_true(new, kind):
            terminal = "" if kind == "SuccessCriteriaMet" else "terminal "
            errors.append(_conditions(f"cannot disable the {terminal}{kind}=True condition"))
    if is_true(old, "Complete") and not is_true(old, "SuccessCriteriaMet") and is_true(new, "SuccessCriteriaMet"):
        why = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        errors.append(_conditions(why))
    return errors


def _times(new: Object, old: Object) -> list[FieldError]:
    status, before = status_of(new), status_of(old)
    start, end = status.get("startTime"), status.get("completionTime")
    path, errors = "status.completionTime", []
    if end and not is_true(new, "Complete"):
        errors.append(invalid(path, end, "cannot set completionTime when there is no Complete=True condition"))
    if not end and is_true(new, "Complete"):
        errors.append(required(path, "completionTime is required for Complete jobs"))
    if start and end and end < start:
        errors.append(invalid(path, end, "completionTime cannot be set before startTime"))
    if not start and (is_true(new, "Complete") or is_true(new, "Failed")):
        errors.append(required("status.startTime", "startTime is required for finished job"))
    if end and before.get("completionTime") not in (None, end):
        errors.append(invalid(path, end, "completionTime cannot be mutated"))
    if before.get("startTime") not in (None, start) and not spec_of(new).get("suspend"):
        errors.append(required("status.startTime", "startTime cannot be removed for unsuspended job"))
    return errors


def _uncounted(pods: Object) -> list[FieldError]:
    listed: list[tuple[str, str]] = []
    for field in ("succeeded", "failed"):
        path = f"status.uncountedTerminatedPods.{field}"
        listed += [(f"{path}[{index}]", uid) for index, uid in enumerate(pods.get(field) or ())]
    repeated = set(duplicates(uid for _, uid in listed))
    errors = []
    for index, (path, uid) in enumerate(listed):
        if not uid:
            errors.append(invalid(path, uid, "must not be empty"))
        elif index in repeated:
            errors.append(duplicate(path, uid))
    return errors


def _finished(new: Object) -> list[FieldError]:
    status = status_of(new)
    if not (is_true(new, "Complete") or is_true(new, "Failed")):
        return []
    errors = []
    for field in ("active", "terminating"):
        if (status.get(field) or 0) > 0:
            errors.append(invalid(f"status.{field}", status[field], f"{field}>0 is invalid for finished job"))
    pods = status.get("uncountedTerminatedPods") or {}
    if pods.get("failed") or pods.get("succeeded"):
        why = "uncountedTerminatedPods needs to be empty for finished job"
        errors.append(invalid("status.uncountedTerminatedPods", pods, why))
    return errors


def _read_indexes(status: Object, field: str, completions: int, errors: list[FieldError]) -> Sequence[tuple[int, int]]:
    try:
        return parse_indexes(status.get(field) or "", completions)
    except BadIndexes as fault:
        errors.append(invalid(f"status.{field}", status[field], f"error parsing {field}: {fault}"))
        return ()


def _indexes(new: Object) -> list[FieldError]:
    spec, status = spec_of(new), status_of(new)
    completions, failed = spec.get("completions"), status.get("failedIndexes")
    errors: list[FieldError] = []
    if status.get("completedIndexes") and spec.get("completionMode") != "Indexed":
        why = "cannot set non-empty completedIndexes when non-indexed completion mode"
        errors.append(invalid("status.completedIndexes", status["completedIndexes"], why))
    if failed is not None and spec.get("backoffLimitPerIndex") is None:
        why = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        errors.append(invalid("status.failedIndexes", failed, why))
    if completions is None:
        return errors
    done = _read_indexes(status, "completedIndexes", completions, errors)
    lost = _read_indexes(status, "failedIndexes", completions, errors)
    if (shared := first_overlap(list(done), list(lost))) is not None:
        why = f"failedIndexes and completedIndexes overlap at index: {shared}"
        errors.append(invalid("status.failedIndexes", failed, why))
    return errors


def _counters(new: Object, old: Object) -> Iterable[FieldError]:
    status, before = status_of(new), status_of(old)
    ready = status.get("ready")
    if ready is not None and ready > (status.get("active") or 0):
        yield invalid("status.ready", ready, "cannot set more ready pods than active")
    for field in ("failed", "succeeded"):
        is_elastic = field == "succeeded" and spec_of(new).get("completionMode") == "Indexed"
        if (status.get(field) or 0) < (before.get(field) or 0) and not is_elastic:
            yield invalid(f"status.{field}", status.get(field) or 0, f"cannot decrease the {field} counter")


def job_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of a Job's new status; those that the old one had too are let pass."""
    known = set(_status_faults(old, old))
    fresh = [fault for fault in _status_faults(new, old) if fault not in known]
    return validate_metadata_update(new, old) + fresh


def _status_faults(new: Object, old: Object) -> list[FieldError]:
    status = status_of(new)
    errors = nonnegative(status, "status", "active", "succeeded", "failed", "ready", "terminating")
    errors += _uncounted(status.get("uncountedTerminatedPods") or {})
    errors += _condition_faults(new, old) + _times(new, old) + _finished(new) + _indexes(new)
    return [*errors, *_counters(new, old)]
