"""From client-side to server-side apply: what kubectl applied before, as its annotation tells, is kubectl's to change.

`kubectl apply` keeps the configuration that it applied in an annotation, and its fields belong to who wrote them then.
When "kubectl" applies such an object on the server, those owners are dropped, what it would only take from itself is
no conflict, and the annotation follows. Any other manager opts out of this. Pure.

Source: apimachinery pkg/util/managedfields/internal (lastappliedmanager.go, lastappliedupdater.go).
"""

from collections.abc import Callable
from typing import Any, Final

import orjson

from kubepy.api import field_sets, typed_values
from kubepy.api.apply import Applied, ApplyConflict
from kubepy.api.definitions import Schema
from kubepy.api.field_sets import FieldSet
from kubepy.api.managed_fields import comparable, entries_of, fields_of
from kubepy.api.meta import Object

KUBECTL: Final = "kubectl"
ANNOTATION: Final = "kubectl.kubernetes.io/last-applied-configuration"
_ANNOTATIONS_AT_MOST: Final = 256 * 1024
Run = Callable[[Object, bool], Applied]
"""Applies to a live object, by force or not. Raises ApplyConflict."""


def apply_as_kubectl(run: Run, live: Object, config: Object, *, schema: Schema, force: bool) -> Object:
    """The object that `run` makes of `live`. Raises ApplyConflict for what was never kubectl's."""
    try:
        made = _forget_client_side(run(live, force).object)
    except ApplyConflict as conflict:
        left = conflict.beyond(_applied_before(live, schema, config.get("apiVersion") or ""))
        if left is not None:
            raise left from conflict
        made = run(_forget_client_side(live), True).object
    return _with_annotation(made, config)


def _annotation_of(obj: Object) -> str:
    return ((obj.get("metadata") or {}).get("annotations") or {}).get(ANNOTATION) or ""


def _forget_client_side(obj: Object) -> Object:
    """Without those who own the annotation: they applied on the client."""
    kept = [entry for entry in entries_of(obj) if not _owns_annotation(entry)]
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": {**meta, **({"managedFields": kept} if kept else {})}}


def _owns_annotation(entry: Object) -> bool:
    node: Any = fields_of(entry) or {}
    for element in ("f:metadata", "f:annotations", f"f:{ANNOTATION}"):
        node = node.get(element)
        if node is None:
            return False
    return True


def _applied_before(live: Object, schema: Schema, api_version: str) -> FieldSet | None:
    """The fields that were applied on the client and are as they were applied; None where that cannot be told."""
    try:
        before = orjson.loads(_annotation_of(live))
        if not isinstance(before, dict) or before.get("apiVersion") != api_version:
            return None
        typed_values.check(schema, before)
    except (orjson.JSONDecodeError, typed_values.Untyped):
        return None
    changed, removed = typed_values.compare(schema, before, comparable(live))
    return field_sets.difference(typed_values.set_of(schema, before), field_sets.union(changed, removed))


def _with_annotation(obj: Object, config: Object) -> Object:
    """The object whose annotation, if it has one, tells of this configuration; one that grows too large goes."""
    if not _annotation_of(obj):
        return obj
    meta = dict(config.get("metadata") or {})
    meta["annotations"] = {key: text for key, text in (meta.get("annotations") or {}).items() if key != ANNOTATION}
    told = orjson.dumps({**config, "metadata": meta}, option=orjson.OPT_SORT_KEYS).decode() + "\n"
    annotations = {**obj["metadata"]["annotations"], ANNOTATION: told}
    if sum(len(key) + len(text) for key, text in annotations.items()) > _ANNOTATIONS_AT_MOST:
        del annotations[ANNOTATION]
    return {**obj, "metadata": {**obj["metadata"], "annotations": annotations}}
