"""How defaults are written into an object: only where the user said nothing (absent, null or empty text)."""

from collections.abc import Callable
from typing import Any

from kubepy.api.meta import Object

Defaults = dict[tuple[str, str, str], Callable[[Object], None]]
"""By (group, version, kind); each changes the object in place, a second time without effect."""


def set_default(holder: Object, field: str, value: Any) -> None:
    """Sets a field that is absent, null or empty text."""
    if holder.get(field) in (None, ""):
        holder[field] = value


def child(holder: Object, field: str) -> Object:
    """The object at a field; made where it is absent or null."""
    found: Object | None = holder.get(field)
    if found is None:
        found = holder[field] = {}
    return found
