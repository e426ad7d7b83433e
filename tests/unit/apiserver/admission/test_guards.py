"""What nodes, namespaces with limits and quotas, and makers of roles and certificates are refused."""

import asyncio
import base64
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from kubepy.api import resources
from kubepy.api.errors import ApiError, Conflict, NotFound
from kubepy.api.quota_usage import is_in_scopes, usage_of
from kubepy.api.resources import Resource
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.certificates import (
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
    ClusterTrustBundleAttest,
    PodCertificateSigning,
)
from kubepy.apiserver.admission.chain import AdmissionChain
from kubepy.apiserver.admission.configuration import Configuration
from kubepy.apiserver.admission.image_policy import ImagePolicy
from kubepy.apiserver.admission.limit_ranger import LimitRanger
from kubepy.apiserver.admission.metrics import AdmissionMetrics
from kubepy.apiserver.admission.node_restriction import NodeRestriction, is_own_label
from kubepy.apiserver.admission.plugin import Plugin
from kubepy.apiserver.admission.plugins import MAKERS, OFF_BY_DEFAULT, Tools, build_plugins
from kubepy.apiserver.admission.pod_security.plugin import PodSecurity
from kubepy.apiserver.admission.rbac_escalation import RbacEscalation
from kubepy.apiserver.admission.resource_quota import ResourceQuota
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.chain import AlwaysAllow, Authorization, build_authorization
from kubepy.apiserver.webhooks.client import WebhookClient
from kubepy.apiserver.webhooks.target import Target
from kubepy.lib import pki
from tests.unit.apiserver.conftest import OneVersion

Object = dict[str, Any]
GROUPS = {row.plural: row.group for row in resources.BUILT_IN if row.plural != "events"}
ALICE = UserInfo("alice", groups=("dev",))
N1 = UserInfo("system:node:n1", groups=("system:nodes",))
RBAC = "rbac.authorization.k8s.io/v1"


def write(
    plural: str,
    obj: Object | None,
    old: Object | None = None,
    *,
    user: UserInfo = ALICE,
    subresource: str = "",
    name: str = "",
) -> Attributes:
    resource = resources.named(plural, GROUPS[plural])
    operation = "DELETE" if obj is None else "UPDATE" if old is not None else "CREATE"
    metadata = (obj or old or {}).get("metadata") or {}
    name = name or metadata.get("name", "")
    return Attributes(operation, resource, subresource, metadata.get("namespace", ""), name, obj, old, user)


def run(plugin: Plugin, attributes: Attributes) -> Object:
    async def both() -> None:
        chain = AdmissionChain([plugin])
        await chain.admit(attributes)
        await chain.validate(attributes)

    asyncio.run(both())
    return attributes.object or {}


def refusal(plugin: Plugin, attributes: Attributes) -> str:
    with pytest.raises(ApiError) as caught:
        run(plugin, attributes)
    return caught.value.message


def pod(name: str = "web", node: str = "", annotations: dict[str, str] | None = None, **spec: Any) -> Object:
    metadata: Object = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    if annotations:
        metadata["annotations"] = annotations
    spec = {"containers": [{"name": "c"}], **({"nodeName": node} if node else {}), **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def container(name: str = "c", requests: Object | None = None, limits: Object | None = None, **more: Any) -> Object:
    amounts = {key: value for key, value in (("requests", requests), ("limits", limits)) if value}
    return {"name": name, **({"resources": amounts} if amounts else {}), **more}


def obj(api_version: str, kind: str, name: str, namespace: str = "default", **more: Any) -> Object:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **more.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}


# NodeRestriction


def node(name: str = "n1", labels: Object | None = None, taints: list[Any] | None = None, **metadata: Any) -> Object:
    spec = {"taints": taints} if taints is not None else {}
    return obj("v1", "Node", name, "", metadata={"labels": labels or {}, **metadata}, spec=spec)


MIRROR = {"kubernetes.io/config.mirror": "x"}
OWNER = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "uid-n1", "controller": True}


def mirror_pod(owners: list[Any] | None = None, node: str = "n1", **spec: Any) -> Object:
    made = pod(node=node, annotations=MIRROR, **spec)
    made["metadata"]["ownerReferences"] = [OWNER] if owners is None else owners
    return made


def volume(**source: Any) -> Object:
    return {"volumes": [{"name": "v", **source}]}


