"""What is told of Jobs and CronJobs: what a resting Job may change, and upstream's order."""

import copy
from typing import Any

import pytest

from kubepy.api.defaults.batch import generate_selector
from kubepy.api.defaults.registry import apply_defaults
from kubepy.api.validation.registry import rules_for

JOBS, CRON_JOBS = rules_for("batch", "Job"), rules_for("batch", "CronJob")
POD = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
SUSPENDED = {"conditions": [{"type": "Suspended", "status": "True"}], "startTime": "2026-01-01T00:00:00Z"}


def job(status: Any = None, **spec: Any) -> Any:
    template = {"spec": copy.deepcopy(POD)}
    made = {"metadata": {"name": "j", "namespace": "n", "uid": "u"}, "spec": {"template": template, **spec}}
    apply_defaults("batch/v1", "Job", made)
    generate_selector(made)
    return {**made, "status": status or {}}


@pytest.mark.parametrize(
    ("suspend", "status", "may"),
    [
        (True, {}, True),
        (True, SUSPENDED, True),
        (True, {**SUSPENDED, "active": 1}, False),
        (True, {"startTime": "2026-01-01T00:00:00Z"}, False),
        (False, {}, False),
    ],
)
@pytest.mark.parametrize(
    "change",
    [
        {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "2"}}}]},
        {"nodeSelector": {"zone": "a"}},
        {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}},
    ],
)
def test_a_job_whose_pods_rest_may_go_elsewhere(suspend: bool, status: Any, may: bool, change: Any) -> None:
    old = job(status, suspend=suspend)
    new = copy.deepcopy(old)
    new["spec"]["template"]["spec"] |= change
    apply_defaults("batch/v1", "Job", new)
    found = [(fault.field, fault.message[-18:]) for fault in JOBS.update(new, old)]
    assert found == ([] if may else [("spec.template", "field is immutable")])


def test_an_image_stays_though_the_job_rests() -> None:
    old = job(suspend=True)
    new = copy.deepcopy(old)
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    assert [fault.field for fault in JOBS.update(new, old)] == ["spec.template"]


def test_labels_that_the_server_sets_are_told_of_whole() -> None:
    made = job()
    made["spec"]["template"]["metadata"]["labels"] = {"controller-uid": "v"}
    label = "spec.template.metadata.labels[{}]: "
    assert [str(fault) for fault in JOBS.create(made)][:4] == [
        label.format("controller-uid") + 'Invalid value: {"controller-uid":"v"}: must be \'u\'',
        label.format("job-name") + "Required value: must be 'j'",
        label.format("batch.kubernetes.io/controller-uid") + "Required value: must be 'u'",
        label.format("batch.kubernetes.io/job-name") + "Required value: must be 'j'",
    ]


def test_a_success_policy_of_no_indexed_job_is_shown_as_go_names_it() -> None:
    [fault] = JOBS.create(job(successPolicy={"rules": [{"succeededCount": 1}]}))
    shown = '{"Rules":[{"SucceededIndexes":null,"SucceededCount":1}]}'
    assert str(fault) == f"spec.successPolicy: Invalid value: {shown}: requires indexed completion mode"


def test_a_missing_schedule_is_told_of_last() -> None:
    made = {
        "metadata": {"name": "c" * 53, "namespace": "n"},
        "spec": {"schedule": "", "startingDeadlineSeconds": -1, "jobTemplate": {"spec": {"template": {"spec": POD}}}},
    }
    apply_defaults("batch/v1", "CronJob", made)
    fields = ["spec.startingDeadlineSeconds", "metadata.name", "spec.schedule"]
    assert [fault.field for fault in CRON_JOBS.create(made)] == fields
    assert [fault.field for fault in CRON_JOBS.update(made, made)] == [fields[0], fields[2]]
