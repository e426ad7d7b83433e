"""Rows of every kind: one cell a column, also of objects that say next to nothing."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kubepy.api.meta import Object
from kubepy.api.printing.registry import PRINTERS, cells, columns, table
from kubepy.api.resources import named

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
META = {"name": "x", "namespace": "n", "creationTimestamp": "2026-01-01T11:59:00Z"}
TEMPLATE = {"spec": {"containers": [{"name": "a", "image": "i:1"}, {"name": "b", "image": "j"}]}}
SELECTOR = {"matchLabels": {"app": "w"}, "matchExpressions": [{"key": "e", "operator": "In", "values": ["1", "2"]}]}


def obj(meta: Object | None = None, **fields: Any) -> Object:
    return {"metadata": META | (meta or {}), **fields}


@pytest.mark.parametrize(("group", "kind"), sorted(PRINTERS))
def test_an_empty_object_has_one_cell_a_column(group: str, kind: str) -> None:
    assert len(cells(group, kind, {"metadata": {"name": "x"}}, NOW)) == len(columns(group, kind))


CASES: list[tuple[str, str, Object, list[Any]]] = [
    ("", "LimitRange", obj(), ["x", "2026-01-01T11:59:00Z"]),
    (
        "apps",
        "Deployment",
        obj(
            spec={"replicas": 3, "selector": SELECTOR, "template": TEMPLATE},
            status={"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1},
        ),
        ["x", "1/3", 2, 1, "60s", "a,b", "i:1,j", "app=w,e in (1,2)"],
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicyBinding",
        obj(spec={"policyName": "p", "paramRef": {"selector": SELECTOR}}),
        [
            "x",
            "p",
            "&LabelSelector{MatchLabels:map[string]string{app: w,},MatchExpressions:[]LabelSelectorRequirement{"
            "LabelSelectorRequirement{Key:e,Operator:In,Values:[1 2],},},}",
            "60s",
        ],
    ),
    (
        "admissionregistration.k8s.io",
        "MutatingAdmissionPolicyBinding",
        obj(spec={"policyName": "p", "paramRef": {"selector": {}}}),
        [
            "x",
            "p",
            "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{},}",
            "60s",
        ],
    ),
    ("apps", "StatefulSet", obj(spec={"replicas": 2}), ["x", "0/2", "60s", "", ""]),
    (
        "apps",
        "DaemonSet",
        obj(
            spec={"template": {"spec": {"nodeSelector": {"b": "2", "a": "1"}}}, "selector": {}},
            status={"desiredNumberScheduled": 2, "numberReady": 1},
        ),
        ["x", 2, 0, 1, 0, 0, "a=1,b=2", "60s", "", "", "<none>"],
    ),
    (
        "apps",
        "ControllerRevision",
        obj(
            {"ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "controller": True}]},
            revision=4,
        ),
        ["x", "daemonset.apps/d", 4, "60s"],
    ),
    (
        "batch",
        "Job",
        obj(
            spec={"completions": 2, "selector": {"matchLabels": {"u": "1"}}},
            status={
                "succeeded": 2,
                "startTime": "2026-01-01T11:00:00Z",
                "completionTime": "2026-01-01T11:03:00Z",
                "conditions": [{"type": "Complete", "status": "True"}],
            },
        ),
        ["x", "Complete", "2/2", "3m", "60s", "", "", "u=1"],
    ),
    ("batch", "Job", obj(spec={"parallelism": 4}), ["x", "Running", "0/1 of 4", "", "60s", "", "", "<none>"]),
    (
        "batch",
        "CronJob",
        obj(spec={"schedule": "* * * * *", "suspend": False}, status={"active": [{}]}),
        ["x", "* * * * *", "<none>", "False", 1, "<none>", "60s", "", "", "<none>"],
    ),
    (
        "autoscaling",
        "HorizontalPodAutoscaler",
        obj(
            spec={
                "scaleTargetRef": {"kind": "Deployment", "name": "d"},
                "maxReplicas": 5,
                "metrics": [
                    {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}},
                    {"type": "Pods", "pods": {"target": {"averageValue": "10"}}},
                    {"type": "External", "external": {"target": {"value": "1"}}},
                ],
            },
            status={"currentReplicas": 2, "currentMetrics": [{"resource": {"current": {"averageUtilization": 30}}}]},
        ),
        ["x", "Deployment/d", "cpu: 30%/80%, <unknown>/10 + 1 more...", "<unset>", 5, 2, "60s"],
    ),
    (
        "autoscaling",
        "HorizontalPodAutoscaler",
        obj(spec={"minReplicas": 1, "targetCPUUtilizationPercentage": 50}),
        ["x", "/", "cpu: <unknown>/50%", "1", 0, 0, "60s"],
    ),
    ("policy", "PodDisruptionBudget", obj(spec={"minAvailable": "50%"}), ["x", "50%", "N/A", 0, "60s"]),
    (
        "",
        "Service",
        obj(
            spec={
                "type": "NodePort",
                "clusterIPs": ["10.0.0.1"],
                "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}],
                "externalIPs": ["1.1.1.1"],
            }
        ),
        ["x", "NodePort", "10.0.0.1", "1.1.1.1", "80:30080/TCP,53/UDP", "60s", "<none>"],
    ),
    (
        "",
        "Service",
        obj(
            spec={"type": "LoadBalancer", "clusterIP": "10.0.0.2", "selector": {"a": "b"}},
            status={"loadBalancer": {"ingress": [{"hostname": "lb"}, {"ip": "2.2.2.2"}]}},
        ),
        ["x", "LoadBalancer", "10.0.0.2", "2.2.2.2,lb", "<none>", "60s", "a=b"],
    ),
    (
        "",
        "Endpoints",
        obj(subsets=[{"addresses": [{"ip": f"10.0.0.{i}"} for i in range(4)], "ports": [{"port": 80}]}]),
        ["x", "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 1 more...", "60s"],
    ),
    (
        "discovery.k8s.io",
        "EndpointSlice",
        obj(addressType="IPv4", ports=[{"port": 80}, {"name": "web"}], endpoints=[]),
        ["x", "IPv4", "80,web", "<unset>", "60s"],
    ),
    (
        "networking.k8s.io",
        "Ingress",
        obj(spec={"rules": [{"host": h} for h in "abcd"], "tls": [{}], "ingressClassName": "nginx"}),
        ["x", "nginx", "a,b,c + 1 more...", "", "80, 443", "60s"],
    ),
    (
        "networking.k8s.io",
        "IngressClass",
        obj(spec={"controller": "c/d", "parameters": {"apiGroup": "g", "kind": "K", "name": "n"}}),
        ["x", "c/d", "K.g/n", "60s"],
    ),
    (
        "",
        "Node",
        obj(
            {"labels": {"node-role.kubernetes.io/worker": "", "kubernetes.io/role": "edge"}},
            spec={"unschedulable": True},
            status={
                "conditions": [{"type": "Ready", "status": "Unknown"}],
                "nodeInfo": {"kubeletVersion": "v1", "osImage": "Debian", "containerRuntimeVersion": "docker://1"},
                "addresses": [{"type": "InternalIP", "address": "10.1.1.1"}],
            },
        ),
        [
            "x",
            "NotReady,SchedulingDisabled",
            "edge,worker",
            "60s",
            "v1",
            "10.1.1.1",
            "<none>",
            "Debian",
            "<unknown>",
            "docker://1",
        ],
    ),
    (
        "",
        "Event",
        obj(
            type="Warning",
            reason="R",
            message=" m\n",
            involvedObject={"kind": "Pod", "name": "p", "fieldPath": "spec"},
            source={"component": "kubelet", "host": "n1"},
            firstTimestamp="2026-01-01T11:00:00Z",
            lastTimestamp="2026-01-01T11:59:30Z",
            count=4,
        ),
        ["30s", "Warning", "R", "pod/p", "spec", "kubelet, n1", "m", "60m", 4, "x"],
    ),
    (
        "events.k8s.io",
        "Event",
        obj(
            regarding={"kind": "Node"},
            note="m",
            eventTime="2026-01-01T11:00:00.000000Z",
            reportingController="c",
            series={"count": 7, "lastObservedTime": "2026-01-01T11:59:58.000000Z"},
        ),
        ["2s", "", "", "node", "", "c", "m", "60m", 7, "x"],
    ),
    (
        "",
        "ResourceQuota",
        obj(status={"hard": {"pods": "4", "limits.cpu": "2"}, "used": {"pods": "1"}}),
        ["x", "pods: 1/4", "limits.cpu: 0/2", "60s"],
    ),
    (
        "",
        "PersistentVolume",
        obj(
            spec={
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": {"namespace": "n", "name": "c"},
                "storageClassName": "sc",
                "volumeMode": "Block",
            },
            status={"phase": "Bound"},
        ),
        ["x", "1Gi", "RWO,RWX", "Retain", "Bound", "n/c", "sc", "<unset>", "", "60s", "Block"],
    ),
    (
        "",
        "PersistentVolumeClaim",
        obj({"deletionTimestamp": "2026-01-01T12:00:00Z"}, spec={}, status={"phase": "Bound"}),
        ["x", "Terminating", "", "", "", "", "<unset>", "60s", "<unset>"],
    ),
    (
        "storage.k8s.io",
        "StorageClass",
        obj({"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}, provisioner="p"),
        ["x (default)", "p", "Delete", "Immediate", False, "60s"],
    ),
    (
        "rbac.authorization.k8s.io",
        "RoleBinding",
        obj(
            roleRef={"kind": "Role", "name": "r"},
            subjects=[{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}],
        ),
        ["x", "Role/r", "60s", "u", "", "n/s"],
    ),
    (
        "certificates.k8s.io",
        "CertificateSigningRequest",
        obj(
            spec={"signerName": "s/n", "username": "u", "expirationSeconds": 86400},
            status={"conditions": [{"type": "Approved"}], "certificate": "Yw=="},
        ),
        ["x", "60s", "s/n", "u", "24h", "Approved,Issued"],
    ),
    (
        "apiregistration.k8s.io",
        "APIService",
        obj(
            spec={"service": {"namespace": "n", "name": "s"}},
            status={"conditions": [{"type": "Available", "status": "False", "reason": "Gone"}]},
        ),
        ["x", "n/s", "False (Gone)", "60s"],
    ),
    ("networking.k8s.io", "IPAddress", obj(spec={"parentRef": {"resource": "services", "namespace": "n", "name": "s"}}),
     ["x", "services/n/s"]),
]  # fmt: skip


@pytest.mark.parametrize(("group", "kind", "shown", "want"), CASES)
def test_cells_are_those_of_upstream(group: str, kind: str, shown: Object, want: list[Any]) -> None:
    assert cells(group, kind, shown, NOW) == want


def test_rows_carry_as_much_of_the_object_as_asked_for() -> None:
    resource, listed = named("configmaps"), [obj(data={"a": "b"})]
    rows = {
        include: table(resource, listed, now=NOW, include=include)["rows"][0]["object"]
        for include in ("None", "Metadata", "Object")
    }
    assert rows["None"] is None
    assert rows["Metadata"] == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": META,
    }
    assert rows["Object"] == {"apiVersion": "v1", "kind": "ConfigMap", "metadata": META, "data": {"a": "b"}}


def test_flow_schemas_are_sorted_by_precedence_and_headers_can_be_left_out() -> None:
    schemas = [obj({"name": n}, spec={"matchingPrecedence": p}) for n, p in (("b", 9), ("c", 1), ("a", 9))]
    resource = named("flowschemas", "flowcontrol.apiserver.k8s.io")
    shown = table(resource, schemas, now=NOW, headers=False, list_meta={"resourceVersion": "7"})
    assert [row["cells"][0] for row in shown["rows"]] == ["c", "a", "b"]
    assert shown["columnDefinitions"] is None
    assert shown["metadata"] == {"resourceVersion": "7"}
