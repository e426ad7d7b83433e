"""What authenticators answer: a user with the audiences of its credential, nothing, or a refusal.

None means "this credential is not mine"; `Refused` means "mine, but not valid", which no later authenticator mends
but another that knows the credential may still accept.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from kubepy.apiserver.authn.user import UserInfo


class Refused(Exception):  # an outcome, told to the log; the client hears only Unauthorized
    """The credential is of this authenticator's sort and not valid; the text says why.

    `annotations` are for the audit log.
    """

    def __init__(self, why: str, annotations: Mapping[str, str] | None = None) -> None:
        super().__init__(why)
        self.annotations = annotations or {}


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The user behind a token, and which of the audiences asked for the token is meant for (empty: not bound).

    `annotations` are what the audit log is told of each use; `warnings` what the one who uses it is told.
    """

    user: UserInfo
    audiences: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class TokenAuthenticator(Protocol):
    """Turns a bearer token into a user."""

    def authenticate_token(self, token: str, audiences: Collection[str]) -> Authenticated | None:
        """The user of `token`, if it is meant for one of `audiences`. Raises Refused."""


class RemoteTokenAuthenticator(Protocol):
    """Turns a bearer token into a user, and may have to ask someone for it."""

    async def authenticate_token(self, token: str, audiences: Collection[str]) -> Authenticated | None:
        """As TokenAuthenticator's."""
