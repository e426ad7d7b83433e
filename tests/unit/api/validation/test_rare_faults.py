"""The rarer faults of pods, volumes, Services and quotas: each row is what is given and where it is told of.

The words of the common faults are in the tables beside; here the place, the reason and a piece of the words suffice.
"""

from typing import Any

import pytest

from kubepy.api.defaults.registry import apply_defaults
from kubepy.api.errors import FieldError
from kubepy.api.validation.registry import rules_for

META = {"name": "a", "namespace": "ns"}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
SERVICE = {"type": "ClusterIP", "ports": [{"port": 80}]}


def told(faults: list[FieldError]) -> list[str]:
    return [str(fault) for fault in faults]


def new(kind: str, **fields: Any) -> Any:
    obj = {"metadata": dict(META), **fields}
    if kind == "PersistentVolume":
        del obj["metadata"]["namespace"]
    apply_defaults("v1", kind, obj)
    return obj


def pod_faults(spec: Any) -> list[str]:
    containers = spec.pop("containers", [{}])
    named = [{"name": f"c{index}", "image": "x", **container} for index, container in enumerate(containers)]
    return told(rules_for("", "Pod").create(new("Pod", spec={"containers": named, **spec})))


def context(**fields: Any) -> Any:
    return {"containers": [{"securityContext": fields}]}


