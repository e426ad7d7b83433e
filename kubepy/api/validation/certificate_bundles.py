"""Whether a caBundle has certificates.

Source: apiserver pkg/util/webhook/validation.go, ValidateCABundle; client-go transport.rootCertPool.
"""

import base64
import binascii

from kubepy.api.errors import FieldError, invalid
from kubepy.api.validation.pem import pem_blocks


def validate_bundle(bundle: str, path: str) -> list[FieldError]:
    """A fault if there are no certificates in a bundle in base64, which may be empty."""
    why = _fault(bundle) if bundle else None
    return [] if why is None else [invalid(path, bundle, f"unable to load root certificates: {why}")]


def _fault(bundle: str) -> str | None:
    try:
        text = base64.b64decode(bundle)
    except binascii.Error:
        text = b""
    blocks = pem_blocks(text)
    certificates = [block.certificate() for block in blocks if block.kind == "CERTIFICATE" and not block.has_headers]
    if any(certificates):
        return None
    if certificates:
        return "failed to parse certificate: x509: malformed certificate"
    is_all_told = blocks and not text[blocks[-1].end :].strip()
    return "no valid certificate authority data seen" if is_all_told else "unable to parse bytes as PEM block"
