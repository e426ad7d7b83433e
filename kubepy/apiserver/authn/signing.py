"""The keys of service-account tokens: one signs, several verify, all of them are published as a JWKS.

A key's id is the URL-safe base64 of the SHA-256 of its DER, so that tokens of upstream's servers name the same ids.
Source: pkg/serviceaccount/jwt.go and openidmetadata.go.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from kubepy.lib import pki

_EC_ALGORITHMS = {256: "ES256", 384: "ES384", 521: "ES512"}
Claims = dict[str, Any]


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key with its id and the one algorithm that it verifies."""

    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    key_id: str
    algorithm: str

    def to_jwk(self) -> dict[str, str]:
        """The key as JSON Web Key."""
        if isinstance(self.key, rsa.RSAPublicKey):
            parts = RSAAlgorithm.to_jwk(self.key, as_dict=True)
        else:
            parts = ECAlgorithm.to_jwk(self.key, as_dict=True)
        wanted = {name: str(value) for name, value in parts.items() if name not in ("key_ops", "alg", "use", "kid")}
        return {"use": "sig", "kid": self.key_id, "alg": self.algorithm, **wanted}


def verification_key(key: pki.PublicKey) -> VerificationKey:
    """Raises PkiError for a key that signs no tokens."""
    if isinstance(key, rsa.RSAPublicKey):
        return VerificationKey(key, key_id_of(key), "RS256")
    if isinstance(key, ec.EllipticCurvePublicKey) and key.key_size in _EC_ALGORITHMS:
        return VerificationKey(key, key_id_of(key), _EC_ALGORITHMS[key.key_size])
    raise pki.PkiError("service-account keys must be RSA or ECDSA (P-256, P-384, P-521)")


def key_id_of(key: pki.PublicKey) -> str:
    """The id that upstream gives a key."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")


class Signer:
    """Makes tokens with one private key."""

    def __init__(self, key: pki.PrivateKey) -> None:
        self.set_key(key)

    def set_key(self, key: pki.PrivateKey) -> None:
        """Signs with this one from now on. Raises PkiError."""
        self._verification = verification_key(key.public_key())
        self._key = key

    def sign(self, claims: Claims) -> str:
        """The compact JWT of `claims`."""
        public = self._verification
        key: Any = self._key
        return jwt.encode(claims, key, algorithm=public.algorithm, headers={"kid": public.key_id, "typ": None})


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
