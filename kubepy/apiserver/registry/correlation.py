"""Which part of the old object a part of the new one stands for: by name in objects, by keys in lists that are maps.

What cannot be told (elements of other lists, fields of atomic objects) has no old part, which is ABSENT.
Source: apiserver pkg/cel/common/equality.go, maplist.go.
"""

from collections.abc import Callable, Mapping, Sequence
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


def elements(schema: Schema, old: Any) -> Callable[[Any], Any]:
    """What finds the old element that an element of the new list stands for; ABSENT where there is none."""
    known: dict[bytes, Any] = {}
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    if isinstance(old, list) and schema.get("x-kubernetes-list-type") == "map":
        for each in old:
            if isinstance(each, dict):
                known.setdefault(_identity(each, keys), each)

    def find(new: Any) -> Any:
        return known.get(_identity(new, keys), ABSENT) if known and isinstance(new, dict) else ABSENT

    return find


def _identity(element: Mapping[str, Any], keys: Sequence[str]) -> bytes:
    return orjson.dumps([element.get(key) for key in keys], option=orjson.OPT_SORT_KEYS)
