"""TLS of the secure port: its certificates, one for each name where there are several, kept up with their files.

Without a certificate a self-signed one is kept in --cert-dir, so that a server that starts again is the one that its
clients know. Which authority a client's certificate must be of, and when it is good, authentication knows: here any
trusted one will do.
Source: apiserver pkg/server/options/serving.go, pkg/server/dynamiccertificates.
"""

import ipaddress
import os
import ssl
from collections.abc import Sequence
from pathlib import Path

from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.config.security import sni_pairs
from kubepy.lib import file_watch, log, pki
from kubepy.lib.http_server import server_tls
from kubepy.lib.tls import TLS_VERSIONS, cipher_names

_PAIR = "apiserver"
_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME: an expired certificate is answered 401, as upstream does, not by an alert."""
_SERVICE_NAMES = ("kubernetes.default.svc", "kubernetes.default", "kubernetes", "localhost")
_log = log.get(__name__)


class Serving:
    """`context` is the server's TLS, good for new connections also after `reload`."""

    def __init__(self, config: ApiServerConfig) -> None:
        self._config = config
        self._pair = (config.tls_cert_file, config.tls_private_key_file)
        if not config.tls_cert_file:
            self._pair = kept_pair(config)
        self.context = self._context(*self._pair)
        self._named = [
            (names or _names_in(certificate), self._context(certificate, key), certificate, key)
            for certificate, key, names in sni_pairs(config.tls_sni_cert_key)
        ]
        if self._named:
            self.context.sni_callback = self._choose
        self._files = [*self._pair, *self._authorities]
        self._files += [path for _, _, certificate, key in self._named for path in (certificate, key)]
        self._signature = file_watch.signature(self._files)

    @property
    def _authorities(self) -> list[str]:
        config = self._config
        return [path for path in (config.client_ca_file, config.requestheader_client_ca_file) if path]

    def _context(self, certificate: str, key: str) -> ssl.SSLContext:
        context = server_tls(certificate, key)
        if self._config.tls_min_version:
            context.minimum_version = TLS_VERSIONS[self._config.tls_min_version]
        if ciphers := cipher_names(self._config.tls_cipher_suites):
            context.set_ciphers(":".join(ciphers))
        for path in self._authorities:
            context.load_verify_locations(path)
        if self._authorities:
            context.verify_mode = ssl.CERT_OPTIONAL
            flags = context.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
            context.verify_flags = ssl.VerifyFlags(flags)
        return context

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        """Switches to the first pair that is for the name that the client asks for."""
        for names, context, _certificate, _key in self._named:
            if name and any(is_for(pattern, name) for pattern in names):
                connection.context = context
                return

    async def follow(self) -> None:
        """Takes in files that change, until cancelled."""
        await file_watch.follow(self._files, self._reload, since=self._signature)

    async def _reload(self) -> None:
        try:
            for context, certificate, key in [
                (self.context, *self._pair),
                *((context, certificate, key) for _, context, certificate, key in self._named),
            ]:
                context.load_cert_chain(certificate, key)
                for path in self._authorities:
                    context.load_verify_locations(path)
        except (OSError, ssl.SSLError) as fault:  # half written, or gone for a moment: what was there stays good
            _log.warning("serving certificates not read again", error=fault)
        else:
            _log.info("serving certificates read again")


def is_for(pattern: str, name: str) -> bool:
    """Whether a name, or a `*.` in place of its first part, means the name."""
    pattern, name = pattern.lower(), name.lower()
    return pattern == name or (pattern.startswith("*.") and name.partition(".")[2] == pattern[2:])


def _names_in(path: str) -> tuple[str, ...]:
    certificate = pki.load_certificates(Path(path).read_bytes())[0]
    return (*pki.alternative_names(certificate), pki.common_name(certificate.subject))


def kept_pair(config: ApiServerConfig) -> tuple[str, str]:
    """Certificate and key in --cert-dir, made if they are not there or cannot be read. Raises OSError."""
    folder = Path(config.cert_dir)
    certificate, key = folder / f"{_PAIR}.crt", folder / f"{_PAIR}.key"
    try:
        pki.load_certificates(certificate.read_bytes())
        pki.load_key(key.read_bytes())
    except (OSError, ValueError):
        made, authority = _self_signed(config)
        folder.mkdir(parents=True, exist_ok=True)
        certificate.write_bytes(made.certificate_pem + authority)
        with open(key, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            out.write(made.key_pem)
        _log.info("self-signed certificate made", certificate=str(certificate))
    return str(certificate), str(key)


def _self_signed(config: ApiServerConfig) -> tuple[pki.Identity, bytes]:
    """A pair for every address that the server knows of itself, and its authority's certificate."""
    host = config.advertise_address or config.bind_address
    authority = pki.new_ca(f"{host}-ca")
    service = next(iter(ipaddress.ip_network(config.service_cluster_ip_range[0]).hosts()))
    ips = dict.fromkeys(ip for ip in (host, "127.0.0.1", str(service)) if not ipaddress.ip_address(ip).is_unspecified)
    names: Sequence[str] = _SERVICE_NAMES
    if config.external_hostname:
        names = (*names, config.external_hostname)
    return pki.issue(authority, host, dns=names, ips=ips, client=False, server=True), authority.certificate_pem
