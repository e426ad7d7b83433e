"""Groups that a token does not carry but tells where they are: fetched there, as a token of their own.

Only a token that is verified is believed to say where; what is fetched is verified like it, by its own issuer's keys.
Source: apiserver plugin/pkg/authenticator/token/oidc/oidc.go (claimResolver); OpenID Connect Core 1.0, section 5.6.2.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from kubepy.apiserver.authn.base import Refused
from kubepy.apiserver.authn.provider_keys import ProviderError, fetch
from kubepy.apiserver.authn.signing import unverified_issuer
from kubepy.lib.jwt_keys import Claims

Verify = Callable[[str, str], Awaitable[Claims]]
"""The claims of a token of an issuer, whose signature, audience and times are good. Raises Refused."""


async def expand(claims: Claims, claim: str, *, ca: bytes, verify: Verify) -> Claims:
    """The claims, with that one in them if they tell where it is. Raises Refused."""
    place = _place_of(claims, claim)
    if place is None:
        return claims
    url, access_token = str(place["endpoint"]), place.get("access_token")
    headers = {"Authorization": f"Bearer {access_token}"} if access_token else {}
    try:
        token = (await fetch(url, ca=ca, headers=headers)).decode("ascii", "replace").strip()
    except ProviderError as fault:
        raise _refused(f'while getting distributed claim "{claim}": {fault}') from fault
    issuer = unverified_issuer(token)
    if issuer is None:
        raise _refused(f'getting untrusted issuer from endpoint {url} failed for claim "{claim}": malformed token')
    found = await verify(token, issuer)
    if claim not in found:
        raise _refused(f'jwt returned by distributed claim endpoint "{url}" did not contain claim: {claim}')
    return {**claims, claim: found[claim]}


def _place_of(claims: Claims, claim: str) -> Mapping[str, Any] | None:
    """Where the claim is; None if it is here, or nowhere."""
    if claim in claims or "_claim_names" not in claims:
        return None
    names, sources = claims["_claim_names"], claims.get("_claim_sources")
    if not isinstance(names, dict) or not isinstance(sources, dict):
        raise _refused("no claim sources")
    source = names.get(claim)
    if source is None:
        return None
    place = sources.get(source)
    if not isinstance(place, dict):
        raise _refused(f"id token _claim_names contained a source {source} missing in _claims_sources")
    return place if place.get("endpoint") else None  # otherwise an aggregated claim, which is left alone


def _refused(why: str) -> Refused:
    return Refused(f"oidc: could not expand distributed claims: {why}")
