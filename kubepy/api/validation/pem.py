"""Reads PEM as Go does: the blocks that are whole, whatever stands between them; and what their certificates say.

Source: Go's encoding/pem, Decode.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TypeVar

from cryptography import x509

_BLOCK = re.compile(
    rb"^-----BEGIN ([^\n]*?)-----[ \t\r]*\n((?:[^\n:]*:[^\n]*\n)*+)([^-]*?)^-----END \1-----[ \t\r]*$", re.MULTILINE
)

Extension = TypeVar("Extension", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True)
class PemBlock:
    """One block; `data` is what it says, decoded, and `end` where the text goes on behind it."""

    kind: str
    has_headers: bool
    data: bytes
    end: int

    def certificate(self) -> x509.Certificate | None:
        """The certificate in it, if there is one."""
        try:
            return x509.load_der_x509_certificate(self.data)
        except ValueError:
            return None


def pem_blocks(text: bytes) -> list[PemBlock]:
    """The blocks in a text; what does not decode is passed over."""
    found = []
    for block in _BLOCK.finditer(text):
        kind, headers, body = block.groups()
        try:
            data = base64.b64decode(b"".join(body.split()), validate=True)
        except binascii.Error:
            continue
        found.append(PemBlock(kind.decode(errors="replace"), bool(headers), data, block.end()))
    return found


def extension(certificate: x509.Certificate, kind: type[Extension]) -> Extension | None:
    """An extension of a certificate; None if it has none of the kind, or some that cannot be read."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return None
