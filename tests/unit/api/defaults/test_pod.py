"""What a pod, or the template of one, becomes when its user leaves things out."""

import copy
from typing import Any

import pytest

from kubepy.api.defaults.images import image_tag
from kubepy.api.defaults.pod import default_pod, default_pod_template


def pod(container: Any = None, **spec: Any) -> Any:
    made = {"spec": {"containers": [{"name": "c", "image": "nginx", **(container or {})}], **spec}}
    default_pod(made)
    return made["spec"]


def test_the_smallest_pod_becomes_a_whole_one() -> None:
    assert pod() == {
        "containers": [
            {
                "name": "c",
                "image": "nginx",
                "imagePullPolicy": "Always",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": True,
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    }


def test_defaults_are_given_once() -> None:
    rich: Any = {
        "spec": {
            "hostNetwork": True,
            "serviceAccount": "a",
            "containers": [
                {
                    "name": "c",
                    "image": "x:1",
                    "ports": [{"containerPort": 80}],
                    "resources": {"limits": {"cpu": "1"}},
                    "livenessProbe": {"httpGet": {"port": 80}},
                }
            ],
            "volumes": [{"name": "a"}, {"name": "s", "secret": {"secretName": "s"}}],
        }
    }
    default_pod(rich)
    again = copy.deepcopy(rich)
    default_pod(again)
    assert again == rich


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("nginx", "latest"),
        ("nginx:latest", "latest"),
        ("nginx:1.2", "1.2"),
        ("registry:5000/nginx", "latest"),
        ("registry:5000/nginx:1", "1"),
        ("nginx@sha256:" + "a" * 64, ""),
        ("nginx:1@sha256:" + "a" * 64, "1"),
    ],
)
def test_only_the_moving_tag_is_always_pulled(image: str, tag: str) -> None:
    assert image_tag(image) == tag
    policy = pod({"image": image})["containers"][0]["imagePullPolicy"]
    assert policy == ("Always" if tag == "latest" else "IfNotPresent")


def test_ports_probes_and_references_are_completed() -> None:
    probe = {"httpGet": {"port": 80}}
    source = {"fieldRef": {"fieldPath": "metadata.name"}}
    found = pod(
        {
            "ports": [{"containerPort": 80}],
            "livenessProbe": probe,
            "readinessProbe": {"grpc": {"port": 1}},
            "lifecycle": {"preStop": {"httpGet": {"port": 1}}},
            "env": [{"name": "A", "valueFrom": source}],
        }
    )["containers"][0]
    assert found["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert found["livenessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert found["readinessProbe"]["grpc"] == {"port": 1, "service": ""}
    assert found["lifecycle"]["preStop"]["httpGet"]["scheme"] == "HTTP"
    assert found["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"


def test_requests_follow_limits_in_pods_but_not_in_templates() -> None:
    resources = {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1"}}
    assert pod({"resources": copy.deepcopy(resources)})["containers"][0]["resources"]["requests"] == {
        "cpu": "1",
        "memory": "1Gi",
    }
    template: Any = {"spec": {"containers": [{"name": "c", "image": "x", "resources": copy.deepcopy(resources)}]}}
    default_pod_template(template)
    assert template["spec"]["containers"][0]["resources"] == resources
    assert "enableServiceLinks" not in template["spec"]


def test_on_the_hosts_network_ports_are_host_ports() -> None:
    found = pod({"ports": [{"containerPort": 80}]}, hostNetwork=True)
    assert found["containers"][0]["ports"][0]["hostPort"] == 80


def test_both_names_of_the_account_are_shown() -> None:
    for field in ("serviceAccount", "serviceAccountName"):
        found = pod(**{field: "a"})
        assert (found["serviceAccount"], found["serviceAccountName"]) == ("a", "a")


def test_amounts_finer_than_a_thousandth_are_rounded_up() -> None:
    found = pod({"resources": {"limits": {"cpu": "100u"}}})
    assert found["containers"][0]["resources"]["limits"] == {"cpu": "1m"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({}, {"emptyDir": {}}),
        ({"secret": {"secretName": "s"}}, {"secret": {"secretName": "s", "defaultMode": 420}}),
        ({"configMap": {"defaultMode": 256}}, {"configMap": {"defaultMode": 256}}),
        ({"hostPath": {"path": "/x"}}, {"hostPath": {"path": "/x", "type": ""}}),
        ({"iscsi": {"iqn": "i"}}, {"iscsi": {"iqn": "i", "iscsiInterface": "default"}}),
        ({"rbd": {}}, {"rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"}}),
        ({"azureDisk": {}},
         {"azureDisk": {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"}}),
        ({"downwardAPI": {"items": [{"fieldRef": {"fieldPath": "f"}}]}},
         {"downwardAPI": {"defaultMode": 420, "items": [{"fieldRef": {"fieldPath": "f", "apiVersion": "v1"}}]}}),
        ({"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
         {"projected": {"defaultMode": 420,
                        "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}]}}),
        ({"ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
         {"ephemeral": {"volumeClaimTemplate": {"spec": {"volumeMode": "Filesystem"}}}}),
        ({"image": {"reference": "a:1"}}, {"image": {"reference": "a:1", "pullPolicy": "IfNotPresent"}}),
    ],
)  # fmt: skip
def test_a_volume_is_completed(source: Any, expected: Any) -> None:
    assert pod(volumes=[{"name": "v", **source}])["volumes"] == [{"name": "v", **expected}]


def test_one_address_of_a_pod_stands_in_both_fields() -> None:
    made: Any = {"spec": {"containers": []}, "status": {"podIP": "10.0.0.1"}}
    default_pod(made)
    assert made["status"]["podIPs"] == [{"ip": "10.0.0.1"}]
    made = {"spec": {"containers": []}, "status": {"podIPs": [{"ip": "10.0.0.1"}]}}
    default_pod(made)
    assert made["status"]["podIP"] == "10.0.0.1"


def test_limits_of_the_pod_itself_become_its_requests() -> None:
    found = pod({"resources": {"requests": {"cpu": "1"}}}, resources={"limits": {"cpu": "2", "memory": "1Gi"}})
    assert found["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}
