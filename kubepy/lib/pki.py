"""X.509 on one page: keys, authorities, certificates, signing requests; PEM in and out.

Pure apart from the entropy of new keys and serial numbers: times come in as arguments where a test may care.
A certificate's common name is the user and its organizations are the groups of who shows it.
Invariant: what `issue` and `sign_request` make verifies under their authority, for the usages asked for and no other.
Source: kubeadm's pkiutil and the signer of kube-controller-manager (pkg/controller/certificates/authority).
"""

import ipaddress
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
SanValue = str | ipaddress.IPv4Address | ipaddress.IPv6Address

CLOCK_SKEW = timedelta(minutes=5)
"""How far back a new certificate's validity begins, for verifiers whose clock is behind."""

_EXTENDED = {
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
}
_KEY_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "data encipherment": "data_encipherment",
    "key agreement": "key_agreement",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
_NO_USAGE = dict.fromkeys(_KEY_USAGES.values(), False)


class PkiError(ValueError):
    """Bytes that are not the key, certificate or request that they should be."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its private key: an authority or a leaf."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def certificate_pem(self) -> bytes:
        return certificate_pem(self.certificate)

    @property
    def key_pem(self) -> bytes:
        return key_pem(self.key)


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """What a certificate signing request asks for. `signed` tells whether its own key signed it."""

    common_name: str
    organizations: tuple[str, ...]
    dns: tuple[str, ...]
    ips: tuple[str, ...]
    emails: tuple[str, ...]
    uris: tuple[str, ...]
    signed: bool
    request: x509.CertificateSigningRequest


def new_key(*, rsa_bits: int = 0) -> PrivateKey:
    """A new private key: EC P-256, fast to make and to use, or RSA of `rsa_bits`."""
    if rsa_bits:
        return rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)
    return ec.generate_private_key(ec.SECP256R1())


def new_ca(cn: str, *, days: int = 3650, key: PrivateKey | None = None, now: datetime | None = None) -> Identity:
    """A self-signed authority."""
    key = key or new_key()
    name = subject(cn)
    builder = (
        _builder(name, name, key.public_key(), now=now, lifetime=timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage({"digital signature", "key encipherment", "cert sign"}), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(cn)]), critical=False)
    )
    return Identity(builder.sign(key, _digest(key)), key)


def issue(
    ca: Identity,
    cn: str,
    *,
    organizations: Iterable[str] = (),
    dns: Iterable[str] = (),
    ips: Iterable[str] = (),
    client: bool = True,
    server: bool = False,
    days: int = 365,
    key: PrivateKey | None = None,
    now: datetime | None = None,
) -> Identity:
    """A leaf of `ca` for user `cn` in groups `organizations`, good for client and/or server authentication."""
    key = key or new_key()
    usages = {"digital signature", "key encipherment"}
    usages |= ({"client auth"} if client else set()) | ({"server auth"} if server else set())
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in dns]
    names += [x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips]
    name = subject(cn, organizations)
    certificate = _leaf(ca, name, key.public_key(), names, usages=usages, now=now, lifetime=timedelta(days=days))
    return Identity(certificate, key)


def subject(cn: str, organizations: Iterable[str] = ()) -> x509.Name:
    """The distinguished name of user `cn` in groups `organizations`."""
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
    return x509.Name([*attributes, *([x509.NameAttribute(NameOID.COMMON_NAME, cn)] if cn else [])])


def new_request(
    key: PrivateKey, cn: str, *, organizations: Iterable[str] = (), dns: Iterable[str] = (), ips: Iterable[str] = ()
) -> bytes:
    """The PEM of a certificate signing request, signed by `key`."""
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in dns]
    names += [x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips]
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject(cn, organizations))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, _digest(key)).public_bytes(serialization.Encoding.PEM)


def parse_request(pem: bytes) -> SigningRequest:
    """What the PEM of a signing request asks for. Raises PkiError."""
    try:
        request = x509.load_pem_x509_csr(pem)
    except ValueError as error:
        raise PkiError(f"not a certificate signing request: {error}") from error
    names = _alternative_names(request.extensions)
    return SigningRequest(
        common_name=common_name(request.subject),
        organizations=organizations(request.subject),
        dns=tuple(names.get_values_for_type(x509.DNSName)) if names else (),
        ips=tuple(str(ip) for ip in names.get_values_for_type(x509.IPAddress)) if names else (),
        emails=tuple(names.get_values_for_type(x509.RFC822Name)) if names else (),
        uris=tuple(names.get_values_for_type(x509.UniformResourceIdentifier)) if names else (),
        signed=request.is_signature_valid,
        request=request,
    )


def sign_request(
    ca: Identity, pem: bytes, *, usages: Collection[str], lifetime: timedelta, now: datetime | None = None
) -> bytes:
    """The PEM of the certificate that a signing request asks for, with `usages` (names of the CSR API).

    It never outlives `ca`. Raises PkiError on a request that its key did not sign or an unknown usage.
    """
    asked = parse_request(pem)
    if not asked.signed:
        raise PkiError("the certificate signing request is not signed by its own key")
    found = _alternative_names(asked.request.extensions)
    public = asked.request.public_key()
    if not isinstance(public, PublicKey):
        raise PkiError(f"keys of type {type(public).__name__} are not supported")
    certificate = _leaf(ca, asked.request.subject, public, list(found or ()), usages=usages, now=now, lifetime=lifetime)
    return certificate_pem(certificate)


def certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: PrivateKey) -> bytes:
    """The key as unencrypted PKCS#8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_key_pem(key: PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def load_key(pem: bytes) -> PrivateKey:
    """The private key in a PEM. Raises PkiError."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise PkiError(f"not a private key in PEM: {error}") from error
    if not isinstance(key, PrivateKey):
        raise PkiError(f"private keys of type {type(key).__name__} are not supported")
    return key


def load_certificates(pem: bytes) -> list[x509.Certificate]:
    """Every certificate of a PEM bundle, at least one. Raises PkiError."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise PkiError(f"not a certificate in PEM: {error}") from error


