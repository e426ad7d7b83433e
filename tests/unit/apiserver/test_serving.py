"""TLS of the secure port: which certificate is shown, and what stays when the server starts again."""

import asyncio
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvloop

from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.config.security import security_faults, sni_pairs
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.securing import secure
from kubepy.apiserver.serving import Serving, is_for
from kubepy.lib import pki

CA = pki.new_ca("ca")


def write(folder: Path, name: str, identity: pki.Identity) -> tuple[str, str]:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    certificate.write_bytes(identity.certificate_pem)
    key.write_bytes(identity.key_pem)
    return str(certificate), str(key)


async def shown(port: int, name: str, client: ssl.SSLContext | None = None) -> str:
    """The common name of the certificate that a client gets who asks for `name`."""
    context = client or ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return pki.common_name(pki.x509.load_der_x509_certificate(der).subject)


async def on(serving: Serving) -> asyncio.Server:
    return await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=serving.context)


def test_a_self_signed_pair_is_kept(tmp_path: Path) -> None:
    config = ApiServerConfig(cert_dir=str(tmp_path / "certs"), advertise_address="10.0.0.1")
    Serving(config)
    first = (tmp_path / "certs/apiserver.crt").read_bytes()
    Serving(config)
    assert (tmp_path / "certs/apiserver.crt").read_bytes() == first
    assert stat.S_IMODE((tmp_path / "certs/apiserver.key").stat().st_mode) == 0o600
    names = pki.alternative_names(pki.load_certificates(first)[0])
    assert {"10.0.0.1", "127.0.0.1", "10.96.0.1", "kubernetes.default.svc", "localhost"} <= names
    (tmp_path / "certs/apiserver.crt").write_text("broken")
    Serving(config)
    assert len(pki.load_certificates((tmp_path / "certs/apiserver.crt").read_bytes())) == 2


def test_the_certificate_follows_the_name_and_the_files(tmp_path: Path) -> None:
    async def run() -> None:
        main = write(tmp_path, "main", pki.issue(CA, "main", server=True))
        named = write(tmp_path, "named", pki.issue(CA, "named", dns=["api.example", "*.wild.example"], server=True))
        forced = write(tmp_path, "forced", pki.issue(CA, "forced", server=True))
        pairs = (*named, forced[0], f"{forced[1]}:x.example", "y.example")
        serving = Serving(ApiServerConfig(tls_cert_file=main[0], tls_private_key_file=main[1], tls_sni_cert_key=pairs))
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks, await on(serving) as server:
            port = server.sockets[0].getsockname()[1]
            following = tasks.create_task(serving.follow())
            asked = ("other.example", "api.example", "a.wild.example", "a.b.wild.example", "x.example", "y.example")
            found = [await shown(port, name) for name in asked]
            assert found == ["main", "named", "named", "main", "forced", "forced"]
            write(tmp_path, "main", pki.issue(CA, "renewed", server=True))
            while await shown(port, "other.example") != "renewed":
                await asyncio.sleep(0.05)
            following.cancel()

    asyncio.run(run())


def test_older_tls_is_not_spoken_where_that_is_said(tmp_path: Path) -> None:
    async def run() -> None:
        pair = write(tmp_path, "main", pki.issue(CA, "main", server=True))
        config = ApiServerConfig(
            tls_cert_file=pair[0], tls_private_key_file=pair[1], tls_min_version="VersionTLS13",
            tls_cipher_suites=("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
        )  # fmt: skip
        async with await on(Serving(config)) as server:
            old = ssl.create_default_context()
            old.maximum_version = ssl.TLSVersion.TLSv1_2
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await shown(server.sockets[0].getsockname()[1], "main", old)
            assert await shown(server.sockets[0].getsockname()[1], "main") == "main"

    asyncio.run(run())


def test_names_and_wildcards() -> None:
    assert is_for("*.A.example", "b.a.EXAMPLE")
    assert not is_for("*.a.example", "a.example")
    assert sni_pairs(("/a", "/b:x", "y", "/c", "/d")) == [("/a", "/b", ("x", "y")), ("/c", "/d", ())]


def test_flags_that_do_not_go_together_are_faults() -> None:
    config = ApiServerConfig(
        tls_min_version="VersionTLS11", tls_cipher_suites=("NONE",), tls_sni_cert_key=("/nowhere",),
        strict_transport_security_directives=("max-age=a",),
        cors_allowed_origins=("x.example",), oidc_client_id="k", oidc_signing_algs=("HS256",),
        authentication_config="/nowhere", authorization_mode=("Webhook",), authorization_webhook_version="v2",
        show_hidden_metrics_for_version="1.0",
    )  # fmt: skip
    assert list(security_faults(config, ())) == [
        "--show-hidden-metrics-for-version must be omitted or have the value '1.36'. Only the previous minor version "
        "is allowed",
        '--tls-min-version: unknown tls version "VersionTLS11", use VersionTLS12 or VersionTLS13',
        "--tls-cipher-suites: Cipher suite NONE not supported or doesn't exist",
        "--tls-sni-cert-key: expected comma separated certificate and key file paths, got /nowhere",
        "--strict-transport-security-directives invalid, allowed values: max-age=expireTime, includeSubDomains, "
        "preload. see https://tools.ietf.org/html/rfc6797#section-6.1 for more information",
        "--cors-allowed-origins has an invalid regular expression: regular expression does not pin to start/end of "
        "host in the origin header",
        "oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set",
        "authentication-config file and oidc-* flags are mutually exclusive",
        '--oidc-signing-algs: oidc: unsupported signing alg: "HS256"',
        '--authorization-webhook-version "v2" is not supported, supported versions are v1, v1beta1',
        "authorization-mode Webhook's authorization config file not passed",
        "--authentication-config /nowhere: no such file or directory",
    ]


@pytest.mark.parametrize(
    ("leaf", "status"),
    [
        (pki.issue(CA, "alice"), 403),
        (pki.issue(CA, "alice", days=1, now=datetime.now(UTC) - timedelta(days=3)), 401),
    ],
    ids=["good", "expired"],
)
def test_an_expired_certificate_is_answered_and_no_alert(tmp_path: Path, leaf: pki.Identity, status: int) -> None:
    """So that clients say that one has to log in, as they do of upstream's."""
    shown = write(tmp_path, "server", pki.issue(CA, "server", ips=["127.0.0.1"], server=True))
    mine = write(tmp_path, "mine", leaf)
    (tmp_path / "ca").write_bytes(CA.certificate_pem)
    config = ApiServerConfig(
        storage_backend="embedded",
        tls_cert_file=shown[0],
        tls_private_key_file=shown[1],
        client_ca_file=str(tmp_path / "ca"),
        authorization_mode=("RBAC",),
    )

    async def run() -> bytes:
        async with asyncio.timeout(20), in_process(config=config, secure=secure) as server:
            listening = await server.listen("127.0.0.1", 0, tls=Serving(config).context)
            client = ssl.create_default_context(cafile=str(tmp_path / "ca"))
            client.load_cert_chain(*mine)
            reader, writer = await asyncio.open_connection("127.0.0.1", listening.port, ssl=client)
            writer.write(b"GET /api/v1/secrets HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            return answer

    assert uvloop.run(run()).startswith(f"HTTP/1.1 {status} ".encode())
