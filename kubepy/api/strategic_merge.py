"""Strategic merge patch: objects merge by the schema's merge keys, and directives in the patch steer it.

Directives: `$patch` (replace, delete, merge) in a map or as an entry of a list, `$retainKeys`,
`$deleteFromPrimitiveList/FIELD` and `$setElementOrder/FIELD`. No directive survives into the result. Pure: parts that
do not change are shared with the original, nothing is changed in place.

Source: apimachinery pkg/util/strategicpatch/patch.go; the order of list entries follows its mergeSortedSlice.
"""

from collections.abc import Callable
from typing import Any, Final

from kubepy.api import go_values
from kubepy.api.definitions import Schema
from kubepy.api.errors import ApiError, BadRequest, Invalid

Map = dict[str, Any]

_PATCH: Final = "$patch"
_RETAIN_KEYS: Final = "$retainKeys"
_DELETE: Final = "$deleteFromPrimitiveList/"
_ORDER: Final = "$setElementOrder/"


class PatchFailed(ApiError):
    """A patch that upstream fails on without a reason: a plain error, answered with 500."""

    code, reason = 500, ""


def strategic_merge(document: Map, patch: Map, schema: Schema) -> Map:
    """The patched document. Raises BadRequest, Invalid or PatchFailed, as upstream answers such patches."""
    return _merge_map(document, patch, schema)


def _merge_map(original: Map, patch: Map, schema: Schema) -> Map:
    if _PATCH in patch:
        return _replace_map(patch)
    merged = dict(original)
    _retain_keys(merged, patch)
    ordered = _merge_ordered_lists(merged, patch, schema)
    for key, value in patch.items():
        if key in ordered or key.startswith(_ORDER) or key == _RETAIN_KEYS:
            continue
        if key.startswith(_DELETE):
            _delete_entries(merged, key.removeprefix(_DELETE), value, schema)
        elif value is None:
            merged.pop(key, None)
        else:
            _merge_value(merged, key, value, schema.child(key))
    return merged


def _replace_map(patch: Map) -> Map:
    directive = patch[_PATCH]
    if directive == "replace":
        return _settled({key: value for key, value in patch.items() if key != _PATCH})  # type: ignore[no-any-return]
    if directive == "delete":
        return {}
    raise PatchFailed(f"unknown patch type: {go_values.show(directive)} in map: {go_values.show(patch)}")


def _merge_value(merged: Map, key: str, value: Any, schema: Schema) -> None:
    original = merged.get(key)
    if isinstance(original, dict) and isinstance(value, dict):
        replaces = "replace" in schema.patch_strategy
        merged[key] = _settled(value) if replaces else _merge_map(original, value, schema)
    elif isinstance(original, list) and isinstance(value, list):
        merged[key] = _merge_list(original, value, schema) if _merges(schema) else _settled(value)
    elif isinstance(value, dict) and value.get(_PATCH) == "delete":
        merged.pop(key, None)
    else:
        merged[key] = _settled(value)


def _settled(value: Any) -> Any:
    """A value of the patch as it stands in the result when there is nothing to merge it with."""
    if isinstance(value, dict):
        return {
            key: _settled(inner)
            for key, inner in value.items()
            if inner is not None and not _is_directive(key) and not _is_deletion(inner)
        }
    if isinstance(value, list):
        return [_settled(inner) for inner in value if not (isinstance(inner, dict) and _is_marker(inner))]
    return value


def _is_directive(key: str) -> bool:
    return key.startswith("$") and (key in (_PATCH, _RETAIN_KEYS) or key.startswith((_DELETE, _ORDER)))


def _is_deletion(value: Any) -> bool:
    return isinstance(value, dict) and value.get(_PATCH) == "delete"


def _is_marker(entry: Map) -> bool:
    """An entry of a list that only directs: a deletion, or a lone directive."""
    return entry.get(_PATCH) == "delete" or (_PATCH in entry and len(entry) == 1)


def _merges(schema: Schema) -> bool:
    return "merge" in schema.patch_strategy


def _retain_keys(merged: Map, patch: Map) -> None:
    """Drop what the original has beside the keys that are to be retained (volumes of another kind, say)."""
    if _RETAIN_KEYS not in patch:
        return
    retained = patch[_RETAIN_KEYS]
    fault = BadRequest("invalid patch format of retainKeys")
    if not isinstance(retained, list):
        raise fault
    for key, value in patch.items():
        if value is not None and key not in retained and not _is_directive(key):
            raise fault
    for key in [key for key in merged if key not in retained]:
        del merged[key]


def _delete_entries(merged: Map, key: str, entries: Any, schema: Schema) -> None:
    original = merged.get(key)
    if not key:
        raise BadRequest("invalid patch format of primitive list")
    if isinstance(original, list) and isinstance(entries, list):
        merged[key] = [entry for entry in original if entry not in entries] if _merges(schema.child(key)) else entries


