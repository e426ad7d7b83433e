"""Keys, authorities, certificates and signing requests."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from kubepy.lib import pki

CA = pki.new_ca("kubernetes")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def extended_usages(certificate: x509.Certificate) -> list[x509.ObjectIdentifier]:
    return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_a_leaf_names_its_user_and_groups_and_verifies_under_its_authority() -> None:
    leaf = pki.issue(CA, "system:node:n1", organizations=["system:nodes"])
    leaf.certificate.verify_directly_issued_by(CA.certificate)
    assert pki.common_name(leaf.certificate.subject) == "system:node:n1"
    assert pki.organizations(leaf.certificate.subject) == ("system:nodes",)
    assert extended_usages(leaf.certificate) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_a_server_certificate_carries_its_names_and_addresses() -> None:
    leaf = pki.issue(CA, "kube-apiserver", dns=["kubernetes"], ips=["10.96.0.1", "::1"], client=False, server=True)
    names = leaf.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["kubernetes"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.96.0.1", "::1"]
    assert extended_usages(leaf.certificate) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_openssl_takes_what_is_issued(tmp_path: Path) -> None:
    leaf = pki.issue(CA, "server", dns=["localhost"], server=True)
    (tmp_path / "tls.pem").write_bytes(leaf.key_pem + leaf.certificate_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.pem")
    context.load_verify_locations(cadata=CA.certificate_pem.decode())
    assert context.cert_store_stats()["x509_ca"] == 1


def test_pem_comes_back_as_it_went_out() -> None:
    again = pki.load_identity(CA.certificate_pem, CA.key_pem)
    assert again.certificate == CA.certificate
    assert pki.load_public_keys(pki.public_key_pem(CA.key.public_key())) == [CA.key.public_key()]


def test_a_key_of_another_certificate_is_refused() -> None:
    with pytest.raises(pki.PkiError, match="does not belong"):
        pki.load_identity(CA.certificate_pem, pki.key_pem(pki.new_key()))


@pytest.mark.parametrize("load", [pki.load_key, pki.load_certificates, pki.load_public_keys, pki.parse_request])
def test_bytes_that_are_no_pem_are_refused(load: object) -> None:
    with pytest.raises(pki.PkiError):
        load(b"nonsense")  # type: ignore[operator]


def test_verification_keys_are_read_from_every_kind_of_pem() -> None:
    rsa_key, ec_key = pki.new_key(rsa_bits=2048), pki.new_key()
    bundle = pki.public_key_pem(rsa_key.public_key()) + pki.key_pem(ec_key) + CA.certificate_pem
    assert pki.load_public_keys(bundle) == [rsa_key.public_key(), ec_key.public_key(), CA.key.public_key()]


def test_a_signing_request_tells_what_it_asks_for() -> None:
    pem = pki.new_request(pki.new_key(), "system:node:n1", organizations=["system:nodes"], dns=["n1"], ips=["10.0.0.1"])
    asked = pki.parse_request(pem)
    assert (asked.common_name, asked.organizations, asked.signed) == ("system:node:n1", ("system:nodes",), True)
    assert (asked.dns, asked.ips, asked.emails, asked.uris) == (("n1",), ("10.0.0.1",), (), ())


def test_signing_grants_the_usages_asked_for_and_keeps_the_names() -> None:
    key = pki.new_key()
    pem = pki.new_request(key, "system:node:n1", organizations=["system:nodes"], dns=["n1"])
    signed = pki.sign_request(CA, pem, usages=["digital signature", "server auth"], lifetime=timedelta(hours=1))
    [certificate] = pki.load_certificates(signed)
    certificate.verify_directly_issued_by(CA.certificate)
    assert certificate.public_key() == key.public_key()
    assert extended_usages(certificate) == [ExtendedKeyUsageOID.SERVER_AUTH]
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_encipherment
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_signed_certificate_never_outlives_its_authority() -> None:
    ca = pki.new_ca("short", days=1, now=NOW)
    pem = pki.new_request(pki.new_key(), "u")
    signed = pki.sign_request(ca, pem, usages=["client auth"], lifetime=timedelta(days=30), now=NOW)
    assert pki.load_certificates(signed)[0].not_valid_after_utc == ca.certificate.not_valid_after_utc


def test_an_unknown_usage_is_refused() -> None:
    with pytest.raises(pki.PkiError, match="unrecognized key usages: flying"):
        pki.sign_request(CA, pki.new_request(pki.new_key(), "u"), usages=["flying"], lifetime=timedelta(1))
