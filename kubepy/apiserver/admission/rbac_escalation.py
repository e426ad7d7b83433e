"""Nobody grants what he does not have: roles and bindings are checked against the rules of who writes them.

Always on with RBAC. The verb `escalate` on a role, or `bind` on the role that a binding refers to, lifts it. Any
change counts, not only one of rules: a label may bring a role into an aggregated one.
Source: pkg/registry/rbac/{role,clusterrole,rolebinding,clusterrolebinding}/policybased; validation/rule.go.
"""

from collections.abc import Sequence

from kubepy.api.errors import object_not_found
from kubepy.apiserver.admission.attributes import Attributes, forbid
from kubepy.apiserver.admission.plugin import Plugin
from kubepy.apiserver.authn.user import PRIVILEGED_GROUP, UserInfo
from kubepy.apiserver.authz.chain import Authorization
from kubepy.apiserver.authz.rbac_index import GROUP, RbacIndex
from kubepy.apiserver.authz.rules import EVERYTHING, Rule, joined, quote, render_rule, uncovered
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.lookup import Object

_ROLES = ("clusterroles", "roles")
_COLLECTORS = frozenset(("ownerReferences", "finalizers", "managedFields", "resourceVersion", "generation"))


class RbacEscalation(Plugin):
    """See the module's docstring."""

    name = "RBACEscalation"
    targets = frozenset((GROUP, plural) for plural in (*_ROLES, "clusterrolebindings", "rolebindings"))

    def __init__(self, authorization: Authorization) -> None:
        self._authorization = authorization

    async def validate(self, attributes: Attributes) -> None:
        """Raises Forbidden, or NotFound where the role that a binding refers to is missing."""
        if PRIVILEGED_GROUP in attributes.user.groups or self._authorization.rbac is None:
            return
        index = self._authorization.rbac.index
        if attributes.resource.plural in _ROLES:
            await self._check_role(attributes, index)
        else:
            await self._check_binding(attributes, index)

    async def _check_role(self, attributes: Attributes, index: RbacIndex) -> None:
        new, old = attributes.new, attributes.old_object
        if await self._may(attributes, "escalate", attributes.resource.plural, attributes.name):
            return
        if old is not None and is_for_collector(new, old):
            return
        self._check_held(attributes, index, new.get("rules") or [])
        aggregates = any((one.get("aggregationRule") or {}).get("clusterRoleSelectors") for one in (new, old or {}))
        if aggregates and uncovered(index.rules_for(attributes.user, ""), EVERYTHING):
            raise forbid(attributes, "must have cluster-admin privileges to use the aggregationRule")

    async def _check_binding(self, attributes: Attributes, index: RbacIndex) -> None:
        new, old = attributes.new, attributes.old_object
        if old is not None and is_for_collector(new, old):
            return
        ref = new["roleRef"]
        plural = "clusterroles" if ref.get("kind") == "ClusterRole" else "roles"
        if await self._may(attributes, "bind", plural, ref.get("name", "")):
            return
        rules = index.rules_of(ref, attributes.namespace)
        if rules is None:
            raise object_not_found(GROUP, plural, ref.get("name", ""))
        self._check_held(attributes, index, rules)

    @staticmethod
    def _check_held(attributes: Attributes, index: RbacIndex, rules: Sequence[Rule]) -> None:
        user, namespace = attributes.user, attributes.namespace
        if missing := uncovered(index.rules_for(user, namespace), rules):
            faults = index.faults_for(user, namespace)
            unresolved = f"; resolution errors: [{joined(faults)}]" if faults else ""
            raise forbid(attributes, describe_missing(user, missing) + unresolved)

    async def _may(self, attributes: Attributes, verb: str, plural: str, name: str) -> bool:
        info = RequestInfo(verb, "", True, GROUP, "v1", plural, "", attributes.namespace, name)
        return (await self._authorization.authorize(attributes.user, info)).allowed


def is_for_collector(new: Object, old: Object) -> bool:
    """Whether a write changes nothing but what garbage collection lives by: owners and finalizers."""

    def rest(obj: Object) -> Object:
        meta = {key: value for key, value in obj["metadata"].items() if key not in _COLLECTORS}
        return {**obj, "metadata": meta}

    return rest(new) == rest(old)


def describe_missing(user: UserInfo, missing: list[Rule]) -> str:
    """The sentence of upstream that lists what may not be granted; verbs of one thing share a line."""
    merged: dict[str, Rule] = {}
    for part in missing:
        key = render_rule({**part, "verbs": []})
        merged.setdefault(key, {**part, "verbs": []})["verbs"] += part["verbs"]
    groups = " ".join(quote(group) for group in user.groups)
    lines = "\n".join(sorted(render_rule(rule) for rule in merged.values()))
    who = f"user {quote(user.name)} (groups=[{groups}])"
    return f"{who} is attempting to grant RBAC permissions not currently held:\n{lines}"
