"""What bindings grant, what they do not, and how both are told."""

import asyncio
from typing import Any

import pytest

from kubepy.api.errors import Forbidden
from kubepy.apiserver.authn.user import UserInfo, service_account
from kubepy.apiserver.authz.chain import build_authorization
from kubepy.apiserver.authz.rbac import ROLE_BINDINGS, Rbac
from kubepy.apiserver.authz.rules import render_rule, uncovered
from kubepy.apiserver.http.request_info import RequestInfo

API = "rbac.authorization.k8s.io/v1"
ALICE = UserInfo("alice", groups=("dev", "system:authenticated"))


def role(name: str, *rules: dict[str, Any], namespace: str = "", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), "labels": more.pop("labels", {})}
    return {
        "apiVersion": API,
        "kind": "Role" if namespace else "ClusterRole",
        "metadata": metadata,
        "rules": list(rules),
        **more,
    }


def binding(name: str, ref: str, *subjects: dict[str, str], namespace: str = "", kind: str = "") -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    reference = {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": kind or ("Role" if namespace else "ClusterRole"),
        "name": ref,
    }
    what = "RoleBinding" if namespace else "ClusterRoleBinding"
    return {"apiVersion": API, "kind": what, "metadata": metadata, "roleRef": reference, "subjects": list(subjects)}