def _list_of(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise PatchFailed(f"expected a []interface {{}}, but received a {go_values.go_type(value)}")
    return value


def _merge_ordered_lists(merged: Map, patch: Map, schema: Schema) -> set[str]:
    """Merge the lists whose order the patch gives; the names of those that need no more merging."""
    done: set[str] = set()
    for directive, order in patch.items():
        if not directive.startswith(_ORDER):
            continue
        key = directive.removeprefix(_ORDER)
        original, wanted, entries = _list_of(merged.get(key)), _list_of(order), _list_of(patch.get(key))
        node = schema.child(key)
        _check_order(entries, wanted, node.merge_key)
        if key in patch:
            both = _merge_list(original, entries, node) if _merges(node) else _settled(entries)
        elif key in merged:
            both = original
        else:
            continue
        merged[key] = _arrange(both, wanted, original, node.merge_key)
        done.add(key)
    return done


def _check_order(entries: list[Any], order: list[Any], merge_key: str) -> None:
    """The entries that the patch keeps must stand in the order list, in the same relative order."""
    if not entries or not order:
        return
    key_of = _keyed(merge_key)
    kept = [key_of(entry) for entry in entries if not (isinstance(entry, dict) and _PATCH in entry)]
    rest = iter([key_of(entry) for entry in order])
    if not all(key in rest for key in kept):
        shown = go_values.show
        raise PatchFailed(
            f"The order in patch list:\n{shown(entries)}\n doesn't match $setElementOrder list:\n{shown(order)}\n"
        )


def _keyed(merge_key: str) -> Callable[[Any], Any]:
    """What tells the entries of a list apart: the merge key's value, or the entry itself."""
    if not merge_key:
        return lambda entry: entry

    def key_of(entry: Any) -> Any:
        if not isinstance(entry, dict):
            raise PatchFailed(f"expected a map[string]interface {{}}, but received a {go_values.go_type(entry)}")
        if merge_key not in entry:
            raise PatchFailed(f"map: {go_values.show(entry)} does not contain declared merge key: {merge_key}")
        return entry[merge_key]

    return key_of


def _merge_list(original: list[Any], patch: list[Any], schema: Schema) -> list[Any]:
    if not original and not patch:
        return original
    if _are_maps(original, patch):
        return _merge_list_of_maps(original, patch, schema)
    merged: list[Any] = []
    for entry in original + patch:
        if entry not in merged:
            merged.append(entry)
    return _arrange(merged, patch, original, "")


def _are_maps(*lists: list[Any]) -> bool:
    """Whether the entries are maps. Raises when they are of several types, or lists themselves."""
    types = {type(entry) for entries in lists for entry in entries}
    if list in types:
        raise Invalid("the server rejected our request due to an error in our request", details={})
    if len(types) > 1:
        raise PatchFailed("list element types are not identical")
    return types == {dict}


def _merge_list_of_maps(original: list[Map], patch: list[Map], schema: Schema) -> list[Map]:
    merge_key = schema.merge_key
    if not merge_key:
        raise PatchFailed(f"cannot merge lists without merge key for {schema.items.name.rpartition('.')[2]}")
    key_of = _keyed(merge_key)
    merged, entries = _apply_markers(original, patch, key_of)
    if entries is None:
        return merged
    places = {_hashable(entry.get(merge_key)): place for place, entry in reversed(list(enumerate(merged)))}
    for entry in entries:
        key = _hashable(key_of(entry))
        place = places.get(key)
        if place is None:
            places[key] = len(merged)
            merged.append(_settled(entry))
        else:
            merged[place] = _merge_map(merged[place], entry, schema.items)
    return _arrange(merged, entries, original, merge_key)


def _hashable(key: Any) -> Any:
    return key if isinstance(key, str | int | float | bool | None) else repr(key)


def _apply_markers(
    original: list[Map], patch: list[Map], key_of: Callable[[Any], Any]
) -> tuple[list[Map], list[Map] | None]:
    """(what is left of the original, the patch's plain entries); None for them when the patch replaces the list."""
    left, entries, replaces = list(original), [], False
    for entry in patch:
        directive = entry.get(_PATCH)
        if _PATCH not in entry:
            entries.append(entry)
        elif directive == "delete":
            key = key_of(entry)
            left = [found for found in left if key_of(found) != key]
        elif directive == "replace":
            replaces = True
        elif directive == "merge":
            raise PatchFailed("merging lists cannot yet be specified in the patch")
        else:
            raise PatchFailed(f"unknown patch type: {go_values.show(directive)} in map: {go_values.show(entry)}")
    return (_settled(entries), None) if replaces else (left, entries)


def _arrange(merged: list[Any], patch_order: list[Any], live_order: list[Any], merge_key: str) -> list[Any]:
    """Entries named in `patch_order` in that order; the others keep theirs, woven in by their place in `live_order`."""
    key_of = _keyed(merge_key)
    wanted = [key_of(entry) for entry in patch_order]
    live = [entry.get(merge_key) if merge_key and isinstance(entry, dict) else entry for entry in live_order]
    ours = sorted((entry for entry in merged if key_of(entry) in wanted), key=lambda e: wanted.index(key_of(e)))
    others = [entry for entry in merged if key_of(entry) not in wanted]
    woven: list[Any] = []
    while ours and others:
        mine, other = key_of(ours[0]), key_of(others[0])
        other_first = mine in live and other in live and live.index(other) < live.index(mine)
        woven.append((others if other_first else ours).pop(0))
    return woven + ours + others
