"""Which schema and which flow a request belongs to, by upstream's default objects and by others."""

from typing import Any

import pytest

from kubepy.api import flow_objects
from kubepy.apiserver.authn.user import UserInfo, service_account
from kubepy.apiserver.flowcontrol.matching import compile_schema, ordered
from kubepy.apiserver.http.request_info import RequestInfo

DEFAULTS = ordered(map(compile_schema, flow_objects.flow_schemas()))
NODE = UserInfo("system:node:n1", groups=("system:nodes", "system:authenticated"))
ADMIN = UserInfo("admin", groups=("system:masters", "system:authenticated"))
ALICE = UserInfo("alice", groups=("system:authenticated",))
MANAGER = UserInfo("system:kube-controller-manager", groups=("system:authenticated",))
NOBODY = UserInfo("system:anonymous", groups=("system:unauthenticated",))


def of(verb: str, resource: str, namespace: str = "", group: str = "", subresource: str = "") -> RequestInfo:
    return RequestInfo(verb, "", True, group, "v1", resource, subresource, namespace)


@pytest.mark.parametrize(
    ("user", "info", "schema"),
    [
        (ADMIN, of("list", "pods"), "exempt"),
        (NOBODY, RequestInfo("get", "/readyz"), "probes"),
        (NOBODY, RequestInfo("get", "/readyz/etcd"), "global-default"),
        (NODE, of("update", "leases", "kube-node-lease", "coordination.k8s.io"), "system-node-high"),
        (NODE, of("patch", "nodes", subresource="status"), "system-node-high"),
        (NODE, of("list", "pods"), "system-nodes"),
        (MANAGER, of("update", "leases", "kube-system", "coordination.k8s.io"), "system-leader-election"),
        (MANAGER, of("watch", "leases", "kube-system", "coordination.k8s.io"), "kube-controller-manager"),
        (MANAGER, of("create", "endpoints", "default"), "endpoint-controller"),
        (service_account("kube-system", "x"), of("update", "configmaps", "a"), "workload-leader-election"),
        (service_account("kube-system", "x"), of("list", "configmaps", "a"), "kube-system-service-accounts"),
        (service_account("default", "x"), of("list", "configmaps", "a"), "service-accounts"),
        (ALICE, of("list", "configmaps", "a"), "global-default"),
    ],
)
def test_default_schemas_sort_requests_as_upstream_does(user: UserInfo, info: RequestInfo, schema: str) -> None:
    assert next(one for one in DEFAULTS if one.matches(user, info)).name == schema


def schema(name: str = "one", precedence: int = 1000, method: str = "", **rule: Any) -> dict[str, Any]:
    spec = {"matchingPrecedence": precedence, "priorityLevelConfiguration": {"name": "level"}, "rules": [rule]}
    if method:
        spec["distinguisherMethod"] = {"type": method}
    return {"metadata": {"name": name, "uid": f"uid-{name}"}, "spec": spec}


def test_namespaces_and_cluster_scope_are_two_things() -> None:
    everyone = [{"kind": "Group", "group": {"name": "*"}}]
    rule = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    inside = compile_schema(schema(subjects=everyone, resourceRules=[{**rule, "namespaces": ["*"]}]))
    outside = compile_schema(schema(subjects=everyone, resourceRules=[{**rule, "clusterScope": True}]))
    assert inside.matches(ALICE, of("list", "pods", "a"))
    assert not inside.matches(ALICE, of("list", "pods"))
    assert outside.matches(ALICE, of("list", "pods"))
    assert not outside.matches(ALICE, of("list", "pods", "a"))


def test_lower_precedence_numbers_come_first_and_names_break_ties() -> None:
    objects = [schema("b", 7), schema("a", 7), schema("c", 3), schema("catch-all", 2), schema("exempt", 9999)]
    assert [one.name for one in ordered(map(compile_schema, objects))] == ["exempt", "c", "a", "b", "catch-all"]


def test_flows_are_told_apart_by_user_or_namespace() -> None:
    info = of("list", "pods", "a")
    assert compile_schema(schema(method="ByUser")).distinguisher(ALICE, info) == "alice"
    assert compile_schema(schema(method="ByNamespace")).distinguisher(ALICE, info) == "a"
    assert compile_schema(schema()).distinguisher(ALICE, info) == ""