def bound_claim(**status: Any) -> Object:
    return obj("v1", "PersistentVolumeClaim", "c", spec={"volumeName": "v"}, status=status)


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        (write("nodes", node("n2"), user=N1), 'is not allowed to modify node "n2"'),
        (write("nodes", node(taints=[{"key": "a"}]), node(), user=N1), "is not allowed to modify taints"),
        (write("nodes", node(ownerReferences=[{}]), node(), user=N1), "is not allowed to modify ownerReferences"),
        (
            write("nodes", node(labels={"node-restriction.kubernetes.io/a": "1"}), user=N1),
            "is not allowed to set the following labels: node-restriction.kubernetes.io/a",
        ),
        (write("pods", pod(node="n1"), user=N1), "can only create mirror pods"),
        (write("pods", mirror_pod(node="n2"), user=N1), "can only create pods with spec.nodeName"),
        (
            write("pods", mirror_pod(serviceAccountName="a"), user=N1),
            "can not create pods that reference a service account",
        ),
        (
            write("pods", mirror_pod(**volume(projected={"sources": [{"clusterTrustBundle": {}}]})), user=N1),
            "can not create pods that reference clustertrustbundles",
        ),
        (write("pods", mirror_pod([OWNER, OWNER]), user=N1), "with a single owner reference set to itself"),
        (write("pods", mirror_pod([]), user=N1), "with an owner reference set to itself"),
        (write("pods", mirror_pod([{**OWNER, "name": "n2"}]), user=N1), "with an owner reference set to itself"),
        (write("pods", mirror_pod([{**OWNER, "controller": False}]), user=N1), "a controller owner reference"),
        (write("pods", mirror_pod([{**OWNER, "blockOwnerDeletion": True}]), user=N1), "must not set blockOwnerDel"),
        (write("pods", mirror_pod([{**OWNER, "uid": "x"}]), user=N1), "node n1 UID mismatch: expected x got uid-n1"),
        (
            write("pods", {"metadata": {"name": "web"}}, user=N1, subresource="binding"),
            "unexpected pod subresource \"binding\", only 'status' and 'eviction' are allowed",
        ),
        (
            write(
                "pods",
                {**pod(node="n1"), "status": {"extendedResourceClaimStatus": {}}},
                pod(node="n1"),
                user=N1,
                subresource="status",
            ),
            "cannot update extended resource claim status",
        ),
        (write("persistentvolumeclaims", bound_claim(), bound_claim(), user=N1), "may only update PVC status"),
        (
            write("persistentvolumeclaims", bound_claim(phase="Lost"), bound_claim(), user=N1, subresource="status"),
            "is not allowed to update fields other than status.quantity and status.conditions",
        ),
        (
            write("nodes", node(labels={"kubernetes.io/role": "x"}), node(), user=N1),
            "forbidden: is not allowed to modify labels: kubernetes.io/role",
        ),
        (
            write("resourceslices", obj("resource.k8s.io/v1", "ResourceSlice", "s", "", spec={}), user=N1),
            "can only create ResourceSlice with the same NodeName as the requesting node",
        ),
        (write("pods", None, pod(node="n2"), user=N1), "can only delete pods with spec.nodeName set to itself"),
        (
            write("pods", pod(node="n2"), pod(node="n2"), user=N1, subresource="status"),
            "can only update pod status for pods with spec.nodeName set to itself",
        ),
        (write("pods", pod(node="n1"), pod(node="n1"), user=N1), "can only create and delete mirror pods"),
        (
            write("leases", obj("coordination.k8s.io/v1", "Lease", "n2", "kube-node-lease"), user=N1),
            "can only access node lease with the same name",
        ),
        (
            write("leases", obj("coordination.k8s.io/v1", "Lease", "n1", "default"), user=N1),
            'can only access leases in the "kube-node-lease" system namespace',
        ),
        (write("csinodes", obj("storage.k8s.io/v1", "CSINode", "n2", ""), user=N1), "can only access CSINode"),
    ],
)
def test_a_node_is_refused_what_is_not_its_own(objects: Any, attributes: Attributes, why: str) -> None:
    assert why in refusal(NodeRestriction(objects.put(node(uid="uid-n1"))), attributes)


def test_a_node_writes_what_is_its_own_and_others_are_not_looked_at(objects: Any) -> None:
    plugin = NodeRestriction(objects.put(node(uid="uid-n1")))
    own = node(labels={"kubernetes.io/hostname": "n1", "example.com/rack": "7", "node.kubernetes.io/x": "y"})
    run(plugin, write("nodes", own, user=N1))
    run(plugin, write("nodes", own, node(), user=N1))
    run(plugin, write("pods", mirror_pod(), user=N1))
    grown = bound_claim(capacity={"storage": "2Gi"}, conditions=[{"type": "Resizing"}])
    run(plugin, write("persistentvolumeclaims", grown, bound_claim(), user=N1, subresource="status"))
    run(plugin, write("pods", None, pod(node="n1"), user=N1))
    run(plugin, write("pods", pod(node="n1"), pod(node="n1"), user=N1, subresource="status"))
    run(plugin, write("nodes", node("n2", taints=[]), user=ALICE))


