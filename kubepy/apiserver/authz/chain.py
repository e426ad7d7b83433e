"""Authorization: the modes in the order of --authorization-mode, behind the group that may do everything.

Source: pkg/kubeapiserver/authorizer/config.go; apiserver pkg/authorization/union.
"""

from collections.abc import Callable, Mapping, Sequence

from kubepy.apiserver.authn.user import PRIVILEGED_GROUP, UserInfo
from kubepy.apiserver.authz.abac import Abac, Policy
from kubepy.apiserver.authz.decision import ALLOWED, NO_OPINION, Authorizer, Decision, forbidden
from kubepy.apiserver.authz.metrics import ALLOW, DENY, AuthorizationMetrics
from kubepy.apiserver.authz.node import NodeAuthorizer
from kubepy.apiserver.authz.rbac import Rbac
from kubepy.apiserver.authz.rules import EVERYTHING, Resolved
from kubepy.apiserver.authz.settings import ABAC, WEBHOOK, AuthorizerSettings
from kubepy.apiserver.authz.webhook import WebhookAuthorizer, WebhookSettings
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.webhooks.client import Webhooks


class AlwaysAllow:
    """Allows everything."""

    def authorize(self, user: UserInfo, info: RequestInfo) -> Decision:
        """Allowed."""
        return ALLOWED

    def rules_for(self, user: UserInfo, namespace: str) -> Resolved:
        """Everything."""
        return Resolved(EVERYTHING)


class AlwaysDeny:
    """Allows nothing."""

    def authorize(self, user: UserInfo, info: RequestInfo) -> Decision:
        """Not allowed."""
        return Decision(False, "Everything is forbidden.")

    def rules_for(self, user: UserInfo, namespace: str) -> Resolved:
        """Nothing."""
        return Resolved()


class Authorization:
    """All authorizers as one; `rbac` is the one that grants of permissions ask, if any."""

    def __init__(
        self,
        authorizers: Sequence[Authorizer | WebhookAuthorizer],
        metrics: AuthorizationMetrics | None = None,
        names: Sequence[str] = (),
    ) -> None:
        self.metrics = metrics or AuthorizationMetrics()
        self.rbac = next((one for one in authorizers if isinstance(one, Rbac)), None)
        self.set_authorizers(authorizers, names)

    def set_authorizers(self, authorizers: Sequence[Authorizer | WebhookAuthorizer], names: Sequence[str] = ()) -> None:
        """Asks these from now on, which metrics call by these names; `rbac` stays the one of the start."""
        labels = [label_of(one) for one in authorizers]
        if names:
            labels = [(mode, name or own) for (mode, own), name in zip(labels, names, strict=True)]
        self._all = tuple(zip(authorizers, labels, strict=True))
        local = tuple(
            (one, (*label, ALLOW), (*label, DENY)) for one, label in self._all if not isinstance(one, WebhookAuthorizer)
        )
        self._local = local if len(local) == len(self._all) else None

    def rules_for(self, user: UserInfo, namespace: str) -> Resolved:
        """What `user` may in `namespace`, as far as the authorizers can list it."""
        found = [authorizer.rules_for(user, namespace) for authorizer, _ in self._all]
        return Resolved(
            [rule for one in found for rule in one.rules],
            tuple(fault for one in found for fault in one.faults),
            incomplete=any(one.incomplete for one in found),
        )

    def decide(self, user: UserInfo, info: RequestInfo) -> Decision:
        """The first opinion of those that need not wait, or a refusal with the reasons of all."""
        if PRIVILEGED_GROUP in user.groups:
            return ALLOWED
        reasons: list[str] = []
        for authorizer, allowed, denied in self._local or ():
            decision = authorizer.authorize(user, info)
            if decision.allowed or decision.denied:
                self.metrics.decisions[allowed if decision.allowed else denied] += 1
                return decision
            if decision.reason:
                reasons.append(decision.reason)
        return Decision(False, "\n".join(reasons)) if reasons else NO_OPINION

    async def authorize(self, user: UserInfo, info: RequestInfo) -> Decision:
        """As `decide`, of all authorizers: a webhook is waited for."""
        if self._local is not None or PRIVILEGED_GROUP in user.groups:
            return self.decide(user, info)
        reasons: list[str] = []
        for authorizer, label in self._all:
            if isinstance(authorizer, WebhookAuthorizer):
                decision = await authorizer.ask(user, info)
            else:
                decision = authorizer.authorize(user, info)
            if decision.allowed or decision.denied:
                self.metrics.decisions[*label, ALLOW if decision.allowed else DENY] += 1
                return decision
            if decision.reason:
                reasons.append(decision.reason)
        return Decision(False, "\n".join(reasons)) if reasons else NO_OPINION

    async def require(self, user: UserInfo, info: RequestInfo) -> None:
        """Raises Forbidden, in upstream's words, unless `user` may do it."""
        decision = await self.authorize(user, info)
        if not decision.allowed:
            raise forbidden(user, info, decision.reason)


def label_of(authorizer: Authorizer | WebhookAuthorizer) -> tuple[str, str]:
    """Type and name of an authorizer, as metrics tell them."""
    if isinstance(authorizer, WebhookAuthorizer):
        return WEBHOOK, authorizer.settings.name
    kinds: tuple[tuple[type, str], ...] = ((Rbac, "RBAC"), (NodeAuthorizer, "Node"), (Abac, ABAC))
    mode = next((mode for kind, mode in kinds if isinstance(authorizer, kind)), type(authorizer).__name__)
    return mode, mode.lower()


class Authorizers:
    """Makes authorizers of settings; Node and RBAC are made once and stay, whatever comes around them."""

    def __init__(
        self, lookup: Lookup, webhooks: Webhooks, policies: Sequence[Policy], metrics: AuthorizationMetrics
    ) -> None:
        self._lookup, self._webhooks, self._policies, self._metrics = lookup, webhooks, policies, metrics
        self._kept: dict[str, Authorizer] = {}
        self._asked: dict[WebhookSettings, WebhookAuthorizer] = {}

    def make(self, settings: Sequence[AuthorizerSettings]) -> list[Authorizer | WebhookAuthorizer]:
        """In their order. What a webhook said before is remembered as long as its settings stay."""
        self._asked = {
            one.webhook: self._asked.get(one.webhook) or WebhookAuthorizer(one.webhook, self._webhooks, self._metrics)
            for one in settings
            if one.webhook is not None
        }
        return [self._asked[one.webhook] if one.webhook is not None else self._local(one.mode) for one in settings]

    def _local(self, mode: str) -> Authorizer:
        if mode not in self._kept:
            found = Abac(self._policies) if mode == ABAC else local_authorizer(mode, self._lookup)
            self._kept[mode] = found
        return self._kept[mode]


def local_authorizer(mode: str, lookup: Lookup) -> Authorizer:
    """Raises KeyError for a mode that is none of MODES, or needs more than objects."""
    makers: Mapping[str, Callable[[], Authorizer]] = {
        "AlwaysAllow": AlwaysAllow,
        "AlwaysDeny": AlwaysDeny,
        "Node": lambda: NodeAuthorizer(lookup),
        "RBAC": lambda: Rbac(lookup),
    }
    return makers[mode]()


def build_authorization(modes: Sequence[str], lookup: Lookup) -> Authorization:
    """The authorizers of `modes`, in order, none of them a webhook. Raises KeyError."""
    return Authorization([local_authorizer(mode, lookup) for mode in modes])
