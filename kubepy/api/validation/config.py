"""The rules of ConfigMaps and Secrets: keys, size, what a type of secret must hold, and immutability.

Source: pkg/apis/core/validation, ValidateConfigMap* and ValidateSecret*.
"""

import binascii
from base64 import b64decode

from kubepy.api import names
from kubepy.api.errors import FieldError, forbidden, invalid, required, too_long
from kubepy.api.go_values import json_type
from kubepy.api.json_text import parse_json
from kubepy.api.meta import Object
from kubepy.api.validation.equality import same
from kubepy.api.validation.meta import immutable, validate_metadata, validate_metadata_update
from kubepy.api.validation.rules import Rules

_SIZE_LIMIT = 1024 * 1024
_FROZEN = "field is immutable when `immutable` is set"
_REQUIRED_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_ACCOUNT_ANNOTATION = "kubernetes.io/service-account.name"


def validate_config_map(config: Object) -> list[FieldError]:
    """Faults in a new ConfigMap."""
    errors = validate_metadata(config, True, names.is_dns1123_subdomain)
    data, binary = config.get("data") or {}, config.get("binaryData") or {}
    size = 0
    for key, value in data.items():
        errors += [invalid(f"data[{key}]", key, text) for text in names.is_config_key(key)]
        if key in binary:
            errors.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        size += len(value.encode())
    for key, value in binary.items():
        errors += [invalid(f"binaryData[{key}]", key, text) for text in names.is_config_key(key)]
        size += decoded_size(value)
    if size > _SIZE_LIMIT:
        errors.append(too_long("[]", _SIZE_LIMIT))  # upstream names no field, which its paths write so
    return errors


def decoded_size(text: str) -> int:
    """How many bytes a base64 text stands for."""
    return len(text) * 3 // 4 - text[-2:].count("=")


def _config_map_update(new: Object, old: Object) -> list[FieldError]:
    errors = validate_metadata_update(new, old) + _frozen(new, old, "data", "binaryData")
    return errors + validate_config_map(new)


def _frozen(new: Object, old: Object, *fields: str) -> list[FieldError]:
    if not old.get("immutable"):
        return []
    errors = [] if new.get("immutable") else [forbidden("immutable", _FROZEN)]
    changed = [field for field in fields if not same(new.get(field), old.get(field), field)]
    return errors + [forbidden(field, _FROZEN) for field in changed]


def validate_secret(secret: Object) -> list[FieldError]:
    """Faults in a new Secret."""
    errors = validate_metadata(secret, True, names.is_dns1123_subdomain)
    data, kind = secret.get("data") or {}, secret.get("type") or ""
    for key in data:
        errors += [invalid(f"data[{key}]", key, text) for text in names.is_config_key(key)]
    if sum(decoded_size(value or "") for value in data.values()) > _SIZE_LIMIT:
        errors.append(too_long("data", _SIZE_LIMIT))
    if kind == "kubernetes.io/service-account-token":
        annotations = (secret.get("metadata") or {}).get("annotations") or {}
        if not annotations.get(_ACCOUNT_ANNOTATION):
            errors.append(required(f"metadata.annotations[{_ACCOUNT_ANNOTATION}]"))
    elif kind == "kubernetes.io/basic-auth":
        if "username" not in data and "password" not in data:
            errors += [required("data[username]"), required("data[password]")]
    elif kind == "kubernetes.io/ssh-auth":
        if not data.get("ssh-privatekey"):
            errors.append(required("data[ssh-privatekey]"))
    else:
        errors += [required(f"data[{key}]") for key in _REQUIRED_KEYS.get(kind, ()) if key not in data]
        if kind.startswith("kubernetes.io/docker"):
            errors += [fault for key in _REQUIRED_KEYS.get(kind, ()) if key in data for fault in _json(data[key], key)]
    return errors


def _json(text: str, key: str) -> list[FieldError]:
    try:
        content = parse_json(b64decode(text or ""))
    except (binascii.Error, ValueError) as fault:
        why = str(fault)
    else:
        if content is None or isinstance(content, dict):
            return []
        why = f"json: cannot unmarshal {json_type(content)} into Go value of type map[string]interface {{}}"
    # Never show a secret, not even a broken one.
    return [invalid(f"data[{key}]", "<secret contents redacted>", why)]


def _secret_update(new: Object, old: Object) -> list[FieldError]:
    errors = validate_metadata_update(new, old)
    errors += immutable("type", new.get("type") or "", old.get("type") or "")
    errors += _frozen(new, old, "data")
    return errors + validate_secret(new)


RULES = {
    ("", "ConfigMap"): Rules(validate_config_map, _config_map_update),
    ("", "Secret"): Rules(validate_secret, _secret_update),
}
