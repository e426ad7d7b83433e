"""What is told of ingresses, their classes, policies, and the addresses of services."""

from typing import Any

import pytest

from kubepy.api.meta import Object
from kubepy.api.validation.registry import rules_for
from tests.unit.api.validation.test_other_groups import made

NET = "networking.k8s.io"
FIXED = "field is immutable"
CLASS = "kubernetes.io/ingress.class"
DUAL = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"


def told(kind: str, new: Object, old: Object | None = None) -> list[str]:
    rules = rules_for(NET, kind)
    return [str(fault) for fault in (rules.create(new) if old is None else rules.update(new, old))]


@pytest.mark.parametrize(
    ("kind", "changes", "want"),
    [
        ("Ingress", {"metadata.annotations": {CLASS: "a"}, "spec.ingressClassName": "a"}, []),
        ("Ingress", {"metadata.annotations": {CLASS: "a"}, "spec.ingressClassName": "b"},
         [f'annotations.{CLASS}: Invalid value: "a": must match `ingressClassName` when both are specified']),
        ("Ingress", {"spec": {}}, ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"]),
        ("NetworkPolicy", {"spec.ingress": [{"from": [{"ipBlock": {}}]}], "spec.policyTypes": ["X"]},
         ['spec.policyTypes[0]: Unsupported value: "X": supported values: "Ingress", "Egress"',
          "spec.ingress[0].from[0].ipBlock.cidr: Required value"]),
        ("IngressClass", {"spec.parameters": {"scope": "Cluster", "namespace": "n"}},
         ["spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'",
          "spec.parameters.kind: Required value",
          "spec.parameters.name: Required value"]),
        ("ServiceCIDR", {"spec.cidrs": ["10.0.0.0/16", "10.1.0.0/16"]},
         [f'spec.cidrs: Invalid value: {{"CIDRs":["10.0.0.0/16","10.1.0.0/16"]}}: {DUAL}']),
        ("ServiceCIDR", {"spec.cidrs": ["2001:DB8::/64"]},
         ['spec.cidrs[0]: Invalid value: "2001:DB8::/64": must be in canonical form ("2001:db8::/64")']),
        ("IPAddress", {"metadata.name": "2001:DB8::1"},
         ['metadata.name: Invalid value: "2001:DB8::1": must be in canonical form ("2001:db8::1")']),
        ("IPAddress", {"spec": {}}, ["spec.parentRef: Required value"]),
        ("IPAddress", {"spec.parentRef": {"group": "g.test"}},
         ["spec.parentRef.resource: Required value", "spec.parentRef.name: Required value"]),
    ],
)  # fmt: skip
def test_a_new_object_is_told_of_in_order(kind: str, changes: Object, want: list[str]) -> None:
    assert told(kind, made(kind, changes)) == want


@pytest.mark.parametrize(
    ("kind", "before", "changes", "want"),
    [
        ("ServiceCIDR", {}, {"spec.cidrs": ["10.0.0.0/16", "2001:db8::/64"]}, []),
        ("ServiceCIDR", {}, {"spec.cidrs": ["10.1.0.0/16", "2001:db8::/64"]},
         [f'spec.cidrs[0]: Invalid value: "10.1.0.0/16": {FIXED}']),
        ("ServiceCIDR", {"spec.cidrs": ["10.0.0.0/16", "2001:db8::/64"]}, {"spec.cidrs": ["10.0.0.0/16"]},
         [f'spec.cidrs: Invalid value: ["10.0.0.0/16"]: {FIXED}']),
        ("IPAddress", {}, {"spec.parentRef": {"name": "t", "namespace": "n", "resource": "services"}},
         [f'spec.parentRef: Invalid value: {{"resource":"services","namespace":"n","name":"t"}}: {FIXED}']),
        ("IPAddress", {}, {"spec": {}},
         [f"spec.parentRef: Invalid value: null: {FIXED}", "spec.parentRef: Required value"]),
        ("Ingress", {"spec.tls": [{"secretName": "A"}]}, {"spec.tls": [{"secretName": "B"}]}, []),
    ],
)  # fmt: skip
def test_a_change_is_told_of_in_order(kind: str, before: Any, changes: Any, want: list[str]) -> None:
    assert told(kind, made(kind, changes), made(kind, before)) == want


def test_a_wildcards_bad_rule_may_go_on() -> None:
    def ingress(host: str) -> Object:
        return made("Ingress", {"spec.rules": [{"host": host, "http": {"paths": []}}]})

    assert told("Ingress", ingress("*.b.c"), ingress("*.a.c")) == []
    assert told("Ingress", ingress("b.c"), ingress("a.c")) == ["spec.rules[0].http.paths: Required value"]


def test_rules_that_are_missing_are_shown_as_nothing() -> None:
    assert told("Ingress", made("Ingress", {"spec": {}})) == [
        "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"
    ]
