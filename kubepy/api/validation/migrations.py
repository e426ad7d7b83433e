"""Rules of StorageVersionMigrations.

Source: pkg/apis/storagemigration/validation/validation.go.
"""

import re
from collections.abc import Iterator

from kubepy.api import names
from kubepy.api.errors import FieldError, Rendered, invalid, rendered, required
from kubepy.api.meta import Object
from kubepy.api.validation.checks import spec_of, status_of, validate_conditions
from kubepy.api.validation.equality import same
from kubepy.api.validation.meta import IMMUTABLE, validate_metadata, validate_metadata_update
from kubepy.api.validation.rules import Rules

_VERSION = re.compile("[1-9][0-9]*", re.ASCII).fullmatch


def create_migration(obj: Object) -> list[FieldError]:
    """Faults of a new StorageVersionMigration."""
    target = spec_of(obj).get("resource") or {}
    resource, group = (target.get(field) or "" for field in ("resource", "group"))
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain)
    if not resource:
        errors.append(required("spec.resource.resource", "resource is required to be set"))
    elif faults := names.is_dns1035_label(resource):
        errors.append(invalid("spec.resource.resource", resource, ",".join(faults)))
    if group and (faults := names.is_dns1123_subdomain(group)):
        errors.append(invalid("spec.resource.group", group, ",".join(faults)))
    return errors


def update_migration(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed StorageVersionMigration: what is migrated stays."""
    errors = create_migration(new) + validate_metadata_update(new, old)
    if same(spec_of(new), spec_of(old), "spec"):
        return errors
    target = spec_of(new).get("resource") or {}
    shown = {"Resource": {field: target.get(field) or "" for field in ("group", "resource")}}
    return [*errors, invalid("spec", rendered(shown), IMMUTABLE)]


def migration_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of a StorageVersionMigration's status: it ends once, one way, and keeps the version it began at."""
    status, before, path = status_of(new), status_of(old), "status.resourceVersion"
    version, began = (one.get("resourceVersion") or "" for one in (status, before))
    errors = validate_metadata_update(new, old)
    if version and not _VERSION(version):
        errors.append(invalid(path, version, f"resource version is not well formed: {version}"))
    errors += validate_conditions(status.get("conditions"), "status.conditions")
    if began and version != began:
        errors.append(invalid(path, version, IMMUTABLE))
    conditions = status.get("conditions") or []
    return errors + [invalid("status.conditions", _shown(conditions), why) for why in _contradictions(status, before)]


def _contradictions(status: Object, before: Object) -> Iterator[str]:
    now, then = ({kind: _is_true(one, kind) for kind in ("Succeeded", "Failed", "Running")} for one in (status, before))
    if now["Succeeded"] and now["Failed"]:
        yield "Both success and failed conditions cannot be true at the same time"
    if now["Succeeded"] and now["Running"]:
        yield "Running condition cannot be true when success condition is true"
    if now["Failed"] and now["Running"]:
        yield "Running condition cannot be true when failed condition is true"
    if then["Succeeded"] and not now["Succeeded"]:
        yield "Success condition cannot be set to false once it is true"
    if then["Failed"] and not now["Failed"]:
        yield "Failed condition cannot be set to false once it is true"


def _is_true(status: Object, kind: str) -> bool:
    found = [condition for condition in status.get("conditions") or () if condition.get("type") == kind]
    return bool(found) and found[0].get("status") == "True"


def _shown(conditions: list[Object]) -> Rendered:
    """In Go's order of the fields."""
    fields = ("type", "status", "observedGeneration", "lastTransitionTime", "reason", "message")
    listed = [{field: each[field] for field in fields if field in each} for each in conditions]
    return rendered(listed or None)


RULES: dict[tuple[str, str], Rules] = {
    ("storagemigration.k8s.io", "StorageVersionMigration"): Rules(create_migration, update_migration, migration_status),
}
