"""Builds the security of an API server from its configuration: who asks, what they may, what may come in.

Joins the three layers; `secure` is what an `ApiServer` takes.
Source: pkg/kubeapiserver/{authenticator,authorizer}/config.go; pkg/controlplane/apiserver.
"""

from kubepy.api import resources
from kubepy.api.resources import Resource
from kubepy.apiserver.accessing import Access
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.chain import AdmissionChain
from kubepy.apiserver.admission.metrics import AdmissionMetrics
from kubepy.apiserver.admission.plugins import Tools, build_plugins
from kubepy.apiserver.admission.pod_security.metrics import PodSecurityMetrics
from kubepy.apiserver.authn.impersonation import Impersonation
from kubepy.apiserver.authn.impersonation_modes import MODES, Mode
from kubepy.apiserver.authn.legacy_uses import LastUses
from kubepy.apiserver.authn.metrics import AuthenticationMetrics
from kubepy.apiserver.authn.reviews import review_self, review_token
from kubepy.apiserver.authn.token_request import TokenIssuer
from kubepy.apiserver.authz import bootstrap as bootstrap_policy
from kubepy.apiserver.authz import reviews
from kubepy.apiserver.authz.chain import Authorization
from kubepy.apiserver.authz.metrics import AuthorizationMetrics
from kubepy.apiserver.config.command_line import ApiServerConfig, read_admission
from kubepy.apiserver.config.features import CLAIM_STATUS, IMPERSONATION, is_enabled
from kubepy.apiserver.config.reloads import Reloads
from kubepy.apiserver.http.routing import Review
from kubepy.apiserver.identifying import Identity
from kubepy.apiserver.lookup import Lookup, Object
from kubepy.apiserver.registry.admission_kinds import EngineKinds
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.server import ApiServer, Security
from kubepy.lib.jwt_keys import Signer

AUTHN, AUTHZ = "authentication.k8s.io", "authorization.k8s.io"
_ACCOUNTS = resources.named("serviceaccounts")


def secure(server: ApiServer) -> Security:
    """Everything that the server's configuration asks for. Raises PkiError, OSError on files that are not good."""
    config, lookup = server.config, server.lookup
    writer, registry = _OwnClient(server), server.metrics.registry
    identity = Identity(
        config,
        lookup,
        server.webhooks,
        LastUses(writer),
        AuthenticationMetrics(registry),
        Reloads("authentication", registry),
    )
    access = Access(config, lookup, server.webhooks, AuthorizationMetrics(registry), Reloads("authorization", registry))
    authorization = access.authorization
    tools = Tools(
        lookup=lookup,
        authorization=authorization,
        writer=writer,
        webhooks=server.webhooks,
        kinds=EngineKinds(server.engine),
        metrics=AdmissionMetrics(registry),
        pod_security_metrics=PodSecurityMetrics(registry),
        granular_claim_status=is_enabled(config.feature_gates, CLAIM_STATUS),
        not_ready_s=config.default_not_ready_toleration_seconds,
        unreachable_s=config.default_unreachable_toleration_seconds,
        configuration=read_admission(config),
    )
    plugins = build_plugins(config.enable_admission_plugins, config.disable_admission_plugins, tools)
    admission = AdmissionChain(plugins, tools.metrics)
    return Security(
        authenticator=Impersonation(identity.authenticator, authorization, impersonation_modes(config)),
        authorizer=authorization,
        access_metrics=authorization.metrics,
        admission=admission,
        reviews=_reviews(config, lookup, identity, authorization, admission),
        documents=identity.documents(),
        background=[*identity.followers(), *access.followers(), identity.uses.run],
        reconcile=bootstrap_policy.reconcile,
    )


def impersonation_modes(config: ApiServerConfig) -> tuple[Mode, ...]:
    """All modes, or that of old alone where the feature is turned off."""
    return MODES if is_enabled(config.feature_gates, IMPERSONATION) else MODES[-1:]


class _OwnClient:
    """Writes through the server's own client, which is there only after the server is built."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server

    async def create(self, resource: Resource, obj: Object) -> Object:
        return await self._server.client.create(resource, obj)

    async def update(self, resource: Resource, obj: Object, *, subresource: str | None = None) -> Object:
        return await self._server.client.update(resource, obj, subresource=subresource)

    async def patch(self, resource: Resource, name: str, namespace: str, patch: Object) -> Object:
        return await self._server.client.patch(resource, name, patch, namespace=namespace)


def _reviews(
    config: ApiServerConfig, lookup: Lookup, identity: Identity, authorization: Authorization, admission: AdmissionChain
) -> dict[tuple[str, str, str], Review]:
    async def subject_access(ctx: Context, review: Object) -> Object:
        return await reviews.review_subject_access(authorization, review)

    async def local_access(ctx: Context, review: Object) -> Object:
        return await reviews.review_local_access(authorization, review, ctx.info.namespace)

    async def self_access(ctx: Context, review: Object) -> Object:
        return await reviews.review_self_access(authorization, ctx.user, review)

    async def self_rules(ctx: Context, review: Object) -> Object:
        return await reviews.review_self_rules(authorization, ctx.user, review)

    async def token(ctx: Context, review: Object) -> Object:
        return await review_token(identity.tokens, config.audiences, review)

    async def myself(ctx: Context, review: Object) -> Object:
        return review_self(ctx.user, review)

    found: dict[tuple[str, str, str], Review] = {
        (AUTHZ, "subjectaccessreviews", ""): subject_access,
        (AUTHZ, "localsubjectaccessreviews", ""): local_access,
        (AUTHZ, "selfsubjectaccessreviews", ""): self_access,
        (AUTHZ, "selfsubjectrulesreviews", ""): self_rules,
        (AUTHN, "tokenreviews", ""): token,
        (AUTHN, "selfsubjectreviews", ""): myself,
    }
    if identity.signer is not None:
        found["", "serviceaccounts", "token"] = _token_requests(config, lookup, identity.signer, admission)
    return found


def _token_requests(config: ApiServerConfig, lookup: Lookup, signer: Signer, admission: AdmissionChain) -> Review:
    issuer = TokenIssuer(
        signer,
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
        return await issuer.request(request, ctx, lambda: admission.validate(attributes))

    return request_token
