"""Rules of PodCertificateRequests: made by kubelets, once; answered by signers, once.

A status changes only to an end: issued (with a chain whose times the status repeats), denied or failed.
That a certificate begins within five minutes of now is not judged: rules read no clock.
Source: pkg/apis/certificates/validation/validation.go.
"""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from kubepy.api import instants, names
from kubepy.api.errors import FieldError, invalid, not_supported, required, too_long
from kubepy.api.meta import Object
from kubepy.api.validation.checks import checked, hidden, spec_of, status_of, unchanged, validate_conditions
from kubepy.api.validation.equality import same
from kubepy.api.validation.meta import validate_annotations, validate_metadata, validate_metadata_update
from kubepy.api.validation.pem import extension, pem_blocks
from kubepy.api.validation.signers import validate_signer_name

_OF_PODS = (("podName", "podUID"), ("serviceAccountName", "serviceAccountUID"), ("nodeName", "nodeUID"))
_UID_LIMIT = 128
_LEAST_S, _MOST_S, _MOST_OF_KUBERNETES_S = 3600, 91 * 24 * 3600, 24 * 3600
_REQUEST_LIMIT = _CHAIN_LIMIT = 10 * 1024
_ENDS = ("Issued", "Denied", "Failed")
_CHAIN, _REQUEST = "status.certificateChain", "spec.stubPKCS10Request"
_TIMES = {
    "notBefore": "must be present and consistent with the issued certificate",
    "notAfter": "must be present and consistent with the issued certificate",
    "beginRefreshAt": "must be present and in the range [notbefore+10min, notafter-10min]",
}
_MARGIN = timedelta(minutes=10)
_LEAST_LIFE = timedelta(hours=1)


def create_pod_request(obj: Object) -> list[FieldError]:
    """Faults of a new PodCertificateRequest."""
    spec = spec_of(obj)
    signer = spec.get("signerName") or ""
    errors = validate_metadata(obj, True, names.is_dns1123_subdomain) + validate_signer_name(signer, "spec.signerName")
    errors += validate_annotations(spec.get("unverifiedUserAnnotations"), "spec.unverifiedUserAnnotations")
    for name, uid in _OF_PODS:
        errors += checked(spec.get(name) or "", f"spec.{name}", names.is_dns1123_subdomain)
        errors += _uid(spec.get(uid) or "", f"spec.{uid}")
    seconds, path = spec.get("maxExpirationSeconds"), "spec.maxExpirationSeconds"
    if seconds is None:
        return [*errors, required(path, "must be set")]
    domain = signer.partition("/")[0]
    is_kubernetes = domain == "kubernetes.io" or domain.endswith(".kubernetes.io")
    most = _MOST_OF_KUBERNETES_S if is_kubernetes else _MOST_S
    if not _LEAST_S <= seconds <= most:
        errors.append(invalid(path, seconds, f"must be in the range [{_LEAST_S}, {most}]"))
    return errors + _key_request(spec.get("stubPKCS10Request") or "")


def _uid(uid: str, path: str) -> list[FieldError]:
    if not uid:
        return [invalid(path, uid, "must not be empty")]
    return [too_long(path, _UID_LIMIT)] if len(uid) > _UID_LIMIT else []


def _read_request(encoded: str) -> x509.CertificateSigningRequest | None:
    try:
        return x509.load_der_x509_csr(base64.b64decode(encoded))
    except (ValueError, binascii.Error):
        return None


def _key_request(encoded: str) -> list[FieldError]:
    """Faults of the request that tells the key, and that the pod has it."""
    if not encoded:
        return [required(_REQUEST)]
    if len(encoded) // 4 * 3 - encoded.count("=") > _REQUEST_LIMIT:
        return [too_long(_REQUEST, _REQUEST_LIMIT)]
    request = _read_request(encoded)
    if request is None:
        return [hidden(_REQUEST, "must be a valid PKCS#10 certificate request")]
    try:
        key, is_signed = request.public_key(), request.is_signature_valid
    except (UnsupportedAlgorithm, InvalidSignature, ValueError):
        return [hidden(_REQUEST, "unknown public key type; supported types are Ed25519, ECDSA, and RSA")]
    if (fault := _key_fault(key)) is not None:
        return [hidden(_REQUEST, fault)]
    return [] if is_signed else [hidden(_REQUEST, "could not verify the signature")]


def _key_fault(key: CertificatePublicKeyTypes) -> str | None:
    match key:
        case ed25519.Ed25519PublicKey():
            return None
        case ec.EllipticCurvePublicKey():
            known = key.curve.name in ("secp256r1", "secp384r1", "secp521r1")
            return None if known else "elliptic public keys must use curve P256 or P384"
        case rsa.RSAPublicKey():
            return None if key.key_size in (3072, 4096) else "RSA keys must have modulus size 3072 or 4096"
    return "unknown public key type; supported types are Ed25519, ECDSA, and RSA"


