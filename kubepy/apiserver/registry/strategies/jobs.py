"""Jobs and CronJobs: a Job's pods are found by its uid, which no client can know before the Job is there.

Source: pkg/registry/batch/{job,cronjob}/strategy.go.
"""

from typing import ClassVar

from kubepy.api.meta import Object
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.strategy import Strategy

_OWN_LABELS = (("batch.kubernetes.io/controller-uid", "uid"), ("batch.kubernetes.io/job-name", "name"))
_OLD_LABELS = (("controller-uid", "uid"), ("job-name", "name"))


class JobStrategy(Strategy):
    """A delete that does not say what to do with the pods leaves them, as batch/v1 always did."""

    tracks_generation = True
    default_propagation = "Orphan"
    selectable: ClassVar = {"status.successful": ("status", "succeeded")}

    def fields(self, obj: Object) -> dict[str, str]:
        return {"status.successful": str((obj.get("status") or {}).get("succeeded") or 0)}

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        super().prepare_for_create(obj, ctx)
        spec = obj.setdefault("spec", {})
        if spec.get("manualSelector"):
            return
        _generate_selector(obj, spec)

    def prepare_for_status_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_status_update(new, old, ctx)
        status = new.get("status") or {}
        if not status.get("startTime"):
            status.pop("startTime", None)


def _generate_selector(obj: Object, spec: Object) -> None:
    meta = obj["metadata"]
    template = spec.setdefault("template", {})
    template_meta = template.get("metadata") or {}
    labels = {**(template_meta.get("labels") or {})}
    for label, field in (*_OWN_LABELS, *_OLD_LABELS):
        labels.setdefault(label, meta[field])
    if meta.get("labels") in (None, {}, template_meta.get("labels")):
        # Upstream's Job shares its labels with its template where it has none of its own.
        meta["labels"] = dict(labels)
    template["metadata"] = {**template_meta, "labels": labels}
    selector = {**(spec.get("selector") or {})}
    if "controller-uid" not in (selector.get("matchLabels") or {}):
        uid_label = "batch.kubernetes.io/controller-uid"
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), uid_label: meta["uid"]}
    spec["selector"] = selector


class CronJobStrategy(Strategy):
    """CronJobs."""

    tracks_generation = True
