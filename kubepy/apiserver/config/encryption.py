"""The encryption configuration file, and the ciphers that it names, byte for byte as upstream stores them.

Of upstream's providers identity, aesgcm, aescbc and secretbox are known; kms is refused by name.
Source: apiserver pkg/server/options/encryptionconfig; pkg/storage/value/encrypt/{aes,identity,secretbox}.
"""

import base64
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import yaml
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7

from kubepy.api.resources import BUILT_IN
from kubepy.storage.encrypted import CUSTOM, REGISTRY, Transformer, Unreadable

_API_VERSIONS = ("apiserver.config.k8s.io/v1", "v1")
_NONCE, _BLOCK = 12, 16
_GROUPS = frozenset(row.group for row in BUILT_IN)
_KEY_LENGTHS: Mapping[str, Sequence[int]] = {"aesgcm": (16, 24, 32), "aescbc": (16, 24, 32), "secretbox": (32,)}


class EncryptionError(ValueError):
    """The file is no usable encryption configuration; `faults` holds every reason."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = list(faults)


class Identity:
    """Values as they are; told from encrypted ones by having no prefix."""

    prefix = b""

    def encrypt(self, value: bytes, key: str) -> bytes:
        """The value."""
        return value

    def decrypt(self, stored: bytes, key: str) -> bytes:
        """The value. Raises Unreadable when it is encrypted after all."""
        if stored.startswith(b"k8s:enc:"):
            raise Unreadable("the value is encrypted with a key that is not configured")
        return stored


class AesGcm:
    """AES in Galois/counter mode; the storage key is authenticated too, so that values cannot be moved."""

    def __init__(self, name: str, key: bytes) -> None:
        self.prefix = f"k8s:enc:aesgcm:v1:{name}:".encode()
        self._cipher = AESGCM(key)

    def encrypt(self, value: bytes, key: str) -> bytes:
        """Nonce and sealed value."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, value, key.encode())

    def decrypt(self, stored: bytes, key: str) -> bytes:
        """The value. Raises Unreadable."""
        try:
            return self._cipher.decrypt(stored[:_NONCE], stored[_NONCE:], key.encode())
        except (InvalidTag, ValueError) as error:
            raise Unreadable("the value does not fit the key") from error


class AesCbc:
    """AES in cipher block chaining mode with PKCS#7 padding."""

    def __init__(self, name: str, key: bytes) -> None:
        self.prefix = f"k8s:enc:aescbc:v1:{name}:".encode()
        self._key = algorithms.AES(key)

    def encrypt(self, value: bytes, key: str) -> bytes:
        """Initialization vector and blocks."""
        vector = os.urandom(_BLOCK)
        padder = PKCS7(_BLOCK * 8).padder()
        encryptor = Cipher(self._key, modes.CBC(vector)).encryptor()
        return vector + encryptor.update(padder.update(value) + padder.finalize()) + encryptor.finalize()

    def decrypt(self, stored: bytes, key: str) -> bytes:
        """The value. Raises Unreadable."""
        try:
            decryptor = Cipher(self._key, modes.CBC(stored[:_BLOCK])).decryptor()
            padded = decryptor.update(stored[_BLOCK:]) + decryptor.finalize()
            unpadder = PKCS7(_BLOCK * 8).unpadder()
            return unpadder.update(padded) + unpadder.finalize()
        except ValueError as error:
            raise Unreadable("the value does not fit the key") from error


class SecretBox:
    """NaCl's secretbox: XSalsa20 and Poly1305."""

    def __init__(self, name: str, key: bytes) -> None:
        from nacl import exceptions, secret  # only here: no other provider needs the library in memory

        self.prefix = f"k8s:enc:secretbox:v1:{name}:".encode()
        self._box = secret.SecretBox(key)
        self._faults = (exceptions.CryptoError, ValueError)

    def encrypt(self, value: bytes, key: str) -> bytes:
        """Nonce and sealed value."""
        return bytes(self._box.encrypt(value))

    def decrypt(self, stored: bytes, key: str) -> bytes:
        """The value. Raises Unreadable."""
        try:
            return self._box.decrypt(stored)
        except self._faults as error:
            raise Unreadable("the value does not fit the key") from error


