"""What TLS has found out of a client's certificate, as handlers get it."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from kubepy.apiserver.authn.base import Refused
from kubepy.apiserver.authn.client_certificate import ClientCertificates
from kubepy.lib import pki
from kubepy.lib.http import Answer, PeerCertificate, Request, Response
from kubepy.lib.http_server import serve, server_tls

ROOT, OTHER = pki.new_ca("root"), pki.new_ca("other")


def intermediate(root: pki.Identity = ROOT, cn: str = "intermediate") -> pki.Identity:
    key, now = pki.new_key(), datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(pki.subject(cn))
        .issuer_name(root.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    return pki.Identity(builder.sign(root.key, hashes.SHA256()), key)


def test_a_certificate_comes_with_those_that_it_was_verified_by(tmp_path: Path) -> None:
    between = intermediate()
    leaf = pki.issue(between, "alice", organizations=["dev"])
    shown = pki.issue(ROOT, "server", ips=["127.0.0.1"], client=False, server=True)
    for name, pem in (
        ("ca", ROOT.certificate_pem),
        ("leaf", leaf.certificate_pem + between.certificate_pem),
        ("leaf.key", leaf.key_pem),
        ("server", shown.certificate_pem),
        ("server.key", shown.key_pem),
    ):
        (tmp_path / name).write_bytes(pem)
    seen: list[PeerCertificate] = []

    async def handle(request: Request) -> Answer:
        assert isinstance(request.peer_certificate, PeerCertificate)
        seen.append(request.peer_certificate)
        return Response()

    async def main() -> None:
        tls = server_tls(str(tmp_path / "server"), str(tmp_path / "server.key"), str(tmp_path / "ca"))
        server = await serve(handle, host="127.0.0.1", port=0, tls=tls)
        client = ssl.create_default_context(cafile=str(tmp_path / "ca"))
        client.load_cert_chain(tmp_path / "leaf", tmp_path / "leaf.key")
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=client)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await reader.read()
        writer.close()
        await server.close()

    asyncio.run(main())
    [der] = seen
    assert der.issuers == tuple(one.certificate.public_bytes(Encoding.DER) for one in (between, ROOT))
    now_s = datetime.now(UTC).timestamp()
    believing = ClientCertificates([ROOT.certificate])
    user = believing.authenticate(der, now_s)
    assert user is not None
    assert (user.name, user.groups) == ("alice", ("dev", "system:authenticated"))
    assert believing.authenticate(bytes(der), now_s) == user


def test_a_chain_that_ends_elsewhere_makes_no_user() -> None:
    between = intermediate()
    der = PeerCertificate(pki.issue(between, "alice").certificate.public_bytes(Encoding.DER))
    der.issuers = tuple(one.certificate.public_bytes(Encoding.DER) for one in (between, ROOT))
    with pytest.raises(Refused, match="signed by unknown authority"):
        ClientCertificates([OTHER.certificate]).authenticate(der, datetime.now(UTC).timestamp())


def test_a_certificate_lasts_no_longer_than_those_that_it_is_good_by() -> None:
    now = datetime.now(UTC)
    ending = pki.new_ca("ending", days=1, now=now - timedelta(days=2))
    der = intermediate(ending, "alice").certificate.public_bytes(Encoding.DER)
    with pytest.raises(Refused, match="expired"):
        ClientCertificates([ending.certificate]).authenticate(der, now.timestamp())
