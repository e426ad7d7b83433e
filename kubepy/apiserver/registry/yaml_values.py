"""Parsed YAML made such that JSON can hold it: keys are text, numbers are finite, bytes are text.

Source: sigs.k8s.io/yaml (convertToJSONableObject).
"""

import math
from typing import Any, Final

_FAULT: Final = "error converting YAML to JSON: "
_PLAIN: Final = frozenset((str, bool, type(None)))


def as_json(parsed: Any) -> Any:
    """The value, changed in place where it has parts. Raises ValueError on what JSON has no word for."""
    whole = [parsed]
    pending: list[Any] = [whole]
    seen: set[int] = set()
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if value.__class__ is dict:
            _name(value)
        for key, part in value.items() if value.__class__ is dict else enumerate(value):
            if part.__class__ is dict or part.__class__ is list:
                pending.append(part)
            elif part.__class__ not in _PLAIN:
                value[key] = _plain(part)
    return whole[0]


def _name(value: dict[Any, Any]) -> None:
    if any(key.__class__ is not str for key in value):
        renamed = {_key(key): part for key, part in value.items()}
        value.clear()
        value.update(renamed)


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, str | int | float):
        return str(key)
    raise ValueError(f"{_FAULT}unsupported map key of type: {type(key).__name__}")


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if not isinstance(value, int | float):
        raise ValueError(f"{_FAULT}unsupported value of type: {type(value).__name__}")
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return value
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{_FAULT}json: unsupported value: {number}")
    return number
