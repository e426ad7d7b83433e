"""Reviews answer what authorization would decide."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from kubepy.api.errors import BadRequest, Invalid
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz import bootstrap, reviews
from kubepy.apiserver.authz.abac import Abac, Policy
from kubepy.apiserver.authz.chain import AlwaysAllow, Authorization, build_authorization

Object = dict[str, Any]
SCHEDULER = UserInfo("system:kube-scheduler", groups=("system:authenticated",))
PODS = {"verb": "list", "resource": "pods", "namespace": "default"}


@pytest.fixture
def authorization(objects: Any) -> Authorization:
    objects.put(*bootstrap.cluster_roles(), *bootstrap.cluster_role_bindings())
    return build_authorization(["Node", "RBAC"], objects)


def review(kind: str, **spec: Any) -> Object:
    return {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "metadata": {}, "spec": spec}


def status(answer: Coroutine[Any, Any, Object]) -> Object:
    found: Object = asyncio.run(answer)["status"]
    return found


def test_a_subject_access_review_asks_for_another(authorization: Authorization) -> None:
    asked = review("SubjectAccessReview", user="system:kube-scheduler", resourceAttributes=PODS)
    found = status(reviews.review_subject_access(authorization, asked))
    assert found["allowed"]
    assert found["reason"].startswith('RBAC: allowed by ClusterRoleBinding "system:kube-scheduler"')
    asked = review("SubjectAccessReview", user="bob", groups=["dev"], resourceAttributes=PODS)
    assert status(reviews.review_subject_access(authorization, asked)) == {"allowed": False}


def test_urls_are_asked_for_too(authorization: Authorization) -> None:
    urls = {"verb": "get", "path": "/metrics"}
    asked = review("SubjectAccessReview", user="m", groups=["system:monitoring"], nonResourceAttributes=urls)
    assert status(reviews.review_subject_access(authorization, asked))["allowed"]


@pytest.mark.parametrize("spec", [{}, {"user": "a"}, {"resourceAttributes": PODS}])
def test_a_review_that_asks_nothing_is_invalid(authorization: Authorization, spec: Object) -> None:
    with pytest.raises(Invalid):
        asyncio.run(reviews.review_subject_access(authorization, review("SubjectAccessReview", **spec)))


def test_a_self_review_asks_for_the_asker(authorization: Authorization) -> None:
    asked = review("SelfSubjectAccessReview", resourceAttributes=PODS)
    assert status(reviews.review_self_access(authorization, SCHEDULER, asked))["allowed"]
    assert not status(reviews.review_self_access(authorization, UserInfo("bob"), asked))["allowed"]


def test_a_local_review_stays_in_its_namespace(authorization: Authorization) -> None:
    asked = review("LocalSubjectAccessReview", user="system:kube-scheduler", resourceAttributes=PODS)
    assert status(reviews.review_local_access(authorization, asked, "default"))["allowed"]
    with pytest.raises((Invalid, BadRequest)):
        asyncio.run(reviews.review_local_access(authorization, asked, "other"))


def test_a_rules_review_lists_what_the_asker_may(authorization: Authorization) -> None:
    asked = review("SelfSubjectRulesReview", namespace="default")
    found = status(reviews.review_self_rules(authorization, SCHEDULER, asked))
    assert {"verbs": ["create"], "apiGroups": [""], "resources": ["bindings", "pods/binding"]} in found["resourceRules"]
    assert any("/api" in rule["nonResourceURLs"] for rule in found["nonResourceRules"])
    assert (found["incomplete"], "evaluationError" in found) == (False, False)
    with pytest.raises(BadRequest, match="no namespace on request"):
        asyncio.run(reviews.review_self_rules(authorization, SCHEDULER, review("SelfSubjectRulesReview")))


def listed(authorization: Authorization, user: UserInfo) -> Object:
    asked = review("SelfSubjectRulesReview", namespace="default")
    return status(reviews.review_self_rules(authorization, user, asked))


def test_a_node_is_told_that_its_rules_are_not_all_listed(authorization: Authorization) -> None:
    found = listed(authorization, UserInfo("system:node:n1", groups=("system:nodes",)))
    assert found["incomplete"] is True
    assert found["evaluationError"] == "node authorizer does not support user rule resolution"


def test_rules_of_policies_in_a_file_are_listed_and_those_for_other_namespaces_are_not() -> None:
    policies = [
        Policy(user="alice", namespace="*", api_group="*", resource="pods", readonly=True),
        Policy(user="alice", namespace="other", api_group="*", resource="*"),
        Policy(user="bob", namespace="*", api_group="*", resource="*"),
        Policy(group="dev", namespace="*", non_resource_path="/healthz"),
    ]
    found = listed(Authorization([Abac(policies)]), UserInfo("alice", groups=("dev",)))
    assert found == {
        "resourceRules": [{"verbs": ["get", "list", "watch"], "apiGroups": ["*"], "resources": ["pods"]}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["/healthz"]}],
        "incomplete": False,
    }


def test_who_may_everything_is_told_so_once(authorization: Authorization) -> None:
    found = listed(authorization, UserInfo("admin", groups=("system:masters", "system:authenticated")))
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    assert found["resourceRules"].count(everything) == 1
    assert listed(Authorization([AlwaysAllow()]), UserInfo("bob"))["resourceRules"] == [everything]


def test_roles_that_are_missing_are_told_of(objects: Any) -> None:
    objects.put(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "b"},
            "roleRef": {"kind": "ClusterRole", "name": "gone"},
            "subjects": [{"kind": "User", "name": "bob"}],
        }
    )
    found = listed(build_authorization(["RBAC"], objects), UserInfo("bob"))
    assert found["evaluationError"] == 'clusterrole.rbac.authorization.k8s.io "gone" not found'
    assert found["incomplete"] is False
