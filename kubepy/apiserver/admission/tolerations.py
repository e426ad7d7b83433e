"""Which tolerations say the same as, or less than, others. Pure.

Source: pkg/util/tolerations.
"""

from collections.abc import Sequence
from typing import Any

Toleration = dict[str, Any]


def merge_tolerations(first: Sequence[Toleration], second: Sequence[Toleration]) -> list[Toleration]:
    """Both, less those that another of them makes superfluous; of equal ones the first stays."""
    everything = [*first, *second]
    merged: list[Toleration] = []
    for index, one in enumerate(everything):
        later = everything[index + 1 :]
        if any(is_covered(one, other) for other in merged):
            continue
        if any(_normal(one) != _normal(other) and is_covered(one, other) for other in later):
            continue
        merged.append(dict(one))
    return merged


def is_covered(one: Toleration, other: Toleration) -> bool:
    """Whether `other` tolerates all that `one` does, for at least as long."""
    mine, theirs = _normal(one), _normal(other)
    if mine == theirs:
        return True
    if mine["key"] != theirs["key"] and (theirs["key"] or theirs["operator"] != "Exists"):
        return False
    if theirs["effect"] not in ("", mine["effect"]):
        return False
    longest = theirs["tolerationSeconds"]
    if theirs["effect"] == "NoExecute" and longest is not None:
        own = mine["tolerationSeconds"]
        if own is None or own > longest:
            return False
    if theirs["operator"] == "Exists":
        return True
    return bool(
        theirs["operator"] in ("", "Equal") and mine["operator"] == "Equal" and mine["value"] == theirs["value"]
    )


def _normal(one: Toleration) -> Toleration:
    texts = {name: one.get(name) or "" for name in ("key", "operator", "value", "effect")}
    return {**texts, "tolerationSeconds": one.get("tolerationSeconds")}
