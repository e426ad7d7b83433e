"""JSON patch (RFC 6902) and merge patch (RFC 7386), and how patches of all kinds fail.

Pure: documents go in unharmed, new ones come out. What is refused is refused with upstream's code and text: a patch
that is no patch is a 400, one that does not fit the object a 422. Strategic merge is in strategic_merge.py and is
offered here by its contract's name.

Source: apiserver pkg/endpoints/handlers/patch.go; the behaviour of evanphx/json-patch v4, negative indexes included.
"""

import copy
from typing import Any, Final

import orjson

from kubepy.api.errors import BadRequest, Invalid, RequestEntityTooLarge, invalid, invalid_object
from kubepy.api.go_values import json_type
from kubepy.api.json_text import parse_json
from kubepy.api.strategic_merge import strategic_merge

__all__ = ["json_patch", "merge_patch", "parse_json_patch", "parse_object_patch", "strategic_merge", "unfit"]

MAX_OPERATIONS: Final = 10_000
MAX_COPIED_BYTES: Final = 3 << 20
"""What the copies of one patch may add together, as upstream's AccumulatedCopySizeLimit."""
_REJECTED: Final = "the server rejected our request due to an error in our request"


def rejected() -> Invalid:
    """The 422 for a patch that cannot be carried out on this object; upstream says no more than that."""
    return Invalid(_REJECTED, details={})


def unfit(shown: str, fault: str) -> Invalid:
    """The 422 for a patch that does not leave an object of its kind; `fault` is what decoding that complained of."""
    why = fault.partition(" cannot be handled as a ")[2].partition(": ")[2] or fault
    return invalid_object("", "", "", [invalid("patch", shown, why)])


def _parse(raw: bytes) -> Any:
    try:
        return parse_json(raw)
    except ValueError as fault:
        raise BadRequest(f"error decoding patch: {fault}") from fault


def parse_object_patch(raw: bytes) -> dict[str, Any]:
    """The body of a merge or strategic merge patch. Raises BadRequest."""
    patch = _parse(raw)
    if not isinstance(patch, dict):
        kind = "map[string]interface {}"
        raise BadRequest(
            f"error decoding patch: json: cannot unmarshal {json_type(patch)} into Go value of type {kind}"
        )
    return patch


def parse_json_patch(raw: bytes) -> list[dict[str, Any]]:
    """The operations of a JSON patch. Raises BadRequest, or RequestEntityTooLarge for more than upstream takes."""
    patch = _parse(raw)
    if patch is None:
        return []
    if not isinstance(patch, list):
        raise BadRequest(f"json: cannot unmarshal {json_type(patch)} into Go value of type jsonpatch.Patch")
    for operation in patch:
        if not isinstance(operation, dict):
            kind = "jsonpatch.Operation"
            raise BadRequest(f"json: cannot unmarshal {json_type(operation)} into Go value of type {kind}")
    if len(patch) > MAX_OPERATIONS:
        raise RequestEntityTooLarge(
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(patch)}"
        )
    return patch


def merge_patch(document: Any, patch: Any) -> Any:
    """RFC 7386: null removes, objects merge, everything else replaces.

    Shares unchanged parts with `document`, but none with `patch`, which may be applied again after a lost race.
    """
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(document: Any, operations: list[dict[str, Any]]) -> Any:
    """RFC 6902. Raises Invalid when an operation does not fit or a test fails."""
    root = [copy.deepcopy(document)]  # the document as the one entry of a list: its root can be replaced as any place
    copied = 0
    for operation in operations:
        if operation.get("op") == "copy":
            copied += _copied_bytes(root, operation)
            if copied > MAX_COPIED_BYTES:
                raise rejected()
        apply = _OPERATIONS.get(operation.get("op") or "")
        if apply is None:
            raise rejected()
        apply(root, operation)
    return root[0]


def misfit(document: Any, operations: list[dict[str, Any]]) -> dict[str, Any]:
    """The first operation that does not fit, of some of which one does not."""
    for operation in operations:
        try:
            document = json_patch(document, [operation])
        except Invalid:
            return operation
    raise ValueError("every operation fits")


