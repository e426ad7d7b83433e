"""Rules of the smaller groups: for each kind one good object, and faults told of at their fields."""

import copy
from typing import Any

import pytest

from kubepy.api import resources
from kubepy.api.defaults.registry import apply_defaults
from kubepy.api.errors import FieldError
from kubepy.api.meta import Object
from kubepy.api.validation.registry import rules_for

REQUIRED, INVALID, UNSUPPORTED, FORBIDDEN, DUPLICATE = (
    f"FieldValue{reason}" for reason in ("Required", "Invalid", "NotSupported", "Forbidden", "Duplicate")
)
Causes = set[tuple[str, str]]
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
WEBHOOK: Object = {
    "name": "a.example.com",
    "clientConfig": {"url": "https://h/x"},
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "rules": [RULE],
}
SCHEMA: Object = {
    "type": "object",
    "properties": {"spec": {"type": "object", "properties": {"n": {"type": "integer"}}}},
}
DEFINITION: Object = {
    "group": "g.test",
    "names": {"kind": "Widget", "plural": "widgets"},
    "scope": "Namespaced",
    "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}],
}
BACKEND = {"service": {"name": "s", "port": {"number": 80}}}
GOOD: dict[str, Object] = {
    "NetworkPolicy": {"spec": {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}},
    "Ingress": {"spec": {"defaultBackend": BACKEND}},
    "IngressClass": {"spec": {"controller": "a.b/c"}},
    "ServiceCIDR": {"spec": {"cidrs": ["10.0.0.0/16"]}},
    "IPAddress": {"metadata": {"name": "10.0.0.1"}, "spec": {"parentRef": {"resource": "services", "name": "s"}}},
    "EndpointSlice": {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]},
    "Role": {"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]},
    "ClusterRole": {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz"]}]},
    "RoleBinding": {"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}]},
    "ClusterRoleBinding": {"roleRef": {"kind": "ClusterRole", "name": "r"}},
    "PriorityClass": {"value": 10},
    "Lease": {"spec": {"holderIdentity": "a", "leaseDurationSeconds": 15}},
    "RuntimeClass": {"handler": "runc"},
    "StorageClass": {"provisioner": "a.b/c"},
    "VolumeAttributesClass": {"driverName": "a.b", "parameters": {"a": "b"}},
    "VolumeAttachment": {"spec": {"attacher": "a.b", "nodeName": "n1", "source": {"persistentVolumeName": "pv"}}},
    "CSINode": {"spec": {"drivers": [{"name": "a.b", "nodeID": "1"}]}},
    "CSIDriver": {"spec": {}},
    "CSIStorageCapacity": {"storageClassName": "sc"},
    "MutatingWebhookConfiguration": {"webhooks": [WEBHOOK]},
    "ValidatingWebhookConfiguration": {"webhooks": [WEBHOOK]},
    "ValidatingAdmissionPolicy": {
        "spec": {"matchConstraints": {"resourceRules": [RULE]}, "validations": [{"expression": "true"}]}
    },
    "MutatingAdmissionPolicy": {
        "spec": {
            "matchConstraints": {"resourceRules": [RULE]},
            "reinvocationPolicy": "Never",
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}}],
        }
    },
    "ValidatingAdmissionPolicyBinding": {"spec": {"policyName": "p", "validationActions": ["Deny"]}},
    "MutatingAdmissionPolicyBinding": {"spec": {"policyName": "p"}},
    "APIService": {
        "metadata": {"name": "v1.g.test"},
        "spec": {
            "group": "g.test",
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 10,
            "service": {"name": "s", "namespace": "n"},
        },
    },
    "CustomResourceDefinition": {
        "metadata": {"name": "widgets.g.test"},
        "spec": DEFINITION,
        "status": {"storedVersions": ["v1"]},
    },
    "FlowSchema": {
        "spec": {
            "priorityLevelConfiguration": {"name": "l"},
            "rules": [
                {
                    "subjects": [{"kind": "Group", "group": {"name": "g"}}],
                    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["/x/*"]}],
                }
            ],
        }
    },
    "PriorityLevelConfiguration": {
        "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": {}}}}
    },
    "ResourceClaim": {"spec": {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}}]}}},
    "ResourceClaimTemplate": {"spec": {"spec": {"devices": {}}}},
    "DeviceClass": {"spec": {"selectors": [{"cel": {"expression": "true"}}]}},
    "ResourceSlice": {
        "spec": {"driver": "a.b", "nodeName": "n1", "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1}}
    },
    "DeviceTaintRule": {"spec": {"taint": {"key": "a", "effect": "NoSchedule"}}},
    "StorageVersionMigration": {"spec": {"resource": {"group": "apps", "resource": "deployments"}}},
}
RESOURCES = {row.kind: row for row in resources.BUILT_IN if row.group}


