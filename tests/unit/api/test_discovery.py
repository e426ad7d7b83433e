"""Discovery: every form tells of the same resources."""

from kubepy.api import discovery
from kubepy.api.resources import BUILT_IN


def test_groups_come_in_upstreams_order_and_with_the_preferred_version() -> None:
    groups = {group["name"]: group for group in discovery.group_list(BUILT_IN)["groups"]}
    assert list(groups)[:3] == ["apiregistration.k8s.io", "apps", "events.k8s.io"]
    assert "" not in groups
    assert groups["autoscaling"]["preferredVersion"] == {"groupVersion": "autoscaling/v2", "version": "v2"}
    assert [entry["version"] for entry in groups["autoscaling"]["versions"]] == ["v2", "v1"]


def test_one_group_and_none() -> None:
    assert discovery.group(BUILT_IN, "apps") == {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": "apps",
        "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
        "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"},
    }
    assert discovery.group(BUILT_IN, "none") is None
    assert discovery.resource_list(BUILT_IN, "apps", "v0") is None


def test_a_resource_list_has_resources_and_subresources_by_name() -> None:
    found = discovery.resource_list(BUILT_IN, "", "v1")
    assert found
    assert "apiVersion" not in found  # the core group's form is older
    entries = {entry["name"]: entry for entry in found["resources"]}
    assert list(entries) == sorted(entries)
    assert entries["pods"] == {
        "name": "pods",
        "singularName": "pod",
        "namespaced": True,
        "kind": "Pod",
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        "shortNames": ["po"],
        "categories": ["all"],
        "storageVersionHash": "xPOwRZ+Yhw8=",
    }
    assert entries["pods/eviction"]["group"] == "policy"
    assert "group" not in entries["pods/status"]
    assert "storageVersionHash" not in entries["bindings"]


def test_hashes_are_of_the_version_that_is_stored() -> None:
    core = discovery.resource_list(BUILT_IN, "", "v1")
    events = discovery.resource_list(BUILT_IN, "events.k8s.io", "v1")
    assert core
    assert events
    stored = next(entry for entry in core["resources"] if entry["name"] == "events")["storageVersionHash"]
    assert events["resources"][0]["storageVersionHash"] == stored == "r2yiGXH7wu8="


def test_aggregated_discovery_tells_the_same_as_the_lists() -> None:
    documents = [discovery.aggregated(BUILT_IN, core=True), discovery.aggregated(BUILT_IN, core=False)]
    told = set()
    for document in documents:
        for item in document["items"]:
            group = item["metadata"].get("name", "")
            for version in item["versions"]:
                for entry in version["resources"]:
                    told.add((group, version["version"], entry["resource"], tuple(entry["verbs"])))
                    for sub in entry.get("subresources", ()):
                        name = f"{entry['resource']}/{sub['subresource']}"
                        told.add((group, version["version"], name, tuple(sub["verbs"])))
    listed = set()
    for row in BUILT_IN:
        found = discovery.resource_list(BUILT_IN, row.group, row.version)
        assert found
        listed |= {(row.group, row.version, entry["name"], tuple(entry["verbs"])) for entry in found["resources"]}
    assert told == listed


def test_aggregated_discovery_names_its_version() -> None:
    assert discovery.aggregated(BUILT_IN, core=True)["apiVersion"] == "apidiscovery.k8s.io/v2"
    expected = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    assert discovery.aggregated_content_type() == expected


def test_the_versions_of_the_core_group() -> None:
    assert discovery.api_versions("192.0.2.1:6443")["serverAddressByClientCIDRs"] == [
        {"clientCIDR": "0.0.0.0/0", "serverAddress": "192.0.2.1:6443"}
    ]


def test_the_hash_of_a_definition_is_that_of_every_real_cluster() -> None:
    found = discovery.resource_list(BUILT_IN, "apiextensions.k8s.io", "v1")
    assert found is not None
    assert found["resources"][0]["storageVersionHash"] == "jfWCUB31mvA="