@pytest.mark.parametrize(
    ("ref", "why"),
    [
        ({}, "node requested token not bound to a pod"),
        ({"kind": "Pod", "apiVersion": "v1", "name": "web"}, "with a pod binding without a uid"),
        ({"kind": "Pod", "apiVersion": "v1", "name": "web", "uid": "old"}, "does not match the UID in record"),
        ({"kind": "Pod", "apiVersion": "v1", "name": "far", "uid": "uid-far"}, "scheduled on a different node"),
        ({"kind": "Pod", "apiVersion": "v1", "name": "web", "uid": "uid-web"}, None),
    ],
)
def test_a_node_asks_for_tokens_of_its_own_pods(objects: Any, ref: Object, why: str | None) -> None:
    tokens = volume(projected={"sources": [{"serviceAccountToken": {"path": "token"}}]})
    plugin = NodeRestriction(objects.put(pod("web", "n1", **tokens), pod("far", "n2")))
    request = {"metadata": {"namespace": "default"}, "spec": {"boundObjectRef": ref}}
    attributes = write("serviceaccounts", request, user=N1, subresource="token", name="robot")
    if why is None:
        run(plugin, attributes)
    else:
        assert why in refusal(plugin, attributes)


def token_request(*audiences: str) -> Attributes:
    ref = {"kind": "Pod", "apiVersion": "v1", "name": "web", "uid": "uid-web"}
    spec = {"boundObjectRef": ref, "audiences": list(audiences)}
    request = {"metadata": {"namespace": "default"}, "spec": spec}
    return write("serviceaccounts", request, user=N1, subresource="token", name="robot")


@pytest.mark.parametrize(
    "found",
    [
        {"projected": {"sources": [{"serviceAccountToken": {"audience": "vault"}}]}},
        {"csi": {"driver": "d"}},
        {"persistentVolumeClaim": {"claimName": "c"}},
    ],
)
def test_a_node_asks_for_tokens_for_whom_the_pods_volumes_name(objects: Any, found: Object) -> None:
    objects.put(
        pod("web", "n1", **volume(**found)),
        obj("storage.k8s.io/v1", "CSIDriver", "d", "", spec={"tokenRequests": [{"audience": "vault"}]}),
        bound_claim(),
        obj("v1", "PersistentVolume", "v", "", spec={"csi": {"driver": "d"}}),
    )
    plugin = NodeRestriction(objects, build_authorization(["RBAC"], objects))
    run(plugin, token_request("vault"))
    assert refusal(plugin, token_request("other")) == (
        'serviceaccounts "robot" is forbidden: audience "other" not found in pod spec volume, system:node:n1 is not '
        "authorized to request tokens for this audience"
    )
    assert "node may only request 0 or 1 audiences" in refusal(plugin, token_request("vault", "other"))


def test_a_role_lets_a_node_ask_for_tokens_for_more(objects: Any) -> None:
    objects.put(pod("web", "n1"))
    run(NodeRestriction(objects, Authorization([AlwaysAllow()])), token_request("registry"))


def test_a_node_asks_for_certificates_of_its_own_and_of_its_pods(objects: Any) -> None:
    own, other = (pki.new_request(pki.new_key(), f"system:node:{name}") for name in ("n1", "n2"))
    plugin = NodeRestriction(objects)

    def request(pem: bytes, signer: str = "kubelet-serving") -> Attributes:
        spec = {"signerName": f"kubernetes.io/{signer}", "request": base64.b64encode(pem).decode()}
        made = obj("certificates.k8s.io/v1", "CertificateSigningRequest", "r", "", spec=spec)
        return write("certificatesigningrequests", made, user=N1)

    run(plugin, request(own))
    run(plugin, request(other, "kube-apiserver-client"))
    assert "can only create a node CSR with CN=system:node:n1" in refusal(plugin, request(other))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, None),
        ({"nodeName": "n2"}, 'PodCertificateRequest.Spec.NodeName="n2", which is not the requesting node "n1"'),
        ({"nodeUID": "x"}, 'names node UID "x", inconsistent with the running node ("uid-n1")'),
        ({"podUID": "x"}, 'contains pod UID ("x") which differs from running pod "uid-web"'),
        ({"podName": "far", "podUID": "uid-far"}, 'pod "default/far" is not running on node "n1"'),
        ({"serviceAccountName": "x"}, 'contains serviceAccountName ("x") that differs from running pod ("robot")'),
        ({"serviceAccountUID": "x"}, 'which differs from the running service account ("uid-robot")'),
        ({"podName": "gone"}, 'while retrieving pod "default/gone" named in the PodCertificateRequest'),
    ],
)
def test_certificates_of_pods_are_for_those_that_run_there(objects: Any, changed: Object, why: str | None) -> None:
    account: Object = {"serviceAccountName": "robot"}
    objects.put(
        node(uid="uid-n1"),
        pod("web", "n1", **account),
        pod("far", "n2", **account),
        obj("v1", "ServiceAccount", "robot", metadata={"uid": "uid-robot"}),
    )
    spec = {
        "nodeName": "n1", "nodeUID": "uid-n1", "podName": "web", "podUID": "uid-web", "serviceAccountUID": "uid-robot",
        **account, **changed,
    }  # fmt: skip
    request = obj("certificates.k8s.io/v1", "PodCertificateRequest", "r", spec=spec)
    attributes = write("podcertificaterequests", request, user=N1)
    if why is None:
        run(NodeRestriction(objects), attributes)
    else:
        assert why in refusal(NodeRestriction(objects), attributes)