def _path(operation: dict[str, Any], field: str) -> list[str]:
    """The pointer's tokens, below the list that holds the document."""
    pointer = operation.get(field)
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise rejected()
    return ["0", *(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])]


def _holder(root: list[Any], tokens: list[str]) -> Any:
    """The container that the last token is looked up in."""
    place: Any = root
    for token in tokens[:-1]:
        place = _look(place, token)
    if not isinstance(place, dict | list):
        raise rejected()
    return place


def _index(token: str, size: int) -> int:
    """The index into a list of `size`; negative ones count from the end, as upstream lets them."""
    digits = token.removeprefix("-")
    if not digits.isdecimal() or not digits.isascii() or (digits != "0" and digits.startswith("0")):
        raise rejected()
    index = int(token)
    if not -size <= index < size:
        raise rejected()
    return index % size


def _look(place: Any, token: str) -> Any:
    if isinstance(place, dict):
        if token not in place:
            raise rejected()
        return place[token]
    if isinstance(place, list):
        return place[_index(token, len(place))]
    raise rejected()


def _insert(place: Any, token: str, value: Any) -> None:
    if isinstance(place, dict):
        place[token] = value
    elif token == "-":
        place.append(value)
    else:
        place.insert(_index(token, len(place) + 1), value)


def _take(place: Any, token: str) -> Any:
    _look(place, token)
    return place.pop(token) if isinstance(place, dict) else place.pop(_index(token, len(place)))


def _value(operation: dict[str, Any]) -> Any:
    if "value" not in operation:
        raise rejected()
    return copy.deepcopy(operation["value"])


def _add(root: list[Any], operation: dict[str, Any]) -> None:
    tokens = _path(operation, "path")
    if len(tokens) == 1:
        root[0] = _value(operation)
    else:
        _insert(_holder(root, tokens), tokens[-1], _value(operation))


def _remove(root: list[Any], operation: dict[str, Any]) -> None:
    tokens = _path(operation, "path")
    if len(tokens) == 1:
        raise rejected()
    _take(_holder(root, tokens), tokens[-1])


def _replace(root: list[Any], operation: dict[str, Any]) -> None:
    tokens = _path(operation, "path")
    holder = _holder(root, tokens)
    _look(holder, tokens[-1])
    holder[tokens[-1] if isinstance(holder, dict) else _index(tokens[-1], len(holder))] = _value(operation)


def _move(root: list[Any], operation: dict[str, Any]) -> None:
    source, target = _path(operation, "from"), _path(operation, "path")
    if len(source) == 1 or len(target) == 1 or target[: len(source)] == source != target:
        raise rejected()
    value = _take(_holder(root, source), source[-1])
    _insert(_holder(root, target), target[-1], value)


def _copied_bytes(root: list[Any], operation: dict[str, Any]) -> int:
    source = _path(operation, "from")
    try:
        return len(orjson.dumps(_look(_holder(root, source), source[-1])))
    except orjson.JSONEncodeError as fault:  # copies of copies are nested too deeply to be written
        raise rejected() from fault


def _copy(root: list[Any], operation: dict[str, Any]) -> None:
    source, target = _path(operation, "from"), _path(operation, "path")
    value = copy.deepcopy(_look(_holder(root, source), source[-1]))
    if len(target) == 1:
        root[0] = value
    else:
        _insert(_holder(root, target), target[-1], value)


def _test(root: list[Any], operation: dict[str, Any]) -> None:
    """The value must be there and equal; a test for null is met by absence too."""
    tokens = _path(operation, "path")
    wanted = operation.get("value")
    holder = _holder(root, tokens)
    found = holder.get(tokens[-1]) if wanted is None and isinstance(holder, dict) else _look(holder, tokens[-1])
    if not is_same(found, wanted):
        raise rejected()


def is_same(left: Any, right: Any) -> bool:
    """JSON equality: true is not 1, and 1 is not 1.0 (as upstream compares the texts)."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(is_same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_same, left, right))
    return type(left) is type(right) and bool(left == right)


_OPERATIONS: Final = {
    "add": _add, "copy": _copy, "move": _move, "remove": _remove, "replace": _replace, "test": _test,
}  # fmt: skip
