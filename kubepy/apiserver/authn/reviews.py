"""Reviews of identity: whose token is this, and who am I.

Source: pkg/registry/authentication.
"""

from kubepy.api.errors import BadRequest
from kubepy.apiserver.authn.base import Refused
from kubepy.apiserver.authn.chain import Tokens
from kubepy.apiserver.authn.user import ALL_AUTHENTICATED, UserInfo
from kubepy.apiserver.lookup import Object


async def review_token(tokens: Tokens, api_audiences: tuple[str, ...], review: Object) -> Object:
    """A TokenReview with its answer. Raises BadRequest without a token."""
    spec = review.get("spec") or {}
    token = spec.get("token") or ""
    if not token:
        raise BadRequest("token is required for TokenReview in authentication")
    asked = tuple(spec.get("audiences") or api_audiences)
    try:
        found = await tokens.authenticate_token(token, asked)
    except Refused as refusal:
        return {**review, "status": {"user": {}, "error": f"[invalid bearer token, {refusal}]"}}
    if found is None:
        return {**review, "status": {"user": {}, "error": "invalid bearer token"}}
    # A token that is bound to no audience is one for this server.
    audiences = found.audiences or tuple(audience for audience in asked if audience in api_audiences)
    if asked and not audiences:
        return {**review, "status": {"user": {}, "error": "unable to validate audience"}}
    status: Object = {"authenticated": True, "user": found.user.with_group(ALL_AUTHENTICATED).to_wire()}
    if audiences:
        status["audiences"] = list(audiences)
    return {**review, "status": status}


def review_self(user: UserInfo, review: Object) -> Object:
    """A SelfSubjectReview with its answer."""
    return {**review, "status": {"userInfo": user.to_wire()}}
