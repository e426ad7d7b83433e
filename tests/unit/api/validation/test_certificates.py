"""Who may decide what about a certificate request, and when."""

import base64
import copy
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kubepy.api.errors import FieldError
from kubepy.api.meta import Object
from kubepy.api.validation.certificates import validate_signer_name
from kubepy.api.validation.registry import rules_for

RULES = rules_for("certificates.k8s.io", "CertificateSigningRequest")
KEY = ec.generate_private_key(ec.SECP256R1())
CSR = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(KEY, hashes.SHA256())
PEM = base64.b64encode(CSR.public_bytes(serialization.Encoding.PEM)).decode()
APPROVED, DENIED = ({"type": kind, "status": "True"} for kind in ("Approved", "Denied"))


def request(*conditions: Object, certificate: str = "", **spec: Any) -> Object:
    status: Object = {"conditions": list(conditions)} if conditions else {}
    if certificate:
        status["certificate"] = certificate
    fields = {"request": PEM, "usages": ["client auth"], "signerName": "a.b/c", **spec}
    return {"metadata": {"name": "x"}, "spec": fields, "status": status}


def causes(errors: list[FieldError]) -> set[tuple[str, str]]:
    return {(error.field, error.reason.removeprefix("FieldValue")) for error in errors}


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        ({}, set()),
        ({"request": "bm8="}, {("spec.request", "Invalid")}),
        ({"usages": []}, {("spec.usages", "Required")}),
        ({"usages": ["odd"]}, {("spec.usages[0]", "NotSupported")}),
        ({"usages": ["signing", "signing"]}, {("spec.usages[1]", "Duplicate")}),
        ({"signerName": ""}, {("spec.signerName", "Required")}),
        ({"signerName": "flat"}, {("spec.signerName", "Invalid")}),
        ({"expirationSeconds": 599}, {("spec.expirationSeconds", "Invalid")}),
    ],
)  # fmt: skip
def test_a_request_says_what_for_and_whom_it_asks(spec: Object, want: set[tuple[str, str]]) -> None:
    assert causes(RULES.create(request(**spec))) == want


@pytest.mark.parametrize("name", ["kubernetes.io/kubelet-serving", "a.b/c.d"])
def test_signer_names_are_a_domain_and_a_path(name: str) -> None:
    assert validate_signer_name(name, "x") == []


def test_only_the_approval_subresource_decides() -> None:
    old, new = request(), request(APPROVED)
    assert RULES.subresources["approval"](new, old) == []
    assert RULES.status is not None
    for rule in (RULES.update, RULES.status):
        assert causes(rule(new, old)) == {("status.conditions", "Forbidden")}


def test_a_decision_stays() -> None:
    old = request(APPROVED)
    approve = RULES.subresources["approval"]
    assert causes(approve(request(), old)) == {("status.conditions", "Forbidden")}
    assert causes(approve(request(APPROVED, DENIED), old)) == {("status.conditions", "Invalid")}


def test_a_certificate_is_issued_once_and_by_the_status() -> None:
    assert RULES.status is not None
    junk = base64.b64encode(b"junk").decode()
    assert causes(RULES.status(request(certificate=junk), request())) == {("status.certificate", "Invalid")}
    issued = request(certificate=junk)
    assert RULES.status(copy.deepcopy(issued), issued) == []
    assert ("status.certificate", "Forbidden") in causes(RULES.status(request(certificate="b3RoZXI="), issued))


def test_a_trust_bundle_is_named_after_its_signer() -> None:
    rules = rules_for("certificates.k8s.io", "ClusterTrustBundle")
    bundle = {"metadata": {"name": "other"}, "spec": {"signerName": "a.b/c", "trustBundle": ""}}
    assert causes(rules.create(bundle)) == {("metadata.name", "Invalid"), ("spec.trustBundle", "Invalid")}