def made(kind: str, changes: Object | None = None) -> Object:
    """The good object of a kind with its defaults and some fields set; a path's `[0]` is a list's first entry."""
    row = RESOURCES[kind]
    meta: Object = {"name": "x", **({"namespace": "n"} if row.namespaced else {})}
    obj: Object = {"kind": kind, "metadata": meta, **copy.deepcopy(GOOD[kind])}
    obj["metadata"] = {**meta, **GOOD[kind].get("metadata", {})}
    apply_defaults(row.api_version, kind, obj)
    for path, value in (changes or {}).items():
        *steps, last = path.replace("[", ".[").split(".")
        inner: Any = obj
        for step in steps:
            inner = inner[int(step[1:-1])] if step.startswith("[") else inner.setdefault(step, {})
        inner[last] = value
    return obj


def causes(errors: list[FieldError]) -> Causes:
    return {(error.field, error.reason) for error in errors}


@pytest.mark.parametrize("kind", sorted(GOOD))
def test_a_good_object_has_no_faults_new_or_unchanged(kind: str) -> None:
    obj, rules = made(kind), rules_for(RESOURCES[kind].group, kind)
    assert rules.create(obj) == []
    assert rules.update(copy.deepcopy(obj), obj) == []
    if rules.status is not None:
        assert rules.status(copy.deepcopy(obj), obj) == []


@pytest.mark.parametrize("kind", sorted(GOOD))
def test_a_bad_label_is_told_of_in_every_kind(kind: str) -> None:
    obj = made(kind, {"metadata.labels": {"-": "v"}})
    assert ("metadata.labels", INVALID) in causes(rules_for(RESOURCES[kind].group, kind).create(obj))


