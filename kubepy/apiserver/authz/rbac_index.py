"""Roles and bindings compiled into one table per subject, so that a check is a handful of dictionary reads.

A ClusterRole with an aggregation rule has the rules of those that it selects, here and now, whether or not a
controller has written them down yet. Pure: built from lists of objects, thrown away when one of them changes.
Source: pkg/registry/rbac/validation/rule.go; plugin/pkg/auth/authorizer/rbac.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kubepy.apiserver.authn.user import SERVICE_ACCOUNT_PREFIX, UserInfo
from kubepy.apiserver.authz.rules import ALL, Rule, quote, url_matches
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.lookup import Object

GROUP = "rbac.authorization.k8s.io"
Grant = tuple[frozenset[str], frozenset[str], str]
"""(verbs, resource names or empty for all, the sentence that says by which binding)."""


class Table:
    """What one subject may do in one namespace, or everywhere."""

    __slots__ = ("missing", "resources", "rules", "urls")

    def __init__(self) -> None:
        self.resources: dict[tuple[str, str], list[Grant]] = {}
        self.urls: list[tuple[str, frozenset[str], str]] = []
        self.rules: list[Rule] = []
        self.missing: list[str] = []

    def add(self, rules: Sequence[Rule], origin: str) -> None:
        """Grants `rules`; `origin` is the sentence that explains them."""
        self.rules += rules
        for rule in rules:
            verbs = frozenset(rule.get("verbs") or ())
            names = frozenset(rule.get("resourceNames") or ())
            for group in rule.get("apiGroups") or ():
                for resource in rule.get("resources") or ():
                    self.resources.setdefault((group, resource), []).append((verbs, names, origin))
            self.urls += [(pattern, verbs, origin) for pattern in rule.get("nonResourceURLs") or ()]


class RbacIndex:
    """Who may do what, as the roles and bindings that it was built from say."""

    def __init__(
        self,
        cluster_roles: Iterable[Object],
        roles: Iterable[Object],
        cluster_role_bindings: Iterable[Object],
        role_bindings: Iterable[Object],
    ) -> None:
        self._cluster_roles = rules_by_name(cluster_roles)
        self._roles = {
            (role["metadata"]["namespace"], role["metadata"]["name"]): role.get("rules") or [] for role in roles
        }
        self._tables: dict[tuple[str, str], Table] = {}
        for binding in cluster_role_bindings:
            self._add(binding, "")
        for binding in role_bindings:
            self._add(binding, binding["metadata"]["namespace"])

    def explain(self, user: UserInfo, info: RequestInfo) -> str | None:
        """The sentence that says by what binding `user` is allowed it, or None."""
        tables = self.tables(user, info.namespace)
        if not info.is_resource:
            return next((why for table in tables if (why := _url_grant(table, info))), None)
        keys = _resource_keys(info)
        verb, name = info.verb, info.name
        for table in tables:
            resources = table.resources
            for key in keys:
                grants = resources.get(key)
                if grants is None:
                    continue
                for verbs, names, origin in grants:
                    if (verb in verbs or ALL in verbs) and (not names or name in names):
                        return origin
        return None

    def tables(self, user: UserInfo, namespace: str) -> list[Table]:
        """What holds for `user` everywhere and, if given, in `namespace`."""
        tables = self._tables
        subjects = (f"u:{user.name}", *[f"g:{group}" for group in user.groups])
        found = [table for subject in subjects if (table := tables.get((subject, "")))]
        if namespace:
            found += [table for subject in subjects if (table := tables.get((subject, namespace)))]
        return found

    def rules_for(self, user: UserInfo, namespace: str) -> list[Rule]:
        """Every rule that `user` has everywhere and in `namespace`."""
        return [rule for table in self.tables(user, namespace) for rule in table.rules]

    def faults_for(self, user: UserInfo, namespace: str) -> list[str]:
        """The roles that bindings of `user` name and that are not there."""
        return [fault for table in self.tables(user, namespace) for fault in table.missing]

    def rules_of(self, role_ref: Mapping[str, Any], namespace: str) -> list[Rule] | None:
        """The rules of the role that a binding in `namespace` refers to, or None if there is no such role."""
        if role_ref.get("kind") == "ClusterRole":
            return self._cluster_roles.get(role_ref.get("name", ""))
        return self._roles.get((namespace, role_ref.get("name", "")))

    def _add(self, binding: Object, namespace: str) -> None:
        role_ref = binding["roleRef"]
        rules = self.rules_of(role_ref, namespace)
        name = binding["metadata"]["name"]
        shown = f"RoleBinding {quote(f'{name}/{namespace}')}" if namespace else f"ClusterRoleBinding {quote(name)}"
        role = f"{role_ref.get('kind')} {quote(role_ref.get('name', ''))}"
        for subject, text in subjects_of(binding, namespace):
            table = self._tables.setdefault((subject, namespace), Table())
            if rules is None:
                kind = str(role_ref.get("kind", "")).lower()
                table.missing.append(f"{kind}.{GROUP} {quote(role_ref.get('name', ''))} not found")
            else:
                table.add(rules, f"RBAC: allowed by {shown} of {role} to {text}")


def subjects_of(binding: Object, namespace: str) -> Iterator[tuple[str, str]]:
    """(key, text) of each subject; a service account is the user that it authenticates as."""
    for subject in binding.get("subjects") or ():
        kind, name = subject.get("kind"), subject.get("name", "")
        if kind == "User":
            yield f"u:{name}", f"User {quote(name)}"
        elif kind == "Group":
            yield f"g:{name}", f"Group {quote(name)}"
        elif kind == "ServiceAccount" and (where := subject.get("namespace") or namespace):
            yield f"u:{SERVICE_ACCOUNT_PREFIX}{where}:{name}", f"ServiceAccount {quote(f'{name}/{where}')}"


def rules_by_name(cluster_roles: Iterable[Object]) -> dict[str, list[Rule]]:
    """The rules of each ClusterRole, aggregated ones filled from what they select."""
    roles = {role["metadata"]["name"]: role for role in cluster_roles}
    return {name: effective_rules(role, roles, frozenset()) for name, role in roles.items()}


def effective_rules(role: Object, roles: Mapping[str, Object], seen: frozenset[str]) -> list[Rule]:
    """A role's own rules, or those of the roles that its aggregation rule selects (by name, each rule once)."""
    own: list[Rule] = role.get("rules") or []
    name = role["metadata"]["name"]
    selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or []
    if not selectors or name in seen:
        return own
    found: list[Rule] = []
    for other in sorted(roles):
        if other != name and any(selects(selector, roles[other]) for selector in selectors):
            rules = effective_rules(roles[other], roles, seen | {name})
            found += [rule for rule in rules if rule not in found]
    return found


def selects(selector: Mapping[str, Any], role: Object) -> bool:
    """Whether a label selector means the role."""
    labels = role["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(term, labels) for term in selector.get("matchExpressions") or ())


def _holds(term: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator, values = term.get("key", ""), term.get("operator"), term.get("values") or ()
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    return (key in labels and labels[key] in values) if operator == "In" else labels.get(key) not in values


def _resource_keys(info: RequestInfo) -> tuple[tuple[str, str], ...]:
    group, resource = info.group, info.resource
    if not info.subresource:
        return ((group, resource), (group, ALL), (ALL, resource), (ALL, ALL))
    full, any_parent = f"{resource}/{info.subresource}", f"*/{info.subresource}"
    return ((group, full), (group, ALL), (ALL, full), (ALL, ALL), (group, any_parent), (ALL, any_parent))


def _url_grant(table: Table, info: RequestInfo) -> str | None:
    for pattern, verbs, origin in table.urls:
        if (info.verb in verbs or ALL in verbs) and url_matches(pattern, info.path):
            return origin
    return None
