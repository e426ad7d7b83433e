"""Defaults of Jobs and CronJobs, and the selector that a new Job is given.

Source: pkg/apis/batch/v1/defaults.go; pkg/registry/batch/job/strategy.go (generateSelector).
"""

from kubepy.api.defaults.pod import default_pod_template
from kubepy.api.defaults.setting import Defaults, child, set_default
from kubepy.api.meta import Object, name_of, uid_of

_UNLIMITED = 2**31 - 1
_UID_LABELS = ("batch.kubernetes.io/controller-uid", "controller-uid")
_NAME_LABELS = ("batch.kubernetes.io/job-name", "job-name")


def _default_failure_policy(spec: Object) -> None:
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            set_default(pattern, "status", "True")


def default_job(obj: Object) -> None:
    """One completion, one pod at a time, six retries; labels are the template's."""
    spec = child(obj, "spec")
    template = child(spec, "template")
    default_pod_template(template)
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = spec["parallelism"] = 1
    set_default(spec, "parallelism", 1)
    set_default(spec, "backoffLimit", 6 if spec.get("backoffLimitPerIndex") is None else _UNLIMITED)
    labels = template["metadata"].get("labels")
    if labels and not child(obj, "metadata").get("labels"):
        obj["metadata"]["labels"] = dict(labels)
    set_default(spec, "completionMode", "NonIndexed")
    set_default(spec, "suspend", False)
    set_default(spec, "manualSelector", False)
    _default_failure_policy(spec)
    replaced_when = "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"
    set_default(spec, "podReplacementPolicy", replaced_when)


def default_cron_job(obj: Object) -> None:
    """Runs may overlap; three successes and one failure are kept."""
    spec = child(obj, "spec")
    set_default(spec, "concurrencyPolicy", "Allow")
    set_default(spec, "suspend", False)
    set_default(spec, "successfulJobsHistoryLimit", 3)
    set_default(spec, "failedJobsHistoryLimit", 1)
    job_template = child(spec, "jobTemplate")
    child(job_template, "metadata")
    job = child(job_template, "spec")
    default_pod_template(child(job, "template"))
    _default_failure_policy(job)


def generate_selector(obj: Object) -> None:
    """Gives a new Job the labels and the selector by which it knows its pods; needs the Job's uid.

    A Job with `manualSelector` keeps its own. A Job without labels of its own shares those of its template, also the
    generated ones: upstream's two maps are one.
    """
    spec = child(obj, "spec")
    if spec.get("manualSelector"):
        return
    labels = child(child(child(spec, "template"), "metadata"), "labels")
    own = (obj.get("metadata") or {}).get("labels")
    is_shared = not own or own == labels
    for names, value in ((_UID_LABELS, uid_of(obj)), (_NAME_LABELS, name_of(obj))):
        for name in names:
            labels.setdefault(name, value)
    if is_shared:
        child(obj, "metadata")["labels"] = dict(labels)
    selected = child(child(spec, "selector"), "matchLabels")
    if not selected.keys() & set(_UID_LABELS):
        selected[_UID_LABELS[0]] = uid_of(obj)


DEFAULTS: Defaults = {
    ("batch", "v1", "Job"): default_job,
    ("batch", "v1", "CronJob"): default_cron_job,
}
