"""Discovery where other servers answer for some groups: what this one serves and what they tell, in one order. Pure.

Source: kube-aggregator pkg/apiserver/{handler_apis,handler_discovery}.go, pkg/apis/apiregistration/v1/helper.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kubepy.api import discovery
from kubepy.api.discovery import Document
from kubepy.api.resources import Resource
from kubepy.api.versions import newest_first

GroupVersion = tuple[str, str]
_FIRST: Final = "apiregistration.k8s.io"


@dataclass(frozen=True, slots=True)
class Others:
    """What other servers answer for: `told` is the version's part of the aggregated document, by group and version.

    `order` are all groups with their versions, this server's among them, the first ones first.
    """

    order: tuple[tuple[str, tuple[str, ...]], ...] = ()
    told: Mapping[GroupVersion, Document] = field(default_factory=dict)

    def versions_of(self, group: str) -> tuple[str, ...]:
        """The group's versions, the preferred one first."""
        return next((versions for name, versions in self.order if name == group), ())


def order_of(api_services: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Groups and versions by the priorities that their APIServices give them."""
    specs = [one["spec"] for one in api_services]
    rank: dict[str, int] = {}
    for spec in specs:
        group = spec.get("group") or ""
        rank[group] = max(rank.get(group, 0), spec.get("groupPriorityMinimum") or 0)
    rank.pop(_FIRST, None)
    groups = sorted(rank, key=lambda group: (-rank[group], group))

    def versions(group: str) -> tuple[str, ...]:
        mine = [spec for spec in specs if (spec.get("group") or "") == group]
        mine.sort(key=lambda spec: (-(spec.get("versionPriority") or 0), newest_first(spec["version"])))
        return tuple(spec["version"] for spec in mine)

    return ((_FIRST, ("v1",)), *((group, versions(group)) for group in groups))


def group_list(others: Others) -> Document:
    """The answer to /apis."""
    groups = [_group(name, versions) for name, versions in others.order if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(others: Others, name: str) -> Document:
    """The answer to /apis/GROUP, of a group that is in `others.order`."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, others.versions_of(name))}


def _group(name: str, versions: Sequence[str]) -> Document:
    rows = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": rows, "preferredVersion": rows[0]}


def aggregated(resources: Sequence[Resource], others: Others) -> Document:
    """The aggregated document of all groups but the core one."""
    own = discovery.aggregated(resources, core=False)
    mine: dict[GroupVersion, Document] = {
        (item["metadata"]["name"], found["version"]): found for item in own["items"] for found in item["versions"]
    }
    items = []
    for name, versions in others.order:
        parts = [others.told.get((name, one)) or mine.get((name, one)) for one in versions]
        found = [part for part in parts if part is not None]
        if name and found:
            items.append({"metadata": {"name": name}, "versions": found})
    return {**own, "items": items}


def from_resource_list(version: str, listed: Mapping[str, Any]) -> Document:
    """The version's part of the aggregated document, of a server that knows only the older list."""
    group, _, list_version = str(listed.get("groupVersion") or version).rpartition("/")
    entries: dict[str, Document] = {}
    for entry in listed.get("resources") or ():
        kind = {
            "group": entry.get("group") or group,
            "version": entry.get("version") or list_version,
            "kind": entry.get("kind") or "",
        }
        plural, slash, sub = str(entry.get("name") or "").partition("/")
        if slash:
            below = {"subresource": sub, "responseKind": kind, "verbs": entry.get("verbs") or []}
            entries.setdefault(plural, {"resource": plural}).setdefault("subresources", []).append(below)
        else:
            entries[plural] = _resource(entry, plural, kind) | entries.get(plural, {})
    return {"version": version, "resources": list(entries.values()), "freshness": "Current"}


def _resource(entry: Mapping[str, Any], plural: str, kind: Document) -> Document:
    found: Document = {
        "resource": plural,
        "responseKind": kind,
        "scope": "Namespaced" if entry.get("namespaced") else "Cluster",
        "singularResource": entry.get("singularName") or "",
        "verbs": entry.get("verbs") or [],
    }
    return found | {key: entry[key] for key in ("shortNames", "categories") if entry.get(key)}
