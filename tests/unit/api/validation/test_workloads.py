"""Rules of apps, batch, autoscaling and policy: the fields that faults are told of, and their reasons."""

import copy
from typing import Any

import pytest

from kubepy.api.defaults.batch import generate_selector
from kubepy.api.defaults.registry import apply_defaults
from kubepy.api.errors import FieldError
from kubepy.api.meta import Object
from kubepy.api.validation.registry import rules_for

REQUIRED, INVALID, UNSUPPORTED, FORBIDDEN, DUPLICATE = (
    f"FieldValue{reason}" for reason in ("Required", "Invalid", "NotSupported", "Forbidden", "Duplicate")
)
TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
SELECTOR = {"matchLabels": {"app": "x"}}
WORKLOAD: Object = {"selector": SELECTOR, "template": TEMPLATE}
JOB: Object = {"template": {"spec": {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}}}
GROUPS = {"Job": "batch", "CronJob": "batch", "PodDisruptionBudget": "policy", "HorizontalPodAutoscaler": "autoscaling"}


def made(kind: str, spec: Object, name: str = "w") -> Object:
    """A new object as the engine hands it to the rules."""
    group = GROUPS.get(kind, "apps")
    version = "v2" if group == "autoscaling" else "v1"
    obj: Object = {"metadata": {"name": name, "namespace": "n", "uid": "u"}, "spec": copy.deepcopy(spec)}
    apply_defaults(f"{group}/{version}", kind, obj)
    if kind == "Job":
        generate_selector(obj)
    return obj


def set_at(obj: Object, path: str, value: Any) -> Object:
    """A copy with one field set (or taken out, with None)."""
    changed = copy.deepcopy(obj)
    *steps, last = path.split(".")
    inner = changed
    for step in steps:
        inner = inner.setdefault(step, {})
    if value is None:
        inner.pop(last, None)
    else:
        inner[last] = value
    return changed


def causes(errors: list[FieldError]) -> set[tuple[str, str]]:
    return {(error.field, error.reason) for error in errors}


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Deployment", WORKLOAD),
        ("ReplicaSet", WORKLOAD),
        ("StatefulSet", WORKLOAD),
        ("DaemonSet", WORKLOAD),
        ("Job", JOB),
        ("CronJob", {"schedule": "*/5 * * * *", "jobTemplate": {"spec": JOB}}),
        ("PodDisruptionBudget", {"minAvailable": "50%", "selector": {}}),
        ("HorizontalPodAutoscaler", {"scaleTargetRef": {"kind": "D", "name": "d"}, "maxReplicas": 3}),
    ],
)
def test_a_plain_object_has_no_faults_new_or_unchanged(kind: str, spec: Object) -> None:
    obj = made(kind, spec)
    rules = rules_for(GROUPS.get(kind, "apps"), kind)
    assert rules.create(obj) == []
    assert rules.update(copy.deepcopy(obj), obj) == []
    assert rules.status is not None
    assert rules.status(copy.deepcopy(obj), obj) == []


