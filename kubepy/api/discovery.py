"""What the API tells of itself: /api, /apis, groups, resource lists, and the aggregated discovery documents.

Pure rendering from Resources (built-in or custom). Groups come in upstream's order of priority, the versions of a group
with the preferred one (the first row's) first, resources by name.

Source: apiserver pkg/endpoints/discovery; kube-aggregator's apiVersionPriorities; KEP-3352 for the aggregated form.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

from kubepy.api.resources import Resource, Subresource

Document = dict[str, Any]

AGGREGATED: Final = "APIGroupDiscoveryList"

_STORED_BY_UPSTREAM: Final = {
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "v1beta1",
    ("certificates.k8s.io", "ClusterTrustBundle"): "v1beta1",
    ("certificates.k8s.io", "PodCertificateRequest"): "v1beta1",
    ("resource.k8s.io", "DeviceTaintRule"): "v1beta2",
    ("storagemigration.k8s.io", "StorageVersionMigration"): "v1beta1",
}
"""Kinds that upstream does not store at their only served version, so that the release before can read them."""
_PRIORITY: Final = (
    "", "apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io", "authorization.k8s.io",
    "autoscaling", "batch", "certificates.k8s.io", "networking.k8s.io", "policy", "rbac.authorization.k8s.io",
    "storage.k8s.io", "admissionregistration.k8s.io", "apiextensions.k8s.io", "scheduling.k8s.io",
    "coordination.k8s.io", "node.k8s.io", "discovery.k8s.io", "resource.k8s.io", "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io", "storagemigration.k8s.io",
)  # fmt: skip
_RANK: Final = {group: rank for rank, group in enumerate(_PRIORITY)}


def group_names(resources: Iterable[Resource]) -> list[str]:
    """The groups served, the core one ("") first if it is among them; custom ones last, by name."""
    return sorted({row.group for row in resources}, key=lambda group: (_RANK.get(group, len(_RANK)), group))


def versions_of(resources: Iterable[Resource], group: str) -> list[str]:
    """The group's versions, the preferred one first."""
    return list(dict.fromkeys(row.version for row in resources if row.group == group))


def api_versions(server_address: str) -> Document:
    """The answer to /api; `server_address` is host:port as clients reach it."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}],
    }


def _group_version(group: str, version: str) -> dict[str, str]:
    return {"groupVersion": f"{group}/{version}" if group else version, "version": version}


def _group(resources: Sequence[Resource], group: str) -> Document:
    versions = [_group_version(group, version) for version in versions_of(resources, group)]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def group_list(resources: Sequence[Resource]) -> Document:
    """The answer to /apis: all groups but the core one."""
    groups = [_group(resources, group) for group in group_names(resources) if group]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(resources: Sequence[Resource], name: str) -> Document | None:
    """The answer to /apis/GROUP, or None where nothing of it is served."""
    if not any(row.group == name for row in resources):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(resources, name)}


@cache
def storage_version_hash(group: str, version: str, kind: str) -> str:
    """What lets clients see that objects moved to another storage version."""
    return b64encode(hashlib.sha256(f"{group}/{version}/{kind}".encode()).digest()[:8]).decode()


def _hash_of(row: Resource) -> str:
    group = row.group if row.storage_group is None else row.storage_group
    version = _STORED_BY_UPSTREAM.get((group, row.kind)) or row.storage_version or row.version
    return storage_version_hash(group, version, row.kind)


def _entry(row: Resource) -> Document:
    entry: Document = {
        "name": row.plural,
        "singularName": row.singular,
        "namespaced": row.namespaced,
        "kind": row.kind,
        "verbs": list(row.verbs),
    }
    if row.short_names:
        entry["shortNames"] = list(row.short_names)
    if row.categories:
        entry["categories"] = list(row.categories)
    if row.stored_as:
        entry["storageVersionHash"] = _hash_of(row)
    return entry


def _subresource_entry(row: Resource, sub: Subresource) -> Document:
    entry: Document = {"name": f"{row.plural}/{sub.name}", "singularName": "", "namespaced": row.namespaced}
    kind = response_kind(row, sub)
    if (kind["group"], kind["version"]) != (row.group, row.version):
        entry |= {"group": kind["group"], "version": kind["version"]}
    return {**entry, "kind": sub.kind, "verbs": list(sub.verbs)}


def response_kind(row: Resource, sub: Subresource | None = None) -> dict[str, str]:
    """The group, version and kind that requests to the resource or its subresource take and answer."""
    if sub is None:
        return {"group": row.group, "version": row.version, "kind": row.kind}
    group = row.group if sub.group is None else sub.group
    return {"group": group, "version": sub.version or row.version, "kind": sub.kind}


def resource_list(resources: Iterable[Resource], group: str, version: str) -> Document | None:
    """The answer to /api/v1 or /apis/GROUP/VERSION, or None where nothing of it is served."""
    rows = [row for row in resources if (row.group, row.version) == (group, version)]
    if not rows:
        return None
    entries = [_entry(row) for row in rows]
    entries += [_subresource_entry(row, sub) for row in rows for sub in row.subresources]
    entries.sort(key=lambda entry: str(entry["name"]))
    head: Document = {"kind": "APIResourceList"}
    if group:  # the core group's list is the older form, which says no apiVersion
        head["apiVersion"] = "v1"
    return {**head, "groupVersion": f"{group}/{version}" if group else version, "resources": entries}


def _discovered(row: Resource) -> Document:
    found: Document = {
        "resource": row.plural,
        "responseKind": response_kind(row),
        "scope": "Namespaced" if row.namespaced else "Cluster",
        "singularResource": row.singular,
        "verbs": list(row.verbs),
    }
    if row.short_names:
        found["shortNames"] = list(row.short_names)
    if row.categories:
        found["categories"] = list(row.categories)
    if row.subresources:
        found["subresources"] = [
            {"subresource": sub.name, "responseKind": response_kind(row, sub), "verbs": list(sub.verbs)}
            for sub in sorted(row.subresources, key=lambda sub: sub.name)
        ]
    return found


def aggregated(resources: Sequence[Resource], *, core: bool) -> Document:
    """All groups with all their resources: the core group for /api, the others for /apis."""
    groups = [""] if core else [group for group in group_names(resources) if group]
    return {
        "kind": AGGREGATED,
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [_aggregated_group(resources, group) for group in groups],
    }


def _aggregated_group(resources: Sequence[Resource], group: str) -> Document:
    versions = []
    for version in versions_of(resources, group):
        rows = [row for row in resources if (row.group, row.version) == (group, version)]
        found = [_discovered(row) for row in sorted(rows, key=lambda row: row.plural)]
        versions.append({"version": version, "resources": found, "freshness": "Current"})
    return {"metadata": {"name": group} if group else {}, "versions": versions}


def aggregated_content_type(media: str = "application/json", version: str = "v2") -> str:
    """The media type that a client must be told to take the answer as aggregated."""
    return f"{media};g=apidiscovery.k8s.io;v={version};as={AGGREGATED}"
