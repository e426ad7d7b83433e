"""Which fields a write through an endpoint can own: what the endpoint leaves alone is nobody's because of it.

Every kind with a status is asked, so that none is forgotten: what a write leaves alone, and what it does not come to
own, must be the same. Upstream holds its kinds to that in test/integration/apiserver/apply/reset_fields_test.go.
"""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kubepy.api.resources import BUILT_IN, Resource
from tests.unit.apiserver.asking import APPLY, MERGE, Asker, on_server

_POD = {"containers": [{"name": "c", "image": "i"}]}
_TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": _POD}
_WORKLOAD = {"selector": {"matchLabels": {"a": "b"}}, "template": _TEMPLATE}
_CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1M"}}}
_REVIEWED = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}}
_OPEN = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
_CONDITIONS = {"conditions": [{"type": "MyStatus", "status": "True"}]}
_JUDGED = {**_CONDITIONS["conditions"][0], "reason": "R", "message": "m", "lastTransitionTime": "2020-01-01T00:00:00Z"}

SPECS: dict[str, Any] = {
    "APIService": {
        "group": "own.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10,
        "service": {"name": "s", "namespace": "default"},
    },
    "CustomResourceDefinition": {
        "group": "foo.com", "scope": "Cluster", "versions": [{**_REVIEWED, "schema": _OPEN}],
        "names": {"plural": "bars", "kind": "Bar"},
    },
    "CronJob": {
        "schedule": "0 0 * * *",
        "jobTemplate": {"spec": {"template": {"spec": {**_POD, "restartPolicy": "Never"}}}},
    },
    "DaemonSet": _WORKLOAD,
    "Deployment": _WORKLOAD,
    "DeviceTaintRule": {"taint": {"key": "a.b/c", "effect": "NoSchedule"}},
    "FlowSchema": {"priorityLevelConfiguration": {"name": "exempt"}, "matchingPrecedence": 50},
    "HorizontalPodAutoscaler": {"maxReplicas": 3, "scaleTargetRef": {"kind": "ReplicationController", "name": "x"}},
    "Ingress": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}},
    "Job": {"template": {"spec": {**_POD, "restartPolicy": "Never"}}},
    "PersistentVolume": {
        "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1M"}, "hostPath": {"path": "/tmp/x"},
    },
    "PersistentVolumeClaim": _CLAIM,
    "Pod": _POD,
    "PodDisruptionBudget": {"selector": {"matchLabels": {"a": "b"}}},
    "PriorityLevelConfiguration": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}},
    "ReplicaSet": _WORKLOAD,
    "ReplicationController": {"selector": {"a": "b"}, "template": _TEMPLATE},
    "ResourceClaim": {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}}]}},
    "ResourceQuota": {"hard": {"cpu": "5"}},
    "Service": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    "ServiceCIDR": {"cidrs": ["192.168.0.0/24"]},
    "StorageVersionMigration": {"resource": {"group": "apps", "resource": "deployments"}},
    "StatefulSet": {**_WORKLOAD, "serviceName": "s"},
    "ValidatingAdmissionPolicy": {
        "validations": [{"expression": "true"}],
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
            ]
        },
    },
    "VolumeAttachment": {"attacher": "a.b", "nodeName": "n", "source": {"persistentVolumeName": "v"}},
}  # fmt: skip
STATUSES: dict[str, Any] = {
    "CronJob": {"lastScheduleTime": "2020-01-01T00:00:00Z"},
    "DeviceTaintRule": {"conditions": [_JUDGED]},
    "HorizontalPodAutoscaler": {"currentReplicas": 25},
    "Ingress": {"loadBalancer": {"ingress": [{"ip": "127.0.0.2"}]}},
    "PersistentVolume": {"message": "hello"},
    "PodDisruptionBudget": {
        "currentHealthy": 5, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0,
    },
    "ResourceClaim": {"reservedFor": None},
    "ResourceQuota": {"used": {"cpu": "2"}},
    "Service": {"loadBalancer": {"ingress": [{"ip": "127.0.0.1", "ipMode": "VIP"}]}},
    "ServiceCIDR": {"conditions": [_JUDGED]},
    "ValidatingAdmissionPolicy": {"conditions": [_JUDGED]},
    "StorageVersionMigration": {"conditions": [_JUDGED]},
    "VolumeAttachment": {"attached": True},
}  # fmt: skip
LABELED_BY_STATUS = frozenset(
    (
        "CustomResourceDefinition", "DaemonSet", "ReplicaSet", "StatefulSet", "CronJob", "Job",
        "HorizontalPodAutoscaler", "Ingress", "Node", "PersistentVolume", "PersistentVolumeClaim", "Pod",
        "ReplicationController", "ResourceQuota", "Service", "PodDisruptionBudget", "Namespace",
    )
)  # fmt: skip
"""Kinds whose labels a write of the status may change: those that did so before it was agreed that none should."""
REQUESTED = frozenset(("CertificateSigningRequest", "PodCertificateRequest"))
"""They have tests of their own: nothing of them can be changed once they are there."""


def kinds_with_status() -> Iterator[Resource]:
    for row in BUILT_IN:
        if row.subresource("status") is not None and row.kind not in REQUESTED:
            yield row