@pytest.mark.parametrize(
    ("label", "own"),
    [
        ("rack", True),
        ("example.com/rack", True),
        ("kubernetes.io/hostname", True),
        ("kubernetes.io/role", False),
        ("node-role.kubernetes.io/control-plane", False),
        ("kubelet.kubernetes.io/x", True),
        ("a.node.kubernetes.io/x", True),
        ("a.node-restriction.kubernetes.io/x", False),
        ("k8s.io/x", False),
    ],
)
def test_labels_of_kubernetes_are_not_a_nodes_own_but_for_some(label: str, own: bool) -> None:
    assert is_own_label(label) is own


# LimitRanger


def limits(**items: Any) -> Object:
    return obj("v1", "LimitRange", "limits", spec={"limits": [items]})


def test_bounds_are_told_as_they_are_written_and_hold_no_claim_back_from_its_end(objects: Any) -> None:
    plugin = LimitRanger(objects.put(limits(type="PersistentVolumeClaim", min={"storage": "1024Mi"})))

    def small(**metadata: Any) -> Object:
        spec = {"resources": {"requests": {"storage": "1000k"}}}
        return obj("v1", "PersistentVolumeClaim", "c", spec=spec, metadata=metadata)

    why = "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1M"
    assert why in refusal(plugin, write("persistentvolumeclaims", small()))
    ending = small(deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["a"])
    run(plugin, write("persistentvolumeclaims", small(deletionTimestamp="2026-01-01T00:00:00Z"), ending))


def test_containers_get_the_defaults_of_the_namespace_and_a_note_of_it(objects: Any) -> None:
    defaults = {"default": {"cpu": "1", "memory": "1Gi"}, "defaultRequest": {"cpu": "100m"}}
    plugin = LimitRanger(objects.put(limits(type="Container", **defaults)))
    made = run(plugin, write("pods", pod(containers=[container(limits={"cpu": "2"})])))
    assert made["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "100m"},
        "limits": {"cpu": "2", "memory": "1Gi"},
    }
    assert made["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu request for container c; memory limit for container c"
    )