@pytest.mark.parametrize(
    ("spec", "place", "words"),
    [
        (context(allowPrivilegeEscalation=False, capabilities={"add": ["CAP_SYS_ADMIN"]}),
         "containers[0].securityContext", "`capabilities.Add` CAP_SYS_ADMIN"),
        (context(seccompProfile={}), "containers[0].securityContext.seccompProfile.type", "type is required"),
        (context(seccompProfile={"type": "Localhost", "localhostProfile": "/x"}),
         "containers[0].securityContext.seccompProfile.localhostProfile", "must be a relative path"),
        (context(seccompProfile={"type": "Unconfined", "localhostProfile": "x"}),
         "containers[0].securityContext.seccompProfile.localhostProfile", "can only be set when seccomp type"),
        (context(appArmorProfile={}), "containers[0].securityContext.appArmorProfile.type", "type is required"),
        (context(appArmorProfile={"type": "X"}), "containers[0].securityContext.appArmorProfile.type", "Unsupported"),
        (context(appArmorProfile={"type": "Localhost"}),
         "containers[0].securityContext.appArmorProfile.localhostProfile", "must be set when AppArmor type"),
        (context(appArmorProfile={"type": "Unconfined", "localhostProfile": "x"}),
         "containers[0].securityContext.appArmorProfile.localhostProfile", "can only be set when AppArmor type"),
        (context(windowsOptions={"gmsaCredentialSpec": ""}),
         "containers[0].securityContext.windowsOptions.gmsaCredentialSpec", "cannot be an empty string"),
        (context(windowsOptions={"gmsaCredentialSpecName": "B_"}),
         "containers[0].securityContext.windowsOptions.gmsaCredentialSpecName", "RFC 1123 subdomain"),
        ({"securityContext": {"supplementalGroups": [-1]}}, "securityContext.supplementalGroups[0]", "between 0 and"),
        ({"securityContext": {"sysctls": [{"name": ""}]}}, "securityContext.sysctls[0].name", "Required"),
        ({"securityContext": {"sysctls": [{"name": "a.b"}, {"name": "a.b"}]}},
         "securityContext.sysctls[1].name", "Duplicate"),
        ({"securityContext": {"sysctls": [{"name": "kernel.shm_x"}]}, "hostIPC": True},
         "securityContext.sysctls[0].name", "'hostIPC' is true"),
        ({"os": {"name": ""}}, "os.name", "cannot be empty"),
        ({"tolerations": [{"key": "a", "operator": "X"}]}, "tolerations[0].operator", "Unsupported"),
        ({"tolerations": [{"key": "a", "value": "-"}]}, "tolerations[0].operator", "a valid label must be"),
        ({"affinity": {"podAffinity": {REQUIRED: [{"topologyKey": "z", "namespaces": ["B_"]}]}}},
         f"affinity.podAffinity.{REQUIRED}[0].namespace", "RFC 1123 label"),
        ({"affinity": {"podAffinity": {REQUIRED: [{
            "topologyKey": "z", "matchLabelKeys": ["a"],
            "labelSelector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]}}]}}},
         f"affinity.podAffinity.{REQUIRED}[0][0]", "exists in both matchLabelKeys and labelSelector"),
        ({"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchFields": [
            {"key": "metadata.name", "operator": "In", "values": ["B_"]}]}]}}}},
         f"affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms[0].matchFields[0].values[0]", "RFC 1123 subdomain"),
        ({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway",
                                         "matchLabelKeys": ["a"]}]},
         "topologySpreadConstraints[0].matchLabelKeys", "when labelSelector is not set"),
        ({"containers": [{"name": "c"}, {"name": "c"}]}, "containers[1].name", "Duplicate"),
        ({"restartPolicy": "Never",
          "containers": [{"resizePolicy": [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]}]},
         "containers[0].resizePolicy", "must be 'NotRequired' when `restartPolicy` is 'Never'"),
        ({"containers": [{"volumeMounts": [{"mountPath": "/x"}]}]}, "containers[0].volumeMounts[0].name", "Required"),
        ({"containers": [{"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {
            "resource": "limits.memory", "divisor": "3"}}}]}]},
         "containers[0].env[0].valueFrom.resourceFieldRef.divisor", "are supported with the memory resource"),
        ({"containers": [{"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "x"}}}]}]},
         "containers[0].env[0].valueFrom.resourceFieldRef.resource", "Unsupported"),
        ({"resourceClaims": [{"name": "a", "resourceClaimName": "b"}] * 2}, "resourceClaims[1].name", "Duplicate"),
        ({"readinessGates": [{"conditionType": "-"}]}, "readinessGates[0].conditionType", "name part"),
        ({"dnsConfig": {"searches": ["-"]}}, "dnsConfig.searches[0]", "RFC 1123 subdomain"),
        ({"dnsConfig": {"searches": ["a"] * 33}}, "dnsConfig.searches", "not have more than 32"),
        ({"dnsPolicy": "None", "dnsConfig": {}}, "dnsConfig.nameservers", "at least one DNS nameserver"),
        ({"schedulingGroup": {"podGroupName": "B_"}}, "schedulingGroup.podGroupName", "RFC 1123 subdomain"),
        ({"hostnameOverride": "a", "setHostnameAsFQDN": True}, "setHostnameAsFQDN", "may not be set"),
        ({"containers": [{"ports": [{"containerPort": 1, "hostPort": 70000}]}]},
         "containers[0].ports[0].hostPort", "between 1 and 65535"),
        ({"containers": [{"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s"}}}]}]},
         "containers[0].env[0].valueFrom.secretKeyRef.key", "Required"),
        ({"containers": [{"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['-']"}}}]}]},
         "containers[0].env[0].valueFrom.fieldRef", "name part"),
        ({"containers": [{"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "a['b']"}}}]}]},
         "containers[0].env[0].valueFrom.fieldRef.fieldPath", "does not support subscript"),
        ({"containers": [{"env": [{"name": "A", "valueFrom": {"fileKeyRef": {"key": "k", "path": "/p",
                                                                           "volumeName": "v"}}}]}]},
         "containers[0].env[0].valueFrom.fileKeyRef.path", "must be a relative path"),
        ({"containers": [{"env": [{"name": "a=b"}]}]}, "containers[0].env[0].name", "environment variable name"),
        ({"containers": [{"envFrom": [{"prefix": "=", "configMapRef": {"name": "m"}}]}]},
         "containers[0].envFrom[0].prefix", "environment variable name"),
        ({"containers": [{"livenessProbe": {"httpGet": {"port": 1, "httpHeaders": [{"name": "B d"}]}}}]},
         "containers[0].livenessProbe.httpGet.httpHeaders", "HTTP header"),
        ({"containers": [{"readinessProbe": {"exec": {"command": ["a"]}, "terminationGracePeriodSeconds": 5}}]},
         "containers[0].readinessProbe.terminationGracePeriodSeconds", "must not be set for readinessProbes"),
        ({"containers": [{"resources": {"limits": {"cpu": "1", "hugepages-2Mi": "3Mi"}}}]},
         "containers[0].resources.limits[hugepages-2Mi]", "is not positive integer multiple of hugepages-2Mi"),
        ({"containers": [{"resources": {"limits": {"a.com/x": "2"}, "requests": {"a.com/x": "1"}}}]},
         "containers[0].resources.requests", "must be equal to a.com/x limit of 2"),
        ({"containers": [{"restartPolicy": "X"}]}, "containers[0].restartPolicy", "Unsupported"),
        ({"containers": [{"restartPolicy": "Never", "restartPolicyRules": [{"action": "Restart"}]}]},
         "containers[0].restartPolicyRules[0].exitCodes", "must be specified"),
        ({"containers": [{"restartPolicy": "Never", "restartPolicyRules": [
            {"action": "Restart", "exitCodes": {"operator": "In"}}]}]},
         "containers[0].restartPolicyRules[0].exitCodes.values", "at least one value"),
    ],
)  # fmt: skip
def test_a_pod_is_refused(spec: Any, place: str, words: str) -> None:
    found = pod_faults(spec)
    assert any(fault.startswith(f"spec.{place}: ") and words in fault for fault in found), found


def projected(source: Any) -> Any:
    return {"projected": {"sources": [source]}}


def certificate(**fields: Any) -> Any:
    return projected({"podCertificate": {"signerName": "a.com/b", "keyType": "ED25519", "keyPath": "k", **fields}})


@pytest.mark.parametrize(
    ("source", "place", "words"),
    [
        ({"downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.name"},
                                     "resourceFieldRef": {}}]}},
         "downwardAPI", "can not be specified simultaneously"),
        (projected({"downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.name"}}] * 2}}),
         "projected", "conflicting duplicate paths"),
        (projected({"serviceAccountToken": {"path": "t", "expirationSeconds": 1 << 33}}),
         "projected.sources[0].serviceAccountToken.expirationSeconds", "larger than 2^32 seconds"),
        (projected({"serviceAccountToken": {}}), "projected.path", "Required"),
        (projected({"clusterTrustBundle": {"name": "a", "signerName": "a.com/b", "path": "p"}}),
         "projected.sources[0].clusterTrustBundle", "only one of name and signerName"),
        (projected({"clusterTrustBundle": {"name": "B_", "path": "p"}}),
         "projected.sources[0].clusterTrustBundle.name", "not a valid clustertrustbundlename"),
        (projected({"clusterTrustBundle": {"name": "a", "labelSelector": {}, "path": "p"}}),
         "projected.sources[0].clusterTrustBundle.labelSelector", "must be unset if name"),
        (projected({"clusterTrustBundle": {"signerName": "b", "path": "p"}}),
         "projected.sources[0].clusterTrustBundle.signerName", "fully qualified domain and path"),
        (certificate(maxExpirationSeconds=60),
         "projected.sources[0].podCertificate.maxExpirationSeconds", "must be >= 3600"),
        (certificate(signerName="kubernetes.io/b", maxExpirationSeconds=90000),
         "projected.sources[0].podCertificate.maxExpirationSeconds", "must be <= 86400"),
        (certificate(keyPath=""), "projected.sources[0].podCertificate", "specify at least one of"),
        ({"flocker": {"datasetName": "a/b", "datasetUUID": "u"}}, "flocker.datasetName", "must not contain '/'"),
        ({"flocker": {"datasetName": "a", "datasetUUID": "u"}}, "flocker", "can not be specified simultaneously"),
        ({"fc": {"targetWWNs": ["a"], "wwids": ["b"], "lun": 1}}, "fc.targetWWNs", "simultaneously"),
        ({"fc": {"targetWWNs": ["a"]}}, "fc.lun", "lun is required"),
        ({"fc": {"targetWWNs": ["a"], "lun": 256}}, "fc.lun", "between 0 and 255"),
        ({"iscsi": {"targetPortal": "p", "iqn": "iqn.2026-01.a:b", "chapAuthSession": True}}, "iscsi.secretRef", "Req"),
        ({"iscsi": {"targetPortal": "p" * 70, "iqn": "iqn.2026-01.a:b", "initiatorName": "iqn.2026-01.a:b"}},
         "name", "must be under 64 characters"),
        ({"quobyte": {"volume": "v"}}, "quobyte.registry", "host:port pair"),
        ({"quobyte": {"volume": "v", "registry": "a:1", "tenant": "t" * 65}}, "quobyte.tenant", "length of 64"),
        ({"azureDisk": {"diskName": "d", "diskURI": "x", "kind": "Shared"}}, "azureDisk.diskURI", "blob.core"),
        ({"storageos": {"volumeName": "v", "volumeNamespace": "B_"}}, "storageos.volumeNamespace", "RFC 1123 label"),
        ({"csi": {"driver": "d", "nodePublishSecretRef": {}}}, "csi.nodePublishSecretRef.name", "Required"),
        ({"csi": {"driver": "d", "nodePublishSecretRef": {"name": "B_"}}}, "csi.name", "RFC 1123 subdomain"),
    ],
)  # fmt: skip
def test_a_volume_source_is_refused(source: Any, place: str, words: str) -> None:
    found = pod_faults({"volumes": [{"name": "v", **source}], "serviceAccountName": "a"})
    assert any(fault.startswith(f"spec.volumes[0].{place}: ") and words in fault for fault in found), found


