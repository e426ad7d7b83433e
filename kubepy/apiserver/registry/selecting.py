"""Which fields a resource can be selected by.

Source: the AddFieldLabelConversionFunc calls of pkg/apis/*/*/conversion.go.
"""

from kubepy.api.errors import BadRequest
from kubepy.api.meta import Object
from kubepy.api.selectors import EVERY_FIELD, FieldSelector
from kubepy.apiserver.registry.served import Served

_META = ("metadata.name", "metadata.namespace")


def check_fields(served: Served, fields: FieldSelector) -> None:
    """Raises BadRequest on a field that objects of this kind cannot be selected by."""
    selectable = served.strategy.selectable if served.custom is None else served.custom.selectable
    for term in fields.terms:
        if term.field not in _META and term.field not in selectable:
            raise BadRequest(_unsupported(served, term.field))


def split_fields(served: Served, fields: FieldSelector) -> tuple[FieldSelector, FieldSelector]:
    """What the cache can select by, and what can only be told once a webhook has converted the objects."""
    if served.converter is None or not served.converts or fields.is_everything:
        return fields, EVERY_FIELD
    early = tuple(term for term in fields.terms if term.field in _META)
    late = tuple(term for term in fields.terms if term.field not in _META)
    return FieldSelector(early), FieldSelector(late)


def matches_late(served: Served, late: FieldSelector, obj: Object) -> bool:
    """Whether a converted object is selected."""
    return late.is_everything or served.custom is None or late.matches(served.custom.selected(obj))


def _unsupported(served: Served, field: str) -> str:
    if served.strategy.selectable or served.custom is not None:
        return f"field label not supported: {field}"
    return f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'
