"""Objects that older releases stored are what is stored now."""

from typing import Any

import pytest

from kubepy.api.definitions import schema_of
from kubepy.api.old_versions import _OLD, current

PROPS = {"openAPIV3Schema": {"type": "object"}}


def at(api_version: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, **fields}


def test_every_version_becomes_one_that_is_known() -> None:
    for (_, kind), (api_version, _) in _OLD.items():
        assert schema_of(api_version, kind) is not None


def test_what_is_of_now_or_of_somebody_else_is_left_alone() -> None:
    assert current(at("apps/v1", "Deployment")) is None
    assert current(at("policy/v1beta1", "Widget")) is None


def test_versions_of_a_definition_say_for_themselves_what_was_said_for_all() -> None:
    column = {"name": "Age", "type": "date", "JSONPath": ".metadata.creationTimestamp"}
    conversion = {
        "strategy": "Webhook",
        "webhookClientConfig": {"url": "https://a"},
        "conversionReviewVersions": ["v1"],
    }
    spec = {
        "group": "example.com", "version": "v1", "scope": "Namespaced", "validation": PROPS,
        "subresources": {"status": {}}, "additionalPrinterColumns": [column], "conversion": conversion,
        "versions": [{"name": "v1", "served": True, "storage": True}, {"name": "v2", "served": True, "storage": False}],
    }  # fmt: skip
    found = current(at("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition", spec=spec))
    assert found is not None
    shared = {
        "schema": PROPS,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}],
    }
    assert found["apiVersion"] == "apiextensions.k8s.io/v1"
    assert found["spec"] == {
        "group": "example.com",
        "scope": "Namespaced",
        "conversion": {
            "strategy": "Webhook",
            "webhook": {"clientConfig": {"url": "https://a"}, "conversionReviewVersions": ["v1"]},
        },
        "versions": [
            {"name": "v1", "served": True, "storage": True, **shared},
            {"name": "v2", "served": True, "storage": False, **shared},
        ],
    }


def test_a_definition_that_names_one_version_has_that_one() -> None:
    found = current(at("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition", spec={"version": "v1"}))
    assert found is not None
    assert found["spec"]["versions"] == [{"name": "v1", "served": True, "storage": True}]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            at("discovery.k8s.io/v1beta1", "EndpointSlice", endpoints=[
                {"topology": {"kubernetes.io/hostname": "n", "topology.kubernetes.io/zone": "z", "x": "y"}}
            ]),
            {"endpoints": [{"nodeName": "n", "zone": "z", "deprecatedTopology": {"x": "y"}}]},
        ),
        (
            at("networking.k8s.io/v1beta1", "Ingress", spec={
                "backend": {"serviceName": "s", "servicePort": "http"},
                "rules": [{"http": {"paths": [{"path": "/", "backend": {"serviceName": "t", "servicePort": 80}}]}}],
            }),
            {"spec": {
                "defaultBackend": {"service": {"name": "s", "port": {"name": "http"}}},
                "rules": [{"http": {"paths": [{
                    "path": "/", "pathType": "ImplementationSpecific",
                    "backend": {"service": {"name": "t", "port": {"number": 80}}},
                }]}}],
            }},
        ),
        (
            at("flowcontrol.apiserver.k8s.io/v1beta2", "PriorityLevelConfiguration",
               spec={"limited": {"assuredConcurrencyShares": 5}}),
            {"spec": {"limited": {"nominalConcurrencyShares": 5}}},
        ),
        (
            at("resource.k8s.io/v1beta1", "ResourceClaim", spec={"devices": {"requests": [
                {"name": "a", "deviceClassName": "c"}, {"name": "b", "firstAvailable": [{"name": "x"}]},
            ]}}),
            {"spec": {"devices": {"requests": [
                {"name": "a", "exactly": {"deviceClassName": "c"}}, {"name": "b", "firstAvailable": [{"name": "x"}]},
            ]}}},
        ),
        (
            at("resource.k8s.io/v1beta1", "ResourceSlice", spec={"devices": [{"basic": {"allNodes": True}}]}),
            {"spec": {"devices": [{"allNodes": True}]}},
        ),
        (at("policy/v1beta1", "PodDisruptionBudget", spec={"minAvailable": 1}), {"spec": {"minAvailable": 1}}),
    ],
)  # fmt: skip
def test_fields_that_have_moved_are_where_they_are_now(old: dict[str, Any], new: dict[str, Any]) -> None:
    group = old["apiVersion"].partition("/")[0]
    assert current(old) == {**new, "apiVersion": f"{group}/v1", "kind": old["kind"], "metadata": {"name": "a"}}
