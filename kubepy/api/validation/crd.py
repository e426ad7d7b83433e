"""Rules of CustomResourceDefinitions: names, versions, conversion, approval, and what stays once it is established.

What versions hold is crd_version.py's.
Source: apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go, v1/conversion.go.
"""

import re
from typing import Any

from kubepy.api import names
from kubepy.api.errors import FieldError, forbidden, invalid, required
from kubepy.api.meta import Object
from kubepy.api.validation.certificate_bundles import validate_bundle
from kubepy.api.validation.checks import one_of_required, spec_of, status_of, unchanged
from kubepy.api.validation.crd_shown import show_versions
from kubepy.api.validation.crd_version import has_status, hoisted, validate_parts, validate_version
from kubepy.api.validation.equality import same
from kubepy.api.validation.meta import NameCheck, validate_metadata, validate_metadata_update
from kubepy.api.validation.rules import Rules
from kubepy.api.validation.webhooks import validate_client, validate_review_versions

_GROUP = "apiextensions.k8s.io"
_APPROVAL = "api-approved.kubernetes.io"
_PROTECTED_SUFFIXES = (".k8s.io", ".kubernetes.io")
_MIXED_CASE = "may have mixed case, but should otherwise match: "


def _joined(value: str, path: str, check: NameCheck, prefix: str = "") -> list[FieldError]:
    faults = check(value)
    return [invalid(path, value, prefix + ",".join(faults))] if faults else []


def _group(group: str) -> list[FieldError]:
    if not group:
        return [required("spec.group")]
    faults = _joined(group, "spec.group", names.is_dns1123_subdomain)
    if not faults and "." not in group:
        return [invalid("spec.group", group, "should be a domain with at least one dot")]
    return faults


def _schemaless(spec: Object) -> list[FieldError]:
    """Faults of versions that have no schema."""
    return [
        required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required")
        for index, version in enumerate(spec.get("versions") or ())
        if not (version.get("schema") or {}).get("openAPIV3Schema")
    ]


