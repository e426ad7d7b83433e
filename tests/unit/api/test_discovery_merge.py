"""One order of groups and versions over several servers."""

from typing import Any

from kubepy.api import discovery_merge
from kubepy.api.discovery_merge import Others
from kubepy.api.resources import BUILT_IN
from kubepy.api.versions import newest_first


def api_service(group: str, version: str, group_priority: int, version_priority: int) -> dict[str, Any]:
    spec = {"version": version, "groupPriorityMinimum": group_priority, "versionPriority": version_priority}
    return {"spec": {**spec, "group": group} if group else spec}


def test_stable_versions_come_first_and_names_last() -> None:
    found = ["foo10", "v1alpha1", "v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "foo1"]
    expected = ["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v1alpha1", "foo1", "foo10"]
    assert sorted(found, key=newest_first) == expected


def test_priorities_order_groups_and_versions() -> None:
    found = [
        api_service("b.example", "v1beta1", 100, 20), api_service("b.example", "v1", 50, 10),
        api_service("b.example", "v2", 50, 10), api_service("a.example", "v1", 100, 1),
        api_service("", "v1", 18000, 1),
    ]  # fmt: skip
    assert discovery_merge.order_of(found) == (
        ("apiregistration.k8s.io", ("v1",)), ("", ("v1",)), ("a.example", ("v1",)),
        ("b.example", ("v1beta1", "v2", "v1")),
    )  # fmt: skip


def test_a_group_may_be_served_by_two_servers() -> None:
    order = (("apps", ("v1", "v9")),)
    told = {("apps", "v9"): {"version": "v9", "resources": [], "freshness": "Stale"}}
    whole = discovery_merge.aggregated(BUILT_IN, Others(order, told))
    assert [found["version"] for found in whole["items"][0]["versions"]] == ["v1", "v9"]
    assert [one["version"] for one in discovery_merge.group(Others(order), "apps")["versions"]] == ["v1", "v9"]
