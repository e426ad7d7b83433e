"""What a kubelet may touch: its own things, and what its pods refer to."""

from typing import Any

import pytest

from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.node import NodeAuthorizer
from kubepy.apiserver.http.request_info import RequestInfo

N1 = UserInfo("system:node:n1", groups=("system:nodes", "system:authenticated"))


def ask(
    verb: str, resource: str, namespace: str = "default", name: str = "", group: str = "", fields: str = ""
) -> RequestInfo:
    plural, _, subresource = resource.partition("/")
    return RequestInfo(verb, "", True, group, "v1", plural, subresource, namespace, name, field_selector=fields)


def pod(name: str, node: str = "n1", annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": node, **spec}}


def container(**parts: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", **parts}]}


SECRET_VOLUME = {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}


@pytest.mark.parametrize(
    "spec",
    [
        SECRET_VOLUME,
        {"volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "s"}}]}}]},
        container(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]),
        {"initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "s"}}]}]},
        {"imagePullSecrets": [{"name": "s"}]},
    ],
)
def test_a_node_reads_the_secrets_of_its_pods_only(objects: Any, spec: dict[str, Any]) -> None:
    node = NodeAuthorizer(objects.put(pod("web", **spec)))
    for verb in ("get", "list", "watch"):
        assert node.authorize(N1, ask(verb, "secrets", name="s")).allowed
    refused = node.authorize(N1, ask("get", "secrets", name="other"))
    assert (refused.allowed, refused.reason) == (False, "no relationship found between node 'n1' and this object")
    assert not node.authorize(N1, ask("get", "secrets", "kube-system", "s")).allowed
    assert not node.authorize(N1, ask("list", "secrets")).allowed
    assert not node.authorize(N1, ask("update", "secrets", name="s")).allowed


def test_pods_of_other_nodes_and_mirror_pods_relate_nothing(objects: Any) -> None:
    objects.put(pod("far", "n2", **SECRET_VOLUME))
    objects.put(pod("static", annotations={"kubernetes.io/config.mirror": "x"}, **SECRET_VOLUME))
    assert not NodeAuthorizer(objects).authorize(N1, ask("get", "secrets", name="s")).allowed


def test_config_maps_claims_and_volumes_are_reached_through_pods(objects: Any) -> None:
    volumes = [
        {"name": "a", "configMap": {"name": "cm"}},
        {"name": "b", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "scratch", "ephemeral": {}},
    ]
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "default"}}
    csi = {"driver": "d", "nodeStageSecretRef": {"name": "stage", "namespace": "storage"}}
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv1"}, "spec": {"csi": csi}}
    objects.put(pod("web", volumes=volumes), {**claim, "spec": {"volumeName": "pv1"}}, volume)
    node = NodeAuthorizer(objects)
    assert node.authorize(N1, ask("get", "configmaps", name="cm")).allowed
    assert node.authorize(N1, ask("get", "persistentvolumeclaims", name="data")).allowed
    assert node.authorize(N1, ask("get", "persistentvolumeclaims", name="web-scratch")).allowed
    assert node.authorize(N1, ask("patch", "persistentvolumeclaims/status", name="data")).allowed
    assert node.authorize(N1, ask("get", "persistentvolumes", "", "pv1")).allowed
    assert node.authorize(N1, ask("get", "secrets", "storage", "stage")).allowed
    assert not node.authorize(N1, ask("get", "persistentvolumes", "", "pv2")).allowed
    assert not node.authorize(N1, ask("list", "persistentvolumeclaims", name="data")).allowed


def test_tokens_are_made_for_the_accounts_of_its_pods(objects: Any) -> None:
    node = NodeAuthorizer(objects.put(pod("web", serviceAccountName="robot")))
    assert node.authorize(N1, ask("create", "serviceaccounts/token", name="robot")).allowed
    assert not node.authorize(N1, ask("create", "serviceaccounts/token", name="admin")).allowed
    assert not node.authorize(N1, ask("create", "serviceaccounts")).allowed


@pytest.mark.parametrize(
    ("info", "allowed"),
    [
        (ask("create", "nodes", "", "n1"), True),
        (ask("get", "nodes", "", "n1"), True),
        (ask("watch", "nodes", "", "n1"), True),
        (ask("get", "nodes", "", "n2"), False),
        (ask("list", "nodes", ""), False),
        (ask("patch", "nodes/status", "", "n1"), True),
        (ask("delete", "nodes", "", "n1"), False),
        (ask("update", "leases", "kube-node-lease", "n1", "coordination.k8s.io"), True),
        (ask("update", "leases", "kube-node-lease", "n2", "coordination.k8s.io"), False),
        (ask("get", "leases", "kube-system", "n1", "coordination.k8s.io"), False),
        (ask("update", "csinodes", "", "n1", "storage.k8s.io"), True),
        (ask("update", "csinodes", "", "n2", "storage.k8s.io"), False),
        (ask("create", "events"), True),
        (ask("list", "services", ""), True),
        (ask("list", "pods", ""), False),
        (ask("watch", "pods", "", fields="spec.nodeName=n1,status.phase!=Failed"), True),
        (ask("list", "pods", "", fields="spec.nodeName=n10"), False),
        (ask("list", "resourceslices", "", group="resource.k8s.io", fields="spec.nodeName==n1"), True),
        (ask("deletecollection", "resourceslices", "", group="resource.k8s.io"), False),
        (ask("create", "deployments", group="apps"), False),
        (ask("create", "certificatesigningrequests", "", "", "certificates.k8s.io"), True),
    ],
)
def test_what_is_its_own_it_may_write(objects: Any, info: RequestInfo, allowed: bool) -> None:
    assert NodeAuthorizer(objects).authorize(N1, info).allowed is allowed


def test_others_are_none_of_its_business(objects: Any) -> None:
    pretender = UserInfo("system:node:n1", groups=("system:authenticated",))
    assert not NodeAuthorizer(objects).authorize(pretender, ask("list", "services", "")).allowed


def test_a_pod_that_is_not_there_is_no_pod_of_the_node(objects: Any) -> None:
    """Else a node could find out by the answers which pods there are elsewhere."""
    node = NodeAuthorizer(objects.put(pod("web"), pod("far", "n2")))
    assert node.authorize(N1, ask("get", "pods", name="web")).allowed
    for name in ("far", "gone"):
        for verb in ("get", "watch"):
            refused = node.authorize(N1, ask(verb, "pods", name=name))
            assert refused.reason == "no relationship found between node 'n1' and this object"
    refused = node.authorize(N1, ask("list", "pods"))
    assert refused.reason == "can only list/watch pods with spec.nodeName field selector"
