"""Who asks: the user that authentication found, and the names that Kubernetes reserves for users and groups.

Source: apiserver pkg/authentication/user and pkg/authentication/serviceaccount.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

ANONYMOUS = "system:anonymous"
ALL_AUTHENTICATED = "system:authenticated"
ALL_UNAUTHENTICATED = "system:unauthenticated"
PRIVILEGED_GROUP = "system:masters"
NODES_GROUP = "system:nodes"
NODE_PREFIX = "system:node:"
BOOTSTRAPPERS = "system:bootstrappers"
BOOTSTRAP_PREFIX = "system:bootstrap:"
SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"
SERVICE_ACCOUNTS_GROUP = "system:serviceaccounts"

POD_NAME = "authentication.kubernetes.io/pod-name"
POD_UID = "authentication.kubernetes.io/pod-uid"
NODE_NAME = "authentication.kubernetes.io/node-name"
NODE_UID = "authentication.kubernetes.io/node-uid"
CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"

Extra = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class UserInfo:
    """A user with its groups; `extra` carries what authenticators know beside."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Extra = field(default_factory=dict, hash=False)

    def with_group(self, group: str) -> "UserInfo":
        """The same user in one group more, if it is not in it."""
        return self if group in self.groups else replace(self, groups=(*self.groups, group))

    def to_wire(self) -> dict[str, Any]:
        """The UserInfo of the authentication API; empty fields are left out."""
        wire = {
            "username": self.name,
            "uid": self.uid,
            "groups": list(self.groups),
            "extra": {key: list(values) for key, values in self.extra.items()},
        }
        return {key: value for key, value in wire.items() if value}


def of(value: Any) -> UserInfo:
    """The user that an in-process caller names: a UserInfo, a user name, or anything with `name` and `groups`."""
    if isinstance(value, UserInfo):
        return value
    if isinstance(value, str):
        return UserInfo(value, groups=(ALL_AUTHENTICATED,))
    groups: Sequence[str] = getattr(value, "groups", ())
    return UserInfo(value.name, getattr(value, "uid", ""), tuple(groups)).with_group(ALL_AUTHENTICATED)


def service_account(namespace: str, name: str, uid: str = "", extra: Extra | None = None) -> UserInfo:
    """The user that a service account is."""
    groups = (SERVICE_ACCOUNTS_GROUP, f"{SERVICE_ACCOUNTS_GROUP}:{namespace}")
    return UserInfo(f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}", uid, groups, extra or {})


def split_service_account(username: str) -> tuple[str, str] | None:
    """Namespace and name of the service account that `username` stands for, or None."""
    if not username.startswith(SERVICE_ACCOUNT_PREFIX):
        return None
    namespace, _, name = username.removeprefix(SERVICE_ACCOUNT_PREFIX).partition(":")
    return (namespace, name) if namespace and name and ":" not in name else None


def node_name(user: UserInfo) -> str | None:
    """The node that `user` is the kubelet of: `system:node:NAME` in group system:nodes; else None."""
    if user.name.startswith(NODE_PREFIX) and NODES_GROUP in user.groups:
        return user.name.removeprefix(NODE_PREFIX)
    return None
