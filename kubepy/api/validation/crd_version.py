"""Rules of one version of a CustomResourceDefinition: its schema, subresources, columns and selectable fields.

Upstream judges an older form of the object, in which what all versions have alike stands at the top: `parts_of` tells
what is left in each version, and `hoisted` what stands at the top.
Source: apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go, v1/conversion.go.
"""

from collections.abc import Iterator
from typing import Any, Final

from kubepy.api.errors import FieldError, duplicate, invalid, required, too_many
from kubepy.api.meta import Object
from kubepy.api.validation.crd_paths import field_path
from kubepy.api.validation.crd_schema import validate_root
from kubepy.api.validation.crd_structure import validate_structure

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = (
    "binary", "bool", "byte", "date", "date-time", "double", "float", "int32", "int64", "password",
)  # fmt: skip
_MOST_SELECTABLE = 8
_DEPRECATION_MOST_BYTES = 256
TOP_LEVEL: Final = {
    "schema": "validation",
    "subresources": "subresources",
    "additionalPrinterColumns": "additionalPrinterColumns",
    "selectableFields": "selectableFields",
}
"""What all versions may have alike, and what it is called at the top."""


def hoisted(spec: Object) -> dict[str, Any]:
    """The fields that all versions have alike, with their values."""
    versions = spec.get("versions") or []
    found = {field: versions[0].get(field) for field in TOP_LEVEL} if versions else {}
    return {
        field: value
        for field, value in found.items()
        if value and all(version.get(field) == value for version in versions)
    }


def schemas_of(spec: Object) -> Iterator[tuple[str, Object]]:
    """The schemas of a definition, with the paths at which their faults are told."""
    together = hoisted(spec)
    if "schema" in together:
        holders = [("spec.validation", together["schema"])]
    else:
        versions = enumerate(spec.get("versions") or ())
        holders = [(f"spec.versions[{index}].schema", version.get("schema") or {}) for index, version in versions]
    for path, holder in holders:
        if (schema := holder.get("openAPIV3Schema")) is not None:
            yield f"{path}.openAPIV3Schema", schema


def has_status(version: Object) -> bool:
    """Whether a version has the status subresource."""
    return (version.get("subresources") or {}).get("status") is not None


def validate_version(version: Object, path: str, together: Object) -> list[FieldError]:
    """Faults of what a version has for itself; `together` is what all have alike."""
    own = {field: version.get(field) for field in TOP_LEVEL if field not in together}
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    errors = _deprecation(version, f"{path}.deprecationWarning")
    return errors + validate_parts(own, path, "schema", schema, with_status=has_status(version))


def validate_parts(
    parts: Object, path: str, name: str, schema: Object | None, *, with_status: bool
) -> list[FieldError]:
    """Faults of the schema, which is called `name`, and of what stands beside it."""
    errors: list[FieldError] = []
    if schema is not None and parts.get("schema"):
        at = f"{path}.{name}.openAPIV3Schema"
        errors += validate_structure(schema, at) + validate_root(schema, at, has_status=with_status)
    errors += _subresources(parts.get("subresources") or {}, f"{path}.subresources")
    for index, column in enumerate(parts.get("additionalPrinterColumns") or ()):
        errors += _column(column, f"{path}.additionalPrinterColumns[{index}]")
    return errors + _selectable(parts.get("selectableFields") or [], schema, f"{path}.selectableFields")


def _deprecation(version: Object, path: str) -> list[FieldError]:
    warning = version.get("deprecationWarning")
    if warning is None:
        return []
    if not version.get("deprecated"):
        return [invalid(path, warning, "can only be set for deprecated versions")]
    errors = []
    if len(warning.encode()) > _DEPRECATION_MOST_BYTES:
        errors.append(invalid(path, warning, "must be <= 256 characters long"))
    if not warning:
        errors.append(invalid(path, warning, "must not be an empty string"))
    bad = next((index for index, character in enumerate(warning) if not character.isprintable()), None)
    if bad is not None:
        at = len(warning[:bad].encode())
        why = f"must only contain printable UTF-8 characters; non-printable character found at index {at}"
        errors.append(invalid(path, warning, why))
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


def _subresources(subresources: Object, path: str) -> list[FieldError]:
    scale = subresources.get("scale")
    if scale is None:
        return []
    errors = _scale_path(scale, "specReplicasPath", path, ("spec",))
    errors += _scale_path(scale, "statusReplicasPath", path, ("status",))
    return errors + _scale_path(scale, "labelSelectorPath", path, ("spec", "status"))


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


def _selectable(fields: list[Object], schema: Object | None, path: str) -> list[FieldError]:
    if not fields or schema is None:
        return []
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, field in enumerate(fields):
        at, json_path = f"{path}[{index}].jsonPath", field.get("jsonPath") or ""
        if not json_path:
            errors.append(required(at))
            continue
        try:
            name, found = field_path(json_path, schema, brackets=False)
        except ValueError as fault:
            errors.append(invalid(at, json_path, f"is an invalid path: {fault}"))
            continue
        if name.partition(".")[0] == "metadata":
            errors.append(invalid(at, json_path, "must not point to fields in metadata"))
        if found.get("type") not in ("string", "boolean", "integer"):
            why = (
                "must point to a field of type string, boolean or integer. Enum string fields and strings with formats "
                "are allowed."
            )
            errors.append(invalid(at, json_path, why))
        if name in seen:
            errors.append(duplicate(at, json_path))
        seen.add(name)
    if len(seen) > _MOST_SELECTABLE:
        errors.append(too_many(path, len(seen), _MOST_SELECTABLE))
    return errors
