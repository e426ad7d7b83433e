"""Reviews answer what authorization would decide."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from kubepy.api.errors import BadRequest, Invalid
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz import bootstrap, reviews
from kubepy.apiserver.authz.chain import Authorization, build_authorization

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


def test_a_rules_review_lists_what_the_asker_may_and_says_that_nodes_are_left_out(
    authorization: Authorization,
) -> None:
    asked = review("SelfSubjectRulesReview", namespace="default")
    found = status(reviews.review_self_rules(authorization, SCHEDULER, asked))
    assert {"verbs": ["create"], "apiGroups": [""], "resources": ["bindings", "pods/binding"]} in found["resourceRules"]
    assert any("/api" in rule["nonResourceURLs"] for rule in found["nonResourceRules"])
    assert found["incomplete"] is True
    with pytest.raises(BadRequest, match="no namespace on request"):
        asyncio.run(reviews.review_self_rules(authorization, SCHEDULER, review("SelfSubjectRulesReview")))