HOOK = "webhooks[0]"
SPEC = "spec.validation.openAPIV3Schema"
NEW_FAULTS: list[tuple[str, Object, Causes]] = [
    ("NetworkPolicy", {"spec.policyTypes": ["Odd"]}, {("spec.policyTypes[0]", UNSUPPORTED)}),
    (
        "NetworkPolicy",
        {"spec.ingress": [{"ports": [{"port": "web", "endPort": 9, "protocol": "ICMP"}], "from": [{}]}]},
        {
            ("spec.ingress[0].ports[0].endPort", INVALID),
            ("spec.ingress[0].ports[0].protocol", UNSUPPORTED),
            ("spec.ingress[0].from[0]", REQUIRED),
        },
    ),
    (
        "NetworkPolicy",
        {"spec.egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/9"]}, "podSelector": {}}]}]},
        {("spec.egress[0].to[0].ipBlock.except[0]", INVALID), ("spec.egress[0].to[0]", FORBIDDEN)},
    ),
    ("Ingress", {"spec": {}}, {("spec", INVALID)}),
    ("Ingress", {"spec.defaultBackend": {}}, {("spec.defaultBackend", INVALID)}),
    (
        "Ingress",
        {"spec.rules": [{"host": "1.2.3.4", "http": {"paths": [{"path": "a//b", "pathType": "Exact"}, {}]}}]},
        {
            ("spec.rules[0].host", INVALID),
            ("spec.rules[0].http.paths[0].path", INVALID),
            ("spec.rules[0].http.paths[0].backend", INVALID),
            ("spec.rules[0].http.paths[1].pathType", REQUIRED),
        },
    ),
    (
        "Ingress",
        {"metadata.annotations": {"kubernetes.io/ingress.class": "a"}, "spec.ingressClassName": "b"},
        {("annotations.kubernetes.io/ingress.class", INVALID)},
    ),
    ("Ingress", {"spec.tls": [{"hosts": ["*"]}]}, {("spec.tls[0].hosts[0]", INVALID)}),
    ("IngressClass", {"spec.controller": "nope"}, {("spec.controller", INVALID)}),
    ("IngressClass", {"spec.controller": ""}, {("spec.controller", REQUIRED)}),
    (
        "IngressClass",
        {"spec.parameters": {"kind": "K", "scope": "Namespace"}},
        {("spec.parameters.name", REQUIRED), ("spec.parameters.namespace", REQUIRED)},
    ),
    ("ServiceCIDR", {"spec.cidrs": []}, {("spec.cidrs", REQUIRED)}),
    ("IPAddress", {"metadata.name": "010.0.0.1"}, {("metadata.name", INVALID)}),
    (
        "EndpointSlice",
        {"addressType": "Odd", "endpoints": [{}], "ports": [{"name": "a"}]},
        {
            ("addressType", UNSUPPORTED),
            ("endpoints[0].addresses", REQUIRED),
            ("ports[0].protocol", REQUIRED),
        },
    ),
    ("EndpointSlice", {"endpoints": [{"addresses": ["127.0.0.1"]}]}, {("endpoints[0].addresses[0]", INVALID)}),
    (
        "Role",
        {"rules": [{}, {"verbs": ["*"], "nonResourceURLs": ["/"], "resources": ["pods"]}]},
        {
            ("rules[0].verbs", REQUIRED),
            ("rules[0].apiGroups", REQUIRED),
            ("rules[0].resources", REQUIRED),
            ("rules[1].nonResourceURLs", INVALID),
        },
    ),
    ("ClusterRole", {"aggregationRule": {}}, {("aggregationRule.clusterRoleSelectors", REQUIRED)}),
    (
        "RoleBinding",
        {"roleRef": {"kind": "Odd"}, "subjects": [{"kind": "User", "apiGroup": "x"}, {"kind": "Dog", "name": "d"}]},
        {
            ("roleRef.apiGroup", UNSUPPORTED),
            ("roleRef.kind", UNSUPPORTED),
            ("roleRef.name", REQUIRED),
            ("subjects[0].name", REQUIRED),
            ("subjects[0].apiGroup", UNSUPPORTED),
            ("subjects[1].kind", UNSUPPORTED),
        },
    ),
    (
        "ClusterRoleBinding",
        {"subjects": [{"kind": "ServiceAccount", "name": "s"}]},
        {("subjects[0].namespace", REQUIRED)},
    ),
    ("PriorityClass", {"metadata.name": "system-x"}, {("metadata.name", FORBIDDEN)}),
    ("PriorityClass", {"value": 2_000_000_000}, {("value", FORBIDDEN)}),
    ("PriorityClass", {"preemptionPolicy": "Odd"}, {("preemptionPolicy", UNSUPPORTED)}),
    (
        "Lease",
        {"spec.leaseDurationSeconds": 0, "spec.leaseTransitions": -1},
        {("spec.leaseDurationSeconds", INVALID), ("spec.leaseTransitions", INVALID)},
    ),
    ("RuntimeClass", {"handler": "A"}, {("handler", INVALID)}),
    ("RuntimeClass", {"overhead": {"podFixed": {"cpu": "-1"}}}, {("overhead.limits[cpu]", INVALID)}),
    ("StorageClass", {"provisioner": ""}, {("provisioner", REQUIRED)}),
    (
        "StorageClass",
        {"reclaimPolicy": "Recycle", "volumeBindingMode": "Odd"},
        {("reclaimPolicy", UNSUPPORTED), ("volumeBindingMode", UNSUPPORTED)},
    ),
    ("VolumeAttributesClass", {"parameters": {}}, {("parameters", REQUIRED)}),
    ("VolumeAttachment", {"spec.source": {}}, {("spec.source", REQUIRED)}),
    ("CSINode", {"spec.drivers": [{"name": "a"}]}, {("spec.drivers[0].nodeID", REQUIRED)}),
    ("CSIDriver", {"spec.volumeLifecycleModes": ["Odd"]}, {("spec.volumeLifecycleModes", UNSUPPORTED)}),
    ("ValidatingWebhookConfiguration", {f"{HOOK}.name": "short"}, {(f"{HOOK}.name", INVALID)}),
    ("ValidatingWebhookConfiguration", {f"{HOOK}.sideEffects": "Some"}, {(f"{HOOK}.sideEffects", UNSUPPORTED)}),
    ("ValidatingWebhookConfiguration", {f"{HOOK}.timeoutSeconds": 31}, {(f"{HOOK}.timeoutSeconds", INVALID)}),
    ("ValidatingWebhookConfiguration", {f"{HOOK}.clientConfig": {}}, {(f"{HOOK}.clientConfig", REQUIRED)}),
    (
        "ValidatingWebhookConfiguration",
        {f"{HOOK}.clientConfig": {"url": "http://h"}},
        {(f"{HOOK}.clientConfig.url", INVALID)},
    ),
    (
        "MutatingWebhookConfiguration",
        {f"{HOOK}.admissionReviewVersions": ["v9"], f"{HOOK}.reinvocationPolicy": "Odd"},
        {(f"{HOOK}.admissionReviewVersions", INVALID), (f"{HOOK}.reinvocationPolicy", UNSUPPORTED)},
    ),
    (
        "MutatingWebhookConfiguration",
        {f"{HOOK}.rules": [{"operations": ["*", "CREATE"], "resources": ["*", "pods"], "scope": "Odd"}]},
        {
            (f"{HOOK}.rules[0].operations", INVALID),
            (f"{HOOK}.rules[0].apiGroups", REQUIRED),
            (f"{HOOK}.rules[0].apiVersions", REQUIRED),
            (f"{HOOK}.rules[0].resources", INVALID),
            (f"{HOOK}.rules[0].scope", UNSUPPORTED),
        },
    ),
    (
        "ValidatingWebhookConfiguration",
        {"webhooks": [{**WEBHOOK}, {**WEBHOOK}]},
        {("webhooks[1].name", DUPLICATE)},
    ),
    (
        "ValidatingAdmissionPolicy",
        {"spec.validations": [], "spec.failurePolicy": "Odd"},
        {
            ("spec.validations", REQUIRED),
            ("spec.auditAnnotations", REQUIRED),
            ("spec.failurePolicy", UNSUPPORTED),
        },
    ),
    (
        "ValidatingAdmissionPolicyBinding",
        {"spec.validationActions": ["Deny", "Warn"], "spec.paramRef": {"name": "a"}},
        {("spec.validationActions", INVALID), ("spec.paramRef.parameterNotFoundAction", REQUIRED)},
    ),
    ("APIService", {"metadata.name": "v1.other"}, {("metadata.name", INVALID)}),
    (
        "APIService",
        {"spec.groupPriorityMinimum": 0, "spec.service": {}, "spec.versionPriority": 1001},
        {
            ("spec.groupPriorityMinimum", INVALID),
            ("spec.versionPriority", INVALID),
            ("spec.service.name", REQUIRED),
            ("spec.service.namespace", REQUIRED),
        },
    ),
    ("CustomResourceDefinition", {"metadata.name": "other.g.test"}, {("metadata.name", INVALID)}),
    ("CustomResourceDefinition", {"spec.scope": "Odd"}, {("spec.scope", UNSUPPORTED)}),
    (
        "CustomResourceDefinition",
        {
            "spec.group": "flat",
            "spec.versions[0].storage": False,
            "spec.versions[0].schema": {},
            "status.storedVersions": [],
        },
        {
            ("metadata.name", INVALID),
            ("spec.group", INVALID),
            ("spec.versions", INVALID),
            ("spec.versions[0].schema.openAPIV3Schema", REQUIRED),
            ("status.storedVersions", INVALID),
        },
    ),
    (
        "CustomResourceDefinition",
        {"spec.names": {"kind": "Widget", "listKind": "Widget", "plural": "widgets", "singular": "W"}},
        {("spec.names.listKind", INVALID), ("spec.names.singular", INVALID)},
    ),
    (
        "CustomResourceDefinition",
        {"spec.versions[0].schema": {"openAPIV3Schema": {"properties": {"a": {"type": "array"}, "b": {}}}}},
        {
            (f"{SPEC}.type", REQUIRED),
            (f"{SPEC}.properties[a].items", REQUIRED),
            (f"{SPEC}.properties[b].type", REQUIRED),
        },
    ),
    (
        "CustomResourceDefinition",
        {
            "spec.versions[0].schema": {
                "openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "u": {"type": "array", "uniqueItems": True, "items": {"type": "text"}},
                        "m": {"type": "object", "properties": {"x": {"type": "string"}}, "additionalProperties": False},
                        "metadata": {"type": "object", "properties": {"labels": {"type": "object"}}},
                        "l": {"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"},
                    },
                    "anyOf": [{"properties": {"z": {"type": "string"}}}],
                }
            }
        },
        {
            (f"{SPEC}.properties[u].uniqueItems", FORBIDDEN),
            (f"{SPEC}.properties[u].items.type", UNSUPPORTED),
            (f"{SPEC}.properties[m].additionalProperties", FORBIDDEN),
            (f"{SPEC}.properties[metadata]", FORBIDDEN),
            (f"{SPEC}.properties[l].x-kubernetes-list-map-keys", REQUIRED),
            (f"{SPEC}.anyOf[0].properties[z].type", FORBIDDEN),
            (f"{SPEC}.properties[z]", REQUIRED),
        },
    ),
    (
        "CustomResourceDefinition",
        {
            "spec.versions[0].additionalPrinterColumns": [{"name": "A", "type": "odd", "jsonPath": "x"}],
            "spec.versions[0].subresources": {"scale": {"specReplicasPath": ".status.n"}},
        },
        {
            ("spec.additionalPrinterColumns[0].type", INVALID),
            ("spec.additionalPrinterColumns[0].JSONPath", INVALID),
            ("spec.subresources.scale.specReplicasPath", INVALID),
            ("spec.subresources.scale.statusReplicasPath", REQUIRED),
        },
    ),
    (
        "CustomResourceDefinition",
        {"spec.conversion": {"strategy": "Webhook", "webhook": {"clientConfig": {}}}},
        {
            ("spec.conversion.webhookClientConfig", REQUIRED),
            ("spec.conversion.conversionReviewVersions", REQUIRED),
        },
    ),
    ("FlowSchema", {"spec.matchingPrecedence": 1}, {("spec.matchingPrecedence", INVALID)}),
    (
        "FlowSchema",
        {"spec.rules": [{"subjects": [{"kind": "User"}]}]},
        {("spec.rules[0]", REQUIRED), ("spec.rules[0].subjects[0].user", REQUIRED)},
    ),
    ("PriorityLevelConfiguration", {"spec.type": "Exempt"}, {("spec.type", INVALID), ("spec.limited", FORBIDDEN)}),
    (
        "ResourceClaim",
        {"spec.devices.requests": [{"name": "a"}, {"name": "a", "exactly": {"allocationMode": "All", "count": 1}}]},
        {
            ("spec.devices.requests[0]", REQUIRED),
            ("spec.devices.requests[1]", DUPLICATE),
            ("spec.devices.requests[1].exactly.deviceClassName", REQUIRED),
            ("spec.devices.requests[1].exactly.count", INVALID),
        },
    ),
    ("DeviceClass", {"spec.extendedResourceName": "cpu"}, {("spec.extendedResourceName", INVALID)}),
    ("DeviceClass", {"spec.extendedResourceName": "a.b/gpu"}, set()),
    ("ResourceSlice", {"spec.allNodes": True}, {("spec", INVALID)}),
]


