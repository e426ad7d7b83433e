"""What is said of bundles without a certificate, in the words of Go's client."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from kubepy.api.validation.certificate_bundles import validate_bundle

KEY, NAME, BEGIN = ec.generate_private_key(ec.SECP256R1()), x509.Name([]), datetime(2026, 1, 1, tzinfo=UTC)
GOOD = (
    x509.CertificateBuilder(NAME, NAME, KEY.public_key(), 1, BEGIN, BEGIN + timedelta(days=1))
    .sign(KEY, hashes.SHA256())
    .public_bytes(Encoding.PEM)
    .decode()
)
BAD = "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n"
NO_BASE64 = BAD.replace("bm8=", "?")


@pytest.mark.parametrize(
    ("bundle", "why"),
    [
        ("", None),
        (GOOD, None),
        (f"words\n{BAD}{GOOD}words", None),
        ("words", "unable to parse bytes as PEM block"),
        (NO_BASE64, "unable to parse bytes as PEM block"),
        (BAD, "failed to parse certificate: x509: malformed certificate"),
        (GOOD.replace("CERTIFICATE", "KEY"), "no valid certificate authority data seen"),
        (GOOD.replace("-----\n", "-----\na: b\n\n", 1), "no valid certificate authority data seen"),
        (GOOD.replace("CERTIFICATE", "KEY") + "words", "unable to parse bytes as PEM block"),
    ],
)
def test_a_bundle_has_a_certificate(bundle: str, why: str | None) -> None:
    encoded = base64.b64encode(bundle.encode()).decode()
    assert [str(fault) for fault in validate_bundle(encoded, "x")] == (
        [] if why is None else [f'x: Invalid value: "{encoded}": unable to load root certificates: {why}']
    )
