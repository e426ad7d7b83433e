"""Who asks: the authenticators that the configuration names, and the files behind them, which may change meanwhile.

Keys and authorities that are replaced are believed from then on, and no longer once they are gone; a file that is
not good leaves everything as it was.
Source: pkg/kubeapiserver/authenticator/config.go, pkg/kubeapiserver/options/authentication.go.
"""

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from cryptography import x509

from kubepy.apiserver.authn import jwt_settings
from kubepy.apiserver.authn.base import RemoteTokenAuthenticator, TokenAuthenticator
from kubepy.apiserver.authn.bootstrap_token import BootstrapTokens
from kubepy.apiserver.authn.chain import Authenticator, Tokens
from kubepy.apiserver.authn.client_certificate import ClientCertificates
from kubepy.apiserver.authn.jwt_settings import AuthenticationSettings, JwtIssuer, Source
from kubepy.apiserver.authn.jwt_tokens import JwtTokens
from kubepy.apiserver.authn.legacy_uses import LastUses
from kubepy.apiserver.authn.metrics import AuthenticationMetrics
from kubepy.apiserver.authn.request_header import HeaderNames, RequestHeader
from kubepy.apiserver.authn.service_account import ServiceAccountTokens
from kubepy.apiserver.authn.signing import Verifier, discovery_document, jwks_document
from kubepy.apiserver.authn.token_file import TokenFile, parse_token_file
from kubepy.apiserver.authn.webhook_tokens import WebhookTokens
from kubepy.apiserver.authz.settings import webhook_target
from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.config.expressions import compile_expression
from kubepy.apiserver.config.reloads import Reloads
from kubepy.apiserver.config.security import ALWAYS_ALLOW
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.webhooks.client import Webhooks
from kubepy.lib import file_watch, log, pki
from kubepy.lib.jwt_keys import Signer

_log = log.get(__name__)


