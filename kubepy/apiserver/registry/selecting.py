"""Which fields a resource can be selected by, and by which names.

A kind that names fields of its own, and a custom one, is selected by namespace only if it has one; every other kind by
both, whatever it is. Events go by other names in events.k8s.io than in the core group.
Source: the AddFieldLabelConversionFunc calls of pkg/apis/*/*/conversion.go; apimachinery pkg/runtime/converter.go.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from kubepy.api.errors import BadRequest
from kubepy.api.meta import Object
from kubepy.api.selectors import EVERY_FIELD, FieldSelector
from kubepy.apiserver.registry.served import Served

_NAME, _NAMESPACE = "metadata.name", "metadata.namespace"
_OF_REGARDING = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_RENAMED: Final[Mapping[tuple[str, str], Mapping[str, str]]] = {
    ("", "Pod"): {"spec.host": "spec.nodeName"},
    ("events.k8s.io", "Event"): {
        **{f"regarding.{field}": f"involvedObject.{field}" for field in _OF_REGARDING},
        "reportingController": "reportingComponent",
        "reason": "reason",
        "type": "type",
    },
}
_ONLY_RENAMED: Final = frozenset({("events.k8s.io", "Event")})
"""Kinds that are selected by these names and no others."""
_REFUSALS: Final[Mapping[tuple[str, str], str]] = {
    ("batch", "Job"): 'field label "{}" not supported for Job',
    ("resource.k8s.io", "ResourceSlice"): "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: {}",
}


def known_fields(served: Served, fields: FieldSelector) -> FieldSelector:
    """The selector by the names that the cache goes by. Raises BadRequest on a field that nothing is selected by."""
    if fields.is_everything:
        return fields
    return FieldSelector(tuple(replace(term, field=_known(served, term.field)) for term in fields.terms))


def split_fields(served: Served, fields: FieldSelector) -> tuple[FieldSelector, FieldSelector]:
    """What the cache can select by, and what can only be told once a webhook has converted the objects."""
    if served.converter is None or not served.converts or fields.is_everything:
        return fields, EVERY_FIELD
    early = tuple(term for term in fields.terms if term.field in (_NAME, _NAMESPACE))
    late = tuple(term for term in fields.terms if term.field not in (_NAME, _NAMESPACE))
    return FieldSelector(early), FieldSelector(late)


def matches_late(served: Served, late: FieldSelector, obj: Object) -> bool:
    """Whether a converted object is selected."""
    return late.is_everything or served.custom is None or late.matches(served.custom.selected(obj))


def _known(served: Served, field: str) -> str:
    row = served.resource
    own = served.strategy.selectable if served.custom is None else served.custom.selectable
    kind = (row.group, row.kind)
    has_own = bool(own) or served.custom is not None
    if field == _NAME or (field == _NAMESPACE and (row.namespaced or not has_own)):
        return field
    found = _RENAMED.get(kind, {}).get(field)
    if found is not None:
        return found
    if field in own and kind not in _ONLY_RENAMED:
        return field
    if has_own:
        raise BadRequest(_REFUSALS.get(kind, "field label not supported: {}").format(field))
    raise BadRequest(f'"{field}" is not a known field selector: only "{_NAME}", "{_NAMESPACE}"')
