"""Which fields a resource can be selected by.

Source: the AddFieldLabelConversionFunc calls of pkg/apis/*/*/conversion.go.
"""

from kubepy.api.errors import BadRequest
from kubepy.api.selectors import FieldSelector
from kubepy.apiserver.registry.served import Served

_META = ("metadata.name", "metadata.namespace")


def check_fields(served: Served, fields: FieldSelector) -> None:
    """Raises BadRequest on a field that objects of this kind cannot be selected by."""
    selectable = served.strategy.selectable if served.custom is None else served.custom.selectable
    for term in fields.terms:
        if term.field not in _META and term.field not in selectable:
            raise BadRequest(_unsupported(served, term.field))


def _unsupported(served: Served, field: str) -> str:
    if served.strategy.selectable or served.custom is not None:
        return f"field label not supported: {field}"
    return f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'
