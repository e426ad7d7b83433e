"""The rules of metadata that all kinds share: names, labels, annotations, owners, finalizers, and what never changes.

Whether a write without a resourceVersion is allowed is the engine's question, not asked here. A field that the new
object leaves out is filled in from the old one by the engine; so only a *different* value breaks immutability.
Source: apimachinery pkg/api/validation/objectmeta.go; pkg/apis/core/validation, ValidateObjectMeta(Update).
"""

from collections.abc import Callable, Mapping
from typing import Any

from kubepy.api import names
from kubepy.api.errors import FieldError, Rendered, forbidden, invalid, required, too_long
from kubepy.api.meta import Object
from kubepy.api.validation.shown import show_owner

NameCheck = Callable[[str], list[str]]

IMMUTABLE = "field is immutable"
NOT_NEGATIVE = "must be greater than or equal to 0"
ANNOTATION_BYTES_LIMIT = 256 * 1024
_MANAGER_LIMIT = 128
_SUBRESOURCE_LIMIT = 256
STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
_BANNED_OWNERS = frozenset({("v1", "Event")})
_WRITTEN = (
    "name", "generateName", "namespace", "uid", "labels", "annotations", "ownerReferences", "finalizers",
    "deletionTimestamp",
)  # fmt: skip
_NEVER_CHANGES = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def validate_metadata(
    obj: Object, namespaced: bool, name_check: NameCheck, path: str = "metadata", *, standard_finalizers: bool = True
) -> list[FieldError]:
    """Faults in the metadata of a new object. `name_check` answers what is wrong with a name.

    With `standard_finalizers` an unqualified finalizer must be one of Kubernetes' own (custom resources: any).
    """
    meta = obj.get("metadata") or {}
    errors: list[FieldError] = []
    name, prefix = meta.get("name"), meta.get("generateName")
    if prefix:
        errors += [invalid(f"{path}.generateName", prefix, text) for text in name_check(mask_trailing_dash(prefix))]
    if not name:
        errors.append(required(f"{path}.name", "name or generateName is required"))
    else:
        errors += [invalid(f"{path}.name", name, text) for text in name_check(name)]
    namespace = meta.get("namespace")
    if namespaced:
        if not namespace:
            errors.append(required(f"{path}.namespace"))
        else:
            errors += [invalid(f"{path}.namespace", namespace, text) for text in names.is_dns1123_label(namespace)]
    elif namespace:
        errors.append(forbidden(f"{path}.namespace", "not allowed on this type"))
    if (meta.get("generation") or 0) < 0:
        errors.append(invalid(f"{path}.generation", meta["generation"], NOT_NEGATIVE))
    errors += _labels_and_owners(meta, path)
    if finalizers := meta.get("finalizers"):
        errors += _finalizers(finalizers, f"{path}.finalizers")
    return errors + _managed_and_finalizers(meta, path, standard_finalizers)


def validate_metadata_update(
    new: Object, old: Object, path: str = "metadata", *, standard_finalizers: bool = True
) -> list[FieldError]:
    """Faults in the metadata of a changed object, beyond those that it would have as a new one."""
    meta, before = new.get("metadata") or {}, old.get("metadata") or {}
    errors: list[FieldError] = []
    added = sorted(set(meta.get("finalizers") or ()) - set(before.get("finalizers") or ()))
    if added and before.get("deletionTimestamp"):
        shown = "[]string{" + ", ".join(f'"{name}"' for name in added) + "}"
        why = "no new finalizers can be added if the object is being deleted, found new finalizers "
        errors.append(forbidden(f"{path}.finalizers", why + shown))
    if (meta.get("generation") or 0) < (before.get("generation") or 0) and "generation" in meta:
        errors.append(invalid(f"{path}.generation", meta["generation"], "must not be decremented"))
    for field in _NEVER_CHANGES:
        value = meta.get(field)
        if value is not None and value != before.get(field):
            errors.append(invalid(f"{path}.{field}", value, IMMUTABLE))
    return errors + _labels_and_owners(meta, path) + _managed_and_finalizers(meta, path, standard_finalizers)


def is_metadata_changed(new: Object, old: Object) -> bool:
    """Whether a client wrote anything else there: what was judged before need not be judged again."""
    meta, before = new.get("metadata") or {}, old.get("metadata") or {}
    return any(meta.get(field) != before.get(field) for field in _WRITTEN)


def validate_labels(labels: Mapping[str, str] | None, path: str) -> list[FieldError]:
    """Faults in label keys and values, all told of at the map's path."""
    errors: list[FieldError] = []
    for key, value in (labels or {}).items():
        errors += [invalid(path, key, text) for text in names.is_qualified_name(key)]
        errors += [invalid(path, value, text) for text in names.is_label_value(value)]
    return errors