@pytest.mark.parametrize(
    ("bound", "amounts", "why"),
    [
        (
            {"min": {"cpu": "200m"}},
            container(requests={"cpu": "100m"}),
            "minimum cpu usage per {} is 200m, but request is 100m",
        ),
        ({"min": {"cpu": "200m"}}, container(), "minimum cpu usage per {} is 200m.  No request is specified"),
        (
            {"max": {"memory": "1Gi"}},
            container(limits={"memory": "2Gi"}),
            "maximum memory usage per {} is 1Gi, but limit is 2Gi",
        ),
        ({"max": {"memory": "1Gi"}}, container(), "maximum memory usage per {} is 1Gi.  No limit is specified"),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            container(requests={"cpu": "1"}, limits={"cpu": "4"}),
            "cpu max limit to request ratio per {} is 2, but provided ratio is 4.000000",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["Container", "Pod"])
def test_bounds_are_kept(objects: Any, kind: str, bound: Object, amounts: Object, why: str) -> None:
    plugin = LimitRanger(objects.put(limits(type=kind, **bound)))
    assert refusal(plugin, write("pods", pod(containers=[amounts]))) == f'pods "web" is forbidden: {why.format(kind)}'


def test_all_bounds_that_are_not_kept_are_told(objects: Any) -> None:
    plugin = LimitRanger(objects.put(limits(type="Pod", max={"cpu": "1", "memory": "1Gi"})))
    containers = [container(limits={"cpu": "1", "memory": "1Gi"}), container("d", limits={"cpu": "1", "memory": "1Gi"})]
    assert refusal(plugin, write("pods", pod(containers=containers))).endswith(
        "[maximum cpu usage per Pod is 1, but limit is 2, maximum memory usage per Pod is 1Gi, but limit is 2Gi]"
    )


def claim(size: str, **spec: Any) -> Object:
    return obj("v1", "PersistentVolumeClaim", "data", spec={"resources": {"requests": {"storage": size}}, **spec})


def test_claims_keep_to_bounds_too(objects: Any) -> None:
    plugin = LimitRanger(
        objects.put(limits(type="PersistentVolumeClaim", max={"storage": "1Gi"}, min={"storage": "1Mi"}))
    )
    run(plugin, write("persistentvolumeclaims", claim("500Mi")))
    message = refusal(plugin, write("persistentvolumeclaims", claim("2Gi")))
    assert message.endswith("maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi")


# ResourceQuota


class Writer:
    """Stores quota statuses in a Lookup, after so many conflicts."""

    def __init__(self, objects: Any, conflicts: int = 0) -> None:
        self._objects = objects
        self.conflicts = conflicts

    async def update(self, resource: Resource, obj: Object, *, subresource: str | None = None) -> Object:
        assert subresource == "status"
        if self.conflicts:
            self.conflicts -= 1
            raise Conflict("again")
        self._objects.put(obj)
        return obj

    async def create(self, resource: Resource, obj: Object) -> Object:
        self._objects.put(obj)
        return obj


def quota(hard: Object, name: str = "q", used: Object | None = None, **spec: Any) -> Object:
    status = {"hard": hard, "used": used} if used is not None else {}
    return obj("v1", "ResourceQuota", name, spec={"hard": hard, **spec}, status=status)


QUOTAS = resources.named("resourcequotas")


def test_what_a_pod_adds_is_booked(objects: Any) -> None:
    objects.put(quota({"pods": "2", "requests.cpu": "1", "limits.memory": "1Gi"}))
    plugin = ResourceQuota(objects, Writer(objects, conflicts=1))
    amounts = container(requests={"cpu": "300m"}, limits={"memory": "512Mi"})
    run(plugin, write("pods", pod(containers=[amounts])))
    used = objects.get(QUOTAS, "q", "default")["status"]["used"]
    assert used == {"pods": "1", "requests.cpu": "300m", "limits.memory": "512Mi"}


def test_no_more_than_the_quota_allows(objects: Any) -> None:
    objects.put(quota({"requests.cpu": "1"}), pod("old", containers=[container(requests={"cpu": "800m"})]))
    plugin = ResourceQuota(objects, Writer(objects))
    assert refusal(plugin, write("pods", pod(containers=[container(requests={"cpu": "300m"})]))) == (
        'pods "web" is forbidden: exceeded quota: q, requested: requests.cpu=300m, used: requests.cpu=800m, '
        "limited: requests.cpu=1"
    )


def test_a_status_that_is_out_of_date_refuses_nothing(objects: Any) -> None:
    objects.put(quota({"pods": "1"}, used={"pods": "1"}))
    run(ResourceQuota(objects, Writer(objects)), write("pods", pod()))
    assert objects.get(QUOTAS, "q", "default")["status"]["used"] == {"pods": "1"}


def test_what_is_booked_but_not_stored_yet_counts_until_it_is_deleted(objects: Any) -> None:
    objects.put(quota({"pods": "1"}))
    plugin = ResourceQuota(objects, Writer(objects))
    run(plugin, write("pods", pod("first")))
    assert "exceeded quota" in refusal(plugin, write("pods", pod("second")))
    run(plugin, write("pods", None, pod("first")))
    run(plugin, write("pods", pod("second")))


def test_pods_must_say_what_a_quota_limits(objects: Any) -> None:
    objects.put(quota({"limits.cpu": "1", "limits.memory": "1Gi"}))
    message = refusal(
        ResourceQuota(objects, Writer(objects)), write("pods", pod(containers=[container("a"), container("b")]))
    )
    assert message.endswith("failed quota: q: must specify limits.cpu for: a,b; limits.memory for: a,b")


def test_only_the_growth_of_an_update_counts(objects: Any) -> None:
    objects.put(quota({"requests.storage": "3Gi"}, used={"requests.storage": "1Gi"}))
    plugin = ResourceQuota(objects, Writer(objects))
    run(plugin, write("persistentvolumeclaims", claim("2Gi"), claim("1Gi")))
    assert objects.get(QUOTAS, "q", "default")["status"]["used"] == {"requests.storage": "2Gi"}


@pytest.mark.parametrize(
    ("scope", "spec", "meant"),
    [
        ({"scopes": ["BestEffort"]}, {}, True),
        ({"scopes": ["NotBestEffort"]}, {}, False),
        ({"scopes": ["Terminating"]}, {"activeDeadlineSeconds": 5}, True),
        ({"scopes": ["Terminating", "BestEffort"]}, {}, False),
        ({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["a"]}]}},
         {"priorityClassName": "a"}, True),
        ({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Exists"}]}}, {}, False),
    ],
)  # fmt: skip
def test_scopes_choose_pods(scope: Object, spec: Object, meant: bool) -> None:
    assert is_in_scopes(quota({}, **scope), "pods", pod(**spec)) is meant


