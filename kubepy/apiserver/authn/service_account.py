"""Service-account tokens: JWTs that this cluster signed, checked against the objects that they are bound to.

A token dies with its service account and with the pod, secret or node that it is bound to: by uid, so that a new
object of the same name revives nothing; an object being deleted counts for `LEEWAY` more.
Source: pkg/serviceaccount/{jwt,claims,legacy}.go.
"""

import base64
import hmac
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from kubepy.api import resources
from kubepy.apiserver.authn import user as users
from kubepy.apiserver.authn.base import Authenticated, Refused
from kubepy.apiserver.authn.signing import Verifier, unverified_issuer
from kubepy.apiserver.lookup import Lookup, Object
from kubepy.lib.clock import SYSTEM, Clock, parse_rfc3339
from kubepy.lib.jwt_keys import Claims

LEGACY_ISSUER = "kubernetes/serviceaccount"
LEEWAY = timedelta(minutes=1)
"""How far clocks may differ, and how long an object under deletion still backs its tokens."""

_INVALIDATED = "service account token has been invalidated"
_LEGACY = "kubernetes.io/serviceaccount/"
_INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"
_ACCOUNTS, _NODES = resources.named("serviceaccounts"), resources.named("nodes")
_PODS, _SECRETS = resources.named("pods"), resources.named("secrets")


class ServiceAccountTokens:
    """Authenticates by tokens of `issuers` (the first one signs today); `api_audiences` are this server's names."""

    def __init__(
        self,
        verifier: Verifier,
        issuers: Sequence[str],
        api_audiences: Sequence[str],
        lookup: Lookup,
        clock: Clock = SYSTEM,
    ) -> None:
        self._verifier = verifier
        self._issuers = frozenset(issuers)
        self._api_audiences = tuple(api_audiences)
        self._lookup = lookup
        self._clock = clock

    def authenticate_token(self, token: str, audiences: Collection[str]) -> Authenticated | None:
        """The service account of a token that some issuer of ours signed. Raises Refused."""
        issuer = unverified_issuer(token)
        if issuer not in self._issuers and issuer != LEGACY_ISSUER:
            return None
        claims = self._verifier.verify(token)
        if claims is None:
            raise Refused("service account token's signature is not of a known key")
        legacy = issuer == LEGACY_ISSUER
        meant_for = self._api_audiences if legacy else audiences_of(claims)
        common = tuple(audience for audience in meant_for if audience in audiences)
        if audiences and not common:
            raise Refused(f"token audiences {list(meant_for)} is invalid for the target audiences {list(audiences)}")
        now = self._clock.now()
        user = self._check_legacy(claims, token) if legacy else self._check_bound(claims, now)
        return Authenticated(user, common)

    def _check_bound(self, claims: Claims, now: datetime) -> users.UserInfo:
        check_times(claims, now)
        private = claims.get("kubernetes.io")
        if not isinstance(private, dict):
            raise Refused("service account token claims could not be validated due to unexpected private claim")
        namespace, account = str(private.get("namespace", "")), _reference(private, "serviceaccount") or {}
        name, uid = account.get("name", ""), account.get("uid", "")
        if claims.get("sub") != f"{users.SERVICE_ACCOUNT_PREFIX}{namespace}:{name}":
            raise Refused("token subject is not the service account that it names")
        check_alive(self._lookup.get(_ACCOUNTS, name, namespace), uid, f"service account {namespace}/{name}", now)
        for claim, resource in (("pod", _PODS), ("secret", _SECRETS)):
            if bound := _reference(private, claim):
                check_alive(self._lookup.get(resource, bound.get("name", ""), namespace), bound.get("uid"), claim, now)
        node = _reference(private, "node")
        if node and not _reference(private, "pod"):
            check_alive(self._lookup.get(_NODES, node.get("name", "")), node.get("uid"), "node", now)
        return users.service_account(namespace, name, uid, extra_of(claims, private))

    def _check_legacy(self, claims: Claims, token: str) -> users.UserInfo:
        namespace, name, uid, secret_name = (
            str(claims.get(_LEGACY + claim, ""))
            for claim in ("namespace", "service-account.name", "service-account.uid", "secret.name")
        )
        if claims.get("sub") != f"{users.SERVICE_ACCOUNT_PREFIX}{namespace}:{name}":
            raise Refused("token subject is not the service account that it names")
        secret = self._lookup.get(_SECRETS, secret_name, namespace)
        if secret is None or secret["metadata"].get("deletionTimestamp"):
            raise Refused("Token has been invalidated")
        if (secret["metadata"].get("labels") or {}).get(_INVALID_SINCE):
            raise Refused(
                f"the token in secret {namespace}/{secret_name} for service account {namespace}/{name} has been marked "
                f"invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the "
                f"'{_INVALID_SINCE}' label from the secret to temporarily allow use of this token"
            )
        kept = base64.b64decode((secret.get("data") or {}).get("token", ""))
        if not hmac.compare_digest(kept, token.encode()):
            raise Refused("Token does not match server's copy")
        account = self._lookup.get(_ACCOUNTS, name, namespace)
        if account is None or account["metadata"].get("deletionTimestamp"):
            raise Refused("ServiceAccount has been deleted")
        if account["metadata"].get("uid") != uid:
            raise Refused(f"ServiceAccount UID ({account['metadata'].get('uid')}) does not match claim ({uid})")
        return users.service_account(namespace, name, uid)


def audiences_of(claims: Claims) -> tuple[str, ...]:
    """Whom the token is meant for."""
    audience = claims.get("aud") or ()
    return (audience,) if isinstance(audience, str) else tuple(audience)


def check_times(claims: Claims, now: datetime) -> None:
    """Raises Refused for a token that has expired or begins in the future."""
    expiry, start = claims.get("exp"), claims.get("nbf")
    if isinstance(expiry, int | float) and now - LEEWAY > datetime.fromtimestamp(expiry, UTC):
        raise Refused("service account token has expired")
    if isinstance(start, int | float) and now + LEEWAY < datetime.fromtimestamp(start, UTC):
        raise Refused("service account token is not valid yet")


def check_alive(obj: Object | None, uid: str | None, what: str, now: datetime) -> None:
    """Raises Refused unless `obj` is there with this uid and not long since deleted."""
    if obj is None:
        raise Refused(f"{_INVALIDATED}: {what} is gone")
    metadata: Mapping[str, Any] = obj["metadata"]
    deleted = metadata.get("deletionTimestamp")
    if deleted and parse_rfc3339(deleted) < now - LEEWAY:
        raise Refused(f"{_INVALIDATED}: {what} has been deleted")
    if metadata.get("uid") != uid:
        raise Refused(f"{what} UID ({metadata.get('uid')}) does not match claim ({uid})")


def extra_of(claims: Claims, private: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """What a bound token tells beside its service account: the pod, the node and its own id."""
    extra: dict[str, tuple[str, ...]] = {}
    if jti := claims.get("jti"):
        extra[users.CREDENTIAL_ID] = (f"JTI={jti}",)
    pod, node = _reference(private, "pod"), _reference(private, "node")
    if pod:
        extra |= {users.POD_NAME: (pod.get("name", ""),), users.POD_UID: (pod.get("uid", ""),)}
    if node:
        extra |= {users.NODE_NAME: (node.get("name", ""),), users.NODE_UID: (node.get("uid", ""),)}
    return extra


def _reference(private: Mapping[str, Any], claim: str) -> dict[str, str] | None:
    value = private.get(claim)
    return value if isinstance(value, dict) else None
