"""TLS settings from PEM texts in memory."""

import socket
import ssl
import threading

import pytest

from kubepy.lib import pki
from kubepy.lib.tls import load_pem_pair, self_signed, server_context

CA = pki.new_ca("test-ca")
SERVER = pki.issue(CA, "server", dns=("localhost",), client=False, server=True)
CLIENT = pki.issue(CA, "alice", organizations=("ops",))


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=CA.certificate_pem.decode())


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> tuple[str | None, dict[str, object] | None]:
    """(version, what the client sees of the server) of a handshake over a socket pair."""
    ours, theirs = socket.socketpair()

    def answer() -> None:
        try:
            with server.wrap_socket(ours, server_side=True) as channel:
                channel.sendall(b"fine")
        except ssl.SSLError:
            ours.close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with client.wrap_socket(theirs, server_hostname="localhost") as channel:
            assert channel.recv(10) == b"fine"
            return channel.version(), channel.getpeercert()
    finally:
        theirs.close()
        thread.join()


def test_a_server_shows_the_certificate_it_was_given() -> None:
    version, seen = shake_hands(server_context(SERVER.certificate_pem, SERVER.key_pem), trusting())
    assert version in ("TLSv1.2", "TLSv1.3")
    assert seen is not None
    assert seen["subject"] == ((("commonName", "server"),),)


def test_old_tls_is_refused() -> None:
    assert server_context(SERVER.certificate_pem, SERVER.key_pem).minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_server_of_another_authority_is_refused() -> None:
    other = ssl.create_default_context(cadata=pki.new_ca("other-ca").certificate_pem.decode())
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server_context(SERVER.certificate_pem, SERVER.key_pem), other)


def test_a_client_can_show_a_certificate_from_memory() -> None:
    server = server_context(SERVER.certificate_pem, SERVER.key_pem)
    server.load_verify_locations(cadata=CA.certificate_pem.decode())
    server.verify_mode = ssl.CERT_REQUIRED
    client = trusting()
    load_pem_pair(client, CLIENT.certificate_pem, CLIENT.key_pem)
    assert shake_hands(server, client)[0]


def test_a_key_of_another_certificate_is_refused() -> None:
    with pytest.raises(ssl.SSLError):
        server_context(SERVER.certificate_pem, CLIENT.key_pem)


def test_a_certificate_made_on_the_spot_serves_those_who_do_not_verify_it() -> None:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    assert shake_hands(self_signed("kubelet"), client)[0]
