"""Who may decide what about a certificate request, and when."""

import base64
import copy
import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kubepy.api.errors import FieldError
from kubepy.api.meta import Object
from kubepy.api.validation.registry import rules_for
from kubepy.api.validation.signers import validate_signer_name

RULES = rules_for("certificates.k8s.io", "CertificateSigningRequest")
KEY = ec.generate_private_key(ec.SECP256R1())
CSR = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(KEY, hashes.SHA256())
PEM = base64.b64encode(CSR.public_bytes(serialization.Encoding.PEM)).decode()
P256, UNKNOWN_CURVE = (bytes.fromhex(f"06082a8648ce3d0301{last}") for last in ("07", "09"))
STRANGE_CSR = x509.load_der_x509_csr(CSR.public_bytes(serialization.Encoding.DER).replace(P256, UNKNOWN_CURVE))
STRANGE = base64.b64encode(STRANGE_CSR.public_bytes(serialization.Encoding.PEM)).decode()
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
        ({"request": STRANGE}, {("spec.request", "Invalid")}),
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


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("", ["Required value: signerName must be provided"]),
        ("a.b", ["must be a fully qualified domain and path of the form 'example.com/signer-name'"]),
        ("a/b", ['Invalid value: "a": should be a domain with at least two segments separated by dots']),
        ("a.B/c_.d", ['Invalid value: "a.B": validating label "B"', 'Invalid value: "c_.d": validating label "c_"']),
        (f"a.b/{'c.' * 300}d", ["Too long: may not be more than 571 bytes"]),
    ],
)  # fmt: skip
def test_a_bad_signer_name_is_told_of_label_by_label(name: str, want: list[str]) -> None:
    found = [fault.message for fault in validate_signer_name(name, "x")]
    assert len(found) == len(want)
    assert all(text in message for text, message in zip(want, found, strict=True))


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
    assert causes(RULES.update(issued, request())) >= {("status.certificate", "Forbidden")}
    assert ("status.certificate", "Forbidden") in causes(RULES.status(request(certificate="b3RoZXI="), issued))


def test_a_trust_bundle_is_named_after_its_signer() -> None:
    rules = rules_for("certificates.k8s.io", "ClusterTrustBundle")
    bundle = {"metadata": {"name": "other"}, "spec": {"signerName": "a.b/c", "trustBundle": ""}}
    assert causes(rules.create(bundle)) == {("metadata.name", "Invalid"), ("spec.trustBundle", "Invalid")}


def test_what_was_wrong_with_a_request_before_is_let_pass() -> None:
    old = request(APPROVED, DENIED, APPROVED, usages=["odd", "odd"], signerName="kubernetes.io/legacy-unknown")
    assert RULES.update(copy.deepcopy(old), old) == []
    assert causes(RULES.create(old)) == {
        ("spec.usages[0]", "NotSupported"),
        ("spec.usages[1]", "NotSupported"),
        ("spec.usages[1]", "Duplicate"),
        ("spec.signerName", "Invalid"),
        ("status.conditions[2].type", "Duplicate"),
        ("status.conditions", "Invalid"),
    }


def test_a_request_is_not_both_approved_and_denied() -> None:
    members = [f'Conditions[{{"type": "{kind}"}}]' for kind in ("Approved", "Denied")]
    shown = ", ".join(members).replace('"', '\\"')
    [fault] = RULES.subresources["approval"](request(DENIED, APPROVED), request())
    assert str(fault) == (
        f'status.conditions: Invalid value: "{{{shown}}}": must specify at most one of: `{members[0]}`, `{members[1]}`'
    )


def authority(*, is_authority: bool = True) -> str:
    day = datetime.timedelta(days=1)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), 1, start, start + day)
    builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


ANCHOR, LEAF = authority(), authority(is_authority=False)


@pytest.mark.parametrize(
    ("bundle", "want"),
    [
        (ANCHOR, []),
        (f"some words\n{ANCHOR}and more", []),
        ("", ["at least one trust anchor must be provided"]),
        (ANCHOR + ANCHOR, ["duplicate trust anchor (indices [0 1])"]),
        (ANCHOR + LEAF, ["entry 1 does not have the CA bit set"]),
        (ANCHOR.replace("CERTIFICATE", "KEY"), ["entry 0 has bad block type: KEY"]),
        (ANCHOR.replace("-----\n", "-----\na: b\n\n", 1), ["entry 0 has PEM block headers"]),
        ("-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n", ["entry 0 does not parse as X.509"]),
    ],
)  # fmt: skip
def test_a_bundle_is_of_authorities_each_once(bundle: str, want: list[str]) -> None:
    rules = rules_for("certificates.k8s.io", "ClusterTrustBundle")
    found = rules.create({"metadata": {"name": "a"}, "spec": {"trustBundle": bundle}})
    assert [str(fault) for fault in found] == [
        f'spec.trustBundle: Invalid value: "<value omitted>": {text}' for text in want
    ]
