"""The bootstrap policy, written once and mended without taking anything away."""

import asyncio
import copy
from typing import Any

import uvloop
from multidict import CIMultiDict

from kubepy.api.errors import AlreadyExists
from kubepy.api.resources import Resource
from kubepy.apiserver.authn.user import UserInfo, service_account
from kubepy.apiserver.authz import bootstrap
from kubepy.apiserver.authz.rbac_index import RbacIndex
from kubepy.apiserver.config.command_line import ApiServerConfig
from kubepy.apiserver.embedded import in_process
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.apiserver.securing import secure
from kubepy.lib.http import Request, Response

Object = dict[str, Any]


class Cluster:
    """A client over a dict that counts its writes."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.writes = 0

    async def list(self, resource: Resource, namespace: str | None = None) -> Object:
        return {"items": [copy.deepcopy(o) for (kind, _, _), o in self.objects.items() if kind == resource.plural]}

    async def create(self, resource: Resource, obj: Object, namespace: str | None = None) -> Object:
        key = (resource.plural, namespace or "", obj["metadata"]["name"])
        if key in self.objects:
            raise AlreadyExists(str(key))
        return self._write(key, obj)

    async def update(self, resource: Resource, obj: Object) -> Object:
        return self._write((resource.plural, obj["metadata"].get("namespace", ""), obj["metadata"]["name"]), obj)

    async def delete(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        self.writes += 1
        return self.objects.pop((resource.plural, namespace or "", name))

    def _write(self, key: tuple[str, str, str], obj: Object) -> Object:
        self.writes += 1
        self.objects[key] = copy.deepcopy(obj)
        return obj


def reconciled(cluster: Cluster | None = None) -> Cluster:
    cluster = cluster or Cluster()
    asyncio.run(bootstrap.reconcile(cluster))
    return cluster


def test_a_second_run_changes_nothing() -> None:
    cluster = reconciled()
    assert len(cluster.objects) == 143 + 2  # pieces of policy, and the namespaces that they need
    cluster.writes = 0
    assert reconciled(cluster).writes == 0


def test_what_was_taken_away_comes_back_and_what_was_added_stays() -> None:
    cluster = reconciled()
    role = cluster.objects["clusterroles", "", "system:kube-dns"]
    extra = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    role["rules"] = [role["rules"][0], extra]
    binding = cluster.objects["clusterrolebindings", "", "system:kube-dns"]
    binding["subjects"] = [{"kind": "User", "name": "dns", "apiGroup": "rbac.authorization.k8s.io"}]
    reconciled(cluster)
    rules = cluster.objects["clusterroles", "", "system:kube-dns"]["rules"]
    assert extra in rules
    assert {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]} in rules
    assert [s["name"] for s in cluster.objects["clusterrolebindings", "", "system:kube-dns"]["subjects"]] == [
        "dns",
        "kube-dns",
    ]


def test_what_is_marked_not_to_be_updated_is_left_alone() -> None:
    cluster = reconciled()
    role = cluster.objects["clusterroles", "", "system:discovery"]
    role["metadata"]["annotations"] = {bootstrap.AUTO_UPDATE: "false"}
    role["rules"] = []
    assert reconciled(cluster).objects["clusterroles", "", "system:discovery"]["rules"] == []


def test_a_binding_to_another_role_is_replaced() -> None:
    cluster = reconciled()
    binding = cluster.objects["clusterrolebindings", "", "system:discovery"]
    binding["roleRef"] = {**binding["roleRef"], "name": "cluster-admin"}
    reconciled(cluster)
    assert cluster.objects["clusterrolebindings", "", "system:discovery"]["roleRef"]["name"] == "system:discovery"


def index() -> RbacIndex:
    return RbacIndex(
        bootstrap.cluster_roles(), bootstrap.roles(), bootstrap.cluster_role_bindings(), bootstrap.role_bindings()
    )


def may(user: UserInfo, verb: str, resource: str, namespace: str = "default", group: str = "", name: str = "x") -> bool:
    plural, _, subresource = resource.partition("/")
    info = RequestInfo(verb, "", True, group, "v1", plural, subresource, namespace, name)
    return index().explain(user, info) is not None


def test_the_components_may_do_their_work_and_no_more() -> None:
    scheduler = UserInfo("system:kube-scheduler")
    assert may(scheduler, "create", "pods/binding")
    assert may(scheduler, "update", "leases", "kube-system", "coordination.k8s.io", "kube-scheduler")
    assert not may(scheduler, "get", "secrets")
    assert may(UserInfo("system:kube-proxy"), "watch", "endpointslices", group="discovery.k8s.io")
    assert may(service_account("kube-system", "deployment-controller"), "create", "replicasets", group="apps")
    assert not may(service_account("default", "deployment-controller"), "create", "replicasets", group="apps")


def test_anonymous_sees_health_and_version_only() -> None:
    anonymous = UserInfo("system:anonymous", groups=("system:unauthenticated",))
    assert index().explain(anonymous, RequestInfo("get", "/readyz"))
    assert index().explain(anonymous, RequestInfo("get", "/version"))
    assert not index().explain(anonymous, RequestInfo("get", "/api"))
    assert not index().explain(anonymous, RequestInfo("get", "/metrics"))


def test_admin_edit_and_view_contain_each_other() -> None:
    roles = {role["metadata"]["name"]: role for role in bootstrap.cluster_roles()}
    assert roles["admin"]["aggregationRule"]["clusterRoleSelectors"] == [
        {"matchLabels": {"rbac.authorization.k8s.io/aggregate-to-admin": "true"}}
    ]
    view, edit, admin = (roles[name]["rules"] for name in ("view", "edit", "admin"))
    assert all(rule in edit for rule in view)
    assert all(rule in admin for rule in edit)
    assert not any("secrets" in rule["resources"] for rule in view)


def test_the_roles_are_there_whoever_decides() -> None:
    async def test() -> None:
        async with in_process(config=ApiServerConfig(storage_backend="embedded"), secure=secure) as server:
            user = {"user": UserInfo("admin", groups=("system:masters",))}
            path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin"
            answer = await server.handler(Request("GET", path, "", CIMultiDict(), context=user))
            assert isinstance(answer, Response)
            assert answer.status == 200

    uvloop.run(test())
