"""Policies of a file allow what they say, and nothing else."""

import pytest

from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.abac import Abac, parse_policies
from kubepy.apiserver.http.request_info import RequestInfo

V1BETA1 = '{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":'
TEXT = f"""
# who may what
{V1BETA1}{{"user":"alice","namespace":"*","resource":"*","apiGroup":"*"}}}}
{V1BETA1}{{"user":"bob","namespace":"a","resource":"pods","readonly":true}}}}
{V1BETA1}{{"group":"system:authenticated","nonResourcePath":"/api*"}}}}
{V1BETA1}{{"user":"carol","group":"dev","namespace":"*","resource":"*","apiGroup":"*"}}}}
{{"user":"old","resource":"pods"}}
"""
ABAC = Abac(parse_policies(TEXT))


def pods(verb: str, namespace: str = "a", resource: str = "pods", group: str = "") -> RequestInfo:
    return RequestInfo(verb, "", True, group, "v1", resource, "", namespace, "x")


@pytest.mark.parametrize(
    ("user", "info", "allowed"),
    [
        (UserInfo("alice"), pods("delete", "b", "deployments", "apps"), True),
        (UserInfo("alice"), RequestInfo("get", "/api"), False),
        (UserInfo("bob"), pods("get"), True),
        (UserInfo("bob"), pods("delete"), False),
        (UserInfo("bob"), pods("get", "b"), False),
        (UserInfo("bob"), pods("get", resource="secrets"), False),
        (UserInfo("bob"), pods("get", group="apps"), False),
        (UserInfo("x", groups=("system:authenticated",)), RequestInfo("get", "/apis/apps"), True),
        (UserInfo("x", groups=("system:authenticated",)), RequestInfo("get", "/metrics"), False),
        (UserInfo("carol"), pods("get"), False),
        (UserInfo("carol", groups=("dev",)), pods("get"), True),
        (UserInfo("old"), pods("create", "anywhere", group="any"), True),
        (UserInfo("old"), pods("create", resource="nodes"), False),
    ],
)
def test_a_policy_allows_what_it_says(user: UserInfo, info: RequestInfo, allowed: bool) -> None:
    decision = ABAC.authorize(user, info)
    assert (decision.allowed, decision.denied) == (allowed, False)


def test_a_line_that_is_no_policy_is_named() -> None:
    with pytest.raises(ValueError, match="line 2: nonsense"):
        parse_policies('{"user":"a"}\nnonsense')
    with pytest.raises(ValueError, match="expected abac"):
        parse_policies('{"apiVersion":"v1","kind":"Policy"}')
