"""What the other kinds of the core group become when their user leaves things out."""

import copy
from typing import Any

import pytest

from kubepy.api.defaults.registry import apply_defaults


def defaulted(kind: str, **fields: Any) -> Any:
    obj = copy.deepcopy(fields)
    apply_defaults("v1", kind, obj)
    again = copy.deepcopy(obj)
    apply_defaults("v1", kind, again)
    assert again == obj, "a second time changes nothing"
    return obj


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("Secret", {"data": {"c": "ZA=="}, "stringData": {"a": "b"}},
         {"data": {"c": "ZA==", "a": "Yg=="}, "type": "Opaque"}),
        ("Namespace", {"metadata": {"name": "n"}},
         {"metadata": {"name": "n", "labels": {"kubernetes.io/metadata.name": "n"}}, "status": {"phase": "Active"}}),
        ("Namespace", {"metadata": {"generateName": "n-"}},
         {"metadata": {"generateName": "n-"}, "status": {"phase": "Active"}}),
        ("PersistentVolume", {"spec": {"hostPath": {"path": "/x"}}},
         {"spec": {"hostPath": {"path": "/x", "type": ""}, "persistentVolumeReclaimPolicy": "Retain",
                   "volumeMode": "Filesystem"}, "status": {"phase": "Pending"}}),
        ("PersistentVolumeClaim", {"spec": {"dataSource": {"kind": "PersistentVolumeClaim", "name": "c"}}},
         {"spec": {"dataSource": {"kind": "PersistentVolumeClaim", "name": "c"},
                   "dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "c"}, "resources": {},
                   "volumeMode": "Filesystem"}, "status": {"phase": "Pending"}}),
        ("PersistentVolumeClaim", {"spec": {"dataSourceRef": {"apiGroup": "a.b", "kind": "Image", "name": "c"}}},
         {"spec": {"dataSource": {"apiGroup": "a.b", "kind": "Image", "name": "c"},
                   "dataSourceRef": {"apiGroup": "a.b", "kind": "Image", "name": "c"}, "resources": {},
                   "volumeMode": "Filesystem"}, "status": {"phase": "Pending"}}),
        ("PersistentVolumeClaim", {"spec": {"dataSource": {"apiGroup": "a.b", "kind": "Image", "name": "c"}}},
         {"spec": {"resources": {}, "volumeMode": "Filesystem"}, "status": {"phase": "Pending"}}),
        ("LimitRange", {"spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1"}}]}},
         {"spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1"},
                               "default": {"cpu": "2"},
                               "defaultRequest": {"cpu": "2", "memory": "1"}}]}}),
        ("LimitRange", {"spec": {"limits": [{"type": "Pod", "max": {"cpu": "2"}}]}},
         {"spec": {"limits": [{"type": "Pod", "max": {"cpu": "2"}}]}}),
        ("Endpoints", {"subsets": [{"ports": [{"port": 1}]}]},
         {"subsets": [{"ports": [{"port": 1, "protocol": "TCP"}]}]}),
        ("ServiceAccount", {"metadata": {"name": "a"}}, {"metadata": {"name": "a"}}),
    ],
)  # fmt: skip
def test_a_kind_is_completed(kind: str, given: Any, expected: Any) -> None:
    assert defaulted(kind, **given) == expected


def test_a_node_offers_all_that_it_has() -> None:
    node = defaulted("Node", spec={"podCIDR": "10.0.0.0/24"}, status={"capacity": {"cpu": "2"}})
    assert node["spec"]["podCIDRs"] == ["10.0.0.0/24"]
    assert node["status"]["allocatable"] == {"cpu": "2"}
    assert node["status"]["daemonEndpoints"] == {"kubeletEndpoint": {"Port": 0}}


def test_a_replication_controller_is_that_of_its_template() -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}}
    found = defaulted("ReplicationController", spec={"template": template})
    assert (found["spec"]["replicas"], found["spec"]["selector"]) == (1, {"a": "b"})
    assert found["metadata"]["labels"] == {"a": "b"}
    spec = {"selector": {"a": "b"}, "replicas": 0, "template": template}
    given = defaulted("ReplicationController", metadata={"labels": {"c": "d"}}, spec=spec)
    assert (given["spec"]["replicas"], given["metadata"]["labels"]) == (0, {"c": "d"})


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}),
        ({"type": "NodePort"},
         {"type": "NodePort", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
          "externalTrafficPolicy": "Cluster"}),
        ({"type": "LoadBalancer"},
         {"type": "LoadBalancer", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
          "externalTrafficPolicy": "Cluster", "allocateLoadBalancerNodePorts": True}),
        ({"type": "ExternalName"}, {"type": "ExternalName", "sessionAffinity": "None"}),
        ({"externalIPs": ["1.1.1.1"]},
         {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
          "externalTrafficPolicy": "Cluster", "externalIPs": ["1.1.1.1"]}),
        ({"sessionAffinity": "ClientIP"},
         {"type": "ClusterIP", "sessionAffinity": "ClientIP", "internalTrafficPolicy": "Cluster",
          "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}}),
    ],
)  # fmt: skip
def test_a_service_is_completed(spec: Any, expected: Any) -> None:
    assert defaulted("Service", spec=spec)["spec"] == expected


def test_ports_of_a_service_lead_to_the_same_port() -> None:
    spec = {"ports": [{"port": 80}, {"port": 81, "targetPort": "web"}, {"port": 82, "targetPort": 0}]}
    ports = defaulted("Service", spec=spec)["spec"]["ports"]
    assert [port["targetPort"] for port in ports] == [80, "web", 82]
    assert {port["protocol"] for port in ports} == {"TCP"}


def test_addresses_of_a_load_balancer_are_virtual() -> None:
    found = defaulted(
        "Service", spec={"type": "LoadBalancer"}, status={"loadBalancer": {"ingress": [{"ip": "1.1.1.1"}]}}
    )
    assert found["status"]["loadBalancer"]["ingress"] == [{"ip": "1.1.1.1", "ipMode": "VIP"}]
