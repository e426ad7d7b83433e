"""Builds the security of an API server from its configuration: who asks, what they may, what may come in.

The only place that reads key files and joins the three layers; `secure` is what an `ApiServer` takes.
Source: pkg/kubeapiserver/{authenticator,authorizer}/config.go; pkg/controlplane/apiserver.
"""

from collections.abc import Sequence
from pathlib import Path

import orjson
from cryptography import x509

from kubepy.api import resources
from kubepy.api.resources import Resource
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.chain import AdmissionChain
from kubepy.apiserver.admission.plugins import Tools, build_plugins
from kubepy.apiserver.authn import reviews as identity
from kubepy.apiserver.authn.base import TokenAuthenticator
from kubepy.apiserver.authn.bootstrap_token import BootstrapTokens
from kubepy.apiserver.authn.chain import Authenticator, Tokens
from kubepy.apiserver.authn.client_certificate import ClientCertificates
from kubepy.apiserver.authn.impersonation import Impersonation
from kubepy.apiserver.authn.request_header import HeaderNames, RequestHeader
from kubepy.apiserver.authn.service_account import ServiceAccountTokens
from kubepy.apiserver.authn.signing import Signer, Verifier, discovery_document, jwks_document
from kubepy.apiserver.authn.token_file import TokenFile, parse_token_file
from kubepy.apiserver.authn.token_request import TokenIssuer
from kubepy.apiserver.authz import bootstrap as bootstrap_policy
from kubepy.apiserver.authz import reviews as access
from kubepy.apiserver.authz.chain import Authorization, build_authorization
from kubepy.apiserver.config import ApiServerConfig
from kubepy.apiserver.lookup import Lookup, Object
from kubepy.apiserver.registry.admission_kinds import EngineKinds
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.routing import Review
from kubepy.apiserver.server import ApiServer, Security
from kubepy.lib import pki

AUTHN, AUTHZ = "authentication.k8s.io", "authorization.k8s.io"
_ACCOUNTS = resources.named("serviceaccounts")


def secure(server: ApiServer) -> Security:
    """Everything that the server's configuration asks for. Raises PkiError, OSError on files that are not good."""
    config, lookup = server.config, server.lookup
    verifier = Verifier([key for path in config.service_account_key_file for key in _public_keys(path)])
    tokens = Tokens(_token_authenticators(config, verifier, lookup))
    authorization = build_authorization(config.authorization_mode, lookup)
    tools = Tools(
        lookup=lookup,
        authorization=authorization,
        quota_writer=_QuotaClient(server),
        webhooks=server.webhooks,
        kinds=EngineKinds(server.engine),
        not_ready_s=config.default_not_ready_toleration_seconds,
        unreachable_s=config.default_unreachable_toleration_seconds,
        allow_privileged=config.allow_privileged,
    )
    admission = AdmissionChain(build_plugins(config.enable_admission_plugins, config.disable_admission_plugins, tools))
    return Security(
        authenticator=Impersonation(_authenticator(config, tokens), authorization),
        authorizer=authorization,
        admission=admission,
        reviews=_reviews(config, lookup, tokens, authorization, admission),
        documents=_documents(config, verifier),
        reconcile=bootstrap_policy.reconcile if authorization.rbac is not None else None,
    )