@pytest.mark.parametrize(
    ("kind", "path", "value", "want"),
    [
        ("Deployment", "spec.replicas", -1, {("spec.replicas", INVALID)}),
        (
            "Deployment",
            "spec.selector",
            None,
            {("spec.selector", REQUIRED), ("spec.template.metadata.labels", INVALID)},
        ),
        ("DaemonSet", "spec.selector", None, {("spec.template.metadata.labels", INVALID)}),
        ("Deployment", "spec.selector.matchLabels", {}, {("spec.selector", INVALID)}),
        ("Deployment", "spec.selector.matchLabels", {"app": "y"}, {("spec.template.metadata.labels", INVALID)}),
        (
            "Deployment",
            "spec.selector.matchExpressions",
            [{"key": "app", "operator": "Maybe"}],
            {("spec.selector.matchExpressions[0].operator", INVALID), ("spec.selector", INVALID)},
        ),
        ("Deployment", "spec.strategy.type", "Odd", {("spec.strategy", UNSUPPORTED)}),
        ("Deployment", "spec.strategy.type", "Recreate", {("spec.strategy.rollingUpdate", FORBIDDEN)}),
        (
            "Deployment",
            "spec.strategy.rollingUpdate",
            {"maxSurge": 0, "maxUnavailable": "0%"},
            {("spec.strategy.rollingUpdate.maxUnavailable", INVALID)},
        ),
        (
            "Deployment",
            "spec.strategy.rollingUpdate",
            {"maxSurge": "x", "maxUnavailable": "101%"},
            {
                ("spec.strategy.rollingUpdate.maxSurge", INVALID),
                ("spec.strategy.rollingUpdate.maxUnavailable", INVALID),
            },
        ),
        ("Deployment", "spec.minReadySeconds", 600, {("spec.progressDeadlineSeconds", INVALID)}),
        (
            "Deployment",
            "spec.template.spec.restartPolicy",
            "Never",
            {("spec.template.spec.restartPolicy", UNSUPPORTED)},
        ),
        (
            "ReplicaSet",
            "spec.template.spec.activeDeadlineSeconds",
            5,
            {("spec.template.spec.activeDeadlineSeconds", FORBIDDEN)},
        ),
        ("StatefulSet", "metadata.name", "a.b", {("metadata.name", INVALID)}),
        ("StatefulSet", "spec.serviceName", "a.b", {("spec.serviceName", INVALID)}),
        ("StatefulSet", "spec.podManagementPolicy", "Odd", {("spec.podManagementPolicy", INVALID)}),
        ("StatefulSet", "spec.updateStrategy.type", "OnDelete", {("spec.updateStrategy.rollingUpdate", INVALID)}),
        (
            "StatefulSet",
            "spec.persistentVolumeClaimRetentionPolicy.whenScaled",
            "Keep",
            {("spec.persistentVolumeClaimRetentionPolicy.whenScaled", UNSUPPORTED)},
        ),
        (
            "DaemonSet",
            "spec.updateStrategy.rollingUpdate",
            {"maxSurge": 1, "maxUnavailable": 1},
            {("spec.updateStrategy.rollingUpdate.maxSurge", INVALID)},
        ),
        ("DaemonSet", "spec.updateStrategy.type", "Odd", {("spec.updateStrategy", UNSUPPORTED)}),
        ("Job", "spec.parallelism", -1, {("spec.parallelism", INVALID)}),
        ("Job", "spec.template.spec.restartPolicy", "Always", {("spec.template.spec.restartPolicy", REQUIRED)}),
        ("Job", "spec.template.spec.restartPolicy", "Odd", {("spec.template.spec.restartPolicy", UNSUPPORTED)}),
        ("Job", "spec.backoffLimitPerIndex", 1, {("spec.backoffLimitPerIndex", INVALID)}),
        ("Job", "spec.completionMode", "Odd", {("spec.completionMode", UNSUPPORTED)}),
        ("Job", "spec.managedBy", "me", {("spec.managedBy", INVALID)}),
        (
            "Job",
            "spec.podFailurePolicy",
            {"rules": [{"action": "Odd", "onExitCodes": {"operator": "In", "values": [2, 0]}}, {"action": "Ignore"}]},
            {
                ("spec.podFailurePolicy.rules[0].action", UNSUPPORTED),
                ("spec.podFailurePolicy.rules[0].onExitCodes.values[1]", INVALID),
                ("spec.podFailurePolicy.rules[0].onExitCodes.values", INVALID),
                ("spec.podFailurePolicy.rules[1]", INVALID),
                ("spec.podReplacementPolicy", UNSUPPORTED),
            },
        ),
        ("Job", "spec.successPolicy", {"rules": []}, {("spec.successPolicy", INVALID)}),
        ("PodDisruptionBudget", "spec.maxUnavailable", 1, {("spec", INVALID)}),
        ("PodDisruptionBudget", "spec.minAvailable", "150%", {("spec.minAvailable", INVALID)}),
        (
            "PodDisruptionBudget",
            "spec.unhealthyPodEvictionPolicy",
            "X",
            {("spec.unhealthyPodEvictionPolicy", UNSUPPORTED)},
        ),
        ("HorizontalPodAutoscaler", "spec.maxReplicas", 0, {("spec.maxReplicas", INVALID)}),
        ("HorizontalPodAutoscaler", "spec.minReplicas", 9, {("spec.maxReplicas", INVALID)}),
        (
            "HorizontalPodAutoscaler",
            "spec.metrics",
            [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}, {"type": "Pods"}],
            {
                ("spec.metrics[0].resource.target.averageUtilization", REQUIRED),
                ("spec.metrics[1].pods", REQUIRED),
            },
        ),
        (
            "HorizontalPodAutoscaler",
            "spec.behavior",
            {"scaleDown": {"policies": [{"type": "Odd", "value": 0, "periodSeconds": 1801}]}},
            {
                ("spec.behavior.scaleDown.policies[0].type", UNSUPPORTED),
                ("spec.behavior.scaleDown.policies[0].value", INVALID),
                ("spec.behavior.scaleDown.policies[0].periodSeconds", INVALID),
            },
        ),
    ],
)  # fmt: skip
def test_a_fault_is_told_of_at_its_field(kind: str, path: str, value: Any, want: set[tuple[str, str]]) -> None:
    specs: dict[str, Object] = {
        "Job": JOB,
        "PodDisruptionBudget": {"minAvailable": 1},
        "HorizontalPodAutoscaler": {"scaleTargetRef": {"kind": "D", "name": "d"}, "maxReplicas": 3},
    }
    obj = set_at(made(kind, specs.get(kind, WORKLOAD)), path, value)
    assert causes(rules_for(GROUPS.get(kind, "apps"), kind).create(obj)) >= want


