"""Server-side apply: merge a configuration into the live object, take and give up fields, find conflicts.

Pure: `apply` gets the live object and a parsed configuration and answers the object to default, validate and store, and
its managedFields. Fields that the manager set before and no longer sets go, unless another manager owns them. Sets of
managers at another apiVersion are read as if they were at this one (versions that differ in shape are few).

Source: structured-merge-diff merge/update.go; apimachinery pkg/util/managedfields (structuredmerge, internal/conflict).
"""

from dataclasses import dataclass
from functools import reduce
from typing import Any

from kubepy.api import field_sets, typed_values
from kubepy.api.definitions import Schema
from kubepy.api.errors import BadRequest, Conflict
from kubepy.api.field_sets import FieldSet, Filter
from kubepy.api.managed_fields import (
    APPLY,
    UPDATE,
    arranged,
    comparable,
    empty_object,
    entries_of,
    fields_of,
    identity,
    lose,
    new_entry,
    stripped,
    track_update,
)
from kubepy.api.meta import Object
from kubepy.api.strategic_merge import PatchFailed

__all__ = ["Applied", "ApplyConflict", "apply", "check_configuration", "track_update"]

BEFORE_FIRST_APPLY = "before-first-apply"


@dataclass(frozen=True, slots=True)
class Applied:
    """`object` has `managed_fields` in its metadata; `changed` is False when only owners changed, or nothing at all."""

    object: Object
    managed_fields: list[Object]
    changed: bool


def apply(
    live: Object | None,
    patch: Object,
    *,
    manager: str,
    force: bool,
    schema: Schema,
    api_version: str,
    time: str,
    subresource: str = "",
    counts: Filter | None = None,
) -> Applied:
    """The outcome of applying `patch` as `manager`. `live` is None for an object that this makes; `time` is RFC 3339.

    `counts` leaves out the fields that this endpoint does not write (`status`; for the status subresource `spec`):
    nobody comes to own them here, or is in conflict over them. Raises BadRequest, PatchFailed (a configuration that
    does not fit the schema) and Conflict (fields that others own with other values, unless `force`).
    """
    check_configuration(patch, api_version, schema)
    current = comparable(live) if live is not None else empty_object(schema)
    entries = _entries_before(live, schema, api_version, time)
    mine = new_entry(manager, APPLY, api_version, time, subresource, {})
    last = next((entry for entry in entries if identity(entry) == identity(mine)), None)
    others = [entry for entry in entries if entry is not last]

    config = _without_nulls(patch)
    applied = typed_values.set_of(schema, config) or None
    if counts is not None:
        applied = counts(applied)
    merged = typed_values.merge(schema, current, config)
    if last is not None and (before := fields_of(last)):
        owned = reduce(field_sets.union, map(fields_of, others), applied)
        merged = typed_values.prune(schema, merged, before, owned or {})

    changed, removed = typed_values.compare(schema, current, merged)
    ours, gone = (changed, removed) if counts is None else (counts(changed), counts(removed))
    conflicts = [(entry, field_sets.intersection(fields_of(entry), ours)) for entry in others]
    found = [(entry, fields) for entry, fields in conflicts if fields is not None]
    if found and not force:
        raise ApplyConflict(found)
    kept = lose(others, field_sets.union(ours, gone)) if ours or gone else others
    if owns := stripped(applied):
        at = time if changed or removed or last is None else last.get("time", time)
        kept = [*kept, {**mine, "time": at, "fieldsV1": field_sets.ordered(owns)}]
    managed = arranged(kept)
    return Applied(_with_entries(merged, managed), managed, bool(changed or removed))


def _with_entries(obj: Object, entries: list[Object]) -> Object:
    metadata = dict(obj.get("metadata") or {})
    if entries:
        metadata["managedFields"] = entries
    return {**obj, "metadata": metadata}


def check_configuration(patch: Object, api_version: str, schema: Schema) -> None:
    """Raises BadRequest, or PatchFailed for what does not fit the schema."""
    version = patch.get("apiVersion") or ""
    if version != api_version:
        raise BadRequest(
            f"Incorrect version specified in apply patch. Specified patch version: {version}, expected: {api_version}"
        )
    if _meta_of(patch).get("managedFields") is not None:
        raise BadRequest("metadata.managedFields must be nil")
    try:
        typed_values.check(schema, patch)
    except typed_values.Untyped as fault:
        raise PatchFailed(f"failed to create typed patch object ({_named(patch)}): {fault}") from fault


def _meta_of(patch: Object) -> Object:
    """The metadata of a configuration that is not checked yet."""
    meta = patch.get("metadata")
    return meta if isinstance(meta, dict) else {}


def _named(patch: Object) -> str:
    meta = _meta_of(patch)
    return f"{meta.get('namespace', '')}/{meta.get('name', '')}; {patch.get('apiVersion')}, Kind={patch.get('kind')}"


def _without_nulls(value: Any) -> Any:
    """A null in a configuration sets nothing: decoding would drop it, and its field would be owned without a value."""
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _entries_before(live: Object | None, schema: Schema, api_version: str, time: str) -> list[Object]:
    """The owners so far; an object that has none yet is owned as a whole by who made it, whoever that was."""
    entries = entries_of(live)
    if live is None or entries:
        return entries
    fields = stripped(typed_values.compare(schema, empty_object(schema), comparable(live))[0])
    return [new_entry(BEFORE_FIRST_APPLY, UPDATE, api_version, time, "", fields)] if fields else []


def _described_manager(entry: Object) -> str:
    text = f'"{entry.get("manager", "")}"'
    if entry.get("subresource"):
        text += f' with subresource "{entry["subresource"]}"'
    return f"{text} using {entry.get('apiVersion')}" if entry.get("operation") == UPDATE else text


class ApplyConflict(Conflict):
    """409 with a cause for each field that another manager owns. `found` are the owners, each with these fields."""

    def __init__(self, found: list[tuple[Object, FieldSet]]) -> None:
        text, causes = _described(found)
        super().__init__(text, details={"causes": causes})
        self.found = found

    def beyond(self, allowed: FieldSet | None) -> "ApplyConflict | None":
        """What is left of it when some fields may be taken; None if nothing is."""
        left = [(entry, field_sets.difference(fields, allowed)) for entry, fields in self.found]
        kept = [(entry, fields) for entry, fields in left if fields is not None]
        return ApplyConflict(kept) if kept else None


def _described(found: list[tuple[Object, FieldSet]]) -> tuple[str, list[dict[str, str]]]:
    by_manager: dict[str, list[str]] = {}
    for entry, fields in found:
        by_manager.setdefault(_described_manager(entry), []).extend(field_sets.paths(fields))
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": path}
        for manager, paths in sorted(by_manager.items())
        for path in paths
    ]
    if len(causes) == 1:
        text = f"1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        lines = [
            line
            for manager, paths in sorted(by_manager.items())
            for line in (f"conflicts with {manager}:", *(f"- {path}" for path in paths))
        ]
        text = f"{len(causes)} conflicts: " + "\n".join(lines)
    return f"Apply failed with {text}", causes