def _versions(spec: Object, together: Object) -> list[FieldError]:
    versions = spec.get("versions") or []
    errors: list[FieldError] = []
    for index, version in enumerate(versions):
        at = f"spec.versions[{index}]"
        errors += _joined(version.get("name") or "", f"{at}.name", names.is_dns1035_label)
        errors += validate_version(version, at, together)
    listed, faults = [version.get("name") for version in versions], []
    if len(set(listed)) < len(listed):
        faults.append("must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        faults.append("must have exactly one version marked as storage version")
    errors += [invalid("spec.versions", show_versions(versions, frozenset(together)), why) for why in faults]
    if versions and versions[0].get("name"):
        errors += _joined(versions[0]["name"], "spec.version", names.is_dns1035_label)
    return errors


def _validate_names(found: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("plural", "singular"):
        if value := found.get(field):
            errors += _joined(value, f"{path}.{field}", names.is_dns1035_label)
    for field in ("kind", "listKind"):
        value = found.get(field) or ""
        if value and (faults := names.is_dns1035_label(value.lower())):
            errors.append(invalid(f"{path}.{field}", value, _MIXED_CASE + ",".join(faults)))
    for field in ("shortNames", "categories"):
        for index, value in enumerate(found.get(field) or ()):
            errors += _joined(value, f"{path}.{field}[{index}]", names.is_dns1035_label)
    if found.get("kind") and found["kind"] == found.get("listKind"):
        errors.append(invalid(f"{path}.listKind", found["listKind"], "kind and listKind may not be the same"))
    return errors


def _conversion(conversion: Object, path: str, *, any_bundle: bool) -> list[FieldError]:
    """Faults of the conversion; in the older form its webhook's fields stand beside the strategy."""
    webhook, strategy = conversion.get("webhook") or {}, conversion.get("strategy")
    errors = one_of_required(strategy, f"{path}.strategy", ("None", "Webhook"))
    client, versions = webhook.get("clientConfig"), webhook.get("conversionReviewVersions") or []
    if strategy != "Webhook":
        why = "should not be set when strategy is not set to Webhook"
        if client is not None:
            errors.append(forbidden(f"{path}.webhookClientConfig", why))
        if versions:
            errors.append(forbidden(f"{path}.conversionReviewVersions", why))
        return errors
    if client is None:
        errors.append(required(f"{path}.webhookClientConfig", "required when strategy is set to Webhook"))
    else:
        errors += validate_client(client, f"{path}.webhookClientConfig")
        if not any_bundle:
            errors += validate_bundle(client.get("caBundle") or "", f"{path}.webhookClientConfig.caBundle")
    return errors + validate_review_versions(versions, f"{path}.conversionReviewVersions")


def _validate_spec(spec: Object, *, any_bundle: bool) -> list[FieldError]:
    found, together = spec.get("names") or {}, hoisted(spec)
    errors = _group(spec.get("group") or "")
    errors += one_of_required(spec.get("scope"), "spec.scope", ("Cluster", "Namespaced"))
    errors += _schemaless(spec) + _versions(spec, together)
    for field in ("plural", "singular", "kind", "listKind"):
        if not found.get(field):
            errors.append(required(f"spec.names.{field}"))
    errors += _validate_names(found, "spec.names")
    versions = spec.get("versions") or [{}]
    schema = (versions[0].get("schema") or {}).get("openAPIV3Schema")
    errors += validate_parts(together, "spec", "validation", schema, with_status=any(map(has_status, versions)))
    if spec.get("conversion") is not None:
        errors += _conversion(spec["conversion"], "spec.conversion", any_bundle=any_bundle)
    return errors


def is_protected(group: str) -> bool:
    """Whether a group is one of the Kubernetes project's, which not everybody may define things in."""
    return group.endswith(_PROTECTED_SUFFIXES) or group in ("k8s.io", "kubernetes.io")


def approval(obj: Object) -> tuple[str, str]:
    """State and reason of the annotation that groups of the Kubernetes project need."""
    value = ((obj.get("metadata") or {}).get("annotations") or {}).get(_APPROVAL) or ""
    if not value:
        why = (
            f'protected groups must have approval annotation "{_APPROVAL}", '
            "see https://github.com/kubernetes/enhancements/pull/1111"
        )
        return "missing", why
    if value.startswith("unapproved"):
        return "bypassed", f'not approved: "{value}"'
    if re.match(r"https?://[^/]+", value):
        return "approved", f"approved in {value}"
    why = (
        f'protected groups must have approval annotation "{_APPROVAL}" with either a URL or a reason starting with '
        '"unapproved", see https://github.com/kubernetes/enhancements/pull/1111'
    )
    return "invalid", why


def _validate_approval(new: Object, old: Object | None) -> list[FieldError]:
    group = spec_of(new).get("group") or ""
    if not is_protected(group):
        return []
    state, why = approval(new)
    if old is not None and approval(old)[0] == state:
        return []
    path = f"metadata.annotations[{_APPROVAL}]"
    if state == "missing":
        return [required(path, why)]
    if state == "invalid":
        return [invalid(path, new["metadata"]["annotations"][_APPROVAL], why)]
    return []


def _keeps_unknown(new: Object, old: Object | None) -> list[FieldError]:
    if not spec_of(new).get("preserveUnknownFields"):
        return []
    if old is not None and spec_of(old).get("preserveUnknownFields"):
        return []
    why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
    return [invalid("spec.preserveUnknownFields", True, why)]


def create_definition(obj: Object) -> list[FieldError]:
    """Faults of a new CustomResourceDefinition: its name is made of plural and group."""
    spec = spec_of(obj)
    expected = f"{(spec.get('names') or {}).get('plural') or ''}.{spec.get('group') or ''}"

    def check(name: str) -> list[str]:
        faults = names.is_dns1123_subdomain(name)
        return faults if name == expected else [*faults, 'must be spec.names.plural+"."+spec.group']

    errors = validate_metadata(obj, False, check) + _validate_spec(spec, any_bundle=True) + _stored_versions(obj)
    return errors + _validate_approval(obj, None) + _keeps_unknown(obj, None)


def _is_established(obj: Object) -> bool:
    conditions = status_of(obj).get("conditions") or ()
    return any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions)


def _stored_versions(obj: Object) -> list[FieldError]:
    stored = status_of(obj).get("storedVersions") or []
    path = "status.storedVersions"
    if not stored:
        return [invalid(path, status_of(obj).get("storedVersions"), "must have at least one stored version")]
    errors = []
    versions = {version.get("name"): version for version in spec_of(obj).get("versions") or ()}
    for name, version in versions.items():
        if version.get("storage") and name not in stored:
            errors.append(invalid(path, stored, f"must have the storage version {name}"))
    for index, name in enumerate(stored):
        if name not in versions:
            why = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                "spec.versions until a storage migration ensures no data remains persisted in "
                f"{name} and removes {name} from status.storedVersions"
            )
            errors.append(invalid(f"{path}[{index}]", name, why))
    return errors


def update_definition(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed CustomResourceDefinition; a bad schema that was stored already is let pass."""
    spec, before = spec_of(new), spec_of(old)
    errors = validate_metadata_update(new, old)
    if same(spec, before):
        return errors + _validate_approval(new, old)
    errors += _validate_spec(spec, any_bundle=not _is_established(old) or bool(bundle_faults(before)))
    kept = ["scope", "names.kind"] if _is_established(old) else []
    kept += ["group", "names.plural"]
    for path in kept:
        now, then = (_at(s, path) for s in (spec, before))
        errors += unchanged(now, then, f"spec.{path}")
    return errors + _stored_versions(new) + _validate_approval(new, old) + _keeps_unknown(new, old)


def bundle_faults(spec: Object) -> list[FieldError]:
    """Faults of the conversion webhook's certificates: with such a definition can be stored, but not established."""
    webhook = (spec.get("conversion") or {}).get("webhook") or {}
    bundle = (webhook.get("clientConfig") or {}).get("caBundle") or ""
    return validate_bundle(bundle, "spec.conversion.webhookClientConfig.caBundle")


def _at(spec: Object, path: str) -> Any:
    found: Any = spec
    for step in path.split("."):
        found = (found or {}).get(step)
    return found


def definition_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of a CustomResourceDefinition's status."""
    errors = validate_metadata_update(new, old)
    return errors + _validate_names(status_of(new).get("acceptedNames") or {}, "status.acceptedNames")


RULES: dict[tuple[str, str], Rules] = {
    (_GROUP, "CustomResourceDefinition"): Rules(create_definition, update_definition, definition_status),
}
