"""What an authorizer answers, and the Forbidden that a client gets.

Source: apiserver pkg/endpoints/handlers/responsewriters/errors.go.
"""

from dataclasses import dataclass
from typing import Protocol

from kubepy.api.errors import Forbidden, forbidden_object
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.authz.rules import Resolved, quote
from kubepy.apiserver.http.request_info import RequestInfo


@dataclass(frozen=True, slots=True)
class Decision:
    """`allowed`, or not; `denied` tells that no later authorizer may allow it; `reason` says why, for people."""

    allowed: bool
    reason: str = ""
    denied: bool = False


ALLOWED = Decision(True)
DECISION = "authz.decision"
"""Where in a request's context the layers around it find how authorization came out; absent if it was not asked."""
NO_OPINION = Decision(False)


class Authorizer(Protocol):
    """Decides from memory, without waiting."""

    def authorize(self, user: UserInfo, info: RequestInfo) -> Decision:
        """Whether `user` may do it."""

    def rules_for(self, user: UserInfo, namespace: str) -> Resolved:
        """What `user` may everywhere and in `namespace`, as far as that can be listed."""


def forbidden(user: UserInfo, info: RequestInfo, reason: str) -> Forbidden:
    """403 as upstream words it."""
    message = describe_refusal(user, info) + (f": {reason}" if reason else "")
    if not info.is_resource:
        return Forbidden(f"forbidden: {message}", details={})
    return forbidden_object(info.group, info.resource, info.name, message)


def describe_refusal(user: UserInfo, info: RequestInfo) -> str:
    """`User "x" cannot list resource "pods" in API group "" in the namespace "y"`."""
    if not info.is_resource:
        return f"User {quote(user.name)} cannot {info.verb} path {quote(info.path)}"
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    where = f"in the namespace {quote(info.namespace)}" if info.namespace else "at the cluster scope"
    return (
        f"User {quote(user.name)} cannot {info.verb} resource {quote(resource)} "
        f"in API group {quote(info.group)} {where}"
    )
