"""Rules of CustomResourceDefinitions: names, versions, conversion, columns, and what stays once it is established.

Upstream judges an older form of the object, in which what all versions have alike stands at the top: faults of a
schema that is the same in all versions (as in a single one) are told of at `spec.validation`, and so on.
Source: apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go, v1/conversion.go.
"""

import re
from collections.abc import Iterator
from typing import Any

from kubepy.api import names
from kubepy.api.errors import FieldError, duplicate, forbidden, invalid, required, too_many
from kubepy.api.meta import Object
from kubepy.api.validation.checks import one_of_required, spec_of, status_of, unchanged
from kubepy.api.validation.crd_paths import field_path
from kubepy.api.validation.crd_schema import validate_root
from kubepy.api.validation.crd_structure import validate_structure
from kubepy.api.validation.equality import same
from kubepy.api.validation.meta import NameCheck, validate_metadata, validate_metadata_update
from kubepy.api.validation.rules import Rules
from kubepy.api.validation.webhooks import validate_client, validate_review_versions

_GROUP = "apiextensions.k8s.io"
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = (
    "binary", "bool", "byte", "date", "date-time", "double", "float", "int32", "int64", "password",
)  # fmt: skip
_APPROVAL = "api-approved.kubernetes.io"
_PROTECTED_SUFFIXES = (".k8s.io", ".kubernetes.io")
_MOST_SELECTABLE = 8
_MIXED_CASE = "may have mixed case, but should otherwise match: "
_TOP_LEVEL = {
    "schema": "validation",
    "subresources": "subresources",
    "additionalPrinterColumns": "additionalPrinterColumns",
    "selectableFields": "selectableFields",
}


def _joined(value: str, path: str, check: NameCheck, prefix: str = "") -> list[FieldError]:
    faults = check(value)
    return [invalid(path, value, prefix + ",".join(faults))] if faults else []


def _per_version(spec: Object, field: str) -> Iterator[tuple[str, Any]]:
    """Path and value of a field of the versions; once, at the top, where it is alike in all."""
    versions = spec.get("versions") or []
    values = [version.get(field) for version in versions]
    if values and values[0] and all(value == values[0] for value in values):
        yield f"spec.{_TOP_LEVEL[field]}", values[0]
        return
    for index, value in enumerate(values):
        if value:
            yield f"spec.versions[{index}].{field}", value


def _group(group: str) -> list[FieldError]:
    if not group:
        return [required("spec.group")]
    faults = _joined(group, "spec.group", names.is_dns1123_subdomain)
    if not faults and "." not in group:
        return [invalid("spec.group", group, "should be a domain with at least one dot")]
    return faults


def _deprecation(version: Object, path: str) -> list[FieldError]:
    warning = version.get("deprecationWarning")
    if warning is None:
        return []
    if not version.get("deprecated"):
        return [invalid(path, warning, "can only be set for deprecated versions")]
    errors = []
    if len(warning) > 256:
        errors.append(invalid(path, warning, "must be <= 256 characters long"))
    if not warning:
        errors.append(invalid(path, warning, "must not be an empty string"))
    bad = next((index for index, character in enumerate(warning) if not character.isprintable()), None)
    if bad is not None:
        why = f"must only contain printable UTF-8 characters; non-printable character found at index {bad}"
        errors.append(invalid(path, warning, why))
    return errors


