"""JSON patches (RFC 6902) as upstream's library carries them out, with its liberties, and in its words where one fails.

A map has every key: what is not there is null, so that `replace` sets it, `copy` copies null and an `add` without a
value adds null; only `remove` and `move` need it to be there. Indexes may be negative.
Source: evanphx/json-patch v4, patch.go.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import orjson

from kubepy.api.errors import Invalid
from kubepy.api.go_values import atoi

MAX_COPIED_BYTES: Final = 3 << 20
"""What the copies of one patch may add together, as upstream's AccumulatedCopySizeLimit."""
_REJECTED: Final = "the server rejected our request due to an error in our request"
_MISSING: Final = "missing value"

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
        elif isinstance(kind, str) and kind in _OPERATIONS:
            _OPERATIONS[kind](root, operation)
        else:
            raise Unfit(f"Unexpected kind: {kind if isinstance(kind, str) else 'unknown'}")
    return root[0]


def _pointer(operation: Operation, field: str) -> str:
    pointer = operation.get(field)
    if not isinstance(pointer, str):
        raise Unfit(f"{operation['op']} operation failed to decode {field}: {_MISSING}")
    return pointer


def _find(root: list[Any], pointer: str, told: str) -> Found:
    """The container of what a pointer leads to, and its key there. Raises Unfit, with what is told, without one."""
    first, *tokens = (token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/"))
    place = None if first or not tokens else root[0]
    with suppress(_Fault):
        for token in tokens[:-1]:
            place = _get(place, token)
        if isinstance(place, dict | list):
            return place, tokens[-1]
    raise Unfit(f"{told}: {_MISSING}")


@contextmanager
def _told(what: str) -> Iterator[None]:
    """A fault of a container is told as the operation's."""
    try:
        yield
    except _Fault as fault:
        raise Unfit(f"{what}: {fault}") from fault


def _index(key: str, told: str = "") -> int:
    try:
        return atoi(key)
    except ValueError as fault:
        raise _Fault(f"{told}{fault}") from fault


def _at(index: int, size: int) -> int:
    if not -size <= index < size:
        raise _Fault(f"Unable to access invalid index: {index}: invalid index referenced")
    return index % size


def _get(place: Any, key: str) -> Any:
    if isinstance(place, list):
        return place[_at(_index(key), len(place))]
    if not isinstance(place, dict):
        raise _Fault
    return place.get(key)


def _insert(place: Any, key: str, value: Any) -> None:
    if isinstance(place, dict):
        place[key] = value
    elif key == "-":
        place.append(value)
    else:
        index = _index(key, f"value was not a proper array index: '{key}': ")
        place.insert(_at(index, len(place) + 1), value)


def _take(place: Any, key: str) -> Any:
    if isinstance(place, list):
        return place.pop(_at(_index(key), len(place)))
    if key not in place:
        raise _Fault(f"Unable to remove nonexistent key: {key}: {_MISSING}")
    return place.pop(key)


def _value(operation: Operation) -> Any:
    return copy.deepcopy(operation.get("value"))


def _add(root: list[Any], operation: Operation) -> None:
    path = _pointer(operation, "path")
    found = _find(root, path, f'add operation does not apply: doc is missing path: "{path}"')
    with _told(f"error in add for path: '{path}'"):
        _insert(*found, _value(operation))


def _remove(root: list[Any], operation: Operation) -> None:
    path = _pointer(operation, "path")
    found = _find(root, path, f'remove operation does not apply: doc is missing path: "{path}"')
    with _told(f"error in remove for path: '{path}'"):
        _take(*found)


def _replace(root: list[Any], operation: Operation) -> None:
    path = _pointer(operation, "path")
    value = _value(operation)
    if path == "":
        if not isinstance(value, dict | list):
            raise Unfit("replace operation value must be object or array: %!w(<nil>)")
        root[0] = value
        return
    holder, key = _find(root, path, f"replace operation does not apply: doc is missing path: {path}")
    if isinstance(holder, dict):
        holder[key] = value
        return
    try:
        holder[_at(_index(key), len(holder))] = value
    except _Fault as fault:
        raise Unfit(f"replace operation does not apply: doc is missing key: {path}: {_MISSING}") from fault


def _move(root: list[Any], operation: Operation) -> None:
    source = _pointer(operation, "from")
    holder, key = _find(root, source, f"move operation does not apply: doc is missing from path: {source}")
    with _told(f"error in move for path: '{key}'"):
        value = _take(holder, key)
    path = _pointer(operation, "path")
    target = _find(root, path, f"move operation does not apply: doc is missing destination path: {path}")
    with _told(f"error in move for path: '{path}'"):
        _insert(*target, value)


def _copy(root: list[Any], operation: Operation) -> int:
    """How many bytes it has added."""
    source = _pointer(operation, "from")
    found = _find(root, source, f"copy operation does not apply: doc is missing from path: {source}")
    with _told(f"error in copy for from: '{source}'"):
        value = _get(*found)
    path = _pointer(operation, "path")
    target = _find(root, path, f"copy operation does not apply: doc is missing destination path: {path}")
    try:
        added = len(orjson.dumps(value))
    except orjson.JSONEncodeError as fault:  # copies of copies are nested too deeply to be written
        raise Unfit("error while performing deep copy: exceeded max depth") from fault
    with _told("error while adding value during copy"):
        _insert(*target, copy.deepcopy(value))
    return added


def _test(root: list[Any], operation: Operation) -> None:
    """The value must be equal; a test for null is met by absence too."""
    path = _pointer(operation, "path")
    if path == "":
        value = root[0]
    else:
        found = _find(root, path, f"test operation does not apply: is missing path: {path}")
        with _told(f"error in test for path: '{path}'"):
            value = _get(*found)
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