class _QuotaClient:
    """Writes quotas through the server's own client, which is there only after the server is built."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server

    async def update(self, resource: Resource, obj: Object, *, subresource: str | None = None) -> Object:
        return await self._server.client.update(resource, obj, subresource=subresource)


def _authenticator(config: ApiServerConfig, tokens: Tokens) -> Authenticator:
    header: RequestHeader | None = None
    if config.requestheader_client_ca_file:
        header = RequestHeader(
            _certificates(config.requestheader_client_ca_file),
            config.requestheader_allowed_names,
            HeaderNames(
                username=config.requestheader_username_headers,
                uid=config.requestheader_uid_headers,
                group=config.requestheader_group_headers,
                extra_prefix=config.requestheader_extra_headers_prefix,
            ),
        )
    authorities = _certificates(config.client_ca_file) if config.client_ca_file else []
    return Authenticator(
        certificates=ClientCertificates(authorities) if authorities else None,
        request_header=header,
        tokens=tokens,
        api_audiences=config.audiences,
        anonymous=config.anonymous_auth,
    )


def _token_authenticators(config: ApiServerConfig, verifier: Verifier, lookup: Lookup) -> list[TokenAuthenticator]:
    found: list[TokenAuthenticator] = []
    if config.token_auth_file:
        found.append(TokenFile(parse_token_file(Path(config.token_auth_file).read_text())))
    if verifier.keys:
        found.append(ServiceAccountTokens(verifier, config.service_account_issuer, config.audiences, lookup))
    if config.enable_bootstrap_token_auth:
        found.append(BootstrapTokens(lookup))
    return found


def _reviews(
    config: ApiServerConfig, lookup: Lookup, tokens: Tokens, authorization: Authorization, admission: AdmissionChain
) -> dict[tuple[str, str, str], Review]:
    async def subject_access(ctx: Context, review: Object) -> Object:
        return await access.review_subject_access(authorization, review)

    async def local_access(ctx: Context, review: Object) -> Object:
        return await access.review_local_access(authorization, review, ctx.info.namespace)

    async def self_access(ctx: Context, review: Object) -> Object:
        return await access.review_self_access(authorization, ctx.user, review)

    async def self_rules(ctx: Context, review: Object) -> Object:
        return await access.review_self_rules(authorization, ctx.user, review)

    async def token(ctx: Context, review: Object) -> Object:
        return identity.review_token(tokens, config.audiences, review)

    async def myself(ctx: Context, review: Object) -> Object:
        return identity.review_self(ctx.user, review)

    found: dict[tuple[str, str, str], Review] = {
        (AUTHZ, "subjectaccessreviews", ""): subject_access,
        (AUTHZ, "localsubjectaccessreviews", ""): local_access,
        (AUTHZ, "selfsubjectaccessreviews", ""): self_access,
        (AUTHZ, "selfsubjectrulesreviews", ""): self_rules,
        (AUTHN, "tokenreviews", ""): token,
        (AUTHN, "selfsubjectreviews", ""): myself,
    }
    if config.service_account_signing_key_file:
        found["", "serviceaccounts", "token"] = _token_requests(config, lookup, admission)
    return found


def _token_requests(config: ApiServerConfig, lookup: Lookup, admission: AdmissionChain) -> Review:
    key = pki.load_key(Path(config.service_account_signing_key_file).read_bytes())
    issuer = TokenIssuer(
        Signer(key),
        config.issuer,
        config.audiences,
        lookup,
        longest_s=int(config.service_account_max_token_expiration_s),
        extends=config.service_account_extend_token_expiration,
    )

    async def request_token(ctx: Context, request: Object) -> Object:
        info = ctx.info
        attributes = Attributes(
            "CREATE", _ACCOUNTS, "token", info.namespace, info.name, request, None, ctx.user, ctx.dry_run, ctx.warnings,
            ctx.params, scratch=ctx.request.context,
        )  # fmt: skip
        await admission.admit(attributes)
        await admission.validate(attributes)
        return await issuer.request(request, info.namespace, info.name, ctx.now)

    return request_token


def _documents(config: ApiServerConfig, verifier: Verifier) -> dict[str, bytes]:
    if not config.issuer.startswith("https://") or not verifier.keys:
        return {}
    address = config.external_hostname or config.advertise_address or "kubernetes.default.svc"
    uri = config.service_account_jwks_uri or f"https://{address}:{config.secure_port}/openid/v1/jwks"
    return {
        "/.well-known/openid-configuration": orjson.dumps(discovery_document(config.issuer, uri, verifier.keys)),
        "/openid/v1/jwks": orjson.dumps(jwks_document(verifier.keys)),
    }


def _public_keys(path: str) -> list[pki.PublicKey]:
    return pki.load_public_keys(Path(path).read_bytes())


def _certificates(path: str) -> Sequence[x509.Certificate]:
    return pki.load_certificates(Path(path).read_bytes())