def test_services_and_claims_count_by_what_they_take() -> None:
    service = obj("v1", "Service", "s", spec={"type": "LoadBalancer", "ports": [{}, {}]})
    assert usage_of("", "services", service) == {
        "count/services": "1",
        "services": "1",
        "services.loadbalancers": "1",
        "services.nodeports": "2",
    }
    assert usage_of("", "persistentvolumeclaims", claim("1Gi", storageClassName="fast")) == {
        "count/persistentvolumeclaims": "1",
        "persistentvolumeclaims": "1",
        "requests.storage": "1Gi",
        "fast.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
        "fast.storageclass.storage.k8s.io/requests.storage": "1Gi",
    }
    assert usage_of("apps", "deployments", obj("apps/v1", "Deployment", "d")) == {"count/deployments.apps": "1"}
    assert usage_of("", "pods", {**pod(), "status": {"phase": "Succeeded"}}) == {"count/pods": "1"}


# Certificates


def csr(signer: str, organization: str = "dev", status: Object | None = None) -> Object:
    request = base64.b64encode(pki.new_request(pki.new_key(), "u", organizations=[organization])).decode()
    spec = {"signerName": signer, "request": request}
    return obj("certificates.k8s.io/v1", "CertificateSigningRequest", "c", "", spec=spec, status=status or {})


def signer_rights(objects: Any, verb: str, name: str) -> Authorization:
    rules = [{"verbs": [verb], "apiGroups": ["certificates.k8s.io"], "resources": ["signers"], "resourceNames": [name]}]
    ref = {"kind": "ClusterRole", "name": "r"}
    subject = {"kind": "User", "name": "alice"}
    objects.put(obj(RBAC, "ClusterRole", "r", "", rules=rules))
    objects.put(obj(RBAC, "ClusterRoleBinding", "b", "", roleRef=ref, subjects=[subject]))
    return build_authorization(["RBAC"], objects)


@pytest.mark.parametrize("granted", ["example.com/mine", "example.com/*"])
def test_approving_takes_leave_for_the_signer_or_its_domain(objects: Any, granted: str) -> None:
    plugin = CertificateApproval(signer_rights(objects, "approve", granted))
    run(
        plugin,
        write("certificatesigningrequests", csr("example.com/mine"), csr("example.com/mine"), subresource="approval"),
    )
    other = write("certificatesigningrequests", csr("other.com/x"), csr("other.com/x"), subresource="approval")
    assert refusal(plugin, other) == (
        'certificatesigningrequests.certificates.k8s.io "c" is forbidden: '
        'user not permitted to approve requests with signerName "other.com/x"'
    )


def test_signing_takes_leave_only_when_something_is_signed(objects: Any) -> None:
    plugin = CertificateSigning(signer_rights(objects, "approve", "a.com/x"))
    old = csr("a.com/x")
    run(plugin, write("certificatesigningrequests", old, old, subresource="status"))
    signed = {**old, "status": {"certificate": "x"}}
    message = refusal(plugin, write("certificatesigningrequests", signed, old, subresource="status"))
    assert message.endswith('user not permitted to sign requests with signerName "a.com/x"')


def test_bundles_of_a_signer_take_leave_to_attest(objects: Any) -> None:
    bundle = obj("certificates.k8s.io/v1", "ClusterTrustBundle", "b", "", spec={"signerName": "a.com/x"})
    run(ClusterTrustBundleAttest(signer_rights(objects, "attest", "a.com/x")), write("clustertrustbundles", bundle))
    stranger = write("clustertrustbundles", bundle, user=UserInfo("bob"))
    assert "not permitted to attest" in refusal(
        ClusterTrustBundleAttest(build_authorization(["RBAC"], objects)), stranger
    )


def test_only_its_signer_says_anything_of_a_pods_certificate(objects: Any) -> None:
    plugin = PodCertificateSigning(signer_rights(objects, "sign", "a.com/x"))

    def change(user: UserInfo, **status: Any) -> Attributes:
        old = obj("certificates.k8s.io/v1", "PodCertificateRequest", "r", spec={"signerName": "a.com/x"})
        return write("podcertificaterequests", {**old, "status": status}, old, subresource="status", user=user)

    run(plugin, change(ALICE, certificateChain="x"))
    run(plugin, change(UserInfo("bob")))
    assert refusal(plugin, change(UserInfo("bob"), certificateChain="x")) == (
        'PodCertificateRequest.certificates.k8s.io "r" is invalid: spec.signerName: Forbidden: '
        'User "bob" is not permitted to "sign" for signer "a.com/x"'
    )


