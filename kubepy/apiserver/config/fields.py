"""How a field of the API server's configuration is at once a flag of its command line."""

from dataclasses import field
from typing import Any

from kubepy.lib.flags import Flag, Kind


def flag_field(name: str, kind: Kind, default: Any, text: str, *, parsed: Any = None) -> Any:
    """A field that is the flag `name`; `parsed` is the default as the field has it, where that is not the text."""
    metadata = {"flag": Flag(name, kind, default, text)}
    if parsed is not None:
        return field(default=parsed, metadata=metadata)
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    if isinstance(default, list):
        return field(default=tuple(default), metadata=metadata)
    return field(default=default, metadata=metadata)
