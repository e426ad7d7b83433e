"""TLS settings made from what is in memory: OpenSSL wants files, so PEM texts pass through one without a name."""

import os
import ssl

from kubepy.lib import pki


def load_pem_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Loads a certificate and key that are in memory."""
    with os.fdopen(os.memfd_create("pem"), "wb") as pem:
        pem.write(certificate.rstrip() + b"\n" + key)
        pem.flush()
        context.load_cert_chain(f"/proc/self/fd/{pem.fileno()}")


def server_context(certificate: bytes, key: bytes) -> ssl.SSLContext:
    """A server's settings, TLS 1.2 and up."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_pem_pair(context, certificate, key)
    return context


def self_signed(host: str, ips: tuple[str, ...] = ("127.0.0.1",)) -> ssl.SSLContext:
    """A server's settings with a certificate made on the spot, for a port whose clients do not verify it."""
    authority = pki.new_ca(f"{host}-ca")
    leaf = pki.issue(authority, host, dns=(host, "localhost"), ips=ips, client=False, server=True)
    return server_context(leaf.certificate_pem, leaf.key_pem)