@pytest.mark.parametrize(
    ("kind", "path", "value", "want"),
    [
        ("Deployment", "spec.selector.matchLabels", {"app": "x", "b": "c"}, ("spec.selector", INVALID)),
        ("ReplicaSet", "spec.selector.matchLabels", {"app": "x", "b": "c"}, ("spec.selector", INVALID)),
        ("DaemonSet", "spec.selector.matchLabels", {"app": "x", "b": "c"}, ("spec.selector", INVALID)),
        ("StatefulSet", "spec.serviceName", "other", ("spec", FORBIDDEN)),
        ("StatefulSet", "spec.volumeClaimTemplates", [{"metadata": {"name": "v"}}], ("spec", FORBIDDEN)),
        ("Job", "spec.completions", 5, ("spec.completions", INVALID)),
        ("Job", "spec.template.spec.nodeName", "n1", ("spec.template", INVALID)),
        ("Job", "spec.selector.matchLabels", {"a": "b"}, ("spec.selector", INVALID)),
    ],
)
def test_what_never_changes_is_refused(kind: str, path: str, value: Any, want: tuple[str, str]) -> None:
    old = made(kind, JOB if kind == "Job" else WORKLOAD)
    errors = rules_for(GROUPS.get(kind, "apps"), kind).update(set_at(old, path, value), old)
    assert want in causes(errors)


@pytest.mark.parametrize("path", ["spec.replicas", "spec.minReadySeconds", "spec.revisionHistoryLimit"])
def test_a_stateful_set_changes_in_the_named_fields(path: str) -> None:
    old = made("StatefulSet", WORKLOAD)
    assert rules_for("apps", "StatefulSet").update(set_at(old, path, 7), old) == []


def test_a_stateful_set_may_keep_every_revision() -> None:
    assert rules_for("apps", "StatefulSet").create(made("StatefulSet", {**WORKLOAD, "revisionHistoryLimit": -1})) == []


def test_a_suspended_job_that_has_not_begun_may_be_directed_elsewhere() -> None:
    old = set_at(made("Job", JOB), "spec.suspend", True)
    moved = set_at(old, "spec.template.spec.nodeSelector", {"zone": "b"})
    rules = rules_for("batch", "Job")
    assert rules.update(moved, old) == []
    begun = set_at(old, "status.startTime", "2026-01-01T00:00:00Z")
    assert causes(rules.update(set_at(moved, "status", begun["status"]), begun)) == {("spec.template", INVALID)}


def test_labels_that_contradict_a_generated_selector_are_refused() -> None:
    job = set_at(JOB, "template.metadata.labels", {"job-name": "other"})
    errors = rules_for("batch", "Job").create(made("Job", job))
    assert causes(errors) == {("spec.template.metadata.labels[job-name]", INVALID)}


def test_an_indexed_jobs_pods_need_host_names() -> None:
    spec = {**JOB, "completionMode": "Indexed", "completions": 100}
    errors = rules_for("batch", "Job").create(made("Job", spec, name="a" * 61))
    assert causes(errors) == {("metadata.name", INVALID)}


