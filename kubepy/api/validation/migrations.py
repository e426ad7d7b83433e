"""Rules of StorageVersionMigrations.

Source: pkg/apis/storagemigration/validation/validation.go.
"""

from kubepy.api import names
from kubepy.api.errors import FieldError, invalid
from kubepy.api.meta import Object
from kubepy.api.validation.checks import checked, named, spec_of, status_of, unchanged, validate_conditions
from kubepy.api.validation.meta import validate_metadata, validate_metadata_update
from kubepy.api.validation.rules import Rules


def create_migration(obj: Object) -> list[FieldError]:
    """Faults of a new StorageVersionMigration."""
    target = spec_of(obj).get("resource") or {}
    errors = validate_metadata(obj, False, names.is_dns1123_subdomain)
    errors += named(target.get("resource"), "spec.resource.resource", names.is_dns1035_label)
    if group := target.get("group"):
        errors += checked(group, "spec.resource.group", names.is_dns1123_subdomain)
    return errors


def update_migration(new: Object, old: Object) -> list[FieldError]:
    """Faults of a changed StorageVersionMigration: what is migrated stays."""
    errors = validate_metadata_update(new, old)
    now, before = spec_of(new).get("resource"), spec_of(old).get("resource")
    return errors + unchanged(now, before, "spec.resource")


def migration_status(new: Object, old: Object) -> list[FieldError]:
    """Faults of a StorageVersionMigration's status: it ends once, one way."""
    status = status_of(new)
    errors = validate_metadata_update(new, old)
    errors += validate_conditions(status.get("conditions"), "status.conditions")
    ended = [c["type"] for c in status.get("conditions") or ()
             if c.get("type") in ("Succeeded", "Failed") and c.get("status") == "True"]  # fmt: skip
    if len(ended) > 1:
        why = "Both success and failed conditions cannot be true at the same time"
        errors.append(invalid("status.conditions", status["conditions"], why))
    return errors


RULES: dict[tuple[str, str], Rules] = {
    ("storagemigration.k8s.io", "StorageVersionMigration"): Rules(create_migration, update_migration, migration_status),
}
