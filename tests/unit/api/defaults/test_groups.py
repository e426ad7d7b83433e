"""Defaults of all groups but the core one; applying them twice changes nothing."""

import copy

import pytest

from kubepy.api.defaults.batch import generate_selector
from kubepy.api.defaults.registry import apply_defaults
from kubepy.api.meta import Object

ADMISSION, DRA, RBAC = "admissionregistration.k8s.io/v1", "resource.k8s.io/v1", "rbac.authorization.k8s.io"
POD_TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}

CASES: list[tuple[str, str, Object, Object]] = [
    (
        "apps/v1",
        "Deployment",
        {"spec": {}},
        {
            "replicas": 1,
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        },
    ),
    ("apps/v1", "Deployment", {"spec": {"strategy": {"type": "Recreate"}}}, {"strategy": {"type": "Recreate"}}),
    ("apps/v1", "ReplicaSet", {"spec": {}}, {"replicas": 1}),
    (
        "apps/v1",
        "DaemonSet",
        {"spec": {}},
        {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}},
    ),
    (
        "apps/v1",
        "StatefulSet",
        {"spec": {"volumeClaimTemplates": [{"metadata": {"name": "v"}, "spec": {}}]}},
        {
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}},
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            "volumeClaimTemplates": [
                {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "metadata": {"name": "v"},
                    "spec": {"volumeMode": "Filesystem"},
                    "status": {"phase": "Pending"},
                }
            ],
        },
    ),
    (
        "batch/v1",
        "Job",
        {"spec": {"template": POD_TEMPLATE}},
        {"completions": 1, "parallelism": 1, "backoffLimit": 6, "podReplacementPolicy": "TerminatingOrFailed"},
    ),
    ("batch/v1", "Job", {"spec": {"parallelism": 3, "backoffLimitPerIndex": 1}}, {"backoffLimit": 2**31 - 1}),
    (
        "batch/v1",
        "CronJob",
        {"spec": {}},
        {"concurrencyPolicy": "Allow", "suspend": False, "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1},
    ),
    (
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        {"spec": {"behavior": {"scaleUp": {"selectPolicy": "Min"}}}},
        {
            "minReplicas": 1,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                }
            ],
            "behavior": {
                "scaleUp": {
                    "selectPolicy": "Min",
                    "stabilizationWindowSeconds": 0,
                    "policies": [
                        {"type": "Pods", "value": 4, "periodSeconds": 15},
                        {"type": "Percent", "value": 100, "periodSeconds": 15},
                    ],
                },
                "scaleDown": {
                    "selectPolicy": "Max",
                    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
                },
            },
        },
    ),
    (
        "autoscaling/v1",
        "HorizontalPodAutoscaler",
        {"spec": {}},
        {"minReplicas": 1, "targetCPUUtilizationPercentage": 80},
    ),
    (
        "networking.k8s.io/v1",
        "NetworkPolicy",
        {"spec": {"egress": [{"ports": [{"port": 53}]}]}},
        {"policyTypes": ["Ingress", "Egress"], "egress": [{"ports": [{"port": 53, "protocol": "TCP"}]}]},
    ),
    ("storage.k8s.io/v1", "CSIDriver", {"spec": {}}, {"attachRequired": True, "volumeLifecycleModes": ["Persistent"]}),
    (
        "flowcontrol.apiserver.k8s.io/v1",
        "PriorityLevelConfiguration",
        {"spec": {"limited": {"limitResponse": {"queuing": {}}}}},
        {
            "limited": {
                "nominalConcurrencyShares": 30,
                "lendablePercent": 0,
                "limitResponse": {"queuing": {"handSize": 8, "queues": 64, "queueLengthLimit": 50}},
            }
        },
    ),
    (
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        {"spec": {"names": {"kind": "BigThing"}}},
        {
            "scope": None,
            "conversion": {"strategy": "None"},
            "names": {"kind": "BigThing", "singular": "bigthing", "listKind": "BigThingList"},
        },
    ),
    ("apiregistration.k8s.io/v1", "APIService", {"spec": {"service": {}}}, {"service": {"port": 443}}),
    (
        DRA,
        "ResourceClaim",
        {"spec": {"devices": {"requests": [{"exactly": {}}]}}},
        {"devices": {"requests": [{"exactly": {"allocationMode": "ExactCount", "count": 1}}]}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("api_version", "kind", "obj", "want"), CASES)
def test_what_is_left_out_is_filled_in_once(api_version: str, kind: str, obj: Object, want: Object) -> None:
    made = copy.deepcopy(obj)
    apply_defaults(api_version, kind, made)
    assert {field: made["spec"].get(field) for field in want} == want
    again = copy.deepcopy(made)
    apply_defaults(api_version, kind, again)
    assert again == made


def test_a_webhook_fails_closed_and_waits_ten_seconds() -> None:
    webhook: Object = {"clientConfig": {"service": {}}, "rules": [{}]}
    apply_defaults(ADMISSION, "MutatingWebhookConfiguration", {"webhooks": [webhook]})
    assert webhook == {
        "clientConfig": {"service": {"port": 443}},
        "rules": [{"scope": "*"}],
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "timeoutSeconds": 10,
        "reinvocationPolicy": "Never",
    }


def test_users_and_groups_are_rbacs_own_and_accounts_are_not() -> None:
    binding: Object = {"roleRef": {}, "subjects": [{"kind": "User"}, {"kind": "ServiceAccount"}]}
    apply_defaults(f"{RBAC}/v1", "RoleBinding", binding)
    assert binding["roleRef"] == {"apiGroup": RBAC}
    assert [subject.get("apiGroup") for subject in binding["subjects"]] == [RBAC, None]


def test_a_job_gets_the_selector_of_its_own_pods() -> None:
    job: Object = {"metadata": {"name": "j", "uid": "u"}, "spec": {"template": copy.deepcopy(POD_TEMPLATE)}}
    apply_defaults("batch/v1", "Job", job)
    generate_selector(job)
    generated = {
        "batch.kubernetes.io/controller-uid": "u",
        "controller-uid": "u",
        "batch.kubernetes.io/job-name": "j",
        "job-name": "j",
    }
    assert job["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}
    assert job["spec"]["template"]["metadata"]["labels"] == {"a": "b", **generated}
    assert job["metadata"]["labels"] == {"a": "b", **generated}


def test_a_job_with_a_selector_of_its_own_keeps_it() -> None:
    job: Object = {"metadata": {"uid": "u"}, "spec": {"manualSelector": True, "selector": {}, "template": {}}}
    generate_selector(job)
    assert job["spec"] == {"manualSelector": True, "selector": {}, "template": {}}
