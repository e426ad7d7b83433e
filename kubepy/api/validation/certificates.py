"""Rules of CertificateSigningRequests and ClusterTrustBundles; pod_certificates.py has those of pods' requests.

A request is only ever approved or denied through its own subresource; certificates come through the status. What was
wrong with a request before is let pass.
Source: pkg/apis/certificates/validation/validation.go.
"""

import base64
import binascii

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from kubepy.api import names
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, not_supported, render_value, required, too_long
from kubepy.api.meta import Object
from kubepy.api.validation.checks import duplicates, spec_of, status_of, unchanged
from kubepy.api.validation.meta import validate_metadata, validate_metadata_update
from kubepy.api.validation.pem import PemBlock, extension, pem_blocks
from kubepy.api.validation.pod_certificates import create_pod_request, pod_request_status, update_pod_request
from kubepy.api.validation.rules import Rules
from kubepy.api.validation.signers import validate_signer_name

_GROUP = "certificates.k8s.io"
_LEAST_DURATION_S = 600
_USAGES = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment",
    "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel",
    "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime",
    "server auth", "signing", "timestamping",
)  # fmt: skip
_DECISIONS = ("Approved", "Denied")
_KEPT = (*_DECISIONS, "Failed")
_STATUSES = ("False", "True", "Unknown")
_LEGACY_SIGNER = "kubernetes.io/legacy-unknown"
_BUNDLE_BYTES = 1 << 20


def _request_fault(request: str) -> str | None:
    """Why the PEM of a request cannot be used."""
    try:
        is_signed = x509.load_pem_x509_csr(base64.b64decode(request)).is_signature_valid
    except (ValueError, binascii.Error):
        return "PEM block type must be CERTIFICATE REQUEST"
    except UnsupportedAlgorithm:
        return "x509: cannot verify signature: algorithm unimplemented"
    return None if is_signed else "x509: signature does not match the signed data"


def _any_name(_name: str) -> list[str]:
    return []


def create_request(obj: Object) -> list[FieldError]:
    """Faults of a new CertificateSigningRequest."""
    return _validate_request(obj, {}) + _contradiction(obj, {})


def _validate_request(obj: Object, old: Object) -> list[FieldError]:
    """Faults of a request; those of usages, conditions and certificates that it had before are let pass."""
    spec, before = spec_of(obj), spec_of(old).get("usages") or []
    errors = validate_metadata(obj, False, _any_name)
    if (fault := _request_fault(spec.get("request") or "")) is not None:
        errors.append(invalid("spec.request", spec.get("request") or "", fault))
    usages = spec.get("usages") or []
    if not usages:
        errors.append(required("spec.usages", "usages must be provided"))
    if set(before) <= set(_USAGES):
        errors += [
            not_supported(f"spec.usages[{index}]", usage, _USAGES)
            for index, usage in enumerate(usages)
            if usage not in _USAGES
        ]
    if not duplicates(before):
        errors += [duplicate(f"spec.usages[{index}]", usages[index]) for index in duplicates(usages)]
    signer = spec.get("signerName") or ""
    if signer == _LEGACY_SIGNER and spec_of(old).get("signerName") != signer:
        errors.append(invalid("spec.signerName", signer, "the legacy signerName is not allowed via this API version"))
    elif signer != _LEGACY_SIGNER:
        errors += validate_signer_name(signer, "spec.signerName")
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < _LEAST_DURATION_S:
        why = f"may not specify a duration less than {_LEAST_DURATION_S} seconds (10 minutes)"
        errors.append(invalid("spec.expirationSeconds", seconds, why))
    return errors + _conditions(obj, old) + _certificate_content(obj, old)


def _types(obj: Object) -> list[str]:
    return [condition.get("type") or "" for condition in status_of(obj).get("conditions") or ()]


