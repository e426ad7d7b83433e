"""What a printer is made of: columns with upstream's names, types and priorities, and a function from object to cells.

A cell is text, a number or a truth value; every row has exactly one cell a column. Columns of priority 1 are those
that kubectl shows with `-o wide` only; the server always sends them.
Source: pkg/printers (TableHandler), meta.k8s.io/v1 TableColumnDefinition.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from kubepy.api import definitions
from kubepy.api.meta import Object

Cells = list[Any]


@cache
def _documentation(field: str) -> str:
    """What the API says of a field of metadata."""
    return str(definitions.raw_definition(definitions.META + "ObjectMeta")["properties"][field]["description"])


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `format` is `name` for the one that names the object.

    What shows a field of metadata and has no description is described as the field, which is `documented`.
    """

    name: str
    description: str
    type: str = "string"
    format: str = ""
    priority: int = 0
    documented: str = ""

    def definition(self) -> dict[str, Any]:
        """The TableColumnDefinition on the wire."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description or (_documentation(self.documented) if self.documented else ""),
            "priority": self.priority,
        }


@dataclass(frozen=True, slots=True)
class Printer:
    """How one kind is shown. `conditions` are the row's own, `order` sorts a list's rows where upstream does."""

    columns: tuple[Column, ...]
    cells: Callable[[Object, datetime], Cells]
    conditions: Callable[[Object], list[dict[str, str]]] | None = None
    order: Callable[[Object], Any] | None = None


Printers = dict[tuple[str, str], Printer]
"""By (group, kind)."""

NAME = Column("Name", "", format="name", documented="name")
AGE = Column("Age", "", documented="creationTimestamp")
CONTAINERS = Column("Containers", "Names of each container in the template.", priority=1)
IMAGES = Column("Images", "Images referenced by each container in the template.", priority=1)
SELECTOR = Column("Selector", "The label query over the pods that this object manages.", priority=1)
STATUS = Column("Status", "The current state of the object.")


def number(name: str, description: str) -> Column:
    """A column of whole numbers."""
    return Column(name, description, type="integer")


def truth(name: str, description: str) -> Column:
    """A column of truth values."""
    return Column(name, description, type="boolean")


def wide(name: str, description: str) -> Column:
    """A text column for `-o wide`."""
    return Column(name, description, priority=1)
