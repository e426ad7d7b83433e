"""Keys that sign JSON Web Tokens, each with the one algorithm that goes with it and an id told by the key itself.

A key's id is the URL-safe base64 of the SHA-256 of its DER.
Source: pkg/serviceaccount/jwt.go.
"""

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from kubepy.lib import pki

_EC_ALGORITHMS = {256: "ES256", 384: "ES384", 521: "ES512"}
Claims = dict[str, Any]
"""What a token says."""


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