def rule(verbs: str, resources: str, groups: str = "", names: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {"verbs": verbs.split(), "resources": resources.split(), "apiGroups": groups.split() or [""]}
    return {**made, "resourceNames": names.split()} if names else made


def user(name: str) -> dict[str, str]:
    return {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}


def ask(verb: str, resource: str, namespace: str = "default", name: str = "", group: str = "") -> RequestInfo:
    plural, _, subresource = resource.partition("/")
    return RequestInfo(verb, "", True, group, "v1", plural, subresource, namespace, name)


def test_a_role_binding_grants_in_its_namespace_only(objects: Any) -> None:
    objects.put(role("reader", rule("get list", "pods"), namespace="default"))
    objects.put(binding("b", "reader", user("alice"), namespace="default"))
    rbac = Rbac(objects)
    decision = rbac.authorize(ALICE, ask("list", "pods"))
    assert decision.reason == 'RBAC: allowed by RoleBinding "b/default" of Role "reader" to User "alice"'
    assert not rbac.authorize(ALICE, ask("list", "pods", "kube-system")).allowed
    assert not rbac.authorize(ALICE, ask("list", "pods", "")).allowed
    assert not rbac.authorize(ALICE, ask("delete", "pods")).allowed
    assert not rbac.authorize(ALICE, ask("get", "pods/log")).allowed


def test_a_cluster_role_bound_in_a_namespace_stays_there(objects: Any) -> None:
    objects.put(role("reader", rule("*", "*", "*")))
    objects.put(binding("b", "reader", user("alice"), namespace="default", kind="ClusterRole"))
    rbac = Rbac(objects)
    assert rbac.authorize(ALICE, ask("delete", "deployments/scale", group="apps")).allowed
    assert not rbac.authorize(ALICE, ask("get", "nodes", "")).allowed


def test_groups_and_service_accounts_are_subjects(objects: Any) -> None:
    objects.put(role("reader", rule("get", "pods")))
    group = {"kind": "Group", "name": "dev"}
    robot = {"kind": "ServiceAccount", "name": "robot", "namespace": "ci"}
    objects.put(binding("b", "reader", group, robot))
    rbac = Rbac(objects)
    assert rbac.authorize(ALICE, ask("get", "pods", name="p")).allowed
    reason = rbac.authorize(service_account("ci", "robot"), ask("get", "pods", name="p")).reason
    assert reason == 'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "reader" to ServiceAccount "robot/ci"'
    assert not rbac.authorize(service_account("other", "robot"), ask("get", "pods", name="p")).allowed


@pytest.mark.parametrize(
    ("resources", "asked", "allowed"),
    [
        ("pods", "pods/log", False),
        ("pods/log", "pods/log", True),
        ("*/scale", "deployments/scale", True),
        ("*/scale", "deployments", False),
        ("*", "pods/exec", True),
    ],
)
def test_subresources_are_granted_by_their_own_name(objects: Any, resources: str, asked: str, allowed: bool) -> None:
    objects.put(role("r", rule("get", resources)), binding("b", "r", user("alice")))
    assert Rbac(objects).authorize(ALICE, ask("get", asked, name="x")).allowed is allowed


def test_resource_names_narrow_a_grant(objects: Any) -> None:
    objects.put(role("r", rule("get", "secrets", names="mine")), binding("b", "r", user("alice")))
    rbac = Rbac(objects)
    assert rbac.authorize(ALICE, ask("get", "secrets", name="mine")).allowed
    assert not rbac.authorize(ALICE, ask("get", "secrets", name="yours")).allowed
    assert not rbac.authorize(ALICE, ask("list", "secrets")).allowed


def test_urls_are_granted_with_wildcards_at_the_end(objects: Any) -> None:
    objects.put(
        role("r", {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/apis/*"]}), binding("b", "r", user("alice"))
    )
    rbac = Rbac(objects)
    assert rbac.authorize(ALICE, RequestInfo("get", "/apis/apps")).allowed
    assert rbac.authorize(ALICE, RequestInfo("get", "/healthz")).allowed
    assert not rbac.authorize(ALICE, RequestInfo("get", "/healthz/etcd")).allowed
    assert not rbac.authorize(ALICE, RequestInfo("post", "/healthz")).allowed


def test_an_aggregated_role_has_the_rules_of_those_it_selects(objects: Any) -> None:
    selector = {"matchLabels": {"to-view": "true"}}
    objects.put(role("view", aggregationRule={"clusterRoleSelectors": [selector]}), binding("b", "view", user("alice")))
    rbac = Rbac(objects)
    assert not rbac.authorize(ALICE, ask("list", "widgets", group="x.io")).allowed
    objects.put(role("widgets", rule("list", "widgets", "x.io"), labels={"to-view": "true"}))
    assert rbac.authorize(ALICE, ask("list", "widgets", group="x.io")).allowed


def test_taking_a_binding_away_takes_effect_at_once(objects: Any) -> None:
    objects.put(
        role("r", rule("get", "pods"), namespace="default"), binding("b", "r", user("alice"), namespace="default")
    )
    rbac = Rbac(objects)
    assert rbac.authorize(ALICE, ask("get", "pods")).allowed
    objects.remove(ROLE_BINDINGS, "b", "default")
    assert not rbac.authorize(ALICE, ask("get", "pods")).allowed


def refusal(objects: Any, info: RequestInfo) -> Forbidden:
    authorization = build_authorization(["Node", "RBAC"], objects)
    with pytest.raises(Forbidden) as caught:
        asyncio.run(authorization.require(ALICE, info))
    return caught.value


def test_a_refusal_reads_as_upstreams(objects: Any) -> None:
    error = refusal(objects, ask("list", "pods", "y"))
    assert error.message == (
        'pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "y"'
    )
    assert error.details == {"kind": "pods"}
    error = refusal(objects, ask("patch", "deployments/scale", "y", "web", "apps"))
    assert error.message == (
        'deployments.apps "web" is forbidden: User "alice" cannot patch resource "deployments/scale" '
        'in API group "apps" in the namespace "y"'
    )
    assert error.details == {"name": "web", "group": "apps", "kind": "deployments"}
    assert refusal(objects, ask("get", "nodes", "", "n")).message.endswith('API group "" at the cluster scope')
    assert refusal(objects, RequestInfo("get", "/x")).message == 'forbidden: User "alice" cannot get path "/x"'


def test_a_refusal_names_the_role_that_is_missing(objects: Any) -> None:
    objects.put(binding("b", "gone", user("alice")))
    message = refusal(objects, ask("list", "pods")).message
    assert message.endswith(': RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found')


def test_masters_may_do_everything_without_any_role(objects: Any) -> None:
    master = UserInfo("root", groups=("system:masters",))
    assert build_authorization(["AlwaysDeny"], objects).decide(master, ask("delete", "nodes", "")).allowed


@pytest.mark.parametrize(
    ("owned", "wanted", "missing"),
    [
        ([rule("*", "*", "*")], rule("get", "pods"), []),
        ([rule("get list", "pods")], rule("get", "pods", names="a"), []),
        ([rule("get", "pods", names="a")], rule("get", "pods"), ["pods"]),
        ([rule("get", "*/scale")], rule("get", "deployments/scale deployments"), ["deployments"]),
        ([rule("get", "pods"), rule("list", "pods")], rule("get list", "pods"), []),
        ([rule("get", "pods")], rule("*", "pods"), ["pods"]),
    ],
)
def test_rules_cover_others_part_by_part(
    owned: list[dict[str, Any]], wanted: dict[str, Any], missing: list[str]
) -> None:
    assert [part["resources"][0] for part in uncovered(owned, [wanted])] == missing


def test_a_rule_is_shown_as_upstream_shows_it() -> None:
    assert render_rule(rule("get", "pods", "", "a")) == (
        '{APIGroups:[""], Resources:["pods"], ResourceNames:["a"], Verbs:["get"]}'
    )


def test_checks_do_not_read_the_objects_again(objects: Any) -> None:
    objects.put(role("r", rule("get", "pods")), binding("b", "r", user("alice")))
    rbac = Rbac(objects)
    index = rbac.index
    rbac.authorize(ALICE, ask("get", "pods"))
    assert rbac.index is index
