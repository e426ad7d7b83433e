"""JSON patches (RFC 6902) as upstream's library carries them out, with its liberties, and in its words where one fails.

A map has every key: what is not there is null, so that `replace` sets it, `copy` copies null and an `add` without a
value adds null; only `remove` and `move` need it to be there. Indexes may be negative.
Source: evanphx/json-patch v4, patch.go.
"""

import copy
import re
from typing import Any, Final

import orjson

from kubepy.api.errors import Invalid

MAX_COPIED_BYTES: Final = 3 << 20
"""What the copies of one patch may add together, as upstream's AccumulatedCopySizeLimit."""
_REJECTED: Final = "the server rejected our request due to an error in our request"
_MISSING: Final = "missing value"
_INDEX = re.compile(r"[+-]?[0-9]+")

Operation = dict[str, Any]
Found = tuple[dict[str, Any] | list[Any], str]


class Unfit(Invalid):
    """The 422 for a patch that cannot be carried out on this object, of which upstream says no more than that.

    `why` are the library's words, which admission tells.
    """

    def __init__(self, why: str = "", *, is_test: bool = False) -> None:
        super().__init__(_REJECTED, details={})
        self.why = why
        self.is_test = is_test
        """Whether only a test failed."""


class _Fault(Exception):
    """A container that does not have what is asked of it."""


def json_patch(document: Any, operations: list[Operation]) -> Any:
    """The document after all operations. Raises Unfit when one does not fit or a test fails."""
    root = [copy.deepcopy(document)]
    copied = 0
    for operation in operations:
        kind = operation.get("op")
        if kind == "copy":
            copied += _copy(root, operation)
            if copied > MAX_COPIED_BYTES:
                why = f"the accumulated size increase of copy is {copied}, exceeding the limit {MAX_COPIED_BYTES}"
                raise Unfit(f"Unable to complete the copy, {why}")
        elif kind in _OPERATIONS:
            _OPERATIONS[kind](root, operation)
        else:
            raise Unfit(f"Unexpected kind: {kind or 'unknown'}")
    return root[0]


def _pointer(operation: Operation, field: str, why: str = _MISSING) -> str:
    pointer = operation.get(field)
    if not isinstance(pointer, str):
        raise Unfit(f"{operation['op']} operation failed to decode {field}: {why}")
    return pointer


