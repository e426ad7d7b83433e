"""Tokens of OpenID providers and of other issuers of JWTs: verified with the issuer's keys, then mapped to a user.

A token of another issuer is none of this authenticator's business; one of its issuer that is not good is refused.
Source: apiserver plugin/pkg/authenticator/token/oidc/oidc.go; go-oidc oidc/verify.go.
"""

import time
from collections.abc import Collection, Sequence
from time import perf_counter
from typing import Any

import jwt

from kubepy.apiserver.authn.base import Authenticated, Refused
from kubepy.apiserver.authn.distributed_claims import expand
from kubepy.apiserver.authn.jwt_claims import user_of
from kubepy.apiserver.authn.jwt_settings import JwtIssuer
from kubepy.apiserver.authn.metrics import FAILURE, SUCCESS, AuthenticationMetrics
from kubepy.apiserver.authn.provider_keys import ProviderError, ProviderKeys
from kubepy.apiserver.authn.service_account import audiences_of
from kubepy.apiserver.authn.signing import SIGNATURE_ONLY, unverified_issuer
from kubepy.lib.jwt_keys import Claims

_LEEWAY_S = 300.0
"""How far the issuer's clock may be ahead of ours."""


class JwtTokens:
    """Authenticates by the tokens of one issuer."""

    def __init__(self, issuer: JwtIssuer, metrics: AuthenticationMetrics | None = None) -> None:
        self._issuer = issuer
        self._metrics = metrics or AuthenticationMetrics()
        self._others: dict[str, ProviderKeys] = {}
        """Keys of issuers of groups that our tokens only point to."""
        self._keys = ProviderKeys(issuer.url, ca=issuer.ca, discovery_url=issuer.discovery_url, metrics=self._metrics)

    async def authenticate_token(self, token: str, audiences: Collection[str]) -> Authenticated | None:
        """The user of a token that the issuer signed for one of its audiences. Raises Refused."""
        if unverified_issuer(token) != self._issuer.url:
            return None
        started, result = perf_counter(), FAILURE
        try:
            found = await self._authenticated(token)
            result = SUCCESS
        finally:
            self._metrics.observe_jwt(self._issuer.url, result, perf_counter() - started)
        return found

    async def _authenticated(self, token: str) -> Authenticated:
        claims = await self._verified(token, self._keys)
        if self._issuer.groups.claim:
            claims = await expand(claims, self._issuer.groups.claim, ca=self._issuer.ca, verify=self._verify_other)
        return Authenticated(user_of(self._issuer, claims))

    async def _verify_other(self, token: str, url: str) -> Claims:
        """The claims of a token that another issuer, which a token of ours named, has signed for our audiences."""
        keys = self._others.setdefault(url, ProviderKeys(url, ca=self._issuer.ca))
        return await self._verified(token, keys)

    async def _verified(self, token: str, keys: ProviderKeys) -> Claims:
        """The claims of a token that is good now and meant for us. Raises Refused."""
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in self._issuer.algorithms:
                supported = " ".join(self._issuer.algorithms)
                raise Refused(
                    f'oidc: verify token: oidc: id token signed with unsupported algorithm, expected ["{supported}"] '
                    f'got "{header.get("alg")}"'
                )
            claims = self._decoded(token, header, keys.known(header.get("kid")))
            if claims is None:
                await keys.fetch()
                claims = self._decoded(token, header, keys.known(header.get("kid")))
        except (ProviderError, jwt.PyJWTError) as fault:
            raise Refused(f"oidc: verify token: {fault}") from fault
        if claims is None:
            raise Refused("oidc: verify token: failed to verify signature: failed to verify id token signature")
        check_claims(self._issuer, claims, time.time())
        return claims

    @staticmethod
    def _decoded(token: str, header: dict[str, Any], keys: Sequence[Any]) -> Claims | None:
        """The claims, if one of the keys signed them."""
        for key in keys:
            try:
                claims: Claims = jwt.decode(token, key, algorithms=[header["alg"]], options=SIGNATURE_ONLY)
            except (jwt.InvalidSignatureError, jwt.InvalidKeyError, TypeError):
                continue
            return claims
        return None


def check_claims(issuer: JwtIssuer, claims: Claims, now_s: float) -> None:
    """Raises Refused for a token that is for others, or not for now."""
    meant_for = audiences_of(claims)
    if not set(meant_for) & set(issuer.audiences):
        wanted = sorted(issuer.audiences)
        raise Refused(f"oidc: verify token: oidc: expected audience in {wanted} got {list(meant_for)}")
    expiry, start = claims.get("exp"), claims.get("nbf")
    if not isinstance(expiry, int | float) or expiry < now_s:
        raise Refused(f"oidc: verify token: oidc: token is expired (Token Expiry: {expiry})")
    if isinstance(start, int | float) and now_s + _LEEWAY_S < start:
        raise Refused("oidc: verify token: oidc: current time is before the nbf (not before) time")
