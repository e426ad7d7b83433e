"""metadata.managedFields: who owns which fields, kept up to date by what each write changes.

An entry belongs to a manager, an operation (Apply or Update), a subresource and, for updates, an apiVersion. Its time
moves when its manager takes fields, not when it loses some. Pure; entries are plain dicts as on the wire.

Source: apimachinery pkg/util/managedfields/internal (managedfieldsupdater, stripmeta, capmanagers, skipnonapplied).
"""

from collections.abc import Iterable
from typing import Any, Final

from kubepy.api import field_sets, typed_values
from kubepy.api.decoding import decoder_of
from kubepy.api.definitions import Schema
from kubepy.api.field_sets import FieldSet, Filter
from kubepy.api.meta import Object

APPLY: Final = "Apply"
UPDATE: Final = "Update"
MAX_UPDATE_MANAGERS: Final = 10
ANCIENT: Final = "ancient-changes"

_STRIPPED: Final[FieldSet] = {
    "f:apiVersion": {},
    "f:kind": {},
    "f:metadata": {".": {}} | {
        f"f:{field}": {}
        for field in (
            "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields",
            "resourceVersion",
        )
    },
}  # fmt: skip


def manager_of_user_agent(user_agent: str) -> str:
    """The name of a manager that gave none: the product in its User-Agent ("kubectl/v1.30" is kubectl)."""
    product = user_agent.partition("/")[0][:128]
    return "".join(character for character in product if character.isprintable()) or "unknown"


def entries_of(obj: Object | None) -> list[Object]:
    return ((obj or {}).get("metadata") or {}).get("managedFields") or []


def fields_of(entry: Object) -> FieldSet | None:
    return entry.get("fieldsV1") or None


def identity(entry: Object) -> tuple[Any, ...]:
    """What tells entries apart; appliers are the same at every version."""
    operation = entry.get("operation")
    version = entry.get("apiVersion") if operation == UPDATE else ""
    return (entry.get("manager", ""), operation, version, entry.get("subresource", ""))