@pytest.mark.parametrize(("kind", "changes", "want"), NEW_FAULTS)
def test_a_fault_is_told_of_at_its_field(kind: str, changes: Object, want: Causes) -> None:
    assert causes(rules_for(RESOURCES[kind].group, kind).create(made(kind, changes))) == want


ESTABLISHED = {"conditions": [{"type": "Established", "status": "True"}], "storedVersions": ["v1"]}
CHANGES: list[tuple[str, Object, tuple[str, str]]] = [
    ("RoleBinding", {"roleRef.name": "other"}, ("roleRef", INVALID)),
    ("PriorityClass", {"value": 11}, ("value", FORBIDDEN)),
    ("RuntimeClass", {"handler": "other"}, ("handler", INVALID)),
    ("StorageClass", {"provisioner": "other/x"}, ("provisioner", INVALID)),
    ("StorageClass", {"parameters": {"a": "b"}}, ("parameters", INVALID)),
    ("StorageClass", {"volumeBindingMode": "WaitForFirstConsumer"}, ("volumeBindingMode", INVALID)),
    ("VolumeAttributesClass", {"parameters": {"a": "c"}}, ("parameters", FORBIDDEN)),
    ("VolumeAttachment", {"spec.nodeName": "n2"}, ("spec", INVALID)),
    ("CSIDriver", {"spec.attachRequired": False}, ("spec.attachedRequired", INVALID)),
    ("CSINode", {"spec.drivers[0].nodeID": "2"}, ("spec.drivers", INVALID)),
    ("IngressClass", {"spec.controller": "b.c/d"}, ("spec.controller", INVALID)),
    ("ServiceCIDR", {"spec.cidrs": ["10.1.0.0/16"]}, ("spec.cidrs[0]", INVALID)),
    ("IPAddress", {"spec.parentRef.name": "t"}, ("spec.parentRef", INVALID)),
    ("EndpointSlice", {"addressType": "FQDN"}, ("addressType", INVALID)),
    ("ResourceClaim", {"spec.devices": {}}, ("spec", INVALID)),
    ("ResourceSlice", {"spec.pool.name": "q"}, ("spec.pool.name", INVALID)),
    ("StorageVersionMigration", {"spec.resource.resource": "pods"}, ("spec", INVALID)),
    ("CustomResourceDefinition", {"spec.scope": "Cluster"}, ("spec.scope", INVALID)),
    ("CustomResourceDefinition", {"spec.group": "h.test"}, ("spec.group", INVALID)),
    ("CustomResourceDefinition", {"spec.versions[0].name": "v2"}, ("status.storedVersions[0]", INVALID)),
]