def test_no_certificate_makes_its_holder_all_powerful() -> None:
    plugin = CertificateSubjectRestriction()
    run(plugin, write("certificatesigningrequests", csr("kubernetes.io/kube-apiserver-client")))
    run(plugin, write("certificatesigningrequests", csr("example.com/x", "system:masters")))
    bad = write("certificatesigningrequests", csr("kubernetes.io/kube-apiserver-client", "system:masters"))
    assert refusal(plugin, bad).endswith(
        "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed"
    )


# Roles


def role(*rules: Object, name: str = "r", **more: Any) -> Object:
    return obj(RBAC, "ClusterRole", name, "", rules=list(rules), **more)


def rule(verbs: str, plurals: str, group: str = "", names: str = "") -> Object:
    made: Object = {"verbs": verbs.split(), "apiGroups": [group], "resources": plurals.split()}
    return {**made, "resourceNames": names.split()} if names else made


def grants(objects: Any, *rules: Object) -> RbacEscalation:
    objects.put(role(*rules, name="own"))
    ref = {"kind": "ClusterRole", "name": "own"}
    objects.put(obj(RBAC, "ClusterRoleBinding", "b", "", roleRef=ref, subjects=[{"kind": "User", "name": "alice"}]))
    return RbacEscalation(build_authorization(["RBAC"], objects))


def test_a_role_with_more_than_one_has_is_refused_in_upstreams_words(objects: Any) -> None:
    plugin = grants(objects, rule("get", "pods"))
    run(plugin, write("clusterroles", role(rule("get", "pods", names="a"))))
    assert refusal(plugin, write("clusterroles", role(rule("get list", "pods secrets")))) == (
        'clusterroles.rbac.authorization.k8s.io "r" is forbidden: user "alice" (groups=["dev"]) is attempting to grant '
        "RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["pods"], Verbs:["list"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}'
    )


def test_escalate_and_bind_lift_the_guard(objects: Any) -> None:
    rbac = "rbac.authorization.k8s.io"
    plugin = grants(objects, rule("escalate", "clusterroles", rbac, "r"), rule("bind", "clusterroles", rbac, "strong"))
    run(plugin, write("clusterroles", role(rule("*", "*"))))
    objects.put(role(rule("*", "*"), name="strong"), role(rule("*", "*"), name="other"))

    def bind(name: str) -> Attributes:
        ref = {"kind": "ClusterRole", "name": name}
        made = obj(RBAC, "ClusterRoleBinding", "new", "", roleRef=ref, subjects=[])
        return write("clusterrolebindings", made)

    run(plugin, bind("strong"))
    assert "attempting to grant RBAC permissions" in refusal(plugin, bind("other"))
    with pytest.raises(NotFound, match=r'clusterroles\.rbac\.authorization\.k8s\.io "gone" not found'):
        run(plugin, bind("gone"))


def test_a_change_that_grants_nothing_is_let_through(objects: Any) -> None:
    plugin = grants(objects)
    old = role(rule("*", "*"))
    run(plugin, write("clusterroles", {**old, "metadata": {"name": "r", "finalizers": ["a/b"]}}, old))
    master = UserInfo("root", groups=("system:masters",))
    run(plugin, write("clusterroles", role(rule("*", "*")), user=master))


def test_a_label_that_may_aggregate_a_role_counts_as_a_grant(objects: Any) -> None:
    plugin, old = grants(objects), role(rule("*", "*"))
    labels = {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}
    changed = {**old, "metadata": {"name": "r", "labels": labels}}
    assert "attempting to grant RBAC permissions" in refusal(plugin, write("clusterroles", changed, old))
    binding = obj(RBAC, "ClusterRoleBinding", "b", "", roleRef={"kind": "ClusterRole", "name": "r"}, subjects=[])
    objects.put(old)
    marked = {**binding, "metadata": {"name": "b", "labels": labels}}
    assert "attempting to grant RBAC permissions" in refusal(plugin, write("clusterrolebindings", marked, binding))


def test_only_who_has_everything_aggregates(objects: Any) -> None:
    plugin = grants(objects, rule("*", "*"))
    aggregated = role(aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]})
    assert refusal(plugin, write("clusterroles", aggregated)).endswith(
        "cluster-admin privileges to use the aggregationRule"
    )


# Pod Security

LOCKED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def secured(objects: Any, **labels: str) -> PodSecurity:
    marked = {f"pod-security.kubernetes.io/{mode.replace('_', '-')}": value for mode, value in labels.items()}
    return PodSecurity(objects.put(obj("v1", "Namespace", "default", "", metadata={"labels": marked})))


