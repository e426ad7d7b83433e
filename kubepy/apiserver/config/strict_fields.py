"""Reads configuration files as strictly as upstream does: a field that is not known, or of another type, is a fault.

Pure. A `Fields` is one object of the file; what it is asked for is checked, what it is never asked for is unknown.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import yaml

from kubepy.api.errors import FieldError, invalid
from kubepy.lib.flags import parse_duration

T = TypeVar("T")


class ConfigError(ValueError):
    """The file cannot be used; `faults` holds every reason."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class Fields:
    """One object of a configuration file, at `path`; its faults go to `faults`."""

    def __init__(self, value: object, path: str, faults: list[FieldError]) -> None:
        self._found: Mapping[str, Any] = value if isinstance(value, dict) else {}
        self.path = path
        self.faults = faults
        self._asked: set[str] = set()
        if not isinstance(value, dict) and value is not None:
            faults.append(invalid(path, value, "must be an object"))

    def at(self, name: str) -> str:
        """The path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        """Whether the field is there, and not null."""
        return self._found.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        """A text."""
        return self._take(name, str, default, "must be a string")

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        return self._take(name, bool, default, "must be a boolean")

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        found = self._take(name, list, [], "must be a list of strings")
        if all(isinstance(one, str) for one in found):
            return tuple(found)
        self.faults.append(invalid(self.at(name), found, "must be a list of strings"))
        return ()

    def seconds(self, name: str) -> float | None:
        """A duration as Go writes it; None where there is none."""
        text = self.text(name)
        if not text:
            return None
        try:
            return parse_duration(text)
        except ValueError as fault:
            self.faults.append(invalid(self.at(name), text, str(fault)))
            return None

    def below(self, name: str) -> "Fields":
        """An object below; one without fields where there is none."""
        self._asked.add(name)
        return Fields(self._found.get(name), self.at(name), self.faults)

    def each(self, name: str) -> "Iterator[Fields]":
        """The objects of a list."""
        found = self._take(name, list, [], "must be a list")
        for index, one in enumerate(found):
            yield Fields(one, f"{self.at(name)}[{index}]", self.faults)

    def end(self) -> None:
        """Nothing else is expected in this object."""
        for name in sorted(self._found.keys() - self._asked):
            self.faults.append(FieldError(self.at(name), "FieldValueInvalid", "unknown field"))

    def _take(self, name: str, kind: type[T], default: T, why: str) -> T:
        self._asked.add(name)
        value = self._found.get(name)
        if value is None:
            return default
        if isinstance(value, kind):
            return value
        self.faults.append(invalid(self.at(name), value, why))
        return default


def parse_document(text: str, *, kind: str, versions: tuple[str, ...], read: Callable[[Fields], T]) -> T:
    """What `read` makes of a file of that kind. Raises ConfigError with every fault."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as fault:
        raise ConfigError([f"not YAML: {fault}"]) from fault
    if not isinstance(document, dict):
        raise ConfigError([f"not a {kind}"])
    if document.get("kind") != kind or document.get("apiVersion") not in versions:
        found = f"{document.get('apiVersion')}, Kind={document.get('kind')}"
        raise ConfigError([f"expected {versions[0]}, Kind={kind}, got {found}"])
    faults: list[FieldError] = []
    fields = Fields({name: value for name, value in document.items() if name not in ("kind", "apiVersion")}, "", faults)
    made = read(fields)
    fields.end()
    if faults:
        raise ConfigError([str(fault) for fault in faults])
    return made
