"""Authorization: the modes in the order of --authorization-mode, behind the group that may do everything.

Source: pkg/kubeapiserver/authorizer/config.go; apiserver pkg/authorization/union.
"""

from collections.abc import Callable, Mapping, Sequence

from kubepy.apiserver.authn.user import PRIVILEGED_GROUP, UserInfo
from kubepy.apiserver.authz.decision import ALLOWED, NO_OPINION, Authorizer, Decision, forbidden
from kubepy.apiserver.authz.node import NodeAuthorizer
from kubepy.apiserver.authz.rbac import Rbac
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.request_info import RequestInfo

MODES = ("AlwaysAllow", "AlwaysDeny", "Node", "RBAC")


class AlwaysAllow:
    """Allows everything."""

    def authorize(self, user: UserInfo, info: RequestInfo) -> Decision:
        """Allowed."""
        return ALLOWED


class AlwaysDeny:
    """Allows nothing."""

    def authorize(self, user: UserInfo, info: RequestInfo) -> Decision:
        """Not allowed."""
        return Decision(False, "Everything is forbidden.")


class Authorization:
    """All authorizers as one; `rbac` is the one that reviews of rules and grants of permissions ask, if any.

    `resolves_rules` tells whether the rules of RBAC are all that there is to list.
    """

    def __init__(self, authorizers: Sequence[Authorizer]) -> None:
        self._authorizers = tuple(authorizers)
        self.rbac = next((one for one in authorizers if isinstance(one, Rbac)), None)
        self.resolves_rules = not any(isinstance(one, NodeAuthorizer) for one in authorizers)

    def decide(self, user: UserInfo, info: RequestInfo) -> Decision:
        """The first opinion, or a refusal with the reasons of all."""
        if PRIVILEGED_GROUP in user.groups:
            return ALLOWED
        reasons: list[str] = []
        for authorizer in self._authorizers:
            decision = authorizer.authorize(user, info)
            if decision.allowed or decision.denied:
                return decision
            if decision.reason:
                reasons.append(decision.reason)
        return Decision(False, "\n".join(reasons)) if reasons else NO_OPINION

    async def authorize(self, user: UserInfo, info: RequestInfo) -> Decision:
        """As `decide`; an authorizer that has to ask elsewhere may wait here."""
        return self.decide(user, info)

    async def require(self, user: UserInfo, info: RequestInfo) -> None:
        """Raises Forbidden, in upstream's words, unless `user` may do it."""
        decision = await self.authorize(user, info)
        if not decision.allowed:
            raise forbidden(user, info, decision.reason)


def build_authorization(modes: Sequence[str], lookup: Lookup) -> Authorization:
    """The authorizers of `modes`, in order. Raises KeyError for a mode that is none of MODES."""
    makers: Mapping[str, Callable[[], Authorizer]] = {
        "AlwaysAllow": AlwaysAllow,
        "AlwaysDeny": AlwaysDeny,
        "Node": lambda: NodeAuthorizer(lookup),
        "RBAC": lambda: Rbac(lookup),
    }
    return Authorization([makers[mode]() for mode in modes])