@pytest.mark.parametrize(("kind", "changes", "want"), CHANGES)
def test_what_never_changes_is_refused(kind: str, changes: Object, want: tuple[str, str]) -> None:
    extra: Object = {"status": ESTABLISHED} if kind == "CustomResourceDefinition" else {}
    old, new = made(kind, extra), made(kind, {**extra, **changes})
    assert want in causes(rules_for(RESOURCES[kind].group, kind).update(new, old))


INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


@pytest.mark.parametrize(
    ("schema", "want"),
    [
        ({"x-kubernetes-int-or-string": True, "anyOf": INT_OR_STRING}, set()),
        ({"x-kubernetes-int-or-string": True, "allOf": [{"anyOf": INT_OR_STRING}, {"minimum": 1}]}, set()),
        ({"x-kubernetes-preserve-unknown-fields": True}, set()),
        ({"type": "object", "x-kubernetes-embedded-resource": True}, {("properties", REQUIRED)}),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, set()),
        ({"type": "object", "additionalProperties": {}}, {("additionalProperties.type", REQUIRED)}),
        ({"type": "array", "items": {}}, {("items.type", REQUIRED)}),
        ({"type": "string", "pattern": "("}, {("pattern", INVALID)}),
        ({"type": "string", "pattern": "(?=a)b"}, {("pattern", INVALID)}),
        ({"type": "string", "pattern": "a++"}, {("pattern", INVALID)}),
        ({"type": "string", "pattern": r"^[\p{L}a-z]+\z"}, set()),
        ({"type": "string", "pattern": "^(?i)yes$"}, set()),
        ({"type": "string", "not": {"enum": ["a"]}}, set()),
        ({"type": "string", "not": {"default": "a"}}, {("not.default", FORBIDDEN)}),
        (
            {"type": "integer", "x-kubernetes-validations": [{"rule": " "}]},
            {("x-kubernetes-validations[0].rule", REQUIRED)},
        ),
        ({"type": "object", "$ref": "x"}, {("$ref", FORBIDDEN)}),
    ],
)  # fmt: skip
def test_a_field_of_a_schema_is_judged_by_itself(schema: Object, want: Causes) -> None:
    root = {"type": "object", "properties": {"f": schema}}
    obj = made("CustomResourceDefinition", {"spec.versions[0].schema": {"openAPIV3Schema": root}})
    errors = rules_for("apiextensions.k8s.io", "CustomResourceDefinition").create(obj)
    assert causes(errors) == {(f"{SPEC}.properties[f].{field}", reason) for field, reason in want}


