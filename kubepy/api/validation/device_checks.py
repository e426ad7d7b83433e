"""What the rules of claims, classes and slices of devices have in common.

Source: pkg/apis/resource/validation/validation.go.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kubepy.api import names
from kubepy.api.errors import FieldError, duplicate, too_long, too_many
from kubepy.api.meta import Object
from kubepy.api.validation.checks import checked, duplicates, named, one_of_required

EFFECTS = ("NoExecute", "NoSchedule", "None")

ItemRule = Callable[[Any, str], list[FieldError]]


def each(items: Sequence[Any] | None, path: str, most: int, rule: ItemRule) -> list[FieldError]:
    """Faults of every item; of too many items, that alone."""
    items = items or ()
    if len(items) > most:
        return [too_many(path, len(items), most)]
    return [fault for index, item in enumerate(items) for fault in rule(item, f"{path}[{index}]")]


def unique(values: Iterable[Any], path: str) -> list[FieldError]:
    """A fault at each value that was there before."""
    values = list(values)
    return [duplicate(f"{path}[{index}]", values[index]) for index in duplicates(values)]


def driver(name: str | None, path: str) -> list[FieldError]:
    """Faults of the name of a driver."""
    errors = named(name, path, names.is_dns1123_subdomain)
    return [*errors, too_long(path, 63)] if len(name or "") > 63 else errors


def taint(given: Object, path: str) -> list[FieldError]:
    """Faults of the taint of a device."""
    errors = named(given.get("key"), f"{path}.key", names.is_qualified_name)
    if value := given.get("value"):
        errors += checked(value, f"{path}.value", names.is_label_value)
    return errors + one_of_required(given.get("effect"), f"{path}.effect", EFFECTS)
