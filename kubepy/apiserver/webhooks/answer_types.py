"""Whether the values in a webhook's answer have the types that upstream reads them into. Pure.

Source: encoding/json, whose words the faults are in.
"""

from collections.abc import Mapping
from typing import Any

from kubepy.api.go_values import json_type

Types = Mapping[str, tuple[type, str]]
"""By field: the type that its value must have unless it is null, and what Go calls it."""


def fault_in_types(response: Any, review: str, types: Types) -> str | None:
    """Why the `response` of a review (`Admission` or `Conversion`) cannot be read, or None."""
    if not isinstance(response, dict):
        return unreadable(response, f"{review}Review.response", f"v1.{review}Response")
    for name, (kind, shown) in types.items():
        value = response.get(name)
        if value is not None and not isinstance(value, kind):
            return unreadable(value, f"{review}Response.response.{name}", shown)
    return None


def unreadable(value: Any, field: str, kind: str) -> str:
    """That a value cannot be what the field is of."""
    return f"json: cannot unmarshal {json_type(value)} into Go struct field {field} of type {kind}"
