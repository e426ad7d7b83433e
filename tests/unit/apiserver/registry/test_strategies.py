"""What a server makes of an object beside judging it: a status as it begins, what a status's write leaves alone."""

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.apiserver.asking import MERGE, Asker, on_server

ATTACHMENT = {"attacher": "a.b", "nodeName": "n", "source": {"persistentVolumeName": "v"}}


def test_a_status_begins_empty_but_for_what_go_always_shows() -> None:
    async def test(ask: Asker) -> None:
        path = "/apis/storage.k8s.io/v1/volumeattachments"
        told = await ask("POST", path, {"metadata": {"name": "a"}, "spec": ATTACHMENT, "status": {"attached": True}})
        assert told.body["status"] == {"attached": False}

    on_server(test)


def test_a_csi_driver_is_counted_from_its_first_change() -> None:
    async def test(ask: Asker) -> None:
        path = "/apis/storage.k8s.io/v1/csidrivers"
        made = await ask("POST", path, {"metadata": {"name": "a"}, "spec": {}})
        changed = await ask("PATCH", f"{path}/a", {"spec": {"requiresRepublish": True}}, kind=MERGE)
        assert "generation" not in made.body["metadata"]
        assert changed.body["metadata"]["generation"] == 1

    on_server(test)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("storage.k8s.io/v1/volumeattachments", {"spec": ATTACHMENT}),
        ("flowcontrol.apiserver.k8s.io/v1/flowschemas", {"spec": {"priorityLevelConfiguration": {"name": "exempt"}}}),
        ("resource.k8s.io/v1/namespaces/default/resourceclaims", {"spec": {}}),
    ],
)
def test_a_write_of_the_status_leaves_labels_and_the_like_alone(path: str, body: Any) -> None:
    async def test(ask: Asker) -> None:
        assert (await ask("POST", f"/apis/{path}", {"metadata": {"name": "a"}, **body})).status == 201
        change = {"metadata": {"labels": {"a": "b"}, "annotations": {"a": "b"}, "finalizers": ["a/b"]}}
        told = await ask("PATCH", f"/apis/{path}/a/status", change, kind=MERGE)
        assert told.status == 200
        assert not told.body["metadata"].keys() & change["metadata"].keys()

    on_server(test)


async def _asked(ask: Asker) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    pem = base64.b64encode(asked.public_bytes(serialization.Encoding.PEM)).decode()
    spec = {"request": pem, "usages": ["client auth"], "signerName": "a.b/c"}
    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    assert (await ask("POST", path, {"metadata": {"name": "a"}, "spec": spec})).status == 201
    return f"{path}/a"


@pytest.mark.parametrize(("subresource", "condition"), [("approval", "Approved"), ("status", "Failed")])
def test_what_is_decided_of_a_request_may_be_noted_beside_it(subresource: str, condition: str) -> None:
    """Upstream's conformance test annotates a request as it approves it."""

    async def test(ask: Asker) -> None:
        change = {
            "metadata": {"annotations": {"a": "b"}},
            "status": {"conditions": [{"type": condition, "status": "True"}]},
        }
        told = await ask("PATCH", f"{await _asked(ask)}/{subresource}", change, kind=MERGE)
        assert told.body["metadata"]["annotations"] == {"a": "b"}
        [kept] = told.body["status"]["conditions"]
        assert kept.keys() == {"type", "status", "lastUpdateTime", "lastTransitionTime"}

    on_server(test)


def test_a_status_may_not_decide_of_a_request_but_may_tell_more() -> None:
    async def test(ask: Asker) -> None:
        path = await _asked(ask)
        approved = {"status": {"conditions": [{"type": "Approved", "status": "True"}]}}
        refused = await ask("PATCH", f"{path}/status", approved, kind=MERGE)
        assert refused.status == 422
        assert 'updates may not add a condition of type "Approved"' in refused.message
        assert (await ask("PATCH", f"{path}/approval", approved, kind=MERGE)).status == 200
        approved["status"]["conditions"][0]["message"] = "another"
        kept = await ask("PATCH", f"{path}/status", approved, kind=MERGE)
        assert "message" not in kept.body["status"]["conditions"][0]

    on_server(test)


POD = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
JOB = {"template": {"spec": POD}, "scheduling": {"schedulingPolicy": {"basic": {}}}}


@pytest.mark.parametrize(
    ("path", "spec", "dropped"),
    [
        ("batch/v1/namespaces/default/jobs", JOB, ("scheduling",)),
        (
            "batch/v1/namespaces/default/cronjobs",
            {"schedule": "* * * * *", "jobTemplate": {"spec": JOB}},
            ("jobTemplate", "spec", "scheduling"),
        ),
        (
            "coordination.k8s.io/v1/namespaces/default/leases",
            {"strategy": "OldestEmulationVersion", "preferredHolder": "x"},
            ("preferredHolder",),
        ),
    ],
)
def test_what_a_feature_that_is_off_would_read_is_dropped(path: str, spec: Any, dropped: tuple[str, ...]) -> None:
    async def test(ask: Asker) -> None:
        told = await ask("POST", f"/apis/{path}", {"metadata": {"name": "a"}, "spec": spec})
        assert told.status == 201
        *steps, last = dropped
        kept = told.body["spec"]
        for step in steps:
            kept = kept[step]
        assert last not in kept

    on_server(test)
