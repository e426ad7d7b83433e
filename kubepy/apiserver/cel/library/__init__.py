"""Functions of CEL, one library a file, as Kubernetes brings them; `registry` says how one is made."""

from functools import cache
from importlib import import_module
from typing import Final

_LIBRARIES: Final = (
    "authorizer", "conversions", "formats", "list_extensions", "lists", "net", "optionals", "patches", "quantities",
    "regexes", "semvers", "sets", "strings", "times", "urls",
)  # fmt: skip


@cache
def load() -> None:
    """Registers the functions of all libraries, once."""
    for name in _LIBRARIES:
        import_module(f"{__name__}.{name}")
