"""The order in which strict decoding tells of what it minds, and how it warns of it.

Upstream reads JSON straight into its types and tells of each field as it comes to it; YAML and patched objects it
writes as JSON first, whose keys are sorted then.
Source: sigs.k8s.io/json; apiserver pkg/endpoints/handlers/rest.go (parseYAMLWarnings).
"""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

_UNKNOWN: Final = "unknown field "
_YAML: Final = ("yaml: unmarshal errors:\n", "error converting YAML to JSON: yaml: unmarshal errors:\n")
_STEP: Final = re.compile(r"\[(\d{1,9})\]|[^.\[\]]+")  # a key may look like an index of thousands of digits


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its keys as often as they are written."""


def in_order(raw: bytes, repeated: list[str], unknown: list[str]) -> list[str]:
    """The faults of a JSON text that was read into a type, as they come; what is not known is not told of twice."""
    if len(unknown) < 2 and not (repeated and unknown):
        return repeated + unknown
    try:
        pairs = json.loads(raw, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return repeated + unknown
    found: list[str] = []
    _walk(pairs, "", frozenset(repeated), frozenset(unknown), found)
    return found


def _walk(value: Any, path: str, repeated: frozenset[str], unknown: frozenset[str], found: list[str]) -> None:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, inner in value:
            place = f"{path}.{key}" if path else key
            missing = f'{_UNKNOWN}"{place}"'
            if missing in unknown:
                if missing not in found:
                    found.append(missing)
                continue
            twice = f'duplicate field "{place}"'
            if key in seen and twice in repeated and twice not in found:
                found.append(twice)
            seen.add(key)
            _walk(inner, place, repeated, unknown, found)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _walk(inner, f"{path}[{index}]", repeated, unknown, found)


def by_keys(unknown: Iterable[str]) -> list[str]:
    """Faults of unknown fields as they come where all keys are sorted."""
    return sorted(unknown, key=_steps)


def _steps(fault: str) -> list[tuple[int, str]]:
    return [(int(step[1] or 0), "" if step[1] else step[0]) for step in _STEP.finditer(fault)]


def warnings_of(fault: str) -> list[str]:
    """What is warned of a fault: what YAML names twice one by one."""
    for start in _YAML:
        if fault.startswith(start):
            return [line.strip() for line in fault.removeprefix(start).split("\n")]
    return [fault]