def update_pod_request(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed PodCertificateRequest: its spec stays."""
    return validate_metadata_update(new, old) + unchanged(spec_of(new), spec_of(old), "spec")


def pod_request_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of a PodCertificateRequest's status: it changes once."""
    if errors := validate_metadata_update(new, old):
        return errors
    status, before = status_of(new), status_of(old)
    if errors := _conditions(status.get("conditions") or []):
        return errors
    end = _end(status)
    is_same = same(status, before, "status")
    if _end(before) is not None:
        why = "immutable after PodCertificateRequest is issued, denied, or failed"
        return [] if is_same else [hidden("status", why)]
    if end is None:
        why = 'status is immutable unless transitioning to "Issued", "Denied", or "Failed"'
        return [] if is_same else [hidden("status", why)]
    if end != "Issued":
        others = [value for field, value in status.items() if field != "conditions" and value]
        why = "non-condition status fields must be empty when denying or failing the PodCertificateRequest"
        return [hidden("status", why)] if others else []
    return _issued(status, spec_of(old))


def _end(status: Object) -> str | None:
    for condition in status.get("conditions") or ():
        if condition.get("type") in _ENDS and condition.get("status") == "True":
            return str(condition["type"])
    return None


def _conditions(conditions: list[Object]) -> list[FieldError]:
    """Faults of conditions: one of those that end it, and it is true."""
    errors: list[FieldError] = []
    ends = 0
    for index, condition in enumerate(conditions):
        path, kind = f"status.conditions.[{index}]", condition.get("type") or ""  # upstream puts the dot there
        if kind not in _ENDS:
            errors.append(not_supported(f"{path}.type", kind, _ENDS))
            continue
        ends += 1
        if ends > 1:
            why = 'There may be at most one condition with type "Issued", "Denied", or "Failed"'
            errors.append(invalid(f"{path}.type", kind, why))
        if condition.get("status") != "True":
            errors.append(not_supported(f"{path}.status", condition.get("status") or "", ("True",)))
    return errors + validate_conditions(conditions, "status.conditions")


def _issued(status: Object, spec: Object) -> list[FieldError]:
    """The first fault of an issued chain; of times that are missing, all."""
    chain = status.get("certificateChain") or ""
    if len(chain.encode()) > _CHAIN_LIMIT:
        return [too_long(_CHAIN, _CHAIN_LIMIT)]
    blocks = pem_blocks(chain.encode())
    if not blocks:
        return [invalid(_CHAIN, chain, "issued certificate chain must contain at least one certificate")]
    if blocks[0].kind != "CERTIFICATE":
        return [invalid(_CHAIN, chain, "issued certificate chain must consist entirely of CERTIFICATE PEM blocks")]
    leaf = blocks[0].certificate()
    if leaf is None:
        return [invalid(_CHAIN, chain, "leaf certificate does not parse as valid X.509")]
    errors = _names(leaf)
    request = _read_request(spec.get("stubPKCS10Request") or "")
    if request is not None and not _has_key_of(leaf, request):
        return [*errors, invalid(_CHAIN, chain, "leaf certificate was not issued to the requested public key")]
    errors += [required(f"status.{field}", why) for field, why in _TIMES.items() if status.get(field) is None]
    if errors or (errors := _times(status, leaf, spec)):
        return errors
    for block in blocks[1:]:
        if block.kind != "CERTIFICATE":  # spelled as upstream spells it
            return [invalid(_CHAIN, chain, "issued certificate chain must consist entirely of CERTFICATE PEM blocks")]
        if block.certificate() is None:
            return [invalid(_CHAIN, chain, "intermediate certificate does not parse as valid X.509")]
    return []


def _has_key_of(leaf: x509.Certificate, request: x509.CertificateSigningRequest) -> bool:
    try:
        return leaf.public_key() == request.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return False


def _names(leaf: x509.Certificate) -> list[FieldError]:
    if (alternatives := extension(leaf, x509.SubjectAlternativeName)) is None:
        return []
    errors: list[FieldError] = []
    for name in alternatives.get_values_for_type(x509.DNSName):
        if not name:
            errors.append(invalid(_CHAIN, name, "leaf certificate should not contain empty DNSName"))
        if ".." in name:
            errors.append(invalid(_CHAIN, name, "leaf certificate's DNSName should not contain '..'"))
        if name.startswith(".") or name.endswith("."):
            errors.append(invalid(_CHAIN, name, "leaf certificate's DNSName should not start or end with '.'"))
    for address in alternatives.get_values_for_type(x509.RFC822Name):
        if "@" not in parseaddr(address)[1]:
            errors.append(invalid(_CHAIN, address, "leaf certificate should not contain invalid EmailAddress"))
    return errors


def _times(status: Object, leaf: x509.Certificate, spec: Object) -> list[FieldError]:
    begin, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    before, after, refresh = (status[field] for field in _TIMES)
    if _at(before) != begin:
        why = "must be set to the NotBefore time encoded in the leaf certificate"
        return [invalid("status.notBefore", before, why)]
    if _at(after) != end:
        return [invalid("status.notAfter", after, "must be set to the NotAfter time encoded in the leaf certificate")]
    life = end - begin
    if life < _LEAST_LIFE:
        return [invalid(_CHAIN, _nanoseconds(life), "leaf certificate lifetime must be >= 1 hour")]
    most = spec.get("maxExpirationSeconds") or 0
    if life > timedelta(seconds=most):
        why = f"leaf certificate lifetime must be <= spec.maxExpirationSeconds ({most})"
        return [invalid(_CHAIN, _nanoseconds(life), why)]
    path = "status.beginRefreshAt"
    if _at(refresh) < begin + _MARGIN:
        return [invalid(path, refresh, "must be at least 10 minutes after status.notBefore")]
    if _at(refresh) > end - _MARGIN:
        return [invalid(path, refresh, "must be at least 10 minutes before status.notAfter")]
    return []


def _at(text: str) -> datetime:
    return instants.parse(text) or datetime.min.replace(tzinfo=UTC)


def _nanoseconds(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1) * 1000
