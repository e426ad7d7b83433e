"""Acting as someone else takes leave for each part of him."""

import asyncio

import pytest
from multidict import CIMultiDict

from kubepy.api.errors import BadRequest, Forbidden
from kubepy.apiserver.authn.impersonation import CONSTRAINT, Impersonation
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.http.request_info import RequestInfo
from kubepy.lib.http import Request

ADMIN = UserInfo("admin", "1", ("system:masters",), {"secret": ("x",)})


class Fixed:
    """Authenticates everyone as one user, allows what is listed by verb and name, and keeps what was asked."""

    def __init__(self, user: UserInfo, *allowed: str) -> None:
        self.user = user
        self.allowed = allowed
        self.asked: list[tuple[str, str, str, str]] = []

    async def authenticate(self, request: Request) -> UserInfo:
        return self.user

    async def require(self, user: UserInfo, info: RequestInfo) -> None:
        assert user.name == self.user.name
        self.asked.append((info.verb, info.resource, info.namespace, info.name))
        if info.verb not in self.allowed and f"{info.verb} {info.name}" not in self.allowed:
            raise Forbidden(f"{info.verb} {info.name}")


def act(
    *headers: tuple[str, str], allowed: tuple[str, ...] = ("impersonate",), by: UserInfo = ADMIN
) -> tuple[UserInfo, Fixed, Request]:
    fixed = Fixed(by, *allowed)
    request = Request("GET", "/api/v1/namespaces/ns/pods/a", headers=CIMultiDict(headers))
    return asyncio.run(Impersonation(fixed, fixed).authenticate(request)), fixed, request


def refusal(*headers: tuple[str, str], allowed: tuple[str, ...] = (), by: UserInfo = ADMIN) -> str:
    with pytest.raises(Forbidden) as caught:
        act(*headers, allowed=allowed, by=by)
    return str(caught.value)


def test_without_headers_everyone_is_himself() -> None:
    assert act()[0] is ADMIN


def test_each_part_of_the_user_is_asked_for_and_nothing_of_the_asker_stays() -> None:
    headers = [
        ("Impersonate-User", "bob"),
        ("Impersonate-Group", "dev"),
        ("Impersonate-Group", "ops"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Extra-A.example%2fScopes", "read"),
    ]
    user, fixed, request = act(*headers)
    assert user == UserInfo("bob", "7", ("dev", "ops", "system:authenticated"), {"a.example/scopes": ("read",)})
    assert fixed.asked == [
        ("impersonate-on:user-info:get", "pods", "ns", "a"),
        ("impersonate", "users", "", "bob"),
        ("impersonate", "uids", "", "7"),
        ("impersonate", "groups", "", "dev"),
        ("impersonate", "groups", "", "ops"),
        ("impersonate", "userextras", "", "read"),
    ]
    assert request.context[CONSTRAINT] == ""
    user, fixed, request = act(*headers, allowed=("impersonate-on:user-info:get", "impersonate:user-info"))
    assert (user.name, request.context[CONSTRAINT]) == ("bob", "impersonate:user-info")
    assert {verb for verb, *_ in fixed.asked[1:]} == {"impersonate:user-info"}


def test_one_part_that_is_refused_refuses_all() -> None:
    headers = (("Impersonate-User", "bob"), ("Impersonate-Group", "ops"))
    assert refusal(*headers, allowed=("impersonate bob",)) == "impersonate-on:user-info:get a"
    constrained = ("impersonate-on:user-info:get", "impersonate:user-info bob")
    assert refusal(*headers, allowed=constrained) == "impersonate:user-info ops"


def test_a_service_account_comes_with_its_groups() -> None:
    user, fixed, _ = act(("Impersonate-User", "system:serviceaccount:ci:robot"))
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:ci", "system:authenticated")
    assert fixed.asked == [
        ("impersonate-on:serviceaccount:get", "pods", "ns", "a"),
        ("impersonate", "serviceaccounts", "ci", "robot"),
    ]


def test_a_node_comes_with_its_group_only_where_it_is_constrained() -> None:
    node = ("Impersonate-User", "system:node:n1")
    assert act(node)[0].groups == ("system:authenticated",)
    user, fixed, _ = act(node, allowed=("impersonate-on:arbitrary-node:get", "impersonate:arbitrary-node n1"))
    assert user.groups == ("system:nodes", "system:authenticated")
    assert fixed.asked[-1] == ("impersonate:arbitrary-node", "nodes", "", "n1")


def test_a_pod_may_act_as_its_own_node_and_as_no_other() -> None:
    extra = {"authentication.kubernetes.io/node-name": ("n1",)}
    agent = UserInfo("system:serviceaccount:ns:agent", extra=extra)
    allowed = ("impersonate-on:associated-node:get", "impersonate:associated-node *")
    assert act(("Impersonate-User", "system:node:n1"), allowed=allowed, by=agent)[0].name == "system:node:n1"
    assert refusal(("Impersonate-User", "system:node:n2"), allowed=allowed, by=agent)


def test_nobody_becomes_a_master_by_a_constrained_mode() -> None:
    allowed = ("impersonate-on:user-info:get", "impersonate:user-info")
    bob = ("Impersonate-User", "bob")
    for header, why in (
        (("Impersonate-Group", "system:masters"), "impersonating the system:masters group is not allowed"),
        (("Impersonate-Group", ""), "impersonating the empty string group is not allowed"),
        (("Impersonate-Extra-Scopes", "a"), "impersonating an invalid key in extra is not allowed"),
    ):
        assert why in refusal(bob, header, allowed=allowed)


def test_the_mode_that_went_well_is_tried_first() -> None:
    fixed = Fixed(ADMIN, "impersonate")
    impersonation = Impersonation(fixed, fixed)
    request = Request("GET", "/x", headers=CIMultiDict({"Impersonate-User": "bob"}))
    asyncio.run(impersonation.authenticate(request))
    fixed.asked.clear()
    asyncio.run(impersonation.authenticate(request))
    assert fixed.asked == [("impersonate", "users", "", "bob")]


def test_anonymous_stays_unauthenticated() -> None:
    assert act(("Impersonate-User", "system:anonymous"))[0].groups == ("system:unauthenticated",)


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        (("Impersonate-Group", "g"), 'UID:"", Groups:[]string{"g"}, Extra:map[string][]string(nil)'),
        (("Impersonate-Extra-K", "v"), 'UID:"", Groups:[]string(nil), Extra:map[string][]string{"k":{"v"}}'),
    ],
)
def test_parts_without_a_user_are_a_fault(header: tuple[str, str], shown: str) -> None:
    with pytest.raises(BadRequest) as caught:
        act(header)
    assert caught.value.message == (
        f'requested &user.DefaultInfo{{Name:"", {shown}}} without impersonating a user name'
    )
