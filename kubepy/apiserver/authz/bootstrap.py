"""Writes the bootstrap policy into the cluster at start, and mends what has been taken from it since.

Invariant: permissions and subjects are only ever added, and nothing is touched whose annotation
`rbac.authorization.kubernetes.io/autoupdate` is "false". A binding to another role is replaced.
Source: pkg/registry/rbac/rest/storage_rbac.go; component-helpers/auth/rbac/reconciliation.
"""

import asyncio
import contextlib
import copy
from collections.abc import Iterable
from typing import Any, Protocol

from kubepy.api import resources
from kubepy.api.errors import AlreadyExists
from kubepy.api.resources import Resource
from kubepy.apiserver.authz import bootstrap_roles as policy
from kubepy.apiserver.authz.controller_roles import CONTROLLER_ROLES
from kubepy.apiserver.authz.policy_text import parse_rules, parse_subjects
from kubepy.apiserver.authz.rbac import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from kubepy.apiserver.authz.rbac_index import GROUP, rules_by_name
from kubepy.apiserver.authz.rules import uncovered
from kubepy.apiserver.lookup import Object
from kubepy.lib import log

AUTO_UPDATE = "rbac.authorization.kubernetes.io/autoupdate"
LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_AGGREGATE_TO = "rbac.authorization.k8s.io/aggregate-to-"
_NAMESPACES = resources.named("namespaces")
_log = log.get(__name__)