def _versions(spec: Object) -> list[FieldError]:
    versions = spec.get("versions") or []
    errors: list[FieldError] = []
    for index, version in enumerate(versions):
        at = f"spec.versions[{index}]"
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            errors.append(required(f"{at}.schema.openAPIV3Schema", "schemas are required"))
        errors += _joined(version.get("name") or "", f"{at}.name", names.is_dns1035_label)
        errors += _deprecation(version, f"{at}.deprecationWarning")
    listed = [version.get("name") for version in versions]
    if len(set(listed)) < len(listed):
        errors.append(invalid("spec.versions", versions, "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        why = "must have exactly one version marked as storage version"
        errors.append(invalid("spec.versions", versions, why))
    return errors


def schemas_of(spec: Object) -> Iterator[tuple[str, Object]]:
    """The schemas of a definition, with the paths at which their faults are told."""
    for path, holder in _per_version(spec, "schema"):
        schema = holder.get("openAPIV3Schema")
        if schema is not None:
            yield f"{path}.openAPIV3Schema", schema


def _schemas(spec: Object) -> list[FieldError]:
    has_status = any((version.get("subresources") or {}).get("status") is not None
                     for version in spec.get("versions") or ())  # fmt: skip
    errors: list[FieldError] = []
    for path, schema in schemas_of(spec):
        errors += validate_structure(schema, path) + validate_root(schema, path, has_status=has_status)
    return errors


def _json_path(text: str, path: str) -> list[FieldError]:
    if not text.startswith("."):
        return [invalid(path, text, "must be a simple json path starting with .")]
    return []


def _scale_path(scale: Object, field: str, path: str, roots: tuple[str, ...]) -> list[FieldError]:
    value, at = scale.get(field), f"{path}.scale.{field}"
    if not value:
        return [] if field == "labelSelectorPath" else [required(at)]
    if faults := _json_path(value, at):
        return faults
    if value.startswith(tuple(f".{root}." for root in roots)):
        return []
    where = " or ".join(f".{root}" for root in roots)
    return [invalid(at, value, f"should be a json path under {'either ' if len(roots) > 1 else ''}{where}")]


def _subresources(spec: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for path, subresources in _per_version(spec, "subresources"):
        scale = subresources.get("scale")
        if scale is not None:
            errors += _scale_path(scale, "specReplicasPath", path, ("spec",))
            errors += _scale_path(scale, "statusReplicasPath", path, ("status",))
            errors += _scale_path(scale, "labelSelectorPath", path, ("spec", "status"))
    return errors


def _column(column: Object, path: str) -> list[FieldError]:
    kind, form, json_path = column.get("type") or "", column.get("format") or "", column.get("jsonPath") or ""
    errors = [] if column.get("name") else [required(f"{path}.name")]
    types = f"must be one of {','.join(_COLUMN_TYPES)}"
    if not kind:
        errors.append(required(f"{path}.type", types))
    elif kind not in _COLUMN_TYPES:
        errors.append(invalid(f"{path}.type", kind, types))
    if form and form not in _COLUMN_FORMATS:
        errors.append(invalid(f"{path}.format", form, f"must be one of {','.join(_COLUMN_FORMATS)}"))
    if not json_path:
        errors.append(required(f"{path}.JSONPath"))
    else:
        errors += _json_path(json_path, f"{path}.JSONPath")
    return errors


def _columns(spec: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for path, columns in _per_version(spec, "additionalPrinterColumns"):
        for index, column in enumerate(columns):
            errors += _column(column, f"{path}[{index}]")
    return errors


def _selectable(spec: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for path, fields in _per_version(spec, "selectableFields"):
        seen: set[str] = set()
        for index, field in enumerate(fields):
            at, json_path = f"{path}[{index}].jsonPath", field.get("jsonPath") or ""
            if not json_path:
                errors.append(required(at))
                continue
            if json_path.startswith(".metadata"):
                errors.append(invalid(at, json_path, "must not point to fields in metadata"))
            elif schema := _schema_at(spec, path):
                errors += _selectable_path(json_path, schema, at)
            if json_path in seen:
                errors.append(duplicate(at, json_path))
            seen.add(json_path)
        if len(seen) > _MOST_SELECTABLE:
            errors.append(too_many(path, len(seen), _MOST_SELECTABLE))
    return errors


def _schema_at(spec: Object, path: str) -> Object | None:
    """The schema of the version that a path is in; of the first one, where a path stands for all."""
    versions = spec.get("versions") or []
    found = re.match(r"spec\.versions\[(\d+)\]", path)
    version = versions[int(found[1]) if found else 0]
    schema: Object | None = (version.get("schema") or {}).get("openAPIV3Schema")
    return schema


def _selectable_path(json_path: str, schema: Object, path: str) -> list[FieldError]:
    try:
        _, found = field_path(json_path, schema, brackets=False)
    except ValueError as fault:
        return [invalid(path, json_path, f"is an invalid path: {fault}")]
    if found.get("type") in ("string", "boolean", "integer") and not found.get("x-kubernetes-int-or-string"):
        return []
    why = (
        "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are "
        "allowed."
    )
    return [invalid(path, json_path, why)]


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


def _conversion(conversion: Object, path: str) -> list[FieldError]:
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
    return errors + validate_review_versions(versions, f"{path}.conversionReviewVersions")


def _validate_spec(spec: Object) -> list[FieldError]:
    found = spec.get("names") or {}
    errors = _group(spec.get("group") or "")
    errors += one_of_required(spec.get("scope"), "spec.scope", ("Cluster", "Namespaced"))
    errors += _versions(spec)
    for field in ("plural", "singular", "kind", "listKind"):
        if not found.get(field):
            errors.append(required(f"spec.names.{field}"))
    errors += _validate_names(found, "spec.names")
    errors += _schemas(spec) + _subresources(spec) + _columns(spec) + _selectable(spec)
    if spec.get("conversion") is not None:
        errors += _conversion(spec["conversion"], "spec.conversion")
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

    errors = validate_metadata(obj, False, check) + _validate_spec(spec) + _stored_versions(obj)
    return errors + _validate_approval(obj, None) + _keeps_unknown(obj, None)


def _is_established(obj: Object) -> bool:
    conditions = status_of(obj).get("conditions") or ()
    return any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions)


def _stored_versions(obj: Object) -> list[FieldError]:
    stored = status_of(obj).get("storedVersions") or []
    path = "status.storedVersions"
    if not stored:
        return [invalid(path, stored, "must have at least one stored version")]
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
        return errors
    errors += _validate_spec(spec)
    kept = ["group", "names.plural"]
    if _is_established(old):
        kept += ["scope", "names.kind"]
    for path in kept:
        now, then = (_at(s, path) for s in (spec, before))
        errors += unchanged(now, then, f"spec.{path}")
    return errors + _stored_versions(new) + _validate_approval(new, old) + _keeps_unknown(new, old)


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
