"""Whether a caBundle has certificates.

Source: apiserver pkg/util/webhook/validation.go, ValidateCABundle; client-go transport.rootCertPool.
"""

import base64
import binascii
import re

from kubepy.api.errors import FieldError, invalid

_BLOCK = re.compile(r"-----BEGIN (?P<kind>[^\n]*?)-----\s*\n(?P<text>.*?)-----END (?P=kind)-----", re.DOTALL)


def validate_bundle(bundle: str, path: str) -> list[FieldError]:
    """A fault if there are no certificates in a bundle in base64, which may be empty."""
    why = _fault(bundle) if bundle else None
    return [] if why is None else [invalid(path, bundle, f"unable to load root certificates: {why}")]


def _fault(bundle: str) -> str | None:
    from cryptography import x509  # few definitions have bundles

    try:
        text = base64.b64decode(bundle).decode("latin-1")
    except binascii.Error:
        text = ""
    refused = None
    blocks = list(_BLOCK.finditer(text))
    for block in blocks:
        is_headed = ":" in block["text"].partition("\n")[0]
        if block["kind"] != "CERTIFICATE" or is_headed:
            continue
        try:
            x509.load_pem_x509_certificate(block[0].encode("latin-1"))
        except ValueError:
            refused = refused or "failed to parse certificate: x509: malformed certificate"
        else:
            return None
    if refused is not None:
        return refused
    is_all_told = blocks and not text[blocks[-1].end() :].strip()
    return "no valid certificate authority data seen" if is_all_told else "unable to parse bytes as PEM block"