def _conditions(obj: Object, old: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    kinds, before = _types(obj), _types(old)
    repeated = [] if duplicates(before) else duplicates(kinds)
    for index, condition in enumerate(status_of(obj).get("conditions") or ()):
        kind, status, at = kinds[index], condition.get("status") or "", f"status.conditions[{index}]"
        if not kind and "" not in before:
            errors.append(required(f"{at}.type"))
        allowed = ("True",) if kind in _KEPT else _STATUSES
        if not status:
            errors.append(required(f"{at}.status"))
        elif status not in allowed:
            errors.append(not_supported(f"{at}.status", status, allowed))
        if index in repeated:
            errors.append(duplicate(f"{at}.type", kind))
    return errors


def _contradiction(obj: Object, old: Object) -> list[FieldError]:
    """What the declarative rules say of a request that becomes both approved and denied."""
    if not set(_DECISIONS) <= set(_types(obj)) or set(_DECISIONS) <= set(_types(old)):
        return []
    members = [f'Conditions[{{"type": "{kind}"}}]' for kind in _DECISIONS]
    why = "must specify at most one of: " + ", ".join(f"`{member}`" for member in members)
    return [invalid("status.conditions", f"{{{', '.join(members)}}}", why)]


def _certificate_content(obj: Object, old: Object) -> list[FieldError]:
    """A certificate that is new must be PEM, unless what it replaces was none."""
    now, before = (status_of(each).get("certificate") or "" for each in (obj, old))
    if not now or now == before or _certificate_fault(before) is not None:
        return []
    fault = _certificate_fault(now)
    return [] if fault is None else [invalid("status.certificate", "<certificate data>", fault)]


def _certificate_fault(encoded: str) -> str | None:
    """Why what is given as certificates is none; None for nothing at all."""
    if not encoded:
        return None
    try:
        blocks = pem_blocks(base64.b64decode(encoded))
    except binascii.Error:
        blocks = []
    for block in blocks:
        if block.kind != "CERTIFICATE":
            return f"only CERTIFICATE PEM blocks are allowed, found {render_value(block.kind)}"
        if block.has_headers:
            return "no PEM block headers are permitted"
        if block.certificate() is None:
            return "x509: malformed certificate"
    return None if blocks else "must contain at least one CERTIFICATE PEM block"


def _decisions_kept(new: Object, old: Object, *, may_decide: bool) -> list[FieldError]:
    """Decisions are never withdrawn, and only the approval subresource makes or changes one."""
    now, before = (
        {kind: [c for c in status_of(obj).get("conditions") or () if c.get("type") == kind] for kind in _KEPT}
        for obj in (new, old)
    )
    path = "status.conditions"
    errors = [
        forbidden(path, f"updates may not remove a condition of type {render_value(kind)}")
        for kind in _KEPT
        if len(now[kind]) < len(before[kind])
    ]
    for kind in () if may_decide else _DECISIONS:
        if len(now[kind]) > len(before[kind]):
            errors.append(forbidden(path, f"updates may not add a condition of type {render_value(kind)}"))
        elif len(now[kind]) == len(before[kind]) and now[kind] != before[kind]:
            errors.append(forbidden(path, f"updates may not modify a condition of type {render_value(kind)}"))
    return errors


def _changed_request(
    new: Object, old: Object, *, may_decide: bool = False, may_issue: bool = False
) -> list[FieldError]:
    errors = _validate_request(new, old) + _decisions_kept(new, old, may_decide=may_decide)
    now, before = (status_of(obj).get("certificate") or "" for obj in (new, old))
    if now != before:
        if not may_issue:
            errors.append(forbidden("status.certificate", "updates may not set certificate content"))
        elif before:
            errors.append(forbidden("status.certificate", "updates may not modify existing certificate content"))
    return errors + validate_metadata_update(new, old) + _contradiction(new, old)


def update_request(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed CertificateSigningRequest: metadata alone may change."""
    return _changed_request(new, old)


def request_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of a CertificateSigningRequest's status: a certificate is issued once."""
    return _changed_request(new, old, may_issue=True)


def request_approval(new: Object, old: Object) -> list[FieldError]:
    """Faults of an approval: a decision may come, nothing else."""
    return _changed_request(new, old, may_decide=True)


def create_bundle(obj: Object) -> list[FieldError]:
    """Faults of a new ClusterTrustBundle."""
    return _bundle_name(obj) + _anchors(spec_of(obj).get("trustBundle") or "")


def _bundle_name(obj: Object) -> list[FieldError]:
    """A bundle's name begins with its signer's."""
    signer = spec_of(obj).get("signerName") or ""
    prefix = f"{signer.replace('/', ':')}:"

    def check(candidate: str) -> list[str]:
        if signer:
            if not candidate.startswith(prefix):
                return [f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"]
            return names.is_dns1123_subdomain(candidate.removeprefix(prefix))
        if ":" in candidate:
            return ['ClusterTrustBundle without signer name must not have ":" in its name']
        return names.is_dns1123_subdomain(candidate)

    errors = validate_metadata(obj, False, check)
    return errors + (validate_signer_name(signer, "spec.signerName") if signer else [])


def _anchors(bundle: str) -> list[FieldError]:
    """Faults of trust anchors in PEM: certificates of authorities, each once."""
    path = "spec.trustBundle"
    if len(bundle.encode()) > _BUNDLE_BYTES:
        return [too_long(path, _BUNDLE_BYTES)]
    texts: list[str] = []
    seen: dict[bytes, list[int]] = {}
    for index, block in enumerate(pem_blocks(bundle.encode())):
        if (fault := _anchor_fault(block)) is not None:
            texts.append(f"entry {index} {fault}")
        else:
            seen.setdefault(block.data, []).append(index)
    if not texts and not seen:
        texts = ["at least one trust anchor must be provided"]
    elif not texts:
        repeated = [" ".join(map(str, indices)) for indices in seen.values() if len(indices) > 1]
        texts = [f"duplicate trust anchor (indices [{indices}])" for indices in repeated]
    return [invalid(path, "<value omitted>", text) for text in texts]


def _anchor_fault(block: PemBlock) -> str | None:
    if block.kind != "CERTIFICATE":
        return f"has bad block type: {block.kind}"
    if block.has_headers:
        return "has PEM block headers"
    if (certificate := block.certificate()) is None:
        return "does not parse as X.509"
    constraints = extension(certificate, x509.BasicConstraints)
    return None if constraints is not None and constraints.ca else "does not have the CA bit set"


def update_bundle(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed ClusterTrustBundle: its signer stays; anchors that stay are not read again."""
    spec, before = spec_of(new), spec_of(old)
    errors = _bundle_name(new)
    if spec.get("trustBundle") != before.get("trustBundle"):
        errors += _anchors(spec.get("trustBundle") or "")
    errors += validate_metadata_update(new, old)
    return errors + unchanged(spec.get("signerName"), before.get("signerName"), "spec.signerName")


RULES: dict[tuple[str, str], Rules] = {
    (_GROUP, "CertificateSigningRequest"): Rules(
        create_request, update_request, request_status, {"approval": request_approval}
    ),
    (_GROUP, "ClusterTrustBundle"): Rules(create_bundle, update_bundle),
    (_GROUP, "PodCertificateRequest"): Rules(create_pod_request, update_pod_request, pod_request_status),
}
