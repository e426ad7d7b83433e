"""Rules of CertificateSigningRequests, ClusterTrustBundles and PodCertificateRequests.

A request is only ever approved or denied once, through its own subresource; certificates come through the status.
Source: pkg/apis/certificates/validation/validation.go.
"""

import base64
import binascii

from cryptography import x509

from kubepy.api import names
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from kubepy.api.meta import Object
from kubepy.api.validation.checks import checked, duplicates, spec_of, status_of, unchanged
from kubepy.api.validation.meta import validate_metadata, validate_metadata_update
from kubepy.api.validation.rules import Rules

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
_STATUSES = ("True", "False", "Unknown")
_SIGNER_LIMIT = 571


def validate_signer_name(name: str, path: str) -> list[FieldError]:
    """Faults of a signer's name: a domain and a path, as in `example.com/name`."""
    if not name:
        return [required(path)]
    domain, slash, rest = name.partition("/")
    if not slash or "/" in rest:
        return [invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")]
    errors = checked(domain, path, names.is_dns1123_subdomain)
    if len(domain.split(".")) < 2:
        errors.append(invalid(path, name, "should be a domain with at least two segments separated by dots"))
    for part in rest.split("."):
        errors += checked(part, path, names.is_dns1123_label)
    if len(name) > _SIGNER_LIMIT:
        errors.append(invalid(path, name, f"must be no more than {_SIGNER_LIMIT} characters"))
    return errors


def _request_fault(request: str) -> str | None:
    """Why the PEM of a request cannot be used."""
    try:
        x509.load_pem_x509_csr(base64.b64decode(request))
    except (ValueError, binascii.Error):
        return "PEM block type must be CERTIFICATE REQUEST"
    return None


def _any_name(_name: str) -> list[str]:
    return []


def create_request(obj: Object) -> list[FieldError]:
    """Faults of a new CertificateSigningRequest."""
    spec = spec_of(obj)
    errors = validate_metadata(obj, False, _any_name)
    if (fault := _request_fault(spec.get("request") or "")) is not None:
        errors.append(invalid("spec.request", spec.get("request") or "", fault))
    usages = spec.get("usages") or []
    if not usages:
        errors.append(required("spec.usages"))
    repeated = duplicates(usages)
    for index, usage in enumerate(usages):
        if usage not in _USAGES:
            errors.append(not_supported(f"spec.usages[{index}]", usage, _USAGES))
        if index in repeated:
            errors.append(duplicate(f"spec.usages[{index}]", usage))
    errors += validate_signer_name(spec.get("signerName") or "", "spec.signerName")
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < _LEAST_DURATION_S:
        why = f"may not specify a duration less than {_LEAST_DURATION_S} seconds (10 minutes)"
        errors.append(invalid("spec.expirationSeconds", seconds, why))
    return errors + _conditions(obj)


def _conditions(obj: Object) -> list[FieldError]:
    conditions, path = status_of(obj).get("conditions") or [], "status.conditions"
    errors: list[FieldError] = []
    kinds = [condition.get("type") or "" for condition in conditions]
    repeated = duplicates(kinds)
    for index, (kind, condition) in enumerate(zip(kinds, conditions, strict=True)):
        at = f"{path}[{index}]"
        status = condition.get("status") or ""
        if not kind:
            errors.append(required(f"{at}.type"))
        allowed = ("True",) if kind in ("Approved", "Denied", "Failed") else _STATUSES
        if not status:
            errors.append(required(f"{at}.status"))
        elif status not in allowed:
            errors.append(not_supported(f"{at}.status", status, allowed))
        if index in repeated:
            errors.append(duplicate(f"{at}.type", kind))
    if "Approved" in kinds and "Denied" in kinds:
        last = max(_DECISIONS, key=kinds.index)
        errors.append(invalid(path, last, "Approved and Denied conditions are mutually exclusive"))
    return errors


def _decisions_kept(new: Object, old: Object, *, may_add: bool) -> list[FieldError]:
    """Decisions are never withdrawn, and only the approval subresource adds one."""
    now, before = (
        {c.get("type"): c for c in status_of(obj).get("conditions") or () if c.get("type") in _KEPT}
        for obj in (new, old)
    )
    errors = []
    for kind in _KEPT:
        if kind in before and kind not in now:
            errors.append(forbidden("status.conditions", f'updates may not remove a condition of type "{kind}"'))
        if kind not in _DECISIONS:
            continue
        if kind in now and kind not in before and not may_add:
            errors.append(forbidden("status.conditions", f'updates may not add a condition of type "{kind}"'))
        if kind in now and kind in before and now[kind] != before[kind] and not may_add:
            errors.append(forbidden("status.conditions", f'updates may not modify a condition of type "{kind}"'))
    return errors


def _certificate(new: Object, old: Object, *, may_issue: bool) -> list[FieldError]:
    """A certificate is issued once, by the status subresource, in PEM."""
    path = "status.certificate"
    now, before = status_of(new).get("certificate") or "", status_of(old).get("certificate") or ""
    if now == before:
        return []
    if not may_issue:
        return [forbidden(path, "updates may not set certificate content")]
    errors = []
    if before:
        errors.append(forbidden(path, "updates may not modify existing certificate content"))
    if now and (_is_pem_certificates(before) or not before) and not _is_pem_certificates(now):
        errors.append(invalid(path, "<certificate data>", "must contain one or more PEM blocks"))
    return errors


def update_request(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed CertificateSigningRequest: metadata alone may change."""
    errors = validate_metadata_update(new, old) + _conditions(new)
    return errors + _decisions_kept(new, old, may_add=False) + _certificate(new, old, may_issue=False)


def request_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of a CertificateSigningRequest's status."""
    errors = validate_metadata_update(new, old) + _conditions(new) + _decisions_kept(new, old, may_add=False)
    return errors + _certificate(new, old, may_issue=True)


def _is_pem_certificates(encoded: str) -> bool:
    try:
        return bool(x509.load_pem_x509_certificates(base64.b64decode(encoded)))
    except (ValueError, binascii.Error):
        return False


def request_approval(new: Object, old: Object) -> list[FieldError]:
    """Faults of an approval: a decision may come, nothing else."""
    errors = validate_metadata_update(new, old) + _conditions(new) + _decisions_kept(new, old, may_add=True)
    return errors + _certificate(new, old, may_issue=False)


def create_bundle(obj: Object) -> list[FieldError]:
    """Faults of a new ClusterTrustBundle: its name begins with its signer's."""
    spec = spec_of(obj)
    signer = spec.get("signerName") or ""
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
    if signer:
        errors += validate_signer_name(signer, "spec.signerName")
    try:
        x509.load_pem_x509_certificates((spec.get("trustBundle") or "").encode())
    except ValueError:
        errors.append(invalid("spec.trustBundle", "<value omitted>", "at least one trust anchor must be provided"))
    return errors


def update_bundle(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed ClusterTrustBundle: its signer stays."""
    errors = create_bundle(new) + validate_metadata_update(new, old)
    return errors + unchanged(spec_of(new).get("signerName"), spec_of(old).get("signerName"), "spec.signerName")


_POD_FIELDS = ("podName", "podUID", "serviceAccountName", "serviceAccountUID", "nodeName", "nodeUID")


def create_pod_request(obj: Object) -> list[FieldError]:
    """Faults of a new PodCertificateRequest."""
    spec = spec_of(obj)
    errors = validate_metadata(obj, True, names.is_dns1123_subdomain)
    errors += validate_signer_name(spec.get("signerName") or "", "spec.signerName")
    errors += [required(f"spec.{field}") for field in _POD_FIELDS if not spec.get(field)]
    if not spec.get("stubPKCS10Request"):
        errors.append(required("spec.stubPKCS10Request"))
    seconds = spec.get("maxExpirationSeconds")
    if seconds is None:
        errors.append(required("spec.maxExpirationSeconds", "must be set"))
    elif seconds < 3600:
        errors.append(invalid("spec.maxExpirationSeconds", seconds, "must be at least 3600"))
    return errors


def update_pod_request(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed PodCertificateRequest: its spec stays."""
    return validate_metadata_update(new, old) + unchanged(spec_of(new), spec_of(old), "spec")


RULES: dict[tuple[str, str], Rules] = {
    (_GROUP, "CertificateSigningRequest"): Rules(
        create_request, update_request, request_status, {"approval": request_approval}
    ),
    (_GROUP, "ClusterTrustBundle"): Rules(create_bundle, update_bundle),
    (_GROUP, "PodCertificateRequest"): Rules(create_pod_request, update_pod_request, update_pod_request),
}