def test_a_second_address_family_may_join_a_service_cidr() -> None:
    old, new = made("ServiceCIDR"), made("ServiceCIDR", {"spec.cidrs": ["10.0.0.0/16", "fd00::/108"]})
    assert rules_for("networking.k8s.io", "ServiceCIDR").update(new, old) == []


@pytest.mark.parametrize(
    ("cidr", "fault"),
    [
        ("10.0.0.1/16", "must not have bits set beyond the prefix length"),
        ("FD00::/108", 'must be in canonical form ("fd00::/108")'),
    ],
)
def test_a_service_cidr_is_spelled_in_one_way(cidr: str, fault: str) -> None:
    (found,) = rules_for("networking.k8s.io", "ServiceCIDR").create(made("ServiceCIDR", {"spec.cidrs": [cidr]}))
    assert str(found) == f'spec.cidrs[0]: Invalid value: "{cidr}": {fault}'


def test_a_network_policy_keeps_a_loose_cidr_that_it_has_and_gets_no_new_one() -> None:
    def policy(*cidrs: str) -> Object:
        return made("NetworkPolicy", {"spec.egress": [{"to": [{"ipBlock": {"cidr": cidr}} for cidr in cidrs]}]})

    rules = rules_for("networking.k8s.io", "NetworkPolicy")
    old = policy("10.1.0.1/16")
    assert causes(rules.create(old)) == {("spec.egress[0].to[0].ipBlock.cidr", INVALID)}
    assert rules.update(policy("10.2.0.0/16", "10.1.0.1/16"), old) == []
    changed = rules.update(policy("10.1.0.1/16", "10.2.0.1/16"), old)
    assert causes(changed) == {("spec.egress[0].to[1].ipBlock.cidr", INVALID)}


