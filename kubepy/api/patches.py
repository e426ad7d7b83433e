"""Reads patches; merge patch (RFC 7386); how patches of all kinds fail.

Pure: documents go in unharmed, new ones come out. What is refused is refused with upstream's code and text: a patch
that is no patch is a 400, one that does not fit the object a 422. JSON patch and strategic merge are in files of their
own and are offered here by their contracts' names.

Source: apiserver pkg/endpoints/handlers/patch.go.
"""

import copy
from typing import Any, Final

from kubepy.api.errors import BadRequest, Invalid, RequestEntityTooLarge, invalid, invalid_object
from kubepy.api.go_values import json_type
from kubepy.api.json_patches import json_patch
from kubepy.api.json_text import parse_json
from kubepy.api.strategic_merge import strategic_merge

__all__ = ["json_patch", "merge_patch", "parse_json_patch", "parse_object_patch", "strategic_merge", "unfit"]

MAX_OPERATIONS: Final = 10_000


def unfit(shown: str, fault: str) -> Invalid:
    """The 422 for a patch that does not leave an object of its kind; `fault` is what decoding that complained of."""
    return invalid_object("", "", "", [invalid("patch", shown, decoders_words(fault))])


def decoders_words(fault: str) -> str:
    """What decoding complained of, without what a body would be refused with."""
    return fault.partition(" cannot be handled as a ")[2].partition(": ")[2] or fault


def _parse(raw: bytes) -> Any:
    try:
        return parse_json(raw)
    except ValueError as fault:
        raise BadRequest(f"error decoding patch: {fault}") from fault


def parse_object_patch(raw: bytes, *, is_merge: bool = False) -> dict[str, Any]:
    """The body of a merge or strategic merge patch; null is a strategic one of nothing. Raises BadRequest."""
    patch = _parse(raw)
    if patch is None:
        if is_merge:
            raise BadRequest("Invalid JSON Patch")
        return {}
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
