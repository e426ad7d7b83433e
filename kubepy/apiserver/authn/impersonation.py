"""Acting as someone else: `Impersonate-*` headers, each of which takes the permission to impersonate just that.

Invariant: the user that comes out is made of what was asked for alone; nothing of the asking user stays.
Source: apiserver pkg/endpoints/filters/impersonation.go.
"""

from collections.abc import Iterator
from typing import Protocol
from urllib.parse import unquote

from kubepy.api.errors import InternalError
from kubepy.apiserver.authn import user as users
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.request_info import RequestInfo
from kubepy.lib.http import Headers, Request

USER, GROUP, UID = "Impersonate-User", "Impersonate-Group", "Impersonate-Uid"
EXTRA = "impersonate-extra-"
ASKING, ACTING = "authn.asking", "authn.acting"
"""Where in a request's context the layers around it find the user who asks, and the one that it counts as."""
_AUTHN = "authentication.k8s.io"


class Authenticator(Protocol):
    """Finds out who asks."""

    async def authenticate(self, request: Request) -> UserInfo:
        """The user. Raises Unauthorized."""


class Authorizer(Protocol):
    """Decides what a user may do."""

    async def require(self, user: UserInfo, info: RequestInfo) -> None:
        """Raises Forbidden."""


class Impersonation:
    """An authenticator that lets those who may act as the user that they name."""

    def __init__(self, authenticator: Authenticator, authorizer: Authorizer) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer

    async def authenticate(self, request: Request) -> UserInfo:
        """The user that the request is to count as. Raises Unauthorized, Forbidden."""
        user = await self._authenticator.authenticate(request)
        headers = request.headers
        request.context[ASKING] = request.context[ACTING] = user
        if USER not in headers and GROUP not in headers and UID not in headers:
            return user
        wanted = read_wanted(headers)
        for info in permissions_for(wanted):
            await self._authorizer.require(user, info)
        acting = request.context[ACTING] = complete(wanted)
        return acting


def read_wanted(headers: Headers) -> UserInfo:
    """The user that the headers ask for. Raises InternalError, as upstream does, when they name none."""
    name = headers.get(USER, "")
    groups = tuple(group for group in headers.getall(GROUP, ()) if group)
    uid = headers.get(UID, "")
    extra: dict[str, tuple[str, ...]] = {}
    for header, value in headers.items():
        if header.lower().startswith(EXTRA):
            key = unquote(header[len(EXTRA) :].lower())
            extra[key] = (*extra.get(key, ()), value)
    if not name:
        raise InternalError("Internal error occurred: requested impersonation without impersonating a user")
    return UserInfo(name, uid, groups, extra)


def permissions_for(wanted: UserInfo) -> Iterator[RequestInfo]:
    """What one must be allowed to become `wanted`."""
    account = users.split_service_account(wanted.name)
    if account:
        yield _impersonate("", "serviceaccounts", account[1], namespace=account[0])
    else:
        yield _impersonate("", "users", wanted.name)
    for group in wanted.groups:
        yield _impersonate("", "groups", group)
    if wanted.uid:
        yield _impersonate(_AUTHN, "uids", wanted.uid)
    for key, values in wanted.extra.items():
        for value in values:
            yield _impersonate(_AUTHN, "userextras", value, subresource=key)


def complete(wanted: UserInfo) -> UserInfo:
    """`wanted` in the groups that every such user is in."""
    account = users.split_service_account(wanted.name)
    groups = wanted.groups
    if account and not groups:
        groups = users.service_account(*account).groups
    user = UserInfo(wanted.name, wanted.uid, groups, wanted.extra)
    if users.ALL_UNAUTHENTICATED in groups:
        return user
    return user.with_group(users.ALL_UNAUTHENTICATED if user.name == users.ANONYMOUS else users.ALL_AUTHENTICATED)


def _impersonate(group: str, resource: str, name: str, *, namespace: str = "", subresource: str = "") -> RequestInfo:
    return RequestInfo("impersonate", "", True, group, "v1", resource, subresource, namespace, name)
