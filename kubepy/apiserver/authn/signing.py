"""The keys of service-account tokens: one signs, several verify, all of them are published as a JWKS.

Keys have upstream's ids, so that tokens of its servers name the same ones.
Source: pkg/serviceaccount/jwt.go and openidmetadata.go.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
import orjson

from kubepy.lib import pki
from kubepy.lib.jwt_keys import Claims, VerificationKey, verification_key


class Verifier:
    """Reads tokens that one of `keys` signed."""

    def __init__(self, keys: Sequence[pki.PublicKey]) -> None:
        self.set_keys(keys)

    def set_keys(self, keys: Sequence[pki.PublicKey]) -> None:
        """Believes these from now on, each once. Raises PkiError."""
        found = [verification_key(key) for key in keys]
        self.keys = list({key.key_id: key for key in found}.values())

    def verify(self, token: str) -> Claims | None:
        """The claims of a token whose signature is good, or None; times and audiences are not looked at."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            return None
        for key in self._candidates(header):
            try:
                claims: Claims = jwt.decode(token, key.key, algorithms=[key.algorithm], options=SIGNATURE_ONLY)
            except jwt.PyJWTError:
                continue
            return claims
        return None

    def _candidates(self, header: Mapping[str, Any]) -> list[VerificationKey]:
        fitting = [key for key in self.keys if key.algorithm == header.get("alg")]
        named = [key for key in fitting if key.key_id == header.get("kid")]
        return named or fitting


SIGNATURE_ONLY: Any = {
    "verify_signature": True,
    **dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss", "verify_sub"), False),
    "verify_jti": False,
}


def unverified_issuer(token: str) -> str | None:
    """The issuer that a JWT claims to be of, without looking at its signature; None when it is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = orjson.loads(payload)
    except ValueError:
        return None
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else None


def discovery_document(issuer: str, jwks_uri: str, keys: Sequence[VerificationKey]) -> dict[str, Any]:
    """The OpenID provider configuration of the cluster."""
    return {
        "issuer": issuer,
        "jwks_uri": jwks_uri,
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": sorted({key.algorithm for key in keys}),
    }


def jwks_document(keys: Sequence[VerificationKey]) -> dict[str, Any]:
    """The JSON Web Key Set of the cluster."""
    return {"keys": [key.to_jwk() for key in keys]}
