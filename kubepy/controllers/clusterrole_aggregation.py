"""Writes into aggregated ClusterRoles the rules of those that they select.

Source: pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go.
"""

from collections.abc import Iterable

from kubepy.api import errors, resources
from kubepy.api.meta import Object, key_of
from kubepy.api.selectors import from_label_selector
from kubepy.controllers.controller import Context, Controller

CLUSTER_ROLES = resources.named("clusterroles", "rbac.authorization.k8s.io")


class ClusterRoleAggregationController(Controller):
    """Works ClusterRoles with an aggregation rule; a change of any role may concern all of them."""

    name = "clusterrole-aggregation"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._roles = self.watch(CLUSTER_ROLES)
        self.enqueue_from(self._roles, self._aggregated)

    def _aggregated(self, _: Object) -> list[str]:
        return [key_of(role) for role in self._roles.items() if selectors_of(role)]

    async def sync(self, key: str) -> None:
        role = self._roles.get(key)
        if role is None or not selectors_of(role):
            return
        rules = plan_rules(role, self._roles.items())
        if rules == (role.get("rules") or []):
            return
        patch = {
            "apiVersion": CLUSTER_ROLES.api_version,
            "kind": CLUSTER_ROLES.kind,
            "metadata": {"name": role["metadata"]["name"]},
            "rules": rules,
        }
        try:
            await self.client.patch(
                CLUSTER_ROLES, key, patch, kind="apply", field_manager=f"{self.name}-controller", force=True
            )
        except errors.NotFound:
            return


def selectors_of(role: Object) -> list[Object]:
    """What the role selects others by; empty for one that has rules of its own."""
    found: list[Object] = (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or []
    return found


def plan_rules(role: Object, roles: Iterable[Object]) -> list[Object]:
    """The rules of the others that the role selects, each once: by selector, then by name."""
    others = sorted((one for one in roles if key_of(one) != key_of(role)), key=key_of)
    rules: list[Object] = []
    for selector in map(from_label_selector, selectors_of(role)):
        for other in others:
            if selector.matches(other["metadata"].get("labels") or {}):
                rules += [rule for rule in other.get("rules") or [] if rule not in rules]
    return rules