def test_a_bare_pod_breaks_the_restricted_standard_in_upstreams_words(objects: Any) -> None:
    message = refusal(secured(objects, enforce="restricted"), write("pods", pod()))
    assert message == (
        'pods "web" is forbidden: violates PodSecurity "restricted:latest": '
        'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), '
        'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), '
        'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), '
        'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or '
        '"Localhost")'
    )


def test_a_locked_down_pod_meets_it(objects: Any) -> None:
    plugin = secured(objects, enforce="restricted", enforce_version="v1.30")
    run(plugin, write("pods", pod(containers=[container(securityContext=LOCKED)])))


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"hostNetwork": True, "hostPID": True}, "host namespaces (hostNetwork=true, hostPID=true)"),
        (
            {"containers": [container(securityContext={"privileged": True})]},
            'privileged (container "c" must not set securityContext.privileged=true)',
        ),
        (
            {"containers": [container(securityContext={"capabilities": {"add": ["NET_ADMIN", "CHOWN"]}})]},
            'non-default capabilities (container "c" must not include "NET_ADMIN" in securityContext.capabilities.add)',
        ),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, 'hostPath volumes (volume "v")'),
        (
            {"containers": [container("a", ports=[{"hostPort": 80}]), container("b", ports=[{"hostPort": 81}])]},
            'hostPort (containers "a", "b" use hostPorts 80, 81)',
        ),
        ({"securityContext": {"sysctls": [{"name": "kernel.msgmax"}]}}, "forbidden sysctls (kernel.msgmax)"),
        (
            {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
            'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
        ),
        (
            {"containers": [container(securityContext={"procMount": "Unmasked"})]},
            'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
        ),
        (
            {"securityContext": {"seLinuxOptions": {"type": "x", "user": "y"}}},
            'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "x"; user may not be set)',
        ),
    ],
)
def test_the_baseline_standard_names_what_it_finds(objects: Any, spec: Object, why: str) -> None:
    message = refusal(secured(objects, enforce="baseline"), write("pods", pod(**spec)))
    assert message == f'pods "web" is forbidden: violates PodSecurity "baseline:latest": {why}'


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (
            {"volumes": [{"name": "v", "nfs": {}}]},
            'restricted volume types (volume "v" uses restricted volume type "nfs")',
        ),
        ({"securityContext": {"runAsUser": 0}}, "runAsUser=0 (pod must not set runAsUser=0)"),
    ],
)
def test_the_restricted_standard_adds_to_it(objects: Any, spec: Object, why: str) -> None:
    message = refusal(
        secured(objects, enforce="restricted"),
        write("pods", pod(containers=[container(securityContext=LOCKED)], **spec)),
    )
    assert message.endswith(f'"restricted:latest": {why}')


def test_what_makes_pods_is_only_warned_of(objects: Any) -> None:
    plugin = secured(objects, enforce="restricted", warn="baseline")
    deployment = obj("apps/v1", "Deployment", "d", spec={"template": {"spec": {**pod()["spec"], "hostPID": True}}})
    attributes = write("deployments", deployment)
    run(plugin, attributes)
    assert attributes.warnings == ['would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)']


def test_of_updates_only_those_of_images_are_judged_again(objects: Any) -> None:
    plugin = secured(objects, enforce="restricted")
    refusal(plugin, write("pods", pod(containers=[container(image="b")]), pod(containers=[container(image="a")])))
    run(plugin, write("pods", pod(activeDeadlineSeconds=5), pod()))


def test_labels_that_mean_nothing_are_refused(objects: Any) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "strict", "pod-security.kubernetes.io/warn-version": "1.2"}
    namespace = obj("v1", "Namespace", "team", "", metadata={"labels": labels})
    message = refusal(PodSecurity(objects), write("namespaces", namespace))
    assert 'Invalid value: "strict": must be one of privileged, baseline, restricted' in message
    assert 'Invalid value: "1.2": must be "latest" or "v1.x"' in message


# The chain


def tools(objects: Any, **more: Any) -> Tools:
    return Tools(
        lookup=objects,
        authorization=Authorization([AlwaysAllow()]),
        writer=Writer(objects),
        webhooks=WebhookClient(objects),
        kinds=OneVersion(),
        metrics=AdmissionMetrics(CollectorRegistry()),
        **more,
    )


def test_plugins_come_in_upstreams_order_and_as_chosen(objects: Any) -> None:
    names = [plugin.name for plugin in build_plugins(["NodeRestriction"], ["Priority"], tools(objects))]
    chosen = [name for name in MAKERS if name == "NodeRestriction" or name not in OFF_BY_DEFAULT | {"Priority"}]
    assert names == [*chosen, "PolicyAuthorization", "PodCertificateSigning", "ClaimStatusAuthorization"]
    told = Configuration(image_policy=ImagePolicy(target=Target(url="https://images.example")))
    assert all(maker(tools(objects, configuration=told)).name == name for name, maker in MAKERS.items())