def validate_annotations(annotations: Mapping[str, str] | None, path: str) -> list[FieldError]:
    """Faults in annotation keys (their case is free) and in the size of all of them together."""
    if not annotations:
        return []
    errors: list[FieldError] = []
    size = 0
    for key, value in annotations.items():
        errors += [invalid(path, key, text) for text in names.is_qualified_name(key.lower())]
        size += len(key) + len(value)
    # Characters are at most four bytes each: only a large total needs to be counted exactly.
    if size * 4 > ANNOTATION_BYTES_LIMIT:
        size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
        if size > ANNOTATION_BYTES_LIMIT:
            errors.append(too_long(path, ANNOTATION_BYTES_LIMIT))
    return errors


def validate_template_metadata(meta: Object, path: str) -> list[FieldError]:
    """Faults in metadata of which only labels and annotations are used, as in a volume claim template."""
    errors = validate_annotations(meta.get("annotations"), f"{path}.annotations")
    errors += validate_labels(meta.get("labels"), f"{path}.labels")
    return errors + [
        forbidden(f"{path}.{field}", "cannot be set")
        for field, value in meta.items()
        if field not in ("annotations", "labels") and value
    ]


def immutable(path: str, new: Any, old: Any) -> list[FieldError]:
    """One fault where the two values differ."""
    return [] if new == old else [invalid(path, new, IMMUTABLE)]


def mask_trailing_dash(prefix: str) -> str:
    """A generateName as a name check can judge it: something will follow its trailing dash."""
    return prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix


def _labels_and_owners(meta: Object, path: str) -> list[FieldError]:
    errors = validate_labels(meta.get("labels"), f"{path}.labels")
    errors += validate_annotations(meta.get("annotations"), f"{path}.annotations")
    if owners := meta.get("ownerReferences"):
        errors += _validate_owners(owners, f"{path}.ownerReferences")
    return errors


def _finalizers(finalizers: list[str], path: str) -> list[FieldError]:
    errors = [invalid(path, name, text) for name in finalizers for text in names.is_qualified_name(name)]
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        errors.append(invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set"))
    return errors


def _managed_and_finalizers(meta: Object, path: str, standard_finalizers: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    if managed := meta.get("managedFields"):
        errors += _validate_managed_fields(managed, f"{path}.managedFields")
    if standard_finalizers:
        for index, finalizer in enumerate(meta.get("finalizers") or ()):
            if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
                why = "name is neither a standard finalizer name nor is it fully qualified"
                errors.append(invalid(f"{path}.finalizers[{index}]", finalizer, why))
    return errors


def _validate_owners(owners: list[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    controller: str | None = None
    for owner in owners:
        _, _, version = owner.get("apiVersion", "").rpartition("/")
        if not version or owner["apiVersion"].count("/") > 1:
            errors.append(invalid(f"{path}.apiVersion", owner.get("apiVersion", ""), "version must not be empty"))
        errors += [
            invalid(f"{path}.{field}", "", "must not be empty")
            for field in ("kind", "name", "uid")
            if not owner.get(field)
        ]
        if (owner.get("apiVersion"), owner.get("kind")) in _BANNED_OWNERS:
            errors.append(
                invalid(path, show_owner(owner), f"/v1, Kind={owner['kind']} is disallowed from being an owner")
            )
        if owner.get("controller"):
            shown = f"{owner.get('kind', '')}/{owner.get('name', '')}"
            if controller is not None:
                why = (
                    'Only one reference can have Controller set to true. Found "true" in references for '
                    f"{controller} and {shown}"
                )
                errors.append(invalid(path, Rendered(f"[{','.join(map(show_owner, owners))}]"), why))
            else:
                controller = shown
    return errors


def _validate_managed_fields(entries: list[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, entry in enumerate(entries):
        at = f"{path}[{index}]"
        if entry.get("operation") not in ("Apply", "Update"):
            errors.append(invalid(f"{at}.operation", entry.get("operation", ""), "must be `Apply` or `Update`"))
        if entry.get("fieldsType") not in (None, "", "FieldsV1"):
            errors.append(invalid(f"{at}.fieldsType", entry["fieldsType"], "must be `FieldsV1`"))
        manager = entry.get("manager") or ""
        if len(manager) > _MANAGER_LIMIT:
            errors.append(too_long(f"{at}.manager", _MANAGER_LIMIT))
        if not manager.isprintable():
            errors.append(invalid(f"{at}.manager", manager, "should only contain printable characters"))
        if len(entry.get("subresource") or "") > _SUBRESOURCE_LIMIT:
            errors.append(too_long(f"{at}.subresource", _SUBRESOURCE_LIMIT))
    return errors