def test_groups_of_the_project_need_an_approval() -> None:
    changes: Object = {"spec.group": "x.k8s.io", "metadata.name": "widgets.x.k8s.io"}
    rules = rules_for("apiextensions.k8s.io", "CustomResourceDefinition")
    path = "metadata.annotations[api-approved.kubernetes.io]"
    assert causes(rules.create(made("CustomResourceDefinition", changes))) == {(path, REQUIRED)}
    for approval, want in (("https://github.com/x", set()), ("nope", {(path, INVALID)}), ("unapproved, test", set())):
        approved = {**changes, "metadata.annotations": {"api-approved.kubernetes.io": approval}}
        assert causes(rules.create(made("CustomResourceDefinition", approved))) == want


def test_a_system_priority_class_must_be_the_known_one() -> None:
    changes: Object = {"metadata.name": "system-node-critical", "value": 2_000_001_000}
    assert rules_for("scheduling.k8s.io", "PriorityClass").create(made("PriorityClass", changes)) == []


def event(**fields: Any) -> Object:
    return {
        "metadata": {"name": "e", "namespace": "n"},
        "involvedObject": {"kind": "Pod", "namespace": "n", "name": "p"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "type": "Normal",
        "reason": "R",
        "action": "A",
        "reportingComponent": "c.example/x",
        "reportingInstance": "i",
        **fields,
    }


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        ({}, set()),
        ({"eventTime": None}, {("eventTime", REQUIRED)}),
        ({"action": ""}, {("action", REQUIRED)}),
        ({"type": "Odd"}, {("type", INVALID)}),
        ({"count": 3}, {("count", INVALID)}),
        ({"involvedObject": {"kind": "Node"}}, {("involvedObject.namespace", INVALID)}),
        ({"series": {"count": 1}}, {("series.count", INVALID), ("series.lastObservedTime", REQUIRED)}),
    ],
)
def test_events_are_complete_from_the_start(fields: Object, want: Causes) -> None:
    assert causes(rules_for("events.k8s.io", "Event").create(event(**fields))) == want


