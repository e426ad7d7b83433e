"""Command lines as upstream's daemons read them: `--name=value`, `--name value`, `--switch`, `--switch=false`.

Underscores in a name count as dashes; a flag given twice keeps its last value, except lists and maps, which add
up; an unknown flag or a wrong value is a fault, and all faults are told together.
Source of the spelling: github.com/spf13/pflag and component-base/cli/flag.
"""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["string", "bool", "int", "float", "duration", "list", "map", "pairs"]

_DURATION = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([^0-9.]*)")
_SHORT = re.compile(r"-v[0-9]+")
"""The one short flag that there is takes its value without a space, too."""
_UNIT_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_TRUE, _FALSE = {"true", "t", "1", "yes"}, {"false", "f", "0", "no"}


class FlagError(ValueError):
    """The command line cannot be used; `faults` holds every reason."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = list(faults)


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. Durations become seconds; a list is split at commas, a map at commas and `=`.

    Pairs are a map whose keys and values may have commas: one pair as it stands, or several in CSV.
    """

    name: str
    kind: Kind
    default: Any
    help: str


def parse_duration(text: str) -> float:
    """Seconds of a Go duration (`1m30s`); a bare `0` too. Raises ValueError."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text)
    if rest == "0":
        return 0.0
    parts = _DURATION.findall(rest)
    if not parts or "".join(number + unit for number, unit in parts) != rest:
        raise ValueError(f'time: invalid duration "{text}"')
    for _, unit in parts:
        if not unit:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if unit not in _UNIT_S:
            raise ValueError(f'time: unknown unit "{unit}" in duration "{text}"')
    found = sum(float(number) * _UNIT_S[unit] for number, unit in parts)
    if found * 1e9 >= 1 << 63:  # Go counts nanoseconds
        raise ValueError(f'time: invalid duration "{text}"')
    return sign * found


def _parse_bool(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(f"parsing {text!r}: invalid syntax")


def _parse_list(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _parse_map(text: str) -> dict[str, str]:
    pairs = {}
    for part in _parse_list(text):
        key, found, value = part.partition("=")
        if not found:
            raise ValueError(f"{part!r} must be formatted as key=value")
        pairs[key.strip()] = value.strip()
    return pairs


def _parse_pairs(text: str) -> dict[str, str]:
    """As pflag's StringToString: what has one `=` is one pair, commas and all."""
    parts = [text.strip('"')] if text.count("=") <= 1 else next(csv.reader([text]))
    pairs = {}
    for part in parts:
        key, found, value = part.partition("=")
        if not found:
            raise ValueError(f"{part} must be formatted as key=value")
        pairs[key] = value
    return pairs


_READ: Mapping[Kind, Callable[[str], Any]] = {
    "string": str,
    "bool": _parse_bool,
    "int": int,
    "float": float,
    "duration": parse_duration,
    "list": _parse_list,
    "map": _parse_map,
    "pairs": _parse_pairs,
}


def parse(flags: Sequence[Flag], argv: Sequence[str]) -> dict[str, Any]:
    """Every flag's value by name, its default where it was not given. Raises FlagError."""
    values, faults = parse_known(flags, argv)
    if faults:
        raise FlagError(faults)
    return values


def parse_known(flags: Sequence[Flag], argv: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """As `parse`, but what is wrong comes back beside the values, for a caller that has more faults to tell."""
    known = {flag.name: flag for flag in flags}
    given: dict[str, Any] = {}
    faults: list[str] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word == "-":
            faults.append(f"unknown argument: {word}")
            continue
        if _SHORT.fullmatch(word):
            word = f"--v={word[2:]}"
        name, has_value, text = word.lstrip("-").partition("=")
        name = name.replace("_", "-")
        flag = known.get(name)
        if flag is None:
            faults.append(f"unknown flag: --{name}")
            continue
        if not has_value:
            if flag.kind == "bool":
                text = "true"
            elif words:
                text = words.pop(0)
            else:
                faults.append(f"flag needs an argument: --{name}")
                continue
        try:
            value = _READ[flag.kind](text)
        except ValueError as error:
            faults.append(f'invalid argument "{text}" for "--{name}" flag: {error}')
            continue
        given[name] = _merge(flag.kind, given.get(name), value)
    return {flag.name: given.get(flag.name, flag.default) for flag in flags}, faults


def _merge(kind: Kind, before: Any, value: Any) -> Any:
    if before is None or kind not in ("list", "map", "pairs"):
        return value
    return before + value if kind == "list" else {**before, **value}


def usage(command: str, about: str, flags: Sequence[Flag]) -> str:
    """What `--help` prints."""
    lines = [about, "", "Usage:", f"  {command} [flags]", "", "Flags:"]
    for flag in flags:
        shown = "" if flag.default in ("", None, [], {}, False) else f" (default {flag.default})"
        kind = "" if flag.kind == "bool" else f" {flag.kind}"
        lines.append(f"      --{flag.name}{kind}\n                {flag.help}{shown}")
    return "\n".join(lines)