def owned_by(obj: Any, manager: str) -> Any:
    return next((e["fieldsV1"] for e in obj["metadata"].get("managedFields", ()) if e["manager"] == manager), {})


def labels_of(fields: Any) -> Any:
    return fields.get("f:metadata", {}).get("f:labels", {})


def test_what_a_write_leaves_alone_it_does_not_own() -> None:
    async def test(ask: Asker) -> None:
        wrong: list[str] = []
        for row in kinds_with_status():
            wrong += [f"{row.api_version} {row.kind}: {fault}" for fault in await _faults(ask, row)]
        assert not wrong, "\n".join(wrong)

    on_server(test)


async def _faults(ask: Asker, row: Resource) -> list[str]:
    name = "v1.own.com" if row.kind == "APIService" else "bars.foo.com" if row.kind.startswith("Custom") else "x"
    prefix = f"/apis/{row.group}/{row.version}" if row.group else f"/api/{row.version}"
    path = f"{prefix}/{'namespaces/default/' if row.namespaced else ''}{row.plural}/{name}"
    status = STATUSES.get(row.kind, _CONDITIONS)
    body = {"apiVersion": row.api_version, "kind": row.kind, "metadata": {"name": name}, "status": status}
    if row.kind in SPECS:
        body["spec"] = SPECS[row.kind]
    made = await ask("PATCH", f"{path}?fieldManager=spec", body, kind=APPLY)
    if made.status not in (200, 201):
        return [f"not made: {made.body}"]
    found = ["owns the status that it does not write"] if "f:status" in owned_by(made.body, "spec") else []

    labeled = {**body, "metadata": {"name": name, "labels": {"a": "b"}}}
    told = await ask("PATCH", f"{path}/status?fieldManager=status", labeled, kind=APPLY)
    if told.status != 200:
        return [*found, f"not told of: {told.body}"]
    owned = owned_by(told.body, "status")
    if "f:spec" in owned:
        found.append("the status owns the spec")
    if ("f:a" in labels_of(owned)) != (row.kind in LABELED_BY_STATUS):
        found.append(f"the status owns {owned}")
    patched = await ask("PATCH", f"{path}/status?fieldManager=patch", {"metadata": {"labels": {"c": "d"}}}, kind=MERGE)
    if ("c" in patched.body["metadata"].get("labels", {})) != (row.kind in LABELED_BY_STATUS):
        found.append("the status changes labels, or does not")
    if ("f:c" in labels_of(owned_by(patched.body, "patch"))) != (row.kind in LABELED_BY_STATUS):
        found.append("who changes labels by the status owns them, or does not")
    await ask("DELETE", path, {"gracePeriodSeconds": 0})
    return found


@pytest.mark.parametrize(
    ("subresource", "added", "owned"),
    [
        (
            "resize",
            {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "2"}}}], "hostPID": True},
            {"f:containers": {'k:{"name":"c"}': {".": {}, "f:resources": {"f:requests": {"f:cpu": {}}}}}},
        ),
        (
            "ephemeralcontainers",
            {"ephemeralContainers": [{"name": "e", "image": "i"}], "hostPID": True},
            {"f:ephemeralContainers": {'k:{"name":"e"}': {".": {}, "f:image": {}, "f:name": {}}}},
        ),
    ],
)
def test_what_changes_a_part_of_a_pod_owns_that_part(subresource: str, added: Any, owned: Any) -> None:
    async def test(ask: Asker) -> None:
        limits = {"requests": {"cpu": "1"}}
        spec = {"containers": [{"name": "c", "image": "i", "resources": limits}]}
        path = "/api/v1/namespaces/default/pods"
        assert (await ask("POST", path, {"metadata": {"name": "x"}, "spec": spec})).status == 201
        change = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "labels": {"a": "b"}}, "spec": added}
        told = await ask("PATCH", f"{path}/x/{subresource}?fieldManager=m&force=true", change, kind=APPLY)
        assert owned_by(told.body, "m") == {"f:spec": owned}

    on_server(test)


@pytest.mark.parametrize(
    ("subresource", "status", "owned"),
    [
        ("approval", {"certificate": "YQ==", "conditions": [{"type": "Approved", "status": "True"}]}, True),
        ("status", {"conditions": [{"type": "Failed", "status": "True"}]}, False),
    ],
)
def test_who_decides_of_a_request_owns_the_decision(subresource: str, status: Any, *, owned: bool) -> None:
    async def test(ask: Asker) -> None:
        told = await ask("PATCH", f"{await asked(ask)}/{subresource}?fieldManager=m", {"status": status}, kind=MERGE)
        fields = owned_by(told.body, "m").get("f:status", {})
        assert ("f:conditions" in fields) == owned
        assert "f:certificate" not in fields

    on_server(test)


async def asked(ask: Asker) -> str:
    """The path of a request for a certificate, of whose spec nobody owns anything."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    pem = base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()
    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    spec = {"request": pem, "usages": ["client auth"], "signerName": "a.b/c"}
    made = await ask("POST", path, {"metadata": {"name": "a", "labels": {"a": "b"}}, "spec": spec})
    assert made.body["metadata"]["managedFields"][0]["fieldsV1"].keys() == {"f:metadata"}
    return f"{path}/a"
