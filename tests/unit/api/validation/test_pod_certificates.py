"""What is refused in requests for pods' certificates, and in what signers answer."""

import base64
import copy
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kubepy.api.validation.registry import rules_for

RULES = rules_for("certificates.k8s.io", "PodCertificateRequest")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
END = "2026-01-02T00:00:00Z"


@cache
def stub(curve: type[ec.EllipticCurve] = ec.SECP256R1) -> str:
    key = KEY if curve is ec.SECP256R1 else ec.generate_private_key(curve())
    request = x509.CertificateSigningRequestBuilder().subject_name(SUBJECT).sign(key, hashes.SHA256())
    return base64.b64encode(request.public_bytes(Encoding.DER)).decode()


@cache
def certificate(hours: int = 24, of: Any = KEY, dns: str = "a.b") -> str:
    made = (
        x509.CertificateBuilder(SUBJECT, SUBJECT, of.public_key(), 1, BEGIN, BEGIN + timedelta(hours=hours))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
        .sign(KEY, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


X400 = bytes.fromhex("3004a3020500")


@cache
def strange(was: str, becomes: str) -> str:
    """A certificate that says in some place what no library reads."""
    odd = [x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), X400) for oid in ("1.2.3.4", "1.2.3.5")]
    builder = x509.CertificateBuilder(SUBJECT, SUBJECT, KEY.public_key(), 1, BEGIN, BEGIN + timedelta(hours=24))
    for extension in odd:
        builder = builder.add_extension(extension, critical=False)
    der = builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)
    made = x509.load_der_x509_certificate(der.replace(bytes.fromhex(was), bytes.fromhex(becomes)))
    return made.public_bytes(Encoding.PEM).decode()


UNKNOWN_CURVE = strange("06082a8648ce3d030107", "06082a8648ce3d030109")
TWICE = strange("06032a0305", "06032a0304")
ODD_NAMES = strange("06032a0305", "0603551d11")


def request(status: Any = None, **spec: Any) -> Any:
    names = dict.fromkeys(("podName", "podUID", "serviceAccountName", "serviceAccountUID", "nodeName"), "x")
    full = {"signerName": "a.b/c", "nodeUID": "x", "maxExpirationSeconds": 86400, "stubPKCS10Request": stub(), **names}
    meta = {"name": "x", "namespace": "n", "resourceVersion": "1"}
    return {"metadata": meta, "spec": {**full, **spec}, "status": status or {}}


def told(faults: Any) -> list[str]:
    return [str(fault) for fault in faults]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"maxExpirationSeconds": 7862400}, []),
        ({"maxExpirationSeconds": 7862401},
         ["spec.maxExpirationSeconds: Invalid value: 7862401: must be in the range [3600, 7862400]"]),
        ({"signerName": "kubernetes.io/x", "maxExpirationSeconds": 86401},
         ["spec.maxExpirationSeconds: Invalid value: 86401: must be in the range [3600, 86400]"]),
        ({"podUID": "", "nodeUID": "x" * 129, "stubPKCS10Request": "", "maxExpirationSeconds": None},
         ['spec.podUID: Invalid value: "": must not be empty',
          "spec.nodeUID: Too long: may not be more than 128 bytes",
          "spec.maxExpirationSeconds: Required value: must be set"]),
        ({"unverifiedUserAnnotations": {"a b": "c"}},
         ['spec.unverifiedUserAnnotations: Invalid value: "a b": name part must consist of alphanumeric characters, '
          "'-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or "
          "'123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"]),
        ({"stubPKCS10Request": ""}, ["spec.stubPKCS10Request: Required value"]),
        ({"stubPKCS10Request": "YWJj"},
         ["spec.stubPKCS10Request: Invalid value: must be a valid PKCS#10 certificate request"]),
        ({"stubPKCS10Request": stub(ec.SECP224R1)},
         ["spec.stubPKCS10Request: Invalid value: elliptic public keys must use curve P256 or P384"]),
    ],
)  # fmt: skip
def test_new_requests(spec: Any, expected: list[str]) -> None:
    assert told(RULES.create(request(**spec))) == expected


