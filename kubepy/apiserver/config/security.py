"""The part of the API server's command line that says whom it believes beyond its own files, and how it serves TLS.

Source: pkg/kubeapiserver/options/{authentication,authorization}.go; apiserver pkg/server/options/serving.go.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kubepy.apiserver.authn import jwt_settings
from kubepy.apiserver.authn import webhook_tokens as token_webhook
from kubepy.apiserver.authn.jwt_settings import ALGORITHMS, url_faults
from kubepy.apiserver.authz import settings as authz_settings
from kubepy.apiserver.authz import webhook as access_webhook
from kubepy.apiserver.authz.abac import parse_policies
from kubepy.apiserver.authz.settings import ABAC, MODES, WEBHOOK, webhook_target
from kubepy.apiserver.config.accepted import accepted_faults
from kubepy.apiserver.config.auditing import AuditConfig
from kubepy.apiserver.config.expressions import compile_expression
from kubepy.apiserver.config.fields import flag_field
from kubepy.apiserver.http.browsers import origin_fault
from kubepy.lib import pki
from kubepy.lib.tls import TLS_VERSIONS, cipher_names

ALWAYS_ALLOW = "AlwaysAllow"
_DEFAULT_MODE = (ALWAYS_ALLOW,)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityConfig(AuditConfig):
    """See the module's docstring."""

    # Serving
    cert_dir: str = flag_field(
        "cert-dir", "string", "/var/run/kubernetes", "Folder of the self-signed pair, if no certificate is given."
    )
    tls_min_version: str = flag_field(
        "tls-min-version", "string", "", f"Oldest TLS that is spoken, of: {', '.join(TLS_VERSIONS)}."
    )
    tls_cipher_suites: tuple[str, ...] = flag_field(
        "tls-cipher-suites", "list", [], "Cipher suites of TLS 1.2, by their IANA names; OpenSSL's if empty."
    )
    tls_sni_cert_key: tuple[str, ...] = flag_field(
        "tls-sni-cert-key", "list", [], "Further pairs `cert,key`, or `cert,key:name,name`, by the name asked for."
    )
    strict_transport_security_directives: tuple[str, ...] = flag_field(
        "strict-transport-security-directives", "list", [], "Directives of the header Strict-Transport-Security."
    )
    cors_allowed_origins: tuple[str, ...] = flag_field(
        "cors-allowed-origins", "list", [], "Regular expressions of the web pages' origins that may ask; none if empty."
    )
    aggregator_reject_forwarding_redirect: bool = flag_field(
        "aggregator-reject-forwarding-redirect", "bool", True, "Do not pass on redirects of extension API servers."
    )

    # OpenID
    oidc_issuer_url: str = flag_field("oidc-issuer-url", "string", "", "URL of the OpenID issuer.")
    oidc_client_id: str = flag_field("oidc-client-id", "string", "", "Client that OpenID tokens must be for.")
    oidc_ca_file: str = flag_field("oidc-ca-file", "string", "", "PEM file of the OpenID issuer's authority.")
    oidc_username_claim: str = flag_field("oidc-username-claim", "string", "sub", "Claim that is the user's name.")
    oidc_username_prefix: str = flag_field(
        "oidc-username-prefix", "string", "", "Put before names; `-`: nothing. Names other than email have the issuer."
    )
    oidc_groups_claim: str = flag_field("oidc-groups-claim", "string", "", "Claim that holds the user's groups.")
    oidc_groups_prefix: str = flag_field("oidc-groups-prefix", "string", "", "Put before groups.")
    oidc_signing_algs: tuple[str, ...] = flag_field(
        "oidc-signing-algs", "list", ["RS256"], f"Algorithms of signatures, of: {', '.join(ALGORITHMS)}."
    )
    oidc_required_claim: Mapping[str, str] = flag_field(
        "oidc-required-claim", "map", {}, "Claims that must be there with these values."
    )
    authentication_config: str = flag_field(
        "authentication-config", "string", "", "YAML file of issuers and of who may be anonymous; read when it changes."
    )
    authentication_token_webhook_config_file: str = flag_field(
        "authentication-token-webhook-config-file", "string", "", "Kubeconfig of the webhook that knows tokens."
    )
    authentication_token_webhook_version: str = flag_field(
        "authentication-token-webhook-version", "string", "v1beta1", "Version of the TokenReviews: v1beta1 or v1."
    )
    authentication_token_webhook_cache_ttl_s: float = flag_field(
        "authentication-token-webhook-cache-ttl", "duration", 120.0, "How long its answers are believed."
    )

    # What they may
    authorization_mode: tuple[str, ...] = flag_field(
        "authorization-mode", "list", list(_DEFAULT_MODE), f"Authorizers in order, of: {', '.join(MODES)}."
    )
    authorization_config: str = flag_field(
        "authorization-config", "string", "", "YAML file of the authorizers in order; read when it changes."
    )
    authorization_policy_file: str = flag_field(
        "authorization-policy-file", "string", "", "File of the policies of mode ABAC, one JSON object a line."
    )
    authorization_webhook_config_file: str = flag_field(
        "authorization-webhook-config-file", "string", "", "Kubeconfig of the webhook of mode Webhook."
    )
    authorization_webhook_version: str = flag_field(
        "authorization-webhook-version", "string", "v1beta1", "Version of its SubjectAccessReviews: v1beta1 or v1."
    )
    authorization_webhook_cache_authorized_ttl_s: float = flag_field(
        "authorization-webhook-cache-authorized-ttl", "duration", 300.0, "How long it is believed that one may."
    )
    authorization_webhook_cache_unauthorized_ttl_s: float = flag_field(
        "authorization-webhook-cache-unauthorized-ttl", "duration", 30.0, "How long it is believed that one may not."
    )

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes of the flag; none where a file says which authorizers there are."""
        return () if self.authorization_config else self.authorization_mode


def security_faults(config: SecurityConfig, issuers: tuple[str, ...]) -> Iterator[str]:
    """Every fault; `issuers` are those of service-account tokens, which nobody else may be."""
    for part in (accepted_faults, _serving_faults, _oidc_faults, _webhook_faults, _mode_faults):
        yield from part(config)
    yield from _config_file_faults(config, issuers)


def _serving_faults(config: SecurityConfig) -> Iterator[str]:
    if config.tls_min_version and config.tls_min_version not in TLS_VERSIONS:
        yield f'--tls-min-version: unknown tls version "{config.tls_min_version}", use {" or ".join(TLS_VERSIONS)}'
    try:
        cipher_names(config.tls_cipher_suites)
    except ValueError as fault:
        yield f"--tls-cipher-suites: {fault}"
    try:
        for certificate, key, _ in sni_pairs(config.tls_sni_cert_key):
            pki.load_certificates(Path(certificate).read_bytes())
            pki.load_key(Path(key).read_bytes())
    except (OSError, ValueError) as fault:
        yield f"--tls-sni-cert-key: {fault}"
    for directive in config.strict_transport_security_directives:
        name, _, value = directive.partition("=")
        if name not in ("max-age", "includeSubDomains", "preload") or (name == "max-age") != value.isdigit():
            yield (
                "--strict-transport-security-directives invalid, allowed values: max-age=expireTime, "
                "includeSubDomains, preload. see https://tools.ietf.org/html/rfc6797#section-6.1 for more information"
            )
    yield from filter(None, map(origin_fault, config.cors_allowed_origins))


def _oidc_faults(config: SecurityConfig) -> Iterator[str]:
    has_flags = any(
        (config.oidc_issuer_url, config.oidc_client_id, config.oidc_ca_file, config.oidc_groups_claim,
         config.oidc_groups_prefix, config.oidc_username_prefix, config.oidc_required_claim)
    ) or config.oidc_username_claim != "sub"  # fmt: skip
    if has_flags and not (config.oidc_issuer_url and config.oidc_client_id):
        yield "oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set"
    if has_flags and config.authentication_config:
        yield "authentication-config file and oidc-* flags are mutually exclusive"
    if config.oidc_issuer_url:
        yield from (f"--oidc-issuer-url {config.oidc_issuer_url}: {why}" for why in url_faults(config.oidc_issuer_url))
    for algorithm in config.oidc_signing_algs:
        if algorithm not in ALGORITHMS:
            yield f'--oidc-signing-algs: oidc: unsupported signing alg: "{algorithm}"'
    if config.oidc_ca_file:
        yield from _file_faults("oidc-ca-file", config.oidc_ca_file, pki.load_certificates)


def _webhook_faults(config: SecurityConfig) -> Iterator[str]:
    for flag, path in (
        ("authentication-token-webhook-config-file", config.authentication_token_webhook_config_file),
        ("authorization-webhook-config-file", config.authorization_webhook_config_file),
    ):
        if path:
            yield from _file_faults(flag, path, lambda _, path=path: webhook_target(path))  # type: ignore[misc]
    for flag, version, known in (
        ("authentication-token", config.authentication_token_webhook_version, token_webhook.VERSIONS),
        ("authorization", config.authorization_webhook_version, access_webhook.VERSIONS),
    ):
        if version not in known:
            yield f'--{flag}-webhook-version "{version}" is not supported, supported versions are v1, v1beta1'


def _mode_faults(config: SecurityConfig) -> Iterator[str]:
    modes = config.authorization_mode
    if config.authorization_config:
        if modes != _DEFAULT_MODE or config.authorization_webhook_config_file:
            yield (
                "--authorization-config can not be specified when --authorization-mode or "
                "--authorization-webhook-* flags are defined"
            )
        return
    if not modes:
        yield "at least one authorization-mode must be passed"
    for mode in modes:
        if mode not in MODES:
            yield f'authorization-mode "{mode}" is not a valid mode; kubepy knows {", ".join(MODES)}'
        elif modes.count(mode) > 1:
            yield f'authorization-mode "{mode}" was passed more than once'
    if ABAC in modes and not config.authorization_policy_file:
        yield "authorization-mode ABAC's authorization policy file not passed"
    if ABAC not in modes and config.authorization_policy_file:
        yield "cannot specify --authorization-policy-file without mode ABAC"
    if WEBHOOK in modes and not config.authorization_webhook_config_file:
        yield "authorization-mode Webhook's authorization config file not passed"
    if WEBHOOK not in modes and config.authorization_webhook_config_file:
        yield "cannot specify --authorization-webhook-config-file without mode Webhook"


def _config_file_faults(config: SecurityConfig, issuers: tuple[str, ...]) -> Iterator[str]:
    if config.oidc_issuer_url in issuers:
        yield f"--oidc-issuer-url {config.oidc_issuer_url}: URL must not overlap with disallowed issuers: {[*issuers]}"
    if path := config.authentication_config:
        yield from _file_faults(
            "authentication-config",
            path,
            lambda data: jwt_settings.parse_settings(data.decode(), compile_expression, issuers),
        )
    if path := config.authorization_policy_file:
        yield from _file_faults("authorization-policy-file", path, lambda data: parse_policies(data.decode()))
    if path := config.authorization_config:
        yield from _file_faults(
            "authorization-config",
            path,
            lambda data: authz_settings.parse_settings(data.decode(), compile_expression),
        )


def _file_faults(flag: str, path: str, load: Callable[[bytes], object]) -> Iterator[str]:
    try:
        load(Path(path).read_bytes())
    except OSError as fault:
        yield f"--{flag} {path}: {(fault.strerror or str(fault)).lower()}"
    except ValueError as fault:
        yield from (f"--{flag} {path}: {why}" for why in getattr(fault, "faults", [str(fault)]))


def sni_pairs(words: tuple[str, ...]) -> list[tuple[str, str, tuple[str, ...]]]:
    """(certificate, key, names) of each `cert,key[:name,name...]`, which the flag's commas have split.

    Raises ValueError. A pair begins where the one before it has its certificate and its key; names follow a colon.
    """
    found: list[tuple[str, str, tuple[str, ...]]] = []
    pending = ""
    for word in words:
        if pending:
            key, colon, name = word.partition(":")
            found.append((pending, key, (name,) if colon else ()))
            pending = ""
        elif found and found[-1][2] and "/" not in word:
            found[-1] = (*found[-1][:2], (*found[-1][2], word))
        else:
            pending = word
    if pending:
        raise ValueError(f"expected comma separated certificate and key file paths, got {pending}")
    return found