_CIPHERS: Mapping[str, Callable[[str, bytes], Transformer]] = {
    "aesgcm": AesGcm,
    "aescbc": AesCbc,
    "secretbox": SecretBox,
}


def parse_encryption_config(text: str) -> dict[str, list[Transformer]]:
    """The transformers by storage prefix, longest first. Raises EncryptionError with every fault."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise EncryptionError([f"not YAML: {error}"]) from error
    if not isinstance(document, dict) or document.get("kind") != "EncryptionConfiguration":
        raise EncryptionError(["kind must be EncryptionConfiguration"])
    faults: list[str] = []
    if document.get("apiVersion") not in _API_VERSIONS:
        faults.append(f"apiVersion {document.get('apiVersion')!r} is not apiserver.config.k8s.io/v1")
    found: dict[str, list[Transformer]] = {}
    for index, entry in enumerate(document.get("resources") or []):
        path = f"resources[{index}]"
        transformers = list(_transformers(entry.get("providers") or [], path, faults))
        if not transformers and not faults:
            faults.append(f"{path}.providers: Required value: at least one provider must be specified")
        for prefix in _prefixes(entry.get("resources") or [], path, faults):
            found.setdefault(prefix, transformers)
    if not document.get("resources"):
        faults.append("resources: Required value: at least one resource must be specified")
    if faults:
        raise EncryptionError(faults)
    return dict(sorted(found.items(), key=lambda item: -len(item[0])))


def _prefixes(names: Sequence[str], path: str, faults: list[str]) -> Iterator[str]:
    if not names:
        faults.append(f"{path}.resources: Required value: at least one resource must be specified")
    for name in names:
        stored = [row.stored_as for row in BUILT_IN if row.stored_as and _means(name, row.group, row.plural)]
        yield from (f"{REGISTRY}{folder}/" for folder in stored)
        if name == "*.*":
            yield CUSTOM
        elif not stored:
            plural, _, group = name.partition(".")
            if group in _GROUPS:
                faults.append(f"{path}.resources: no resource is called {name!r}")
            else:
                yield f"{REGISTRY}{group}/" if plural == "*" else f"{REGISTRY}{group}/{plural}/"


def _means(name: str, group: str, plural: str) -> bool:
    """Whether `secrets`, `deployments.apps`, `*.apps`, `*.` or `*.*` means the resource."""
    if name == "*.*":
        return True
    wanted, _, wanted_group = name.partition(".")
    return wanted_group == group and wanted in ("*", plural)


def _transformers(providers: Sequence[Mapping[str, Any]], path: str, faults: list[str]) -> Iterator[Transformer]:
    for index, provider in enumerate(providers):
        where = f"{path}.providers[{index}]"
        if len(provider) != 1:
            faults.append(f"{where}: exactly one provider must be named in each entry")
            continue
        [(kind, settings)] = provider.items()
        if kind == "identity":
            yield Identity()
        elif kind in _CIPHERS:
            yield from _with_keys(kind, settings or {}, f"{where}.{kind}", faults)
        else:
            faults.append(f"{where}: provider {kind!r} is not supported: use aesgcm, aescbc, secretbox or identity")


def _with_keys(kind: str, settings: Mapping[str, Any], path: str, faults: list[str]) -> Iterator[Transformer]:
    keys = settings.get("keys") or []
    if not keys:
        faults.append(f"{path}.keys: Required value: at least one key must be specified")
    for index, entry in enumerate(keys):
        name = str(entry.get("name") or "")
        try:
            secret = base64.b64decode(str(entry.get("secret") or ""), validate=True)
        except ValueError:
            faults.append(f"{path}.keys[{index}].secret: Invalid value: secret must be base64 encoded")
            continue
        if not name:
            faults.append(f"{path}.keys[{index}].name: Required value: key must have a name")
        elif len(secret) not in _KEY_LENGTHS[kind]:
            lengths = ", ".join(map(str, _KEY_LENGTHS[kind]))
            faults.append(f"{path}.keys[{index}].secret: Invalid value: must be of length {lengths}, is {len(secret)}")
        else:
            yield _CIPHERS[kind](name, secret)