def _find(root: list[Any], pointer: str) -> Found | None:
    """The container of what a pointer leads to, and its key there; None when there is no such container."""
    first, *tokens = (token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/"))
    place = root[0]
    if first or not tokens:
        return None
    for token in tokens[:-1]:
        try:
            place = _get(place, token)
        except _Fault:
            return None
    return (place, tokens[-1]) if isinstance(place, dict | list) else None


def _at(index: str, size: int) -> int:
    if not _INDEX.fullmatch(index) or len(index) > 18:
        raise _Fault(f'strconv.Atoi: parsing "{index}": invalid syntax')
    at = int(index)
    if not -size <= at < size:
        raise _Fault(f"Unable to access invalid index: {at}: invalid index referenced")
    return at % size


def _get(place: Any, key: str) -> Any:
    if isinstance(place, list):
        return place[_at(key, len(place))]
    if not isinstance(place, dict):
        raise _Fault
    return place.get(key)


def _insert(place: Any, key: str, value: Any) -> None:
    if isinstance(place, dict):
        place[key] = value
    elif key == "-":
        place.append(value)
    elif _INDEX.fullmatch(key):
        place.insert(_at(key, len(place) + 1), value)
    else:
        raise _Fault(f"value was not a proper array index: '{key}': strconv.Atoi: parsing \"{key}\": invalid syntax")


def _take(place: Any, key: str) -> Any:
    if isinstance(place, list):
        return place.pop(_at(key, len(place)))
    if key not in place:
        raise _Fault(f"Unable to remove nonexistent key: {key}: {_MISSING}")
    return place.pop(key)


def _value(operation: Operation) -> Any:
    return copy.deepcopy(operation.get("value"))


def _add(root: list[Any], operation: Operation) -> None:
    path = _pointer(operation, "path")
    if (found := _find(root, path)) is None:
        raise Unfit(f'add operation does not apply: doc is missing path: "{path}": {_MISSING}')
    try:
        _insert(*found, _value(operation))
    except _Fault as fault:
        raise Unfit(f"error in add for path: '{path}': {fault}") from fault


def _remove(root: list[Any], operation: Operation) -> None:
    path = _pointer(operation, "path")
    if (found := _find(root, path)) is None:
        raise Unfit(f'remove operation does not apply: doc is missing path: "{path}": {_MISSING}')
    try:
        _take(*found)
    except _Fault as fault:
        raise Unfit(f"error in remove for path: '{path}': {fault}") from fault


def _replace(root: list[Any], operation: Operation) -> None:
    path = _pointer(operation, "path")
    value = _value(operation)
    if path == "":
        if not isinstance(value, dict | list):
            raise Unfit("replace operation value must be object or array: %!w(<nil>)")
        root[0] = value
        return
    if (found := _find(root, path)) is None:
        raise Unfit(f"replace operation does not apply: doc is missing path: {path}: {_MISSING}")
    holder, key = found
    if isinstance(holder, dict):
        holder[key] = value
        return
    try:
        holder[_at(key, len(holder))] = value
    except _Fault as fault:
        raise Unfit(f"replace operation does not apply: doc is missing key: {path}: {_MISSING}") from fault


def _move(root: list[Any], operation: Operation) -> None:
    source = _pointer(operation, "from")
    if (found := _find(root, source)) is None:
        raise Unfit(f"move operation does not apply: doc is missing from path: {source}: {_MISSING}")
    try:
        value = _take(*found)
    except _Fault as fault:
        raise Unfit(f"error in move for path: '{found[1]}': {fault}") from fault
    path = _pointer(operation, "path")
    if (place := _find(root, path)) is None:
        raise Unfit(f"move operation does not apply: doc is missing destination path: {path}: {_MISSING}")
    try:
        _insert(*place, value)
    except _Fault as fault:
        raise Unfit(f"error in move for path: '{path}': {fault}") from fault


def _copy(root: list[Any], operation: Operation) -> int:
    """How many bytes it has added."""
    source = _pointer(operation, "from")
    if (found := _find(root, source)) is None:
        raise Unfit(f"copy operation does not apply: doc is missing from path: {source}: {_MISSING}")
    try:
        value = _get(*found)
    except _Fault as fault:
        raise Unfit(f"error in copy for from: '{source}': {fault}") from fault
    path = _pointer(operation, "path")
    if (place := _find(root, path)) is None:
        raise Unfit(f"copy operation does not apply: doc is missing destination path: {path}: {_MISSING}")
    try:
        added = len(orjson.dumps(value))
        _insert(*place, copy.deepcopy(value))
    except orjson.JSONEncodeError as fault:  # copies of copies are nested too deeply to be written
        raise Unfit("error while performing deep copy: exceeded max depth") from fault
    except _Fault as fault:
        raise Unfit(f"error while adding value during copy: {fault}") from fault
    return added


def _test(root: list[Any], operation: Operation) -> None:
    """The value must be equal; a test for null is met by absence too."""
    path = _pointer(operation, "path")
    if path == "":
        value = root[0]
    elif (found := _find(root, path)) is None:
        raise Unfit(f"test operation does not apply: is missing path: {path}: {_MISSING}")
    else:
        try:
            value = _get(*found)
        except _Fault as fault:
            raise Unfit(f"error in test for path: '{path}': {fault}") from fault
    if not is_same(value, operation.get("value")):
        raise Unfit(f"testing value {path} failed: test failed", is_test=True)


def is_same(left: Any, right: Any) -> bool:
    """JSON equality: true is not 1, and 1 is not 1.0 (as upstream compares the texts)."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(is_same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_same, left, right))
    return type(left) is type(right) and bool(left == right)


_OPERATIONS: Final = {"add": _add, "move": _move, "remove": _remove, "replace": _replace, "test": _test}