JOB_STATUS_CASES: list[tuple[Object, Object, set[tuple[str, str]]]] = [
    ({"active": -1}, {}, {("status.active", INVALID)}),
    ({"ready": 2, "active": 1}, {}, {("status.ready", INVALID)}),
    ({"failed": 1}, {"failed": 2}, {("status.failed", INVALID)}),
    ({"completionTime": "2026-01-01T00:00:00Z"}, {}, {("status.completionTime", INVALID)}),
    (
        {"conditions": [{"type": t, "status": "True"} for t in ("Complete", "SuccessCriteriaMet")]},
        {},
        {("status.completionTime", REQUIRED), ("status.startTime", REQUIRED)},
    ),
    (
        {
            "startTime": "2026-01-01T00:00:00Z",
            "conditions": [{"type": "Failed", "status": "True"}],
        },
        {},
        {("status.conditions", INVALID)},
    ),
    (
        {"uncountedTerminatedPods": {"failed": ["a"], "succeeded": ["a", ""]}},
        {},
        {
            ("status.uncountedTerminatedPods.failed[0]", DUPLICATE),
            ("status.uncountedTerminatedPods.succeeded[1]", INVALID),
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("now", "before", "want"), JOB_STATUS_CASES)
def test_a_jobs_status_tells_one_story(now: Object, before: Object, want: set[tuple[str, str]]) -> None:
    job = made("Job", JOB)
    status = rules_for("batch", "Job").status
    assert status is not None
    assert causes(status({**job, "status": now}, {**job, "status": before})) == want


def test_a_fault_that_a_status_had_already_is_let_pass() -> None:
    job = made("Job", JOB)
    broken = {"completionTime": "2026-01-01T00:00:00Z"}
    status = rules_for("batch", "Job").status
    assert status is not None
    assert status({**job, "status": {**broken, "active": 1}}, {**job, "status": broken}) == []


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        ("* * * * *", ""),
        ("0-30/5,45 1 1 jan-MAR mon", ""),
        ("@daily", ""),
        ("@every 1h30m", ""),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* 5-1 * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("@often", "unrecognized descriptor: @often"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        (
            "1" * 5000 + " * * * *",
            f'failed to parse int from {"1" * 5000}: strconv.Atoi: parsing "{"1" * 5000}": value out of range',
        ),
        ("CRON_TZ=UTC * * * * *", "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"),
    ],
)
def test_schedules_are_read_as_cron_does(schedule: str, text: str) -> None:
    obj = made("CronJob", {"schedule": schedule, "jobTemplate": {"spec": JOB}})
    messages = [error.message for error in rules_for("batch", "CronJob").create(obj)]
    assert messages == ([f'Invalid value: "{schedule}": {text}'.replace('""', '"')] if text else [])


@pytest.mark.parametrize(("zone", "good"), [("Europe/Berlin", True), ("Etc/UTC", True), ("Nowhere/X", False),
                                            ("local", False), ("../etc", False)])  # fmt: skip
def test_time_zones_are_those_of_the_database(zone: str, good: bool) -> None:
    obj = made("CronJob", {"schedule": "@daily", "timeZone": zone, "jobTemplate": {"spec": JOB}})
    assert causes(rules_for("batch", "CronJob").create(obj)) == (set() if good else {("spec.timeZone", INVALID)})


def test_cron_job_names_leave_room_for_the_jobs() -> None:
    obj = made("CronJob", {"schedule": "@daily", "jobTemplate": {"spec": JOB}}, name="a" * 53)
    assert causes(rules_for("batch", "CronJob").create(obj)) == {("metadata.name", INVALID)}


@pytest.mark.parametrize(
    ("kind", "path", "value", "shown"),
    [
        ("Deployment", "spec.strategy", {"type": "X"}, '{"Type":"X","RollingUpdate":null}'),
        (
            "DaemonSet",
            "spec.updateStrategy",
            {"type": "X", "rollingUpdate": {"maxSurge": "10%"}},
            '{"Type":"X","RollingUpdate":{"MaxUnavailable":0,"MaxSurge":"10%"}}',
        ),
        ("StatefulSet", "spec.updateStrategy", {"type": "X"}, '{"Type":"X","RollingUpdate":null}'),
        (
            "StatefulSet",
            "spec.updateStrategy",
            {"type": "OnDelete", "rollingUpdate": {"partition": 1}},
            '{"Partition":1,"MaxUnavailable":null}',
        ),
    ],
)
def test_a_strategy_is_shown_as_go_names_it(kind: str, path: str, value: Any, shown: str) -> None:
    [fault] = rules_for("apps", kind).create(set_at(made(kind, WORKLOAD), path, value))
    assert f"value: {shown}: " in fault.message


def test_a_revision_holds_an_object_which_stays() -> None:
    rules = rules_for("apps", "ControllerRevision")

    def revision(data: Any, number: int = 1) -> Any:
        return {"metadata": {"name": "x", "namespace": "n", "resourceVersion": "1"}, "revision": number, "data": data}

    assert [str(fault) for fault in rules.create(revision({"a": 1}, -1))] == [
        "revision: Invalid value: -1: must be greater than or equal to 0"
    ]
    assert [str(fault) for fault in rules.create(revision(None))] == ["data: Required value: data is mandatory"]
    assert [str(fault) for fault in rules.create(revision([1]))] == [
        'data: Invalid value: "<value omitted>": data must be a valid JSON object'
    ]
    assert rules.update(revision([1], 2), revision([1])) == []
    assert [str(fault) for fault in rules.update(revision(None), revision({"a": 1}))] == [
        "data: Invalid value: null: field is immutable"
    ]
