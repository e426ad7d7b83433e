"""TLS settings made from what is in memory: OpenSSL wants files, so PEM texts pass through one without a name."""

import os
import ssl
from collections.abc import Mapping, Sequence

from kubepy.lib import pki

TLS_VERSIONS: Mapping[str, ssl.TLSVersion] = {
    "VersionTLS12": ssl.TLSVersion.TLSv1_2,
    "VersionTLS13": ssl.TLSVersion.TLSv1_3,
}
"""Those that --tls-min-version may name."""
_TLS13 = frozenset(("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"))
_CIPHERS = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256": "ECDHE-ECDSA-AES128-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256": "ECDHE-RSA-AES128-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256": "AES128-SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
}


def load_pem_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Loads a certificate and key that are in memory."""
    with os.fdopen(os.memfd_create("pem"), "wb") as pem:
        pem.write(certificate.rstrip() + b"\n" + key)
        pem.flush()
        context.load_cert_chain(f"/proc/self/fd/{pem.fileno()}")


def server_context(certificate: bytes, key: bytes) -> ssl.SSLContext:
    """A server's settings, TLS 1.2 and up."""
    context = bare_server_context()
    load_pem_pair(context, certificate, key)
    return context


def bare_server_context() -> ssl.SSLContext:
    """A server's settings without a certificate yet, TLS 1.2 and up.

    One ticket a handshake, as upstream's gives: OpenSSL's second one costs a fifth of the whole handshake.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.num_tickets = 1
    return context


def self_signed(host: str, ips: tuple[str, ...] = ("127.0.0.1",)) -> ssl.SSLContext:
    """A server's settings with a certificate made on the spot, for a port whose clients do not verify it."""
    authority = pki.new_ca(f"{host}-ca")
    leaf = pki.issue(authority, host, dns=(host, "localhost"), ips=ips, client=False, server=True)
    return server_context(leaf.certificate_pem, leaf.key_pem)


def cipher_names(suites: Sequence[str]) -> list[str]:
    """OpenSSL's names of TLS 1.2 cipher suites, from their IANA ones. Raises ValueError for one that is not known."""
    found = []
    for suite in suites:
        if suite in _TLS13:
            continue  # always on with TLS 1.3, as in Go
        name = _CIPHERS.get(suite)
        if name is None:
            raise ValueError(f"Cipher suite {suite} not supported or doesn't exist")
        found.append(name)
    return found
