"""What becomes of pods, claims, nodes and namespaces on their way in."""

import asyncio
from typing import Any

import pytest

from kubepy.api import resources
from kubepy.api.errors import ApiError, Forbidden, NotFound
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.chain import AdmissionChain
from kubepy.apiserver.admission.default_classes import DefaultIngressClass, DefaultStorageClass
from kubepy.apiserver.admission.default_toleration_seconds import DefaultTolerationSeconds
from kubepy.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from kubepy.apiserver.admission.plugin import Plugin
from kubepy.apiserver.admission.priority import Priority
from kubepy.apiserver.admission.runtime_class import RuntimeClass
from kubepy.apiserver.admission.service_account import TOKEN_PATH, ServiceAccount
from kubepy.apiserver.admission.storage_protection import PersistentVolumeClaimResize, StorageObjectInUseProtection
from kubepy.apiserver.admission.taint_nodes_by_condition import TaintNodesByCondition
from kubepy.apiserver.authn.user import UserInfo

Object = dict[str, Any]
GROUPS = {row.plural: row.group for row in resources.BUILT_IN if row.plural != "events"}


def write(
    plural: str, obj: Object | None, old: Object | None = None, *, operation: str = "", subresource: str = ""
) -> Attributes:
    resource = resources.named(plural, GROUPS[plural])
    chosen = operation or ("DELETE" if obj is None else "UPDATE" if old else "CREATE")
    metadata = (obj or old or {})["metadata"]
    namespace = metadata.get("namespace", "")
    return Attributes(chosen, resource, subresource, namespace, metadata["name"], obj, old, UserInfo("u"))


def run(plugin: Plugin, attributes: Attributes) -> Object:
    chain = AdmissionChain([plugin])
    asyncio.run(chain.admit(attributes))
    asyncio.run(chain.validate(attributes))
    return attributes.object or {}


def refusal(plugin: Plugin, attributes: Attributes) -> ApiError:
    with pytest.raises(ApiError) as caught:
        run(plugin, attributes)
    return caught.value


