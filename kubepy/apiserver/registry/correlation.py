"""Which part of the old object a part of the new one stands for: by name in objects, by keys in lists that are maps.

What cannot be told (elements of other lists, fields of atomic objects) has no old part, which is ABSENT.
Source: apiserver pkg/cel/common/equality.go, maplist.go.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

Schema = Mapping[str, Any]
ABSENT: Final = object()


def is_same(new: Any, old: Any) -> bool:
    """Whether a value is what it was, down to the types: to Python, True is 1."""
    if old is ABSENT or new != old:
        return False
    return orjson.dumps(new, option=orjson.OPT_SORT_KEYS) == orjson.dumps(old, option=orjson.OPT_SORT_KEYS)


def field(schema: Schema, old: Any, name: str) -> Any:
    """The old value of a field."""
    if not isinstance(old, dict) or schema.get("x-kubernetes-map-type") == "atomic":
        return ABSENT
    return old.get(name, ABSENT)


def element(schema: Schema, old: Any, new: Any) -> Any:
    """The old value of a list's element."""
    if not isinstance(old, list) or not isinstance(new, dict) or schema.get("x-kubernetes-list-type") != "map":
        return ABSENT
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    wanted = [new.get(key) for key in keys]
    for each in old:
        if isinstance(each, dict) and [each.get(key) for key in keys] == wanted:
            return each
    return ABSENT
