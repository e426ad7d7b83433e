"""The RBAC authorizer: an index over the live roles and bindings, rebuilt when one of them has changed.

Source: plugin/pkg/auth/authorizer/rbac/rbac.go.
"""

from kubepy.api import resources
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.decision import NO_OPINION, Decision
from kubepy.apiserver.authz.rbac_index import GROUP, RbacIndex
from kubepy.apiserver.authz.rules import Resolved, joined
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.lookup import Lookup

CLUSTER_ROLES = resources.named("clusterroles", GROUP)
CLUSTER_ROLE_BINDINGS = resources.named("clusterrolebindings", GROUP)
ROLES = resources.named("roles", GROUP)
ROLE_BINDINGS = resources.named("rolebindings", GROUP)
SOURCES = (CLUSTER_ROLES, ROLES, CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS)


class Rbac:
    """Allows what some binding grants; has no opinion on the rest."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._versions: tuple[int, ...] | None = None
        self._index = RbacIndex((), (), (), ())

    @property
    def index(self) -> RbacIndex:
        """The index of the present roles and bindings."""
        version = self._lookup.version
        versions = (version(CLUSTER_ROLES), version(ROLES), version(CLUSTER_ROLE_BINDINGS), version(ROLE_BINDINGS))
        if versions != self._versions:
            self._index = RbacIndex(*(self._lookup.list(resource) for resource in SOURCES))
            self._versions = versions
        return self._index

    def authorize(self, user: UserInfo, info: RequestInfo) -> Decision:
        """Whether a binding allows it; the reason names the binding, or the roles that are missing."""
        index = self.index
        why = index.explain(user, info)
        if why is not None:
            return Decision(True, why)
        faults = index.faults_for(user, info.namespace)
        return Decision(False, f"RBAC: {joined(faults)}") if faults else NO_OPINION

    def rules_for(self, user: UserInfo, namespace: str) -> Resolved:
        """The rules that bindings grant."""
        index = self.index
        faults = index.faults_for(user, namespace)
        return Resolved(index.rules_for(user, namespace), (joined(faults),) if faults else ())
