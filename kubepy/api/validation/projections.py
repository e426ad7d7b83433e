"""The rules of volumes that show API objects as files: configMap, secret, downwardAPI and projected.

Source: pkg/apis/core/validation, validateProjectionSources and validateDownwardAPIVolumeFile.
"""

from kubepy.api.errors import FieldError, forbidden, invalid, required
from kubepy.api.meta import Object
from kubepy.api.validation.bundles import bundle_name
from kubepy.api.validation.env import VOLUME_FIELDS, validate_field_ref, validate_resource_ref
from kubepy.api.validation.fields import label_selector, missing, one_of
from kubepy.api.validation.meta import validate_annotations
from kubepy.api.validation.paths import file_mode, local_file_path
from kubepy.api.validation.shown import TRUST_BUNDLE_PROJECTION, show
from kubepy.api.validation.signers import validate_signer_name

_TEN_MINUTES_S, _HOUR_S, _DAY_S = 600, 3600, 86400
_KEY_TYPES = ("ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519", "RSA3072", "RSA4096")


def config_map(source: Object, path: str) -> list[FieldError]:
    """A ConfigMap as files."""
    return missing(source, path, "name") + _mode_and_items(source, path)


def secret(source: Object, path: str) -> list[FieldError]:
    """A Secret as files."""
    return missing(source, path, "secretName") + _mode_and_items(source, path)


def downward_api(source: Object, path: str) -> list[FieldError]:
    """Fields of the pod as files."""
    errors = file_mode(source.get("defaultMode"), f"{path}.defaultMode")
    for item in source.get("items") or ():
        errors += _downward_file(item, path)
    return errors


def projected(source: Object, path: str) -> list[FieldError]:
    """Several sources in one directory; no two may claim the same file."""
    errors = file_mode(source.get("defaultMode"), f"{path}.defaultMode")
    taken: set[str] = set()
    for index, projection in enumerate(source.get("sources") or ()):
        at = f"{path}.sources[{index}]"
        kinds = [kind for kind in _RULES if projection.get(kind) is not None]
        for kind in kinds:
            errors += _RULES[kind](projection[kind], f"{at}.{kind}", path, taken)
        if len(kinds) > 1:
            errors.append(forbidden(at, "may not specify more than 1 volume type per source"))
    return errors


def _mode_and_items(source: Object, path: str) -> list[FieldError]:
    errors = file_mode(source.get("defaultMode"), f"{path}.defaultMode")
    for index, item in enumerate(source.get("items") or ()):
        errors += _key_to_path(item, f"{path}.items[{index}]")
    return errors


def _key_to_path(item: Object, path: str) -> list[FieldError]:
    errors = missing(item, path, "key", "path")
    errors += local_file_path(item.get("path") or "", f"{path}.path")
    return errors + file_mode(item.get("mode"), f"{path}.mode")


def _downward_file(item: Object, path: str) -> list[FieldError]:
    errors = missing(item, path, "path") + local_file_path(item.get("path") or "", f"{path}.path")
    field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if field is not None:
        errors += validate_field_ref(field, f"{path}.fieldRef", VOLUME_FIELDS)
        if resource is not None:
            why = "fieldRef and resourceFieldRef can not be specified simultaneously"
            errors.append(invalid(path, "resource", why))
    elif resource is not None:
        errors += validate_resource_ref(resource, f"{path}.resourceFieldRef", in_volume=True)
    else:
        errors.append(required(path, "one of fieldRef and resourceFieldRef is required"))
    return errors + file_mode(item.get("mode"), f"{path}.mode")


def _claim_file(file: str | None, shown: str, volume: str, taken: set[str]) -> list[FieldError]:
    if not file:
        return []
    if file in taken:
        return [invalid(volume, shown, "conflicting duplicate paths")]
    taken.add(file)
    return []


