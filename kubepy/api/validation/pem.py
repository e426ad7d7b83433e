"""Reads PEM as Go does: the blocks that are whole, whatever stands between them.

Source: Go's encoding/pem, Decode.
"""

import base64
import binascii
import re
from dataclasses import dataclass

from cryptography import x509

_BLOCK = re.compile(
    rb"^-----BEGIN ([^\n]*?)-----[ \t\r]*\n((?:[^\n]*:[^\n]*\n)*)([^-]*?)^-----END \1-----[ \t\r]*$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class PemBlock:
    """One block; `data` is what it says, decoded."""

    kind: str
    has_headers: bool
    data: bytes

    def certificate(self) -> x509.Certificate | None:
        """The certificate in it, if there is one."""
        try:
            return x509.load_der_x509_certificate(self.data)
        except ValueError:
            return None


def pem_blocks(text: bytes) -> list[PemBlock]:
    """The blocks in a text; what does not decode is passed over."""
    found = []
    for kind, headers, body in _BLOCK.findall(text):
        try:
            data = base64.b64decode(b"".join(body.split()), validate=True)
        except binascii.Error:
            continue
        found.append(PemBlock(kind.decode(errors="replace"), bool(headers), data))
    return found
