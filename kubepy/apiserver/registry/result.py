"""What a verb answers, before it is put into a form."""

from dataclasses import dataclass

from kubepy.api.meta import Object
from kubepy.api.resources import Resource


@dataclass(slots=True)
class Result:
    """One object: `data` are stored bytes (at the storage version), `obj` one that is not stored (a dry run, a Status).

    `resource` says what an `obj` of another kind than the request's is (Scale, Status): None then means no Table.
    """

    status: int = 200
    data: bytes | None = None
    obj: Object | None = None
    foreign: bool = False
    resource: Resource | None = None