@pytest.mark.parametrize(
    ("spec", "place", "words"),
    [
        ({"ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "a"}]}, "spec.ports[1].name", "Duplicate"),
        ({"ports": [{"port": 1, "name": "B_"}]}, "spec.ports[0].name", "RFC 1123 label"),
        ({"ports": [{"port": 1, "appProtocol": "-"}]}, "spec.ports[0].appProtocol", "name part"),
        ({"type": "NodePort",
          "ports": [{"port": 1, "name": "a", "nodePort": 9}, {"port": 2, "name": "b", "nodePort": 9}]},
         "spec.ports[1].nodePort", "Duplicate value: 9"),
        ({"selector": {"-": "a"}}, "spec.selector", "name part"),
        ({"clusterIP": "None", "clusterIPs": ["None", "10.0.0.1"]}, "spec.clusterIPs", "'None' must be the first and "
                                                                                       "only"),
        ({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "::1", "10.0.0.2"]}, "spec.clusterIPs", "up to 2 values"),
        ({"allocateLoadBalancerNodePorts": True}, "spec.allocateLoadBalancerNodePorts", "'LoadBalancer'"),
        ({"externalIPs": ["0.0.0.0"]}, "spec.externalIPs[0]", "may not be unspecified"),
        ({"externalIPs": ["224.0.0.1"]}, "spec.externalIPs[0]", "link-local multicast range"),
        ({"type": "LoadBalancer", "loadBalancerClass": "-"}, "spec.loadBalancerClass", "name part"),
        ({"ipFamilies": ["IPv5"]}, "spec.ipFamilies[0]", 'supported values: "IPv4", "IPv6"'),
    ],
)  # fmt: skip
def test_a_service_is_refused(spec: Any, place: str, words: str) -> None:
    found = told(rules_for("", "Service").create(new("Service", spec={**SERVICE, **spec})))
    assert any(fault.startswith(f"{place}: ") and words in fault for fault in found), found


@pytest.mark.parametrize(
    ("annotations", "place"),
    [
        ({"service.beta.kubernetes.io/load-balancer-source-ranges": "x"},
         "metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]"),
        ({"service.kubernetes.io/topology-aware-hints": "Auto", "service.kubernetes.io/topology-mode": "Off"},
         "metadata.annotations[service.kubernetes.io/topology-mode]"),
    ],
)  # fmt: skip
def test_an_annotation_of_a_service_is_refused(annotations: Any, place: str) -> None:
    made = new("Service", spec=dict(SERVICE))
    made["metadata"]["annotations"] = annotations
    assert place in {fault.field for fault in rules_for("", "Service").create(made)}


DUAL = {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"], "ipFamilies": ["IPv4", "IPv6"]}


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        (DUAL, {"clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"]}, "spec.ipFamilyPolicy"),
        (DUAL, {"clusterIP": "fd00::1", "clusterIPs": ["fd00::1"], "ipFamilies": ["IPv6"]}, "spec.clusterIPs[0]"),
        (DUAL, {"ipFamilies": ["IPv6"]}, "spec.ipFamilies[0]"),
        ({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"]}, {"ipFamilies": ["IPv6"]},
         "spec.ipFamilies[0]"),
        ({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30001},
         {"healthCheckNodePort": 30002}, "spec.healthCheckNodePort"),
    ],
)  # fmt: skip
def test_a_change_of_a_service_is_refused(before: Any, after: Any, place: str) -> None:
    old = new("Service", spec={**SERVICE, **before})
    changed = {**old, "spec": {**old["spec"], **after}}
    assert place in {fault.field for fault in rules_for("", "Service").update(changed, old)}


def test_going_down_to_one_family_is_said_by_the_policy() -> None:
    old = new("Service", spec={**SERVICE, **DUAL})
    single = {"clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}
    assert rules_for("", "Service").update({**old, "spec": {**old["spec"], **single}}, old) == []


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ({"scopeName": "Odd", "operator": "Exists"}, "unsupported scope"),
        ({"scopeName": "Terminating", "operator": "In", "values": ["a"]}, "must be 'Exists' when scope is any of"),
        ({"scopeName": "PriorityClass", "operator": "Exists", "values": ["a"]}, "must be no value when"),
    ],
)
def test_a_scope_selector_is_refused(expression: Any, words: str) -> None:
    quota = new("ResourceQuota", spec={"scopeSelector": {"matchExpressions": [expression]}})
    (fault,) = told(rules_for("", "ResourceQuota").create(quota))
    assert words in fault


def test_ephemeral_containers_have_no_place_in_templates() -> None:
    spec = {"containers": [{"name": "c", "image": "x"}], "ephemeralContainers": [{"name": "e", "image": "x"}]}
    found = told(rules_for("", "PodTemplate").create(new("PodTemplate", template={"spec": spec})))
    assert found == ["template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template"]