class Identity:
    """See the module's docstring. `signer` is None where no key signs service-account tokens."""

    def __init__(
        self,
        config: ApiServerConfig,
        lookup: Lookup,
        webhooks: Webhooks,
        uses: LastUses,
        metrics: AuthenticationMetrics,
        reloads: Reloads,
    ) -> None:
        self._config, self._lookup, self._reloads = config, lookup, reloads
        self.uses, self._metrics = uses, metrics
        self.verifier = Verifier(_public_keys(config))
        self.signer = Signer(_signing_key(config)) if config.service_account_signing_key_file else None
        self._webhook = _webhook_tokens(config, webhooks)
        self.tokens = Tokens(self._local(), ())
        self.authenticator = Authenticator(
            certificates=_client_certificates(config, metrics),
            request_header=_request_header(config),
            tokens=self.tokens,
            api_audiences=config.audiences,
            metrics=metrics,
        )
        self._follows: list[tuple[Sequence[str], file_watch.Signature, Callable[[], None]]] = []
        self._apply(_settings_of_flags(config))
        self._follow([config.authentication_config], self._read_settings_again)
        keys = [*config.service_account_key_file, config.service_account_signing_key_file]
        self._follow(keys, self._read_keys)
        self._follow([config.client_ca_file, config.requestheader_client_ca_file], self._read_authorities)
        if config.authentication_config:
            reloads.holds(self._read_settings())

    def _local(self) -> list[TokenAuthenticator]:
        config, found = self._config, list[TokenAuthenticator]()
        if config.token_auth_file:
            found.append(TokenFile(parse_token_file(Path(config.token_auth_file).read_text())))
        if self.verifier.keys:
            issuers = config.service_account_issuer
            own = ServiceAccountTokens(
                self.verifier,
                issuers,
                config.audiences,
                self._lookup,
                used=self.uses.note,
                metrics=self._metrics,
            )
            found.append(own)
        if config.enable_bootstrap_token_auth:
            found.append(BootstrapTokens(self._lookup))
        return found

    def _apply(self, settings: AuthenticationSettings) -> None:
        remote: list[RemoteTokenAuthenticator] = [JwtTokens(issuer, self._metrics) for issuer in settings.issuers]
        if self._webhook is not None:
            remote.append(self._webhook)
        self.tokens.set_remote(remote)
        anonymous = self._config.anonymous_auth if settings.anonymous is None else settings.anonymous
        # As upstream: where everything is allowed, those who show nothing are let nowhere.
        self.authenticator.anonymous = anonymous and ALWAYS_ALLOW not in self._config.modes
        self.authenticator.anonymous_paths = settings.anonymous_paths

    def _follow(self, paths: Sequence[str], read: Callable[[], None]) -> None:
        if named := [path for path in paths if path]:
            self._follows.append((named, file_watch.signature(named), read))

    def followers(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What takes in files that change; each runs until cancelled."""
        return [
            partial(file_watch.follow, paths, _quietly(paths, read), since=since)
            for paths, since, read in self._follows
        ]

    def _read_settings(self) -> str:
        """Takes in the file; its text. Raises OSError, ValueError."""
        config = self._config
        text = Path(config.authentication_config).read_text()
        self._apply(jwt_settings.parse_settings(text, compile_expression, config.service_account_issuer))
        return text

    def _read_settings_again(self) -> None:
        try:
            text = self._read_settings()
        except (OSError, ValueError):
            self._reloads.failed()
            raise
        self._reloads.succeeded(text)

    def _read_keys(self) -> None:
        self.verifier.set_keys(_public_keys(self._config))
        if self.signer is not None:
            self.signer.set_key(_signing_key(self._config))
        self.tokens.forget()

    def _read_authorities(self) -> None:
        self.authenticator.certificates = _client_certificates(self._config, self._metrics)
        self.authenticator.request_header = _request_header(self._config)

    def documents(self) -> dict[str, tuple[Callable[[], bytes], str]]:
        """The paths, with bodies and content types, by which others come to believe this cluster's tokens."""
        config, verifier = self._config, self.verifier
        if not config.issuer.startswith("https://") or not verifier.keys:
            return {}
        address = config.external_hostname or config.advertise_address or "kubernetes.default.svc"
        uri = config.service_account_jwks_uri or f"https://{address}:{config.secure_port}/openid/v1/jwks"
        return {
            "/.well-known/openid-configuration": (
                lambda: orjson.dumps(discovery_document(config.issuer, uri, verifier.keys)),
                "application/json",
            ),
            "/openid/v1/jwks": (lambda: orjson.dumps(jwks_document(verifier.keys)), "application/jwk-set+json"),
        }


def _quietly(paths: Sequence[str], read: Callable[[], None]) -> Callable[[], Coroutine[Any, Any, None]]:
    async def changed() -> None:
        try:
            read()
        except (OSError, ValueError) as fault:  # half written, or wrong: what was read before stays good
            _log.warning("files not read again", files=",".join(paths), error=fault)
        else:
            _log.info("files read again", files=",".join(paths))

    return changed


def _settings_of_flags(config: ApiServerConfig) -> AuthenticationSettings:
    """As if the flags --oidc-* had been a file."""
    url = config.oidc_issuer_url
    if not url:
        return AuthenticationSettings()
    prefix = config.oidc_username_prefix
    if not prefix and config.oidc_username_claim != "email":
        prefix = f"{url}#"
    issuer = JwtIssuer(
        url=url,
        audiences=(config.oidc_client_id,),
        ca=Path(config.oidc_ca_file).read_bytes() if config.oidc_ca_file else b"",
        algorithms=config.oidc_signing_algs,
        username=Source(config.oidc_username_claim, "" if prefix == "-" else prefix),
        groups=Source(config.oidc_groups_claim, config.oidc_groups_prefix),
        required=tuple(config.oidc_required_claim.items()),
    )
    return AuthenticationSettings((issuer,))


def _webhook_tokens(config: ApiServerConfig, webhooks: Webhooks) -> WebhookTokens | None:
    if not config.authentication_token_webhook_config_file:
        return None
    return WebhookTokens(
        webhooks,
        webhook_target(config.authentication_token_webhook_config_file),
        version=config.authentication_token_webhook_version,
        api_audiences=config.audiences,
        ttl_s=config.authentication_token_webhook_cache_ttl_s,
    )


def _client_certificates(config: ApiServerConfig, metrics: AuthenticationMetrics) -> ClientCertificates | None:
    if not config.client_ca_file:
        return None
    return ClientCertificates(_certificates(config.client_ca_file), left=metrics.certificates)


def _request_header(config: ApiServerConfig) -> RequestHeader | None:
    if not config.requestheader_client_ca_file:
        return None
    return RequestHeader(
        _certificates(config.requestheader_client_ca_file),
        config.requestheader_allowed_names,
        HeaderNames(
            username=config.requestheader_username_headers,
            uid=config.requestheader_uid_headers,
            group=config.requestheader_group_headers,
            extra_prefix=config.requestheader_extra_headers_prefix,
        ),
    )


def _public_keys(config: ApiServerConfig) -> list[pki.PublicKey]:
    return [key for path in config.service_account_key_file for key in pki.load_public_keys(Path(path).read_bytes())]


def _signing_key(config: ApiServerConfig) -> pki.PrivateKey:
    return pki.load_key(Path(config.service_account_signing_key_file).read_bytes())


def _certificates(path: str) -> Sequence[x509.Certificate]:
    return pki.load_certificates(Path(path).read_bytes())