def condition(kind: str, status: str = "True") -> Any:
    return {"type": kind, "status": status, "reason": "R", "lastTransitionTime": "2026-01-01T00:00:00Z"}


def issued(**changes: Any) -> Any:
    times = {"notBefore": "2026-01-01T00:00:00Z", "beginRefreshAt": "2026-01-01T12:00:00Z", "notAfter": END}
    status = {"conditions": [condition("Issued")], "certificateChain": certificate(), **times, **changes}
    return {field: value for field, value in status.items() if value is not None}


def shown(chain: str) -> str:
    return chain.replace("\n", "\\n")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (issued(), []),
        (issued(certificateChain=certificate() + certificate(of=OTHER)), []),
        (issued(certificateChain=TWICE), []),
        (issued(certificateChain=ODD_NAMES), []),
        (issued(certificateChain=UNKNOWN_CURVE),
         [f'status.certificateChain: Invalid value: "{shown(UNKNOWN_CURVE)}": leaf certificate was not issued to the '
          "requested public key"]),
        ({"conditions": [condition("Denied")]}, []),
        ({}, []),
        ({"conditions": [condition("Failed")], "certificateChain": "x"},
         ["status: Invalid value: non-condition status fields must be empty when denying or failing the "
          "PodCertificateRequest"]),
        ({"certificateChain": "x"},
         ['status: Invalid value: status is immutable unless transitioning to "Issued", "Denied", or "Failed"']),
        ({"conditions": [condition("Issued"), condition("Denied", "False"), condition("x")]},
         ['status.conditions.[1].type: Invalid value: "Denied": There may be at most one condition with type "Issued", '
          '"Denied", or "Failed"',
          'status.conditions.[1].status: Unsupported value: "False": supported values: "True"',
          'status.conditions.[2].type: Unsupported value: "x": supported values: "Issued", "Denied", "Failed"']),
        (issued(certificateChain="x"),
         ['status.certificateChain: Invalid value: "x": issued certificate chain must contain at least one '
          "certificate"]),
        (issued(certificateChain=certificate(of=OTHER)),
         [f'status.certificateChain: Invalid value: "{shown(certificate(of=OTHER))}": leaf certificate was not issued '
          "to the requested public key"]),
        (issued(certificateChain=certificate(dns=".b")),
         ['status.certificateChain: Invalid value: ".b": leaf certificate\'s DNSName should not start or end with '
          "'.'"]),
        (issued(notAfter=None, beginRefreshAt=None),
         ["status.notAfter: Required value: must be present and consistent with the issued certificate",
          "status.beginRefreshAt: Required value: must be present and in the range [notbefore+10min, notafter-10min]"]),
        (issued(notBefore="2026-01-01T00:00:01Z"),
         ['status.notBefore: Invalid value: "2026-01-01T00:00:01Z": must be set to the NotBefore time encoded in the '
          "leaf certificate"]),
        (issued(certificateChain=certificate(25), notAfter="2026-01-02T01:00:00Z"),
         ["status.certificateChain: Invalid value: 90000000000000: leaf certificate lifetime must be <= "
          "spec.maxExpirationSeconds (86400)"]),
        (issued(beginRefreshAt="2026-01-01T00:09:00Z"),
         ['status.beginRefreshAt: Invalid value: "2026-01-01T00:09:00Z": must be at least 10 minutes after '
          "status.notBefore"]),
        (issued(beginRefreshAt="2026-01-01T23:51:00Z"),
         ['status.beginRefreshAt: Invalid value: "2026-01-01T23:51:00Z": must be at least 10 minutes before '
          "status.notAfter"]),
    ],
)  # fmt: skip
def test_what_signers_answer(status: Any, expected: list[str]) -> None:
    assert RULES.status is not None
    assert told(RULES.status(request(status), request())) == expected


def test_an_answer_stays() -> None:
    assert RULES.status is not None
    old = request({"conditions": [condition("Denied")]})
    assert told(RULES.status(copy.deepcopy(old), old)) == []
    assert told(RULES.status(request({"conditions": [condition("Failed")]}), old)) == [
        "status: Invalid value: immutable after PodCertificateRequest is issued, denied, or failed"
    ]
