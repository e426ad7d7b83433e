"""What a verb answers, before it is put into a form."""

from dataclasses import dataclass

from kubepy.api.meta import Object
from kubepy.api.printing.columns import Printer
from kubepy.api.resources import Resource


@dataclass(slots=True)
class Result:
    """One object: `data` are stored bytes (at the storage version), `obj` one that is not stored (a dry run, a Status).

    `foreign` is an `obj` of another kind than the request's (Scale, Status); `resource`, and `printer` where it is not
    that kind's own, say what it is as a Table: None means that it has no other form (Status).
    """

    status: int = 200
    data: bytes | None = None
    obj: Object | None = None
    foreign: bool = False
    resource: Resource | None = None
    printer: Printer | None = None