def _keys(source: Object, path: str, volume: str, taken: set[str]) -> list[FieldError]:
    errors = missing(source, path, "name")
    for index, item in enumerate(source.get("items") or ()):
        errors += _key_to_path(item, f"{path}.items[{index}]")
        errors += _claim_file(item.get("path"), source.get("name") or "", volume, taken)
    return errors


def _downward(source: Object, path: str, volume: str, taken: set[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    for item in source.get("items") or ():
        errors += _downward_file(item, path)
        errors += _claim_file(item.get("path"), item.get("path") or "", volume, taken)
    return errors


def _token(source: Object, path: str, volume: str, taken: set[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    seconds = source.get("expirationSeconds") or 0
    if seconds < _TEN_MINUTES_S:
        why = "may not specify a duration less than 10 minutes"
        errors.append(invalid(f"{path}.expirationSeconds", seconds, why))
    if seconds > 1 << 32:
        why = "may not specify a duration larger than 2^32 seconds"
        errors.append(invalid(f"{path}.expirationSeconds", seconds, why))
    if not source.get("path"):
        return [*errors, required(f"{volume}.path")]
    return errors + local_file_path(source["path"], f"{volume}.path")


def _trust_bundle(source: Object, path: str, volume: str, taken: set[str]) -> list[FieldError]:
    name, signer, selector = source.get("name"), source.get("signerName"), source.get("labelSelector")
    errors: list[FieldError] = []
    if name is not None and signer is not None:
        errors.append(
            invalid(path, show(source, TRUST_BUNDLE_PROJECTION), "only one of name and signerName may be used")
        )
    elif name is not None:
        if not name:
            errors.append(required(f"{path}.name", "must be a valid object name"))
        for text in bundle_name(name):
            errors.append(invalid(f"{path}.name", name, f"not a valid clustertrustbundlename: {text}"))
        if selector is not None:
            why = "labelSelector must be unset if name is specified"
            errors.append(invalid(f"{path}.labelSelector", selector, why))
    elif signer is not None:
        if not signer:
            errors.append(required(f"{path}.signerName", "must be a valid signer name"))
        errors += validate_signer_name(signer, f"{path}.signerName") + label_selector(selector, f"{path}.labelSelector")
    else:
        errors.append(required(path, "either name or signerName must be specified"))
    errors += missing(source, path, "path") + local_file_path(source.get("path") or "", f"{path}.path")
    return errors + _claim_file(source.get("path"), source.get("path") or "", volume, taken)


def _certificate(source: Object, path: str, volume: str, taken: set[str]) -> list[FieldError]:
    errors = validate_signer_name(source.get("signerName") or "", f"{path}.signerName")
    errors += one_of(source.get("keyType"), f"{path}.keyType", _KEY_TYPES)
    seconds = source.get("maxExpirationSeconds")
    most = _DAY_S if (source.get("signerName") or "").startswith("kubernetes.io/") else 91 * _DAY_S
    if seconds is None:
        errors.append(required(f"{path}.maxExpirationSeconds"))
    elif seconds < _HOUR_S:
        why = "if provided, maxExpirationSeconds must be >= 3600"
        errors.append(invalid(f"{path}.maxExpirationSeconds", seconds, why))
    elif seconds > most:
        why = f"if provided, maxExpirationSeconds must be <= {most}"
        errors.append(invalid(f"{path}.maxExpirationSeconds", seconds, why))
    files = [source.get(field) for field in ("credentialBundlePath", "keyPath", "certificateChainPath")]
    if not any(files):
        why = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"
        errors.append(required(path, why))
    for field in ("credentialBundlePath", "keyPath", "certificateChainPath"):
        file = source.get(field) or ""
        errors += local_file_path(file, f"{path}.{field}") + _claim_file(file, file, volume, taken)
    return errors + validate_annotations(source.get("userAnnotations"), f"{path}.userAnnotations")


_RULES = {
    "secret": _keys,
    "configMap": _keys,
    "downwardAPI": _downward,
    "serviceAccountToken": _token,
    "clusterTrustBundle": _trust_bundle,
    "podCertificate": _certificate,
}
