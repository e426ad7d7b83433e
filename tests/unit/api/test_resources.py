"""The table of built-in resources."""

from kubepy.api import resources


def test_objects_are_kept_in_upstreams_folders() -> None:
    odd = {
        "services": "services/specs", "endpoints": "services/endpoints", "nodes": "minions",
        "replicationcontrollers": "controllers", "ingresses": "ingress",
        "customresourcedefinitions": "apiextensions.k8s.io/customresourcedefinitions",
        "apiservices": "apiregistration.k8s.io/apiservices",
    }  # fmt: skip
    kept = {row.plural: row.stored_as for row in resources.BUILT_IN if row.stored_as}
    assert kept == {plural: odd.get(plural, plural) for plural in kept}
    assert {row.plural for row in resources.BUILT_IN if "watch" in row.verbs} == set(kept)
