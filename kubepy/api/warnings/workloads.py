"""Warnings about what makes pods: about its template when it is new or changed, and about its name.

Source: the strategies below pkg/registry/{apps,batch,core}; pkg/api/job/warnings.go.
"""

from collections.abc import Callable

from kubepy.api import names
from kubepy.api.meta import Object, name_of
from kubepy.api.warnings.claims import warn_of_claim_spec
from kubepy.api.warnings.pod import warn_of_pod, warn_of_template

Warner = Callable[[Object, Object | None], list[str]]
_MANY_COMPLETIONS, _MUCH_PARALLELISM = 100_000, 10_000
_HOSTNAMES = (
    "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is "
    "recommended: [{}]"
)
_HOSTNAME = (
    "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is "
    "recommended: [{}]"
)
_TZ = (
    "CRON_TZ or TZ used in spec.schedule is not officially supported, see "
    "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
)
_HISTORY = "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
_INDEXES = (
    "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes "
    "might not be able to track completedIndexes when a big number of indexes fail"
)


def _of_name(obj: Object, old: Object | None, text: str = _HOSTNAMES) -> list[str]:
    faults = names.is_dns1123_label(name_of(obj)) if old is None else []
    return [text.format(" ".join(faults))] if faults else []


def _is_new(obj: Object, old: Object | None) -> bool:
    return old is None or obj["metadata"].get("generation") != old["metadata"].get("generation")


def warn_of_single_pod(pod: Object, old: Object | None) -> list[str]:
    """Of a new Pod; people hardly ever change one."""
    return _of_name(pod, old, _HOSTNAME) + warn_of_pod(pod) if old is None else []


def warn_of_named(obj: Object, old: Object | None) -> list[str]:
    """Of what makes pods with its own name: Deployments, ReplicaSets, ReplicationControllers."""
    return _of_name(obj, old) + warn_of_template_owner(obj, old)


def warn_of_template_owner(obj: Object, old: Object | None) -> list[str]:
    """Of whatever has spec.template."""
    return warn_of_template((obj.get("spec") or {}).get("template"), "spec.template") if _is_new(obj, old) else []


def warn_of_pod_template(obj: Object, old: Object | None) -> list[str]:
    """Of a PodTemplate."""
    return warn_of_template(obj.get("template"), "template") if _is_new(obj, old) else []


def warn_of_stateful_set(obj: Object, old: Object | None) -> list[str]:
    """Of a StatefulSet, its claims included."""
    spec = obj.get("spec") or {}
    told = warn_of_template_owner(obj, old)
    if _is_new(obj, old):
        for index, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
            told += warn_of_claim_spec(claim.get("spec") or {}, f"spec.volumeClaimTemplates[{index}]")
    return told + ([_HISTORY] if (spec.get("revisionHistoryLimit") or 0) < 0 else [])


def _of_job_spec(spec: Object, path: str) -> list[str]:
    told = []
    if spec.get("completionMode") == "Indexed":
        completions, parallelism = spec.get("completions") or 0, spec.get("parallelism") or 0
        if completions > _MANY_COMPLETIONS and parallelism > _MUCH_PARALLELISM:
            told.append(f"{path}: {_INDEXES}")
    return told + warn_of_template(spec.get("template"), f"{path}.template")


def warn_of_job(job: Object, old: Object | None) -> list[str]:
    """Of a Job."""
    return _of_name(job, old) + (_of_job_spec(job.get("spec") or {}, "spec") if _is_new(job, old) else [])


def warn_of_cron_job(cron_job: Object, old: Object | None) -> list[str]:
    """Of a CronJob."""
    spec = cron_job.get("spec") or {}
    told = _of_name(cron_job, old)
    if _is_new(cron_job, old):
        told += _of_job_spec((spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec")
    return told + ([_TZ] if "TZ" in (spec.get("schedule") or "") else [])