def pod(name: str = "web", annotations: dict[str, str] | None = None, **spec: Any) -> Object:
    metadata = {"name": name, "namespace": "default", **({"annotations": annotations} if annotations else {})}
    spec = {"containers": [{"name": "c", "image": "i"}], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def cluster_object(api_version: str, kind: str, name: str, **more: Any) -> Object:
    metadata = {"name": name, **more.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}


def namespace(name: str, phase: str = "Active") -> Object:
    return cluster_object("v1", "Namespace", name, status={"phase": phase})


def account(name: str = "default", **more: Any) -> Object:
    return cluster_object(
        "v1", "ServiceAccount", name, metadata={"namespace": "default", **more.pop("metadata", {})}, **more
    )


def test_nothing_is_made_in_a_namespace_that_is_not_there(objects: Any) -> None:
    error = refusal(NamespaceLifecycle(objects), write("pods", pod()))
    assert isinstance(error, NotFound)
    assert error.message == 'namespaces "default" not found'


def test_nothing_is_made_in_a_terminating_namespace_but_changed_it_may_be(objects: Any) -> None:
    plugin = NamespaceLifecycle(objects.put(namespace("default", "Terminating")))
    error = refusal(plugin, write("pods", pod()))
    assert error.message == (
        'pods "web" is forbidden: unable to create new content in namespace default because it is being terminated'
    )
    assert error.details["causes"] == [
        {
            "reason": "NamespaceTerminating",
            "message": "namespace default is being terminated",
            "field": "metadata.namespace",
        }
    ]
    run(plugin, write("pods", pod(), pod()))
    run(plugin, write("pods", None, pod()))


@pytest.mark.parametrize(("name", "stays"), [("default", True), ("kube-system", True), ("team", False)])
def test_some_namespaces_never_go(objects: Any, name: str, stays: bool) -> None:
    deletion = write("namespaces", None, namespace(name))
    if stays:
        message = refusal(NamespaceLifecycle(objects), deletion).message
        assert message == f'namespaces "{name}" is forbidden: this namespace may not be deleted'
    else:
        run(NamespaceLifecycle(objects), deletion)


def test_a_pod_gets_the_default_account_and_its_token_in_each_container(objects: Any) -> None:
    objects.put(account(imagePullSecrets=[{"name": "pull"}]))
    mounts = [{"name": "own", "mountPath": TOKEN_PATH}]
    containers = [{"name": "a"}, {"name": "b", "volumeMounts": mounts}]
    spec = run(ServiceAccount(objects), write("pods", pod(containers=containers, initContainers=[{"name": "i"}])))[
        "spec"
    ]
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("default", "default")
    [volume] = spec["volumes"]
    assert volume["name"].startswith("kube-api-access-")
    assert len(volume["name"]) == len("kube-api-access-") + 5
    assert [next(iter(source)) for source in volume["projected"]["sources"]] == [
        "serviceAccountToken",
        "configMap",
        "downwardAPI",
    ]
    wanted = [{"name": volume["name"], "readOnly": True, "mountPath": TOKEN_PATH}]
    assert spec["initContainers"][0]["volumeMounts"] == wanted
    assert spec["containers"][0]["volumeMounts"] == wanted
    assert spec["containers"][1]["volumeMounts"] == mounts
    assert spec["imagePullSecrets"] == [{"name": "pull"}]


@pytest.mark.parametrize(("of_account", "of_pod"), [(False, None), (True, False), (None, False)])
def test_no_token_is_mounted_where_it_is_not_wanted(objects: Any, of_account: Any, of_pod: Any) -> None:
    objects.put(account(automountServiceAccountToken=of_account))
    made = pod(**({} if of_pod is None else {"automountServiceAccountToken": of_pod}))
    assert "volumes" not in run(ServiceAccount(objects), write("pods", made))["spec"]


def test_a_default_account_that_is_being_made_is_waited_for(objects: Any) -> None:
    async def both() -> None:
        asyncio.get_running_loop().call_later(0.02, objects.put, account())
        await ServiceAccount(objects).admit(write("pods", pod()))

    asyncio.run(both())


def test_an_account_that_is_not_there_is_refused(objects: Any) -> None:
    error = refusal(ServiceAccount(objects), write("pods", pod(serviceAccountName="nope")))
    assert error.message == (
        'pods "web" is forbidden: error looking up service account default/nope: serviceaccount "nope" not found'
    )


def test_an_account_may_enforce_the_secrets_that_it_lists(objects: Any) -> None:
    enforced = {"annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}}
    objects.put(account(metadata=enforced, secrets=[{"name": "mine"}]))

    def with_secret(name: str) -> Attributes:
        return write("pods", pod(volumes=[{"name": "v", "secret": {"secretName": name}}]))

    run(ServiceAccount(objects), with_secret("mine"))
    assert "does not reference that secret" in refusal(ServiceAccount(objects), with_secret("yours")).message


@pytest.mark.parametrize(
    ("field", "kind"), [("initContainers", "init container"), ("containers", "container"), ("ephemeralContainers", "")]
)
@pytest.mark.parametrize(
    ("part", "source"),
    [
        ({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "yours", "key": "k"}}}]}, "envVar A"),
        ({"envFrom": [{"secretRef": {"name": "yours"}}]}, "envFrom"),
    ],
)
def test_no_part_of_an_environment_gets_around_the_list(
    objects: Any, field: str, kind: str, part: Object, source: str
) -> None:
    enforced = {"annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}}
    plugin = ServiceAccount(objects.put(account(metadata=enforced, secrets=[{"name": "mine"}])))
    parts: Object = {field: [{"name": "x", "image": "i", **part}]}
    made = pod(**parts)
    changed = write("pods", made, pod(), subresource="ephemeralcontainers")
    if kind:
        run(plugin, changed)  # what is there is not judged anew for what is added
    error = refusal(plugin, write("pods", made) if kind else changed)
    assert error.message == (
        f'pods "web" is forbidden: {kind or "ephemeral container"} x with {source} referencing '
        'secret.secretName="yours" is not allowed because service account default does not reference that secret'
    )


def test_a_mirror_pod_refers_to_nothing(objects: Any) -> None:
    mirror = {"kubernetes.io/config.mirror": "x"}
    assert "volumes" not in run(ServiceAccount(objects), write("pods", pod(annotations=mirror)))["spec"]
    error = refusal(ServiceAccount(objects), write("pods", pod(annotations=mirror, serviceAccountName="a")))
    assert error.message.endswith("a mirror pod may not reference service accounts")


def priority_class(name: str, value: int, **more: Any) -> Object:
    return cluster_object("scheduling.k8s.io/v1", "PriorityClass", name, value=value, **more)


def test_a_pod_gets_the_priority_of_its_class(objects: Any) -> None:
    objects.put(priority_class("high", 1000, preemptionPolicy="Never"))
    spec = run(Priority(objects), write("pods", pod(priorityClassName="high")))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (1000, "Never")
    spec = run(Priority(objects), write("pods", pod()))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    assert "priorityClassName" not in spec
    spec = run(Priority(objects), write("pods", pod(priorityClassName="system-node-critical")))["spec"]
    assert spec["priority"] == 2000001000


def test_the_global_default_goes_to_pods_that_name_no_class(objects: Any) -> None:
    objects.put(priority_class("usual", 5, globalDefault=True))
    spec = run(Priority(objects), write("pods", pod()))["spec"]
    assert (spec["priorityClassName"], spec["priority"]) == ("usual", 5)
    error = refusal(Priority(objects), write("priorityclasses", priority_class("other", 1, globalDefault=True)))
    assert "PriorityClass usual is already marked as default" in error.message


def test_a_priority_that_is_not_the_classes_is_refused(objects: Any) -> None:
    error = refusal(Priority(objects), write("pods", pod(priority=7)))
    assert "the integer value of priority (7) must not be provided in pod spec" in error.message
    error = refusal(Priority(objects), write("pods", pod(priorityClassName="none")))
    assert error.message == 'pods "web" is forbidden: no PriorityClass with name none was found'


def test_an_update_without_a_word_on_priority_keeps_it(objects: Any) -> None:
    old = pod(priority=5, preemptionPolicy="Never")
    assert run(Priority(objects), write("pods", pod(), old))["spec"]["priority"] == 5


def test_pods_tolerate_lost_nodes_for_five_minutes(objects: Any) -> None:
    spec = run(DefaultTolerationSeconds(), write("pods", pod()))["spec"]
    assert spec["tolerations"] == [
        {
            "key": f"node.kubernetes.io/{key}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": 300,
        }
        for key in ("not-ready", "unreachable")
    ]
    own = [{"operator": "Exists"}]
    assert run(DefaultTolerationSeconds(), write("pods", pod(tolerations=own)))["spec"]["tolerations"] == own


def test_a_new_node_is_tainted_once(objects: Any) -> None:
    node = run(TaintNodesByCondition(), write("nodes", cluster_object("v1", "Node", "n1")))
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    assert node["spec"]["taints"] == [taint]
    assert run(TaintNodesByCondition(), write("nodes", node))["spec"]["taints"] == [taint]


def claim(size: str = "1Gi", phase: str = "Bound", **spec: Any) -> Object:
    spec = {"resources": {"requests": {"storage": size}}, **spec}
    metadata = {"namespace": "default"}
    return cluster_object("v1", "PersistentVolumeClaim", "data", metadata=metadata, spec=spec, status={"phase": phase})


def storage_class(name: str, created: str = "", default: bool = True, **more: Any) -> Object:
    metadata: Object = {"creationTimestamp": created}
    if default:
        metadata["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    return cluster_object("storage.k8s.io/v1", "StorageClass", name, metadata=metadata, **more)


def test_the_newest_default_class_is_taken_unless_the_claim_says_otherwise(objects: Any) -> None:
    objects.put(storage_class("old", "2026-01-01T00:00:00Z"), storage_class("new", "2026-01-02T00:00:00Z"))
    objects.put(storage_class("newest", "2026-01-03T00:00:00Z", default=False))
    plugin = DefaultStorageClass(objects)
    assert run(plugin, write("persistentvolumeclaims", claim()))["spec"]["storageClassName"] == "new"
    none = run(plugin, write("persistentvolumeclaims", claim(storageClassName="")))
    assert none["spec"]["storageClassName"] == ""


def test_ingresses_get_the_default_class(objects: Any) -> None:
    marked = {"annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}
    objects.put(cluster_object("networking.k8s.io/v1", "IngressClass", "nginx", metadata=marked))
    ingress = cluster_object("networking.k8s.io/v1", "Ingress", "web", metadata={"namespace": "default"})
    assert run(DefaultIngressClass(objects), write("ingresses", ingress))["spec"]["ingressClassName"] == "nginx"


def test_claims_are_born_with_the_finalizer_that_protects_them() -> None:
    made = run(StorageObjectInUseProtection(), write("persistentvolumeclaims", claim()))
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]


def test_claims_grow_only_where_their_class_lets_them(objects: Any) -> None:
    objects.put(storage_class("fixed"), storage_class("elastic", allowVolumeExpansion=True))
    plugin = PersistentVolumeClaimResize(objects)

    def grow(name: str, phase: str = "Bound") -> Attributes:
        old = claim("1Gi", phase, storageClassName=name)
        return write("persistentvolumeclaims", claim("2Gi", phase, storageClassName=name), old)

    run(plugin, grow("elastic"))
    assert isinstance(refusal(plugin, grow("fixed")), Forbidden)
    assert "Only bound persistent volume claims" in refusal(plugin, grow("elastic", "Pending")).message


def test_a_runtime_class_brings_overhead_and_scheduling(objects: Any) -> None:
    scheduling = {"nodeSelector": {"vm": "yes"}, "tolerations": [{"key": "vm", "operator": "Exists"}]}
    more = {"handler": "kata", "overhead": {"podFixed": {"memory": "64Mi"}}, "scheduling": scheduling}
    plugin = RuntimeClass(objects.put(cluster_object("node.k8s.io/v1", "RuntimeClass", "kata", **more)))
    spec = run(plugin, write("pods", pod(runtimeClassName="kata")))["spec"]
    assert spec["overhead"] == {"memory": "64Mi"}
    assert spec["nodeSelector"] == {"vm": "yes"}
    assert spec["tolerations"] == scheduling["tolerations"]
    error = refusal(plugin, write("pods", pod(runtimeClassName="gone")))
    assert error.message == 'pods "web" is forbidden: pod rejected: RuntimeClass "gone" not found'
    clash = write("pods", pod(runtimeClassName="kata", nodeSelector={"vm": "no"}))
    assert "conflict: runtimeClass.scheduling.nodeSelector[vm] = yes" in refusal(plugin, clash).message


@pytest.mark.parametrize(
    ("overhead", "given", "why"),
    [
        ({"podFixed": {"memory": "64Mi"}}, {"memory": "1Mi"}, "Pod's Overhead doesn't match RuntimeClass's defined"),
        (None, {"memory": "1Mi"}, "Pod Overhead set without corresponding RuntimeClass defined Overhead"),
    ],
)
def test_an_overhead_is_that_of_the_class_or_none(
    objects: Any, overhead: Object | None, given: Object, why: str
) -> None:
    more = {"handler": "kata", **({"overhead": overhead} if overhead else {})}
    plugin = RuntimeClass(objects.put(cluster_object("node.k8s.io/v1", "RuntimeClass", "kata", **more)))
    attributes = write("pods", pod(runtimeClassName="kata", overhead=given))
    assert why in refusal(plugin, attributes).message
    with pytest.raises(Forbidden, match=why):  # also when it was changed since the class was looked at
        asyncio.run(plugin.validate(attributes))