def new_entry(manager: str, operation: str, api_version: str, time: str, subresource: str, fields: FieldSet) -> Object:
    entry: Object = {
        "manager": manager,
        "operation": operation,
        "apiVersion": api_version,
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    if subresource:
        entry["subresource"] = subresource
    return entry


def with_fields(entry: Object, fields: FieldSet | None) -> Object | None:
    """The entry with other fields; None when none are left."""
    if fields is None:
        return None
    return entry if fields is entry.get("fieldsV1") else {**entry, "fieldsV1": fields}


def lose(entries: Iterable[Object], lost: FieldSet | None) -> list[Object]:
    """The entries without these fields, and without entries that own nothing more."""
    kept = (with_fields(entry, field_sets.difference(fields_of(entry), lost)) for entry in entries)
    return [entry for entry in kept if entry is not None]


def stripped(fields: FieldSet | None) -> FieldSet | None:
    """Without what nobody owns: type, name, and what the server sets in metadata."""
    return field_sets.difference(fields, _STRIPPED)


def arranged(entries: Iterable[Object]) -> list[Object]:
    """In upstream's order: appliers first, then by time and name."""

    def rank(entry: Object) -> tuple[Any, ...]:
        return (
            entry.get("operation", ""), entry.get("time", ""), entry.get("manager", ""), entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        )  # fmt: skip

    return sorted(entries, key=rank)


def comparable(obj: Object) -> Object:
    """The object without managedFields, which nobody owns."""
    meta = obj.get("metadata") or {}
    if "managedFields" not in meta:
        return obj
    return {**obj, "metadata": {key: value for key, value in meta.items() if key != "managedFields"}}


def is_unchanged_but_times(old: Object, new: Object) -> bool:
    """Whether a write of `new` would change nothing but the times of managedFields: then it must not be written."""
    if comparable(old) != comparable(new):
        return False
    timeless = [
        [{key: value for key, value in entry.items() if key != "time"} for entry in arranged(entries_of(obj))]
        for obj in (old, new)
    ]
    return all(entry in timeless[1] for entry in timeless[0]) and len(timeless[0]) == len(timeless[1])


def empty_object(schema: Schema) -> Object:
    """An object of the kind before anything is set: what a create is compared with."""
    return decoder_of(schema)({}, [])  # type: ignore[no-any-return]


def entries_fault(entries: Iterable[Object]) -> str | None:
    """Why these entries cannot be read, as upstream words it; None for good ones."""
    for index, entry in enumerate(entries):
        if entry.get("operation") not in (APPLY, UPDATE):
            return "operation must be `Apply` or `Update`"
        if not entry.get("apiVersion"):
            return "apiVersion must not be empty"
        kind = entry.get("fieldsType") or ""
        if kind != "FieldsV1":
            what = f'invalid fieldsType "{kind}"' if kind else "missing fieldsType"
            return f"{what} in managed fields entry {index}"
    return None


def _is_sound(entry: Object) -> bool:
    """Whether an entry that a client made up can be read; one that cannot leaves all as they were."""
    return entries_fault([entry]) is None and field_sets.is_field_set(entry.get("fieldsV1") or {})


def _is_reset(entries: list[Object]) -> bool:
    """A single empty entry: how a client asks to forget all owners."""
    return len(entries) == 1 and not any(entries[0].values())


def track_update(
    old: Object | None,
    new: Object,
    *,
    manager: str,
    api_version: str,
    schema: Schema,
    time: str,
    subresource: str = "",
    counts: Filter | None = None,
) -> list[Object]:
    """The managedFields of `new`, which a create (`old` is None), update or patch other than apply makes of `old`.

    Both are decoded objects. Entries that come with `new` count where there are any and all can be read, else those
    of `old`; an object whose owners were forgotten stays without until it is applied again. `time` is RFC 3339.
    `counts` leaves out what the endpoint does not write: that is nobody's because of this write.
    """
    given, known = [] if subresource else entries_of(new), entries_of(old)
    if given and _is_reset(given):
        return []
    is_sound = all(entry in known or _is_sound(entry) for entry in given)
    entries = given if given and is_sound else known
    if old is not None and not entries:
        return []
    before = comparable(old) if old is not None else empty_object(schema)
    changed, removed = typed_values.compare(schema, before, comparable(new))
    if counts is not None:
        changed, removed = counts(changed), counts(removed)
    taken = stripped(changed)
    if taken is None and removed is None:
        return entries
    mine = new_entry(manager, UPDATE, api_version, time, subresource, taken or {})
    previous = next((fields_of(entry) for entry in entries if identity(entry) == identity(mine)), None)
    kept = lose(entries, field_sets.union(changed, removed))
    if taken is None:
        return arranged(kept)
    kept = [entry for entry in kept if identity(entry) != identity(mine)]
    if counts is not None:
        previous = counts(previous)
    owned = field_sets.union(field_sets.difference(previous, removed), taken)
    assert owned is not None
    return _capped(arranged([*kept, {**mine, "fieldsV1": field_sets.ordered(owned, previous)}]))


def _capped(entries: list[Object]) -> list[Object]:
    """Merge the oldest updaters of each version into one, where there are more than an object should carry."""
    updaters = [entry for entry in entries if entry.get("operation") == UPDATE]
    excess = len(updaters) - MAX_UPDATE_MANAGERS
    if excess <= 0:
        return entries
    old = updaters[: excess + 1]
    kept = [entry for entry in entries if not any(entry is gone for gone in old)]
    merged: dict[str, Object] = {}
    for entry in old:
        version = entry.get("apiVersion", "")
        found = merged.get(version)
        fields = field_sets.union(fields_of(found) if found else None, fields_of(entry))
        merged[version] = new_entry(
            ANCIENT, UPDATE, version, entry.get("time", ""), "", field_sets.ordered(fields or {})
        )
    return arranged([*kept, *merged.values()])
