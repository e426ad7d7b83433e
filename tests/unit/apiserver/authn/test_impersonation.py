"""Acting as someone else takes leave for each part of him."""

import asyncio

import pytest
from multidict import CIMultiDict

from kubepy.api.errors import Forbidden, InternalError
from kubepy.apiserver.authn.impersonation import Impersonation
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.request_info import RequestInfo
from kubepy.lib.http import Request

ADMIN = UserInfo("admin", "1", ("system:masters",), {"secret": ("x",)})


class Fixed:
    """Authenticates everyone as admin, allows what is listed and keeps what was asked."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.asked: list[tuple[str, str, str, str]] = []

    async def authenticate(self, request: Request) -> UserInfo:
        return ADMIN

    async def require(self, user: UserInfo, info: RequestInfo) -> None:
        assert user is ADMIN
        self.asked.append((info.verb, info.resource, info.namespace, info.name))
        if info.name in self.refused:
            raise Forbidden(info.name)


def act(*headers: tuple[str, str], refused: tuple[str, ...] = ()) -> tuple[UserInfo, Fixed]:
    fixed = Fixed(*refused)
    request = Request("GET", "/", headers=CIMultiDict(headers))
    return asyncio.run(Impersonation(fixed, fixed).authenticate(request)), fixed


def test_without_headers_everyone_is_himself() -> None:
    assert act()[0] is ADMIN


def test_each_part_of_the_user_is_asked_for_and_nothing_of_the_asker_stays() -> None:
    headers = [
        ("Impersonate-User", "bob"),
        ("Impersonate-Group", "dev"),
        ("Impersonate-Group", "ops"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Extra-Scopes%2fa", "read"),
    ]
    user, fixed = act(*headers)
    assert user == UserInfo("bob", "7", ("dev", "ops", "system:authenticated"), {"scopes/a": ("read",)})
    assert fixed.asked == [
        ("impersonate", "users", "", "bob"),
        ("impersonate", "groups", "", "dev"),
        ("impersonate", "groups", "", "ops"),
        ("impersonate", "uids", "", "7"),
        ("impersonate", "userextras", "", "read"),
    ]


def test_one_part_that_is_refused_refuses_all() -> None:
    with pytest.raises(Forbidden, match="ops"):
        act(("Impersonate-User", "bob"), ("Impersonate-Group", "ops"), refused=("ops",))


def test_a_service_account_comes_with_its_groups() -> None:
    user, fixed = act(("Impersonate-User", "system:serviceaccount:ci:robot"))
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:ci", "system:authenticated")
    assert fixed.asked == [("impersonate", "serviceaccounts", "ci", "robot")]


def test_anonymous_stays_unauthenticated() -> None:
    assert act(("Impersonate-User", "system:anonymous"))[0].groups == ("system:unauthenticated",)


def test_groups_without_a_user_are_a_fault() -> None:
    with pytest.raises(InternalError, match="without impersonating a user"):
        act(("Impersonate-Group", "system:masters"))