class Writer(Protocol):
    """The part of the client that the reconciler uses."""

    async def list(self, resource: Resource, namespace: str | None = None) -> Object:
        """The List of objects."""

    async def create(self, resource: Resource, obj: Object, namespace: str | None = None) -> Object:
        """Makes the object. Raises AlreadyExists."""

    async def update(self, resource: Resource, obj: Object) -> Object:
        """Replaces the object."""

    async def delete(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        """Removes the object."""


async def reconcile(client: Writer) -> None:
    """Makes sure that every role and binding of the bootstrap policy is there and complete."""
    for resource, wanted in ((CLUSTER_ROLES, cluster_roles()), (CLUSTER_ROLE_BINDINGS, cluster_role_bindings())):
        await _reconcile(client, resource, wanted)
    for namespace in sorted({namespace for namespace, _ in policy.ROLES}):
        await _create(client, _NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    await _reconcile(client, ROLES, roles())
    await _reconcile(client, ROLE_BINDINGS, role_bindings())


async def _reconcile(client: Writer, resource: Resource, wanted: Iterable[Object]) -> None:
    found = {_key(obj): obj for obj in (await client.list(resource))["items"]}
    wanted = list(wanted)
    await asyncio.gather(*(_create(client, resource, obj) for obj in wanted if _key(obj) not in found))
    for obj in wanted:
        if _key(obj) not in found:
            continue
        existing = {"apiVersion": resource.api_version, "kind": resource.kind, **found[_key(obj)]}
        mended = plan_role(existing, obj) if "rules" in obj else plan_binding(existing, obj)
        if mended is None:
            continue
        _log.info("bootstrap policy mended", kind=resource.kind, name=obj["metadata"]["name"])
        if mended.get("roleRef") != existing.get("roleRef"):
            await client.delete(resource, obj["metadata"]["name"], obj["metadata"].get("namespace"))
            await _create(client, resource, mended)
        else:
            await client.update(resource, mended)


async def _create(client: Writer, resource: Resource, obj: Object) -> None:
    with contextlib.suppress(AlreadyExists):  # Another API server may start at the same time.
        await client.create(resource, obj, obj["metadata"].get("namespace"))


def plan_role(existing: Object, wanted: Object) -> Object | None:
    """`existing` with what it lacks of `wanted`, or None if it lacks nothing or is not to be touched."""
    if _is_protected(existing):
        return None
    mended = _with_metadata(existing, wanted)
    if "aggregationRule" in wanted:
        mended.setdefault("aggregationRule", wanted["aggregationRule"])
    elif missing := uncovered(existing.get("rules") or [], wanted["rules"]):
        lacking = [rule for rule in wanted["rules"] if any(part in missing for part in _parts(rule))]
        mended["rules"] = [*(existing.get("rules") or []), *lacking]
    return None if mended == existing else mended


def plan_binding(existing: Object, wanted: Object) -> Object | None:
    """As plan_role, for bindings; one that refers to another role comes back as new."""
    if _is_protected(existing):
        return None
    if existing.get("roleRef") != wanted["roleRef"]:
        return wanted
    mended = _with_metadata(existing, wanted)
    subjects = existing.get("subjects") or []
    if lacking := [subject for subject in wanted.get("subjects") or [] if subject not in subjects]:
        mended["subjects"] = [*subjects, *lacking]
    return None if mended == existing else mended


def cluster_roles() -> list[Object]:
    """Every ClusterRole of the policy; aggregated ones with the rules that their aggregation gives."""
    texts = policy.CLUSTER_ROLES | {f"system:controller:{name}": text for name, text in CONTROLLER_ROLES.items()}
    found = [_role("ClusterRole", name, parse_rules(text)) for name, text in texts.items()]
    for name in policy.AGGREGATED:
        selector = {"matchLabels": {f"{_AGGREGATE_TO}{name}": "true"}}
        found.append({**_role("ClusterRole", name, []), "aggregationRule": {"clusterRoleSelectors": [selector]}})
    for role in found:
        if target := policy.AGGREGATE_TO.get(role["metadata"]["name"]):
            role["metadata"]["labels"][f"{_AGGREGATE_TO}{target}"] = "true"
    rules = rules_by_name(found)
    return [{**role, "rules": rules[role["metadata"]["name"]]} for role in found]


def cluster_role_bindings() -> list[Object]:
    """Every ClusterRoleBinding of the policy."""
    texts = {**policy.CLUSTER_ROLE_BINDINGS}
    texts |= {f"system:controller:{name}": f"ServiceAccount kube-system/{name}" for name in CONTROLLER_ROLES}
    return [_binding("ClusterRoleBinding", name, "ClusterRole", name, text) for name, text in texts.items()]


def roles() -> list[Object]:
    """Every Role of the policy."""
    return [_role("Role", name, parse_rules(text), namespace) for (namespace, name), text in policy.ROLES.items()]


def role_bindings() -> list[Object]:
    """Every RoleBinding of the policy."""
    return [
        _binding("RoleBinding", name, "Role", role, subjects, namespace)
        for (namespace, name), (role, subjects) in policy.ROLE_BINDINGS.items()
    ]


def _role(kind: str, name: str, rules: list[dict[str, Any]], namespace: str = "") -> Object:
    return {**_head(kind, name, namespace), "rules": rules}


def _binding(kind: str, name: str, role_kind: str, role: str, subjects: str, namespace: str = "") -> Object:
    binding = {**_head(kind, name, namespace), "roleRef": {"apiGroup": GROUP, "kind": role_kind, "name": role}}
    return {**binding, "subjects": parsed} if (parsed := parse_subjects(subjects)) else binding


def _head(kind: str, name: str, namespace: str) -> Object:
    metadata: Object = {"name": name, "labels": dict(LABELS), "annotations": {AUTO_UPDATE: "true"}}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata}


def _key(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _is_protected(existing: Object) -> bool:
    return (existing["metadata"].get("annotations") or {}).get(AUTO_UPDATE) == "false"


def _with_metadata(existing: Object, wanted: Object) -> Object:
    mended = copy.deepcopy(existing)
    for part in ("labels", "annotations"):
        present = existing["metadata"].get(part) or {}
        mended["metadata"][part] = {**wanted["metadata"][part], **present}
    return mended


def _parts(rule: dict[str, Any]) -> list[dict[str, Any]]:
    return uncovered([], [rule])
