"""The plug-ins that a cluster has only where it asks for them, and the file that configures plug-ins."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubepy.api import resources
from kubepy.api.errors import ApiError
from kubepy.api.resources import Resource
from kubepy.apiserver.admission.attributes import Attributes
from kubepy.apiserver.admission.chain import AdmissionChain
from kubepy.apiserver.admission.configuration import read_configuration
from kubepy.apiserver.admission.event_rate_limit import EventRateLimit, Limit
from kubepy.apiserver.admission.namespace_existence import NamespaceAutoProvision, NamespaceExists
from kubepy.apiserver.admission.owner_references import OwnerReferencesPermissionEnforcement
from kubepy.apiserver.admission.plugin import Plugin
from kubepy.apiserver.admission.plugins import MAKERS, selection_faults
from kubepy.apiserver.admission.pod_node_selector import PodNodeSelector
from kubepy.apiserver.admission.pod_placement import (
    ExtendedResourceToleration,
    LimitPodHardAntiAffinityTopology,
    PodTopologyLabels,
)
from kubepy.apiserver.admission.pod_security.policy import Standard
from kubepy.apiserver.admission.pod_toleration_restriction import (
    DEFAULTS,
    WHITELIST,
    Defaults,
    PodTolerationRestriction,
)
from kubepy.apiserver.admission.resource_quota import Limited, ResourceQuota
from kubepy.apiserver.admission.tolerations import merge_tolerations
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.chain import Authorization
from kubepy.apiserver.authz.decision import ALLOWED, NO_OPINION, Decision
from kubepy.apiserver.http.request_info import RequestInfo

Object = dict[str, Any]
PODS = resources.named("pods")


def write(
    resource: Resource, obj: Object, old: Object | None = None, *, subresource: str = "", dry_run: bool = False
) -> Attributes:
    operation = "UPDATE" if old else "CREATE"
    meta = obj["metadata"]
    return Attributes(
        operation, resource, subresource, meta.get("namespace", ""), meta["name"], obj, old, UserInfo("alice"), dry_run
    )


def run(plugin: Plugin, attributes: Attributes) -> Object:
    async def both() -> None:
        chain = AdmissionChain([plugin])
        await chain.admit(attributes)
        await chain.validate(attributes)

    asyncio.run(both())
    return attributes.new


def refused(plugin: Plugin, attributes: Attributes) -> str:
    with pytest.raises(ApiError) as caught:
        run(plugin, attributes)
    return caught.value.message


def pod(meta: Object | None = None, **spec: Any) -> Object:
    made = {"containers": [{"name": "c", "image": "i"}], **spec}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "ns", **(meta or {})},
        "spec": made,
    }


def namespace(name: str = "ns", **annotations: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "annotations": annotations}}


# Namespaces


class Maker:
    def __init__(self, objects: Any) -> None:
        self._objects = objects

    async def create(self, resource: Resource, obj: Object) -> Object:
        self._objects.put(obj)
        return obj


def test_a_missing_namespace_is_refused_or_made(objects: Any) -> None:
    assert refused(NamespaceExists(objects), write(PODS, pod())) == 'namespaces "ns" not found'
    plugin = NamespaceAutoProvision(objects, Maker(objects))
    run(plugin, write(PODS, pod(), dry_run=True))
    refused(NamespaceExists(objects), write(PODS, pod()))
    run(plugin, write(PODS, pod()))
    run(NamespaceExists(objects), write(PODS, pod()))


# Where pods go


def test_required_anti_affinity_keeps_to_nodes() -> None:
    def spec(key: str) -> Object:
        terms = [{"topologyKey": key}]
        return pod(affinity={"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}})

    run(LimitPodHardAntiAffinityTopology(), write(PODS, spec("kubernetes.io/hostname")))
    assert refused(LimitPodHardAntiAffinityTopology(), write(PODS, spec("zone"))) == (
        'pods "p" is forbidden: affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey zone but only key '
        "kubernetes.io/hostname is allowed"
    )


def test_who_asks_for_a_device_may_go_where_it_is() -> None:
    requests = {"example.com/gpu": "1", "cpu": "1"}
    made = pod(containers=[{"name": "c", "resources": {"requests": requests}}])
    found = run(ExtendedResourceToleration(), write(PODS, made))
    assert found["spec"]["tolerations"] == [{"key": "example.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert run(ExtendedResourceToleration(), write(PODS, found))["spec"]["tolerations"] == found["spec"]["tolerations"]


def test_pods_and_bindings_get_the_zone_of_their_node(objects: Any) -> None:
    labels = {"topology.kubernetes.io/zone": "z", "topology.kubernetes.io/region": "r", "other": "x"}
    objects.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels": labels}})
    plugin = PodTopologyLabels(objects)
    own = {"labels": {"topology.kubernetes.io/zone": "mine"}}
    assert run(plugin, write(PODS, pod(own, nodeName="n")))["metadata"]["labels"] == {
        "topology.kubernetes.io/zone": "mine", "topology.kubernetes.io/region": "r",
    }  # fmt: skip
    binding = {"metadata": {"name": "p", "namespace": "ns"}, "target": {"kind": "Node", "name": "n"}}
    bound = run(plugin, write(PODS, binding, subresource="binding"))
    assert bound["metadata"]["labels"]["topology.kubernetes.io/zone"] == "z"


NODE_SELECTOR = "scheduler.alpha.kubernetes.io/node-selector"


def test_a_namespace_selects_the_nodes_of_its_pods(objects: Any) -> None:
    objects.put(namespace(**{NODE_SELECTOR: "env=prod"}), namespace("other"))
    plugin = PodNodeSelector(objects, {"clusterDefaultNodeSelector": "env=any", "ns": "env=prod,a=b"})
    assert run(plugin, write(PODS, pod(nodeSelector={"a": "b"})))["spec"]["nodeSelector"] == {"env": "prod", "a": "b"}
    assert refused(plugin, write(PODS, pod(nodeSelector={"env": "test"}))).endswith(
        "pod node label selector conflicts with its namespace node label selector"
    )
    assert refused(plugin, write(PODS, pod(nodeSelector={"c": "d"}))).endswith(
        "pod node label selector labels conflict with its namespace whitelist"
    )
    assert run(plugin, write(PODS, pod({"namespace": "other"})))["spec"]["nodeSelector"] == {"env": "any"}


def toleration(key: str, **more: Any) -> Object:
    return {"key": key, "operator": "Exists", "effect": "NoSchedule", **more}


def test_a_namespace_gives_and_limits_tolerations(objects: Any) -> None:
    given, allowed = [toleration("a")], [toleration("a"), toleration("b")]
    objects.put(namespace(**{DEFAULTS: json.dumps(given), WHITELIST: json.dumps(allowed)}), namespace("other"))
    plugin = PodTolerationRestriction(objects, Defaults(default=[toleration("x")]))
    found = run(plugin, write(PODS, pod(tolerations=[toleration("b")])))
    assert found["spec"]["tolerations"] == [toleration("b"), toleration("a")]
    assert refused(plugin, write(PODS, pod(tolerations=[toleration("c")]))) == (
        "pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist"
    )
    assert run(plugin, write(PODS, pod({"namespace": "other"})))["spec"]["tolerations"] == [toleration("x")]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([toleration("a")], [toleration("a")], [toleration("a")]),
        ([toleration("a")], [{"operator": "Exists"}], [{"operator": "Exists"}]),
        ([toleration("a", operator="Equal", value="x")], [toleration("a")], [toleration("a")]),
        ([toleration("a", effect="NoExecute", tolerationSeconds=9)], [toleration("a", effect="NoExecute")],
         [toleration("a", effect="NoExecute")]),
        ([toleration("a")], [toleration("b")], [toleration("a"), toleration("b")]),
    ],
)  # fmt: skip
def test_tolerations_that_others_cover_go(first: Any, second: Any, expected: Any) -> None:
    assert merge_tolerations(first, second) == expected


# Events


class Stopped:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at

    now = sleep = None


def event(name: str = "e") -> Attributes:
    about = {"kind": "Pod", "namespace": "ns", "name": "p", "uid": "u", "apiVersion": "v1"}
    source = {"component": "kubelet", "host": "n"}
    obj = {"metadata": {"name": name, "namespace": "ns"}, "involvedObject": about, "source": source}
    return write(resources.named("events"), obj)


@pytest.mark.parametrize(
    ("kind", "key"), [("Server", ""), ("Namespace", "ns"), ("User", "alice"), ("SourceAndObject", "kubeletnPodnspuv1")]
)
def test_events_come_at_their_rate(kind: str, key: str) -> None:
    clock: Any = Stopped()
    plugin = EventRateLimit([Limit(kind, qps=1, burst=2)], clock)
    run(plugin, event())
    run(plugin, event())
    assert refused(plugin, event()) == f"Too many requests: limit reached on type {kind} for key {key}"
    clock.at = 1.0
    run(plugin, event())
    refused(plugin, event())


# Owners


class Allows:
    """Allows what was named: (verb, resource/subresource)."""

    def __init__(self, *allowed: tuple[str, str]) -> None:
        self._allowed = set(allowed)

    def authorize(self, user: UserInfo, info: RequestInfo) -> Decision:
        what = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
        return ALLOWED if (info.verb, what) in self._allowed else NO_OPINION


def owned(**more: Any) -> Object:
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u", **more}
    return pod({"ownerReferences": [reference]})


def test_owners_are_set_by_who_may_delete(objects: Any) -> None:
    def plugin(*allowed: tuple[str, str]) -> Plugin:
        return OwnerReferencesPermissionEnforcement(objects, Authorization([Allows(*allowed)]))

    delete, hold = ("delete", "pods"), ("update", "replicasets/finalizers")
    assert "cannot set an ownerRef on a resource you can't delete" in refused(plugin(), write(PODS, owned()))
    run(plugin(delete), write(PODS, owned()))
    blocking = owned(blockOwnerDeletion=True)
    assert "you can't set finalizers on" in refused(plugin(delete), write(PODS, blocking))
    run(plugin(delete, hold), write(PODS, blocking))
    run(plugin(), write(PODS, blocking, blocking))
    assert "cannot find RESTMapping for APIVersion x/v1 Kind Y" in refused(
        plugin(delete, hold), write(PODS, owned(apiVersion="x/v1", kind="Y", blockOwnerDeletion=True))
    )


# What only a quota allows


def test_what_is_limited_needs_a_quota(objects: Any) -> None:
    scope = {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}
    limited = [Limited("", "persistentvolumeclaims", ["gold"]), Limited("", "pods", scopes=[scope])]
    plugin = ResourceQuota(objects, Maker(objects), limited)  # type: ignore[arg-type]  # writes nothing here
    claim = {"metadata": {"name": "c", "namespace": "ns"}, "spec": {"storageClassName": "gold"}}
    assert refused(plugin, write(resources.named("persistentvolumeclaims"), claim)).endswith(
        "insufficient quota to consume: gold.storageclass.storage.k8s.io/persistentvolumeclaims"
    )
    assert refused(plugin, write(PODS, pod(priorityClassName="high"))).endswith(
        "insufficient quota to match these scopes: [{PriorityClass In [high]}]"
    )
    run(plugin, write(PODS, pod()))


# The file


def written(folder: Path, *plugins: Object) -> str:
    path = folder / "admission.yaml"
    outer = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration", "plugins": list(plugins)}
    path.write_text(yaml.safe_dump(outer))
    return str(path)


SECURITY = {
    "apiVersion": "pod-security.admission.config.k8s.io/v1",
    "kind": "PodSecurityConfiguration",
    "defaults": {"enforce": "baseline"},
    "exemptions": {"usernames": ["root"]},
}
LIMITS = {"type": "Server", "qps": 5, "burst": 10}
EVENTS = {"apiVersion": "eventratelimit.admission.k8s.io/v1alpha1", "kind": "Configuration", "limits": [LIMITS]}


def test_each_plugin_is_told_its_part(tmp_path: Path) -> None:
    (tmp_path / "events.yaml").write_text(yaml.safe_dump(EVENTS))
    path = written(
        tmp_path,
        {"name": "PodSecurity", "configuration": SECURITY},
        {"name": "EventRateLimit", "path": "events.yaml"},
        {"name": "PodNodeSelector", "configuration": {"podNodeSelectorPluginConfig": {"ns": "a=b"}}},
    )
    found = read_configuration(path, MAKERS)
    assert found.pod_security.defaults["enforce"] == Standard("baseline")
    assert found.pod_security.usernames == {"root"}
    assert found.event_limits == [Limit("Server", 5, 10)]
    assert found.node_selectors == {"ns": "a=b"}


@pytest.mark.parametrize(
    ("plugin", "why"),
    [
        ({"name": "Nonsense", "configuration": {}}, "Nonsense: unknown plug-in"),
        ({"name": "PodSecurity", "path": "missing.yaml"}, "No such file"),
        ({"name": "PodSecurity", "configuration": EVENTS}, "PodSecurity: its configuration must be a PodSecurity"),
        ({"name": "Priority", "configuration": {}}, "Priority: a configuration of this plug-in is not supported"),
        ({"name": "EventRateLimit", "configuration": {**EVENTS, "limits": []}},
         "EventRateLimit: limits: Invalid value: []: must not be empty"),
        ({"name": "EventRateLimit", "configuration": {**EVENTS, "limits": [{"type": "X", "qps": 0}]}},
         'limits[0].type: Unsupported value: "X": supported values: "Namespace", "Server", "SourceAndObject", "User"; '
         "limits[0].burst: Invalid value: 0: must be positive; limits[0].qps: Invalid value: 0: must be positive"),
        ({"name": "PodNodeSelector", "configuration": {"podNodeSelectorPluginConfig": {"ns": "a"}}},
         "PodNodeSelector: invalid selector: a"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_of(tmp_path: Path, plugin: Object, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        read_configuration(written(tmp_path, plugin), MAKERS)


def test_what_is_not_there_is_refused_by_name() -> None:
    assert list(selection_faults(["Nope"], [])) == ['enable-admission-plugins plugin "Nope" is unknown']
