"""What is said about objects that are accepted all the same."""

from typing import Any

import pytest

from kubepy.api.warnings.registry import status_warner_for, warner_for

Object = dict[str, Any]


def said(group: str, kind: str, obj: Object, old: Object | None = None) -> list[str]:
    warner = warner_for(group, kind)
    assert warner is not None
    return warner(obj, old)


def pod(name: str = "p", *, annotations: Object | None = None, container: Object | None = None, **spec: Any) -> Object:
    containers = [{"name": "c", **(container or {})}]
    return {"metadata": {"name": name, "annotations": annotations or {}}, "spec": {"containers": containers, **spec}}


REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
TOKEN = {"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}
HIDING = {"projected": {"sources": [{"secret": {"items": [{"path": "t"}]}}]}}


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (pod(), []),
        (pod("a.b"), ["metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a "
                      "DNS label is recommended: [must not contain dots]"]),
        (pod(nodeSelector={"beta.kubernetes.io/os": "linux"}),
         ['spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead']),
        (pod(affinity={"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "app.kubernetes.io/created-by"}]}]}}}),
         [f"spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms[0].matchExpressions[0].key: "
          "app.kubernetes.io/created-by is deprecated since v1.9"]),
        (pod(topologySpreadConstraints=[{"topologyKey": "z"}]),
         ["spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod"]),
        (pod(affinity={"podAntiAffinity": {REQUIRED: [{"topologyKey": "z"}]}}),
         [f"spec.affinity.podAntiAffinity.{REQUIRED}[0].labelSelector: a null labelSelector results in matching no "
          "pod"]),
        (pod(annotations={"security.alpha.kubernetes.io/sysctls": "a"}),
         ["metadata.annotations[security.alpha.kubernetes.io/sysctls]: non-functional in v1.11+; use the \"sysctls\" "
          "field instead"]),
        (pod(annotations={"seccomp.security.alpha.kubernetes.io/pod": "x"}),
         ["metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: non-functional in v1.27+; use the "
          '"seccompProfile" field instead']),
        (pod(volumes=[{"name": "v", "cephfs": {}}]),
         ["spec.volumes[0].cephfs: deprecated in v1.28, non-functional in v1.31+"]),
        (pod(volumes=[TOKEN, HIDING]),
         []),
        (pod(volumes=[{"name": "v", "projected": {"sources": [
            {"serviceAccountToken": {"path": "t/a"}}, {"secret": {"name": "s", "items": [{"path": "t/"}]}},
            {"clusterTrustBundle": {"signerName": "b", "path": "u"}}, {"downwardAPI": {"items": [{"path": "u/x"}]}},
            {"podCertificate": {"keyPath": "u"}}, {}]}}]),
         ['volume "v" (Projected) has no sources provided',
          'volume "v" (Projected): overlapping paths: "t" (Secret "s") with "t/a" (ServiceAccountToken)',
          'volume "v" (Projected): overlapping paths: "u/x" (DownwardAPI) with "u" (ClusterTrustBundle "b")',
          'volume "v" (Projected): overlapping paths: "u" (PodCertificate key) with "u" (ClusterTrustBundle "b")',
          'volume "v" (Projected): overlapping paths: "u" (PodCertificate key) with "u/x" (DownwardAPI)']),
        (pod(volumes=[{"name": "v", "configMap": {"name": "m", "items": [{"path": "a"}, {"path": "b"}, {"path": "a"}]}},
                      {"name": "w", "secret": {"secretName": "s", "items": [{"path": "a/b"}, {"path": "a"}]}},
                      {"name": "x", "downwardAPI": {"items": [{"path": "a"}, {"path": "a"}]}}]),
         ['volume "v" (ConfigMap "m"): overlapping paths: "a" with "a"',
          'volume "w" (Secret "s"): overlapping paths: "a" with "a/b"',
          'volume "x" (DownwardAPI): overlapping paths: "a" with "a"']),
        (pod(initContainers=[{"name": "i", "ports": [{"name": "p", "containerPort": 1}]}],
             container={"ports": [{"name": "p", "containerPort": 2}]}),
         ['spec.containers[0].ports[0]: duplicate port name "p" with spec.initContainers[0].ports[0], services and '
          "probes that select ports by name will use spec.initContainers[0].ports[0]"]),
        (pod(dnsConfig={"nameservers": ["::ffff:1.2.3.4"]}, hostAliases=[{"ip": "2001:DB8::1"}]),
         ['spec.dnsConfig.nameservers[0]: non-standard IP address "::ffff:1.2.3.4" will be considered invalid in a '
          'future Kubernetes release: use "1.2.3.4"',
          'spec.hostAliases[0].ip: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")']),
        (pod(hostAliases=[{"ip": "1.1.1.1"}, {"ip": "1.1.1.1"}]), ['spec.hostAliases[1].ip: duplicate ip "1.1.1.1"']),
        (pod(imagePullSecrets=[{"name": "a"}, {"name": "a"}, {}]),
         ['spec.imagePullSecrets[1].name: duplicate name "a"', 'spec.imagePullSecrets[2].name: invalid empty name ""']),
        (pod(container={"resources": {"limits": {"memory": "1500m"}}}),
         ['spec.containers[0].resources.limits[memory]: fractional byte value "1500m" is invalid, must be an integer']),
        (pod(container={"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}),
         ['spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply']),
        (pod(container={"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}]}), []),
        (pod(container={"ports": [{"containerPort": 1}, {"containerPort": 1}]}),
         ["spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]"]),
        (pod(container={"ports": [{"containerPort": 1}, {"containerPort": 1, "hostPort": 1}]}),
         ["spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]"]),
        (pod(terminationGracePeriodSeconds=-1),
         ["spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"]),
    ],
)  # fmt: skip
def test_pods_are_warned_of(made: Object, expected: list[str]) -> None:
    assert said("", "Pod", made) == expected


def owner(template: Object, generation: int = 1, **spec: Any) -> Object:
    return {"metadata": {"name": "w", "generation": generation}, "spec": {"template": template, **spec}}


def test_templates_are_warned_of_when_they_are_new() -> None:
    old, new = owner(pod(hostAliases=[{"ip": "1"}, {"ip": "1"}])), owner(pod(hostAliases=[{"ip": "1"}, {"ip": "1"}]))
    told = ['spec.template.spec.hostAliases[1].ip: duplicate ip "1"']
    for kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"):
        assert said("apps", kind, new) == told
        assert said("apps", kind, new, old) == []
        new["metadata"]["generation"] = 2
        assert said("apps", kind, new, old) == told
        new["metadata"]["generation"] = 1


def test_cron_jobs_are_warned_of() -> None:
    job = {"spec": {"template": pod(container={"env": [{"name": "A"}, {"name": "A"}]})}}
    made = {"metadata": {"name": "c"}, "spec": {"schedule": "TZ=UTC * * * * *", "jobTemplate": job}}
    assert said("batch", "CronJob", made) == [
        'spec.jobTemplate.spec.template.spec.containers[0].env[1]: hides previous definition of "A", which may be '
        "dropped when using apply",
        "CRON_TZ or TZ used in spec.schedule is not officially supported, see "
        "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details",
    ]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"type": "ClusterIP", "clusterIPs": ["10.0.0.1"]}, []),
        ({"type": "ClusterIP", "clusterIP": "None", "sessionAffinity": "ClientIP", "externalIPs": ["1.1.1.1"]},
         ["spec.externalIPs is ignored for headless services",
          "spec.SessionAffinity is ignored for headless services"]),
        ({"type": "ClusterIP", "externalIPs": ["2001:DB8::1"]},
         ['spec.externalIPs[0]: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")',
          "spec.externalIPs is deprecated and may no longer be implemented in some clusters"]),
        ({"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.1/8"]},
         ['spec.loadBalancerSourceRanges[0]: CIDR value "10.0.0.1/8" is ambiguous in this context (should be '
          '"10.0.0.0/8" or "10.0.0.1/32"?)']),
        ({"type": "ClusterIP", "externalName": "x"},
         ['spec.externalName is ignored when spec.type is not "ExternalName"']),
        ({"type": "ClusterIP", "trafficDistribution": "PreferClose"},
         ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"']),
    ],
)  # fmt: skip
def test_services_are_warned_of(spec: Object, expected: list[str]) -> None:
    assert said("", "Service", {"metadata": {"name": "s"}, "spec": spec}) == expected


def meta(**annotations: str) -> Object:
    return {"metadata": {"name": "x", "annotations": annotations}}


@pytest.mark.parametrize(
    ("group", "kind", "made", "expected"),
    [
        ("networking.k8s.io", "Ingress", meta(**{"kubernetes.io/ingress.class": "nginx"}),
         ["annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"]),
        ("", "PersistentVolumeClaim", {**meta(**{"volume.beta.kubernetes.io/storage-class": "s"}),
                                       "spec": {"resources": {"requests": {"storage": "1500m"}}}},
         ["metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use "
          '"storageClassName" attribute instead',
          'spec.resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer']),
        ("", "PersistentVolume", {**meta(), "spec": {"persistentVolumeReclaimPolicy": "Recycle"}},
         ["spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended "
          "approach is to use dynamic provisioning."]),
        ("", "Node", {**meta(), "spec": {"configSource": {}, "externalID": "x", "podCIDRs": ["10.0.0.8/24"]}},
         ["spec.configSource: the feature is removed",
          "spec.externalID: this field is deprecated, and is unused by Kubernetes",
          'spec.podCIDRs[0]: CIDR value "10.0.0.8/24" is ambiguous in this context (should be "10.0.0.0/24" or '
          '"10.0.0.8/32"?)']),
        ("", "Endpoints", {**meta(), "subsets": [{"notReadyAddresses": [{"ip": "::FFFF"}]}]},
         ['subsets[0].notReadyAddresses[0].ip: IPv6 address "::FFFF" should be in RFC 5952 canonical format '
          '("::ffff")']),
        ("discovery.k8s.io", "EndpointSlice", {**meta(), "addressType": "FQDN"},
         ["spec.addressType: FQDN endpoints are deprecated"]),
        ("discovery.k8s.io", "EndpointSlice",
         {**meta(), "addressType": "IPv6", "endpoints": [{"addresses": ["::FFFF"]}]},
         ['endpoints[0].addresses[0]: IPv6 address "::FFFF" should be in RFC 5952 canonical format ("::ffff")']),
        ("", "PersistentVolume", {**meta(), "spec": {"rbd": {}}},
         ["spec.rbd: deprecated in v1.28, non-functional in v1.31+"]),
        ("", "ServiceAccount", meta(**{"kubernetes.io/enforce-mountable-secrets": "true"}),
         ["metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+; prefer separate "
          "namespaces to isolate access to mounted secrets"]),
        ("node.k8s.io", "RuntimeClass", {**meta(), "scheduling": {"nodeSelector": {"beta.kubernetes.io/arch": "x"}}},
         ['scheduling.nodeSelector: deprecated since v1.14; use "kubernetes.io/arch" instead']),
        ("storage.k8s.io", "StorageClass", {**meta(), "allowedTopologies": [{"matchLabelExpressions": [
            {"key": "failure-domain.beta.kubernetes.io/zone"}]}]},
         ["allowedTopologies[0].matchLabelExpressions[0].key: failure-domain.beta.kubernetes.io/zone is deprecated "
          'since v1.17; use "topology.kubernetes.io/zone" instead']),
    ],
)  # fmt: skip
def test_other_kinds_are_warned_of(group: str, kind: str, made: Object, expected: list[str]) -> None:
    assert said(group, kind, made) == expected


def test_a_changed_pod_is_not_warned_of() -> None:
    odd = pod(terminationGracePeriodSeconds=-1)
    assert said("", "Pod", odd, odd) == []


def test_statuses_are_warned_of() -> None:
    def told(kind: str, status: Object) -> list[str]:
        warner = status_warner_for("", kind)
        assert warner is not None
        return warner({"metadata": {"name": "x"}, "status": status}, {})

    form = 'IPv6 address "::FFFF" should be in RFC 5952 canonical format ("::ffff")'
    addresses = [{"ip": "::FFFF"}]
    assert told("Pod", {"podIPs": addresses, "hostIPs": addresses}) == [
        f"status.podIPs[0].ip: {form}",
        f"status.hostIPs[0].ip: {form}",
    ]
    assert told("Service", {"loadBalancer": {"ingress": addresses}}) == [f"status.loadBalancer.ingress[0]: {form}"]
    assert status_warner_for("", "Node") is None
