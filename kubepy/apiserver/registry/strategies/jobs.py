"""Jobs and CronJobs: a Job's pods are found by its uid, which no client can know before the Job is there.

Source: pkg/registry/batch/{job,cronjob}/strategy.go.
"""

from typing import ClassVar

from kubepy.api.defaults.batch import generate_selector
from kubepy.api.meta import Object
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.strategy import Strategy


def _drop_gated(spec: Object | None, before: Object | None = None) -> None:
    """Takes away what a feature that is off by default (WorkloadWithJob) would read, unless it was there before."""
    if spec is not None and (before or {}).get("scheduling") is None:
        spec.pop("scheduling", None)


def _template(obj: Object) -> Object | None:
    """The spec of the Jobs that a CronJob makes."""
    job: Object | None = ((obj.get("spec") or {}).get("jobTemplate") or {}).get("spec")
    return job


class JobStrategy(Strategy):
    """A delete that does not say what to do with the pods leaves them, as batch/v1 always did."""

    tracks_generation = True
    default_propagation = "Orphan"
    selectable: ClassVar = {"status.successful": ("status", "succeeded")}

    def fields(self, obj: Object) -> dict[str, str]:
        return {"status.successful": str((obj.get("status") or {}).get("succeeded") or 0)}

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        super().prepare_for_create(obj, ctx)
        _drop_gated(obj.get("spec"))
        generate_selector(obj)

    def prepare_for_update(self, new: Object, old: Object, ctx: Context) -> None:
        _drop_gated(new.get("spec"), old.get("spec"))
        super().prepare_for_update(new, old, ctx)

    def prepare_for_status_update(self, new: Object, old: Object, ctx: Context) -> None:
        super().prepare_for_status_update(new, old, ctx)
        status = new.get("status") or {}
        if not status.get("startTime"):
            status.pop("startTime", None)


class CronJobStrategy(Strategy):
    """CronJobs."""

    tracks_generation = True

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        super().prepare_for_create(obj, ctx)
        _drop_gated(_template(obj))

    def prepare_for_update(self, new: Object, old: Object, ctx: Context) -> None:
        _drop_gated(_template(new), _template(old))
        super().prepare_for_update(new, old, ctx)