def load_identity(certificate: bytes, key: bytes) -> Identity:
    """The first certificate of a PEM with the key of another. Raises PkiError, also on a mismatch."""
    identity = Identity(load_certificates(certificate)[0], load_key(key))
    if identity.certificate.public_key() != identity.key.public_key():
        raise PkiError("the private key does not belong to the certificate")
    return identity


def load_public_keys(pem: bytes) -> list[PublicKey]:
    """Every key of a PEM that verifies signatures: public keys, certificates and private keys. Raises PkiError."""
    keys: list[PublicKey] = []
    for block in _pem_blocks(pem):
        key: object
        if b"PRIVATE KEY" in block:
            key = load_key(block).public_key()
        elif b"CERTIFICATE" in block:
            key = load_certificates(block)[0].public_key()
        else:
            key = _load_public(block)
        if isinstance(key, PublicKey):
            keys.append(key)
    if not keys:
        raise PkiError("no key found")
    return keys


def common_name(name: x509.Name) -> str:
    """The common name, or empty."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def organizations(name: x509.Name) -> tuple[str, ...]:
    return tuple(str(part.value) for part in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))


def alternative_names(certificate: x509.Certificate) -> set[str]:
    """The DNS names and addresses that the certificate is good for."""
    found = _alternative_names(certificate.extensions)
    return {str(name.value) for name in found} if found is not None else set()


def is_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether the authority has signed the certificate."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _load_public(block: bytes) -> object:
    try:
        return serialization.load_pem_public_key(block)
    except ValueError as error:
        raise PkiError(f"not a public key in PEM: {error}") from error


def _pem_blocks(pem: bytes) -> Iterable[bytes]:
    lines: list[bytes] = []
    for line in pem.splitlines():
        if line.startswith(b"-----BEGIN"):
            lines = []
        lines.append(line)
        if line.startswith(b"-----END"):
            yield b"\n".join(lines) + b"\n"


def _alternative_names(extensions: x509.Extensions) -> x509.SubjectAlternativeName | None:
    try:
        return extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def _key_usage(usages: Collection[str]) -> x509.KeyUsage:
    flags = _NO_USAGE | {_KEY_USAGES[usage]: True for usage in usages if usage in _KEY_USAGES}
    if not flags["key_agreement"]:
        flags["encipher_only"] = flags["decipher_only"] = False
    return x509.KeyUsage(**flags)


def _digest(key: PrivateKey) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _builder(
    name: x509.Name, issuer: x509.Name, public: PublicKey, *, now: datetime | None, lifetime: timedelta
) -> x509.CertificateBuilder:
    now = (now or datetime.now(UTC)).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _leaf(
    ca: Identity,
    name: x509.Name,
    public: PublicKey,
    names: list[x509.GeneralName],
    *,
    usages: Collection[str],
    now: datetime | None,
    lifetime: timedelta,
) -> x509.Certificate:
    unknown = sorted(usage for usage in usages if usage not in _EXTENDED and usage not in _KEY_USAGES)
    if unknown:
        raise PkiError(f"unrecognized key usages: {', '.join(unknown)}")
    now = (now or datetime.now(UTC)).replace(microsecond=0)
    lifetime = min(lifetime, ca.certificate.not_valid_after_utc - now)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    builder = (
        _builder(name, ca.certificate.subject, public, now=now, lifetime=lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(usages), critical=True)
        .add_extension(authority, critical=False)
    )
    extended = [_EXTENDED[usage] for usage in sorted(usages) if usage in _EXTENDED]
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=not name.rdns)
    return builder.sign(ca.key, _digest(ca.key))
