"""What it takes to validate a kind: the pure rules that its module puts into its RULES table.

`create` sees an object with its defaults; `update`, `status` and the `subresources` see (new, old). Each answers all
faults that it finds, in upstream's order, and changes nothing. The engine picks the rule by the request's subresource.
Import `Rules` from here: registry.py imports every module that has a RULES table, so those cannot import it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kubepy.api.errors import FieldError
from kubepy.api.meta import Object

CreateRule = Callable[[Object], list[FieldError]]
UpdateRule = Callable[[Object, Object], list[FieldError]]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one kind. `status` is None where the kind has no status subresource."""

    create: CreateRule
    update: UpdateRule
    status: UpdateRule | None = None
    subresources: Mapping[str, UpdateRule] = field(default_factory=dict)
    """Rules of further subresources that take the whole object: ephemeralcontainers, resize, approval, ..."""