def test_of_an_event_only_the_series_goes_on() -> None:
    rules = rules_for("events.k8s.io", "Event")
    series = {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}
    assert rules.update(event(series=series), event()) == []
    assert causes(rules.update(event(message="other"), event())) == {("message", INVALID)}


def test_what_stays_of_an_event_is_shown_as_go_has_it() -> None:
    new = event(involvedObject={"kind": "Pod"}, reason=None, related={"name": "y"}, source={"host": "h"})
    assert [str(fault) for fault in rules_for("events.k8s.io", "Event").update(new, event())][2:] == [
        'involvedObject: Invalid value: {"Kind":"Pod","Namespace":"","Name":"","UID":"","APIVersion":"",'
        '"ResourceVersion":"","FieldPath":""}: field is immutable',
        'reason: Invalid value: "": field is immutable',
        'source: Invalid value: {"Component":"","Host":"h"}: field is immutable',
        'reason: Invalid value: "": field is immutable',
        'related: Invalid value: {"Kind":"","Namespace":"","Name":"y","UID":"","APIVersion":"",'
        '"ResourceVersion":"","FieldPath":""}: field is immutable',
    ]


def test_a_runtime_class_tolerates_each_taint_once() -> None:
    tolerations = [{"key": "a", "operator": "Exists"}, {"key": "a", "operator": "Exists", "effect": "NoExecute"}]
    again = {**tolerations[1], "tolerationSeconds": 3}
    rules = rules_for("node.k8s.io", "RuntimeClass")
    assert rules.create(made("RuntimeClass", {"scheduling": {"tolerations": tolerations}})) == []
    faults = rules.create(made("RuntimeClass", {"scheduling": {"tolerations": [*tolerations, again]}}))
    assert [str(fault) for fault in faults] == [
        'scheduling.tolerations[2]: Duplicate value: {"Key":"a","Operator":"Exists","Value":"","Effect":"NoExecute",'
        '"TolerationSeconds":3}'
    ]


REVIEW = {"resourceAttributes": {"verb": "get", "namespace": "n"}, "user": "u"}


@pytest.mark.parametrize(
    ("kind", "meta", "spec", "want"),
    [
        ("SubjectAccessReview", {}, REVIEW, set()),
        ("SubjectAccessReview", {}, {"user": "u"}, {("spec.resourceAttributes", INVALID)}),
        ("SubjectAccessReview", {}, {**REVIEW, "user": ""}, {("spec.user", INVALID)}),
        ("SubjectAccessReview", {"name": "x"}, REVIEW, {("metadata", INVALID)}),
        (
            "SelfSubjectAccessReview",
            {},
            {**REVIEW, "nonResourceAttributes": {"path": "/"}},
            {("spec.nonResourceAttributes", INVALID)},
        ),
        ("LocalSubjectAccessReview", {"namespace": "n"}, REVIEW, set()),
        ("LocalSubjectAccessReview", {"namespace": "m"}, REVIEW, {("spec.resourceAttributes.namespace", INVALID)}),
    ],
)
def test_access_reviews_ask_one_question_about_someone(kind: str, meta: Object, spec: Object, want: Causes) -> None:
    obj = {"metadata": meta, "spec": spec}
    assert causes(rules_for("authorization.k8s.io", kind).create(obj)) == want
