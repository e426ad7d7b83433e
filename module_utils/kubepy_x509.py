"""Keys, requests, certificates and kubeconfigs for the pki modules: bytes in, bytes out, no files.

A private key is made on the machine that uses it and never leaves it: what travels is a request and the
certificate that answers it. Source of layout and subjects: kubeadm's phases "certs" and "kubeconfig".
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
SKEW = dt.timedelta(minutes=5)
"""Certificates start this much in the past: clocks of machines differ."""
USAGES = {"client": ExtendedKeyUsageOID.CLIENT_AUTH, "server": ExtendedKeyUsageOID.SERVER_AUTH}


@dataclass(frozen=True)
class Wanted:
    """A certificate as a role asks for it; `ca` names its authority, `usages` are of client and server."""

    name: str
    ca: str
    cn: str
    organizations: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    usages: tuple[str, ...] = ("client",)


def wanted_of(entry: dict[str, Any]) -> Wanted:
    """A Wanted from a module's option; absent lists are empty, and their order does not matter."""
    many = {key: tuple(sorted(set(entry.get(key) or ()))) for key in ("organizations", "dns", "usages")}
    addresses = {str(ipaddress.ip_address(ip)) for ip in entry.get("ips") or ()}
    return Wanted(name=entry["name"], ca=entry["ca"], cn=entry["cn"], ips=tuple(sorted(addresses)), **many)


def new_key() -> PrivateKey:
    """A key for a machine's certificate."""
    return ec.generate_private_key(ec.SECP256R1())


def new_rsa_key() -> PrivateKey:
    """A key for what upstream's clients expect as RSA: service-account tokens (RS256) and authorities."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_pem(key: PrivateKey) -> bytes:
    """PKCS#8 or the traditional form that every tool reads."""
    traditional = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, traditional, serialization.NoEncryption())


def load_key(pem: bytes) -> PrivateKey:
    """The private key in a PEM."""
    key = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey))
    return key


def public_pem(key: Any) -> bytes:
    """The public half of a private key, or of a certificate's, as PEM."""
    public = key.public_key()
    return bytes(public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))


def subject_of(wanted: Wanted) -> x509.Name:
    """O=..., CN=... as Kubernetes reads user and groups out of it."""
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in wanted.organizations]
    return x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, wanted.cn)])


def alternatives_of(wanted: Wanted) -> x509.SubjectAlternativeName | None:
    """The names and addresses of a server; None for a client."""
    names = [x509.DNSName(name) for name in wanted.dns]
    addresses = [x509.IPAddress(ipaddress.ip_address(ip)) for ip in wanted.ips]
    return x509.SubjectAlternativeName([*names, *addresses]) if names or addresses else None


def new_request(wanted: Wanted, key: PrivateKey) -> bytes:
    """A signing request (PEM) for what is wanted."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject_of(wanted))
    if alternatives := alternatives_of(wanted):
        builder = builder.add_extension(alternatives, critical=False)
    usages = x509.ExtendedKeyUsage([USAGES[usage] for usage in wanted.usages])
    request = builder.add_extension(usages, critical=False).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def new_authority(cn: str, key: PrivateKey, *, days: int, now: dt.datetime) -> bytes:
    """A self-signed certificate (PEM) of an authority."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - SKEW).not_valid_after(now + dt.timedelta(days=days))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(key_usage(authority=True), critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = builder.add_extension(identifier, critical=False).sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_usage(*, authority: bool) -> x509.KeyUsage:
    """What a key may do: sign certificates, or secure connections."""
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=True,
        key_cert_sign=authority,
        crl_sign=False,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def sign(request_pem: bytes, ca_pem: bytes, ca_key: PrivateKey, *, days: int, now: dt.datetime) -> bytes:
    """The certificate (PEM) that answers a request; it ends no later than its authority does."""
    request, ca = x509.load_pem_x509_csr(request_pem), x509.load_pem_x509_certificate(ca_pem)
    end = min(now + dt.timedelta(days=days), ca.not_valid_after_utc)
    builder = x509.CertificateBuilder().subject_name(request.subject).issuer_name(ca.subject)
    builder = builder.public_key(request.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(max(now - SKEW, ca.not_valid_before_utc)).not_valid_after(end)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(key_usage(authority=False), critical=True)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    for kind in (x509.ExtendedKeyUsage, x509.SubjectAlternativeName):
        try:
            builder = builder.add_extension(request.extensions.get_extension_for_class(kind).value, critical=False)
        except x509.ExtensionNotFound:
            continue
    return builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def faults_of(
    pem: bytes | None,
    key: bytes | None,
    wanted: Wanted,
    ca_pem: bytes | None,
    *,
    renew_before_days: int,
    now: dt.datetime,
) -> list[str]:
    """Why a certificate must be issued (again); empty when it serves. `ca_pem` None: the authority is new too."""
    if pem is None or key is None:
        return ["missing"]
    certificate = x509.load_pem_x509_certificate(pem)
    faults = []
    if certificate.not_valid_after_utc - now < dt.timedelta(days=renew_before_days):
        faults.append(f"ends {certificate.not_valid_after_utc:%Y-%m-%d}")
    if certificate.subject != subject_of(wanted):
        faults.append(f"subject is {certificate.subject.rfc4514_string()}")
    if names_in(certificate) != sorted([*wanted.dns, *wanted.ips]):
        faults.append("names differ")
    if public_pem(certificate) != public_pem(load_key(key)):
        faults.append("key differs")
    if ca_pem is None or not is_issued_by(certificate, x509.load_pem_x509_certificate(ca_pem)):
        faults.append("another authority issued it")
    return faults


def names_in(certificate: x509.Certificate) -> list[str]:
    """All DNS names and addresses of a certificate, sorted."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = [str(ip) for ip in names.get_values_for_type(x509.IPAddress)]
    return sorted([*names.get_values_for_type(x509.DNSName), *addresses])


def is_issued_by(certificate: x509.Certificate, ca: x509.Certificate) -> bool:
    """Whether the authority's key signed the certificate."""
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def render_kubeconfig(*, server: str, ca_pem: bytes, user: str, certificate: bytes, key: bytes, cluster: str) -> str:
    """A kubeconfig with everything embedded, as kubeadm writes it."""

    def data(pem: bytes) -> str:
        return base64.b64encode(pem).decode()

    return f"""apiVersion: v1
kind: Config
clusters:
- cluster:
    certificate-authority-data: {data(ca_pem)}
    server: {server}
  name: {cluster}
contexts:
- context:
    cluster: {cluster}
    user: {user}
  name: {user}@{cluster}
current-context: {user}@{cluster}
preferences: {{}}
users:
- name: {user}
  user:
    client-certificate-data: {data(certificate)}
    client-key-data: {data(key)}
"""


def parse_kubeconfig(text: str) -> tuple[bytes | None, bytes | None]:
    """Certificate and key embedded in a kubeconfig of ours; None where there is none."""
    found: dict[str, bytes] = {}
    for line in text.splitlines():
        name, _, value = line.strip().partition(": ")
        if name in {"client-certificate-data", "client-key-data"}:
            found[name] = base64.b64decode(value)
    return found.get("client-certificate-data"), found.get("client-key-data")
