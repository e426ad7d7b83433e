"""Bootstrap tokens: `ID.SECRET`, kept as Secrets of kube-system; with one a machine joins before it has a certificate.

Source: plugin/pkg/auth/authenticator/token/bootstrap; cluster-bootstrap/token/api.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Collection
from datetime import datetime

from kubepy.api import resources
from kubepy.apiserver.authn.base import Authenticated, Refused
from kubepy.apiserver.authn.user import BOOTSTRAP_PREFIX, BOOTSTRAPPERS, UserInfo
from kubepy.apiserver.lookup import Lookup, Object
from kubepy.lib.clock import SYSTEM, Clock, parse_rfc3339

_TOKEN = re.compile(r"\A([a-z0-9]{6})\.([a-z0-9]{16})\Z")
_GROUP = re.compile(r"\Asystem:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]\Z")
_SECRETS = resources.named("secrets")
SECRET_TYPE = "bootstrap.kubernetes.io/token"
NAMESPACE = "kube-system"


class BootstrapTokens:
    """Authenticates by the bootstrap tokens of the cluster."""

    def __init__(self, lookup: Lookup, clock: Clock = SYSTEM) -> None:
        self._lookup = lookup
        self._clock = clock

    def authenticate_token(self, token: str, audiences: Collection[str]) -> Authenticated | None:
        """The bootstrapping user of a token that is listed and not expired. Raises Refused."""
        match = _TOKEN.match(token)
        if match is None:
            return None
        secret = self._lookup.get(_SECRETS, f"bootstrap-token-{match[1]}", NAMESPACE)
        if secret is None or secret["metadata"].get("deletionTimestamp"):
            return None
        return Authenticated(read_user(secret, token_id=match[1], token_secret=match[2], now=self._clock.now()))


def read_user(secret: Object, *, token_id: str, token_secret: str, now: datetime) -> UserInfo:
    """The user that a token Secret stands for. Raises Refused when it is not good for this token now."""
    values = {key: _decode(value) for key, value in (secret.get("data") or {}).items()}
    if secret.get("type") != SECRET_TYPE or values.get("token-id") != token_id:
        raise Refused("the Secret is not of this bootstrap token")
    if not hmac.compare_digest(values.get("token-secret", "").encode(), token_secret.encode()):
        raise Refused("the bootstrap token's secret does not match")
    if is_expired(values.get("expiration", ""), now):
        raise Refused("the bootstrap token has expired")
    if values.get("usage-bootstrap-authentication") != "true":
        raise Refused("the bootstrap token is not meant for authentication")
    extra = [group for group in values.get("auth-extra-groups", "").split(",") if group]
    if any(not _GROUP.match(group) for group in extra):
        raise Refused("the bootstrap token names a group that it may not")
    return UserInfo(f"{BOOTSTRAP_PREFIX}{token_id}", "", (BOOTSTRAPPERS, *sorted(set(extra))))


def is_expired(expiration: str, now: datetime) -> bool:
    """Whether the moment is past; a text that is no moment counts as past, none as never."""
    if not expiration:
        return False
    try:
        return parse_rfc3339(expiration) < now
    except ValueError:
        return True


def _decode(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
