"""What one must be allowed to act as someone else: in each mode, a list of questions to authorization. Pure.

The constrained modes (KEP-5284) ask twice: whether the asker may take on that identity, and whether he may do just
this while he has it. They come first, the strictest one first of all; the mode of old, `impersonate`, comes last.
Source: apiserver pkg/endpoints/filters/impersonation/mode.go.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from kubepy.api import names
from kubepy.apiserver.authn import user as users
from kubepy.apiserver.authn.user import NODE_NAME, NODE_PREFIX, NODES_GROUP, PRIVILEGED_GROUP, UserInfo
from kubepy.apiserver.http.request_info import RequestInfo

LEGACY = "impersonate"
_AUTHN = "authentication.k8s.io"
_ASSOCIATED_KEYS = "authentication.kubernetes.io/associated-node-keys"


class Unacceptable(Exception):
    """What is asked for is not to be had in this mode, whoever asks; `info` is the question that it would have been."""

    def __init__(self, info: RequestInfo, why: str) -> None:
        super().__init__(why)
        self.info = info


@dataclass(frozen=True, slots=True)
class Mode:
    """`fits` tells whether the mode is for this wish of this asker; `name` is empty for the mode of old."""

    name: str
    fits: Callable[[UserInfo, UserInfo], bool]

    @property
    def constraint(self) -> str:
        """The verb of the permission to take on the identity, as audit tells it; empty for the mode of old."""
        return f"{LEGACY}:{self.name}" if self.name else ""

    def asker(self, user: UserInfo) -> UserInfo:
        """The asker as authorization sees him: for a node of its own, a pod's account is that of any of its pods."""
        if self.name != "associated-node":
            return user
        return replace(user, extra={_ASSOCIATED_KEYS: tuple(sorted(user.extra))})

    def questions(self, wanted: UserInfo, doing: RequestInfo) -> Iterator[RequestInfo]:
        """What must be allowed, all of it, to do that as `wanted`. Raises Unacceptable."""
        verb = LEGACY
        if self.name:
            verb = self.constraint
            yield replace(doing, verb=f"impersonate-on:{self.name}:{doing.verb}")
        yield self._of_name(verb, wanted.name)
        if wanted.uid:
            yield _ask(verb, _AUTHN, "uids", wanted.uid)
        group = _AUTHN if self.name else ""
        if self.name:
            _check_groups(_ask(verb, group, "groups", ""), wanted.groups)
            _check_extra(_ask(verb, _AUTHN, "userextras", ""), wanted)
        for one in wanted.groups:
            yield _ask(verb, group, "groups", one)
        for key, values in wanted.extra.items():
            for value in values:
                yield _ask(verb, _AUTHN, "userextras", value, subresource=key)

    def _of_name(self, verb: str, name: str) -> RequestInfo:
        group = _AUTHN if self.name else ""
        if self.name and (node := node_of(name)):
            return _ask(verb, group, "nodes", "*" if self.name == "associated-node" else node)
        if account := users.split_service_account(name):
            return _ask(verb, group, "serviceaccounts", account[1], namespace=account[0])
        return _ask(verb, group, "users", name)

    def complete(self, wanted: UserInfo) -> UserInfo:
        """`wanted` in the groups that every such user is in."""
        groups = wanted.groups
        account = users.split_service_account(wanted.name)
        if self.name and node_of(wanted.name):
            groups = (NODES_GROUP,)
        elif account and not groups:
            groups = users.service_account(*account).groups
        user = UserInfo(wanted.name, wanted.uid, groups, wanted.extra)
        if user.name == users.ANONYMOUS:
            return user.with_group(users.ALL_UNAUTHENTICATED)
        return user if users.ALL_UNAUTHENTICATED in groups else user.with_group(users.ALL_AUTHENTICATED)


def node_of(name: str) -> str:
    """The node whose user has that name; empty if none has."""
    node = name.removeprefix(NODE_PREFIX)
    return node if node != name and not names.is_dns1123_subdomain(node) else ""


def _only_named(wanted: UserInfo) -> bool:
    return not (wanted.uid or wanted.groups or wanted.extra)


def _is_own_node(wanted: UserInfo, asker: UserInfo) -> bool:
    node = node_of(wanted.name)
    is_account = users.split_service_account(asker.name) is not None
    return bool(node) and _only_named(wanted) and is_account and asker.extra.get(NODE_NAME) == (node,)


MODES: tuple[Mode, ...] = (
    Mode("associated-node", _is_own_node),
    Mode("arbitrary-node", lambda wanted, _: _only_named(wanted) and bool(node_of(wanted.name))),
    Mode("serviceaccount", lambda wanted, _: _only_named(wanted) and bool(users.split_service_account(wanted.name))),
    Mode("user-info", lambda wanted, _: not node_of(wanted.name) and not users.split_service_account(wanted.name)),
    Mode("", lambda wanted, asker: True),
)


def _check_groups(info: RequestInfo, groups: tuple[str, ...]) -> None:
    if "" in groups:
        raise Unacceptable(info, "impersonating the empty string group is not allowed")
    if PRIVILEGED_GROUP in groups:
        why = "impersonating the system:masters group is not allowed"
        raise Unacceptable(replace(info, name=PRIVILEGED_GROUP), why)


def _check_extra(info: RequestInfo, wanted: UserInfo) -> None:
    for key, values in wanted.extra.items():
        domain, _, path = key.partition("/")
        if not key:
            raise Unacceptable(info, "impersonating the empty string key in extra is not allowed")
        if not path or names.is_dns1123_subdomain(domain):
            why = f'extra.key: Invalid value: "{key}": must be a domain-prefixed path (such as "acme.io/foo")'
            raise Unacceptable(info, f"impersonating an invalid key in extra is not allowed: {why}")
        if "" in values:
            raise Unacceptable(info, "impersonating the empty string value in extra is not allowed")


def _ask(verb: str, group: str, resource: str, name: str, *, namespace: str = "", subresource: str = "") -> RequestInfo:
    return RequestInfo(verb, "", True, group, "v1", resource, subresource, namespace, name)
