"""Bearer tokens that a webhook knows: it gets a TokenReview and says whose the token is.

What it says is kept for a while, refusals too; that it could not be asked is not kept.
Source: apiserver plugin/pkg/authenticator/token/webhook/webhook.go, pkg/authentication/token/cache.
"""

import hashlib
from collections.abc import Collection

from kubepy.api.meta import Object
from kubepy.apiserver.authn.base import Authenticated, Refused
from kubepy.apiserver.authn.user import UserInfo
from kubepy.apiserver.webhooks import patience
from kubepy.apiserver.webhooks.client import CallError, Webhooks
from kubepy.apiserver.webhooks.target import Target
from kubepy.lib.expiring import Expiring

VERSIONS = ("v1", "v1beta1")
_REMEMBERED = 4096
_GROUP = "authentication.k8s.io"


class WebhookTokens:
    """Authenticates by asking `target`; `api_audiences` are this server's names."""

    def __init__(
        self,
        webhooks: Webhooks,
        target: Target,
        *,
        version: str,
        api_audiences: tuple[str, ...],
        ttl_s: float,
    ) -> None:
        self._webhooks, self._target = webhooks, target
        self._api_version = f"{_GROUP}/{version}"
        self._api_audiences = api_audiences
        self._ttl_s = ttl_s
        self._known: Expiring[tuple[bytes, Collection[str]], Object] = Expiring(_REMEMBERED)

    async def authenticate_token(self, token: str, audiences: Collection[str]) -> Authenticated | None:
        """The user that the webhook names. Raises Refused, also when it could not be asked."""
        # Anyone may show long tokens: what is kept of them is short.
        key = (hashlib.sha256(token.encode(errors="surrogateescape")).digest(), tuple(audiences))
        status = self._known.get(key)
        if status is None:
            status = await self._ask(token, audiences)
            self._known.put(key, status, self._ttl_s)
        return read_status(status, self._api_audiences, audiences)

    async def _ask(self, token: str, audiences: Collection[str]) -> Object:
        spec: Object = {"token": token}
        if audiences:
            spec["audiences"] = list(audiences)
        review = {"kind": "TokenReview", "apiVersion": self._api_version, "metadata": {}, "spec": spec}
        try:
            answer = await patience.call(self._webhooks, self._target, review)
        except CallError as fault:
            raise Refused(f"failed to make webhook authenticator request: {fault}") from fault
        if (answer.get("kind"), answer.get("apiVersion")) != ("TokenReview", self._api_version):
            found = f"{answer.get('apiVersion')}, Kind={answer.get('kind')}"
            raise Refused(f"webhook authenticator answered {found}, not {self._api_version}, Kind=TokenReview")
        status = answer.get("status")
        return status if isinstance(status, dict) else {}


def read_status(status: Object, api_audiences: tuple[str, ...], asked: Collection[str]) -> Authenticated | None:
    """What a TokenReview's status says to who asked for these audiences. Raises Refused."""
    meant_for: tuple[str, ...] = ()
    if asked:
        told = status.get("audiences") or api_audiences
        meant_for = tuple(one for one in asked if one in told)
        if not meant_for:
            return None
    if not status.get("authenticated"):
        if error := status.get("error"):
            raise Refused(str(error))
        return None
    user = status.get("user") or {}
    extra = {str(key): tuple(values) for key, values in (user.get("extra") or {}).items()}
    groups = tuple(user.get("groups") or ())
    return Authenticated(UserInfo(user.get("username") or "", user.get("uid") or "", groups, extra), meant_for)
