"""Client certificates: the common name is the user, the organizations are its groups.

TLS has verified that the peer holds the key and that some trusted authority signed; which one is decided here, because
the authority of the request-header proxies must not make users. What a certificate says never changes, so it is
read once; only its validity in time, which TLS leaves to this module, is looked at on every request.
Source: apiserver pkg/authentication/request/x509.
"""

import hashlib
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID

from kubepy.apiserver.authn.base import Refused
from kubepy.apiserver.authn.user import ALL_AUTHENTICATED, CREDENTIAL_ID, UserInfo
from kubepy.lib import pki
from kubepy.lib.distribution import Distribution
from kubepy.lib.http import PeerCertificate

_REMEMBERED = 4096
Known = tuple[UserInfo | None, float, float] | str
"""User, valid from, valid until in Unix seconds; or why the certificate is none of ours."""


class ClientCertificates:
    """Authenticates by certificates that one of `authorities` signed; `left` counts how long they are still good."""

    def __init__(self, authorities: Sequence[x509.Certificate], *, left: Distribution | None = None) -> None:
        self._authorities = tuple(authorities)
        self._left = left
        self._known: dict[bytes, Known] = {}

    def authenticate(self, der: bytes, now_s: float) -> UserInfo | None:
        """The user of a certificate; None when it names none.

        Raises Refused out of its time, and when another authority signed it or it is not for clients.
        """
        known = self._known.get(der)
        issuers = der.issuers if isinstance(der, PeerCertificate) else ()
        # A connection that is taken up again brings no issuers: what it was refused for may be no reason for another.
        if known is None or (isinstance(known, str) and issuers):
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[bytes(der)] = read_certificate(der, self._authorities, issuers)
        if isinstance(known, str):
            raise Refused(known)
        user, not_before_s, not_after_s = known
        if not not_before_s <= now_s <= not_after_s:
            raise Refused("x509: certificate has expired or is not yet valid")
        if self._left is not None:
            self._left.add(not_after_s - now_s)
        return user


def read_certificate(der: bytes, authorities: Sequence[x509.Certificate], issuers: Sequence[bytes] = ()) -> Known:
    """(user, valid from, valid until in Unix seconds), or why none of `authorities` has signed it for clients.

    `issuers` are certificates by which TLS has found it to be good: one of them may be, or be signed by, an authority.
    """
    certificate = x509.load_der_x509_certificate(der)
    chain = chain_to(certificate, [x509.load_der_x509_certificate(one) for one in issuers], authorities)
    if chain is None:
        return "x509: certificate signed by unknown authority"
    not_before = max(one.not_valid_before_utc for one in chain).timestamp()
    not_after = min(one.not_valid_after_utc for one in chain).timestamp()
    if not is_for_clients(certificate):
        return "x509: certificate specifies an incompatible key usage"
    name = pki.common_name(certificate.subject)
    if not name:
        return None, not_before, not_after
    extra = {CREDENTIAL_ID: (f"X509SHA256={hashlib.sha256(der).hexdigest()}",)}
    user = UserInfo(name, "", pki.organizations(certificate.subject), extra)
    return user.with_group(ALL_AUTHENTICATED), not_before, not_after


def chain_to(
    certificate: x509.Certificate, issuers: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate]
) -> Sequence[x509.Certificate] | None:
    """The certificates from this one to the first of `authorities` that it leads to by its issuers, or None."""
    chain: list[x509.Certificate] = []
    for one in (certificate, *issuers):
        chain.append(one)
        if one in authorities:
            return chain
        if authority := next((ca for ca in authorities if is_signed_by(one, ca)), None):
            return [*chain, authority]
    return None


def is_for_clients(certificate: x509.Certificate) -> bool:
    """Whether its extended key usages allow client authentication."""
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.CLIENT_AUTH in usages or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages


def is_signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether `authority` signed `certificate` itself."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
