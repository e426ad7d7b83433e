"""The order of API versions: v2 before v1 before v1beta2 before v1alpha1 before names that are no versions. Pure.

Source: apimachinery pkg/version/helpers.go (CompareKubeAwareVersionStrings).
"""

import re

_VERSION = re.compile(r"\Av([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?\Z")
_STABILITY = {"alpha": 0, "beta": 1, None: 2}
SortKey = tuple[int, int, int, int, str]


def newest_first(version: str) -> SortKey:
    """A key to sort by: the most stable and newest first, other names last, by the alphabet."""
    match = _VERSION.match(version)
    if match is None:
        return (1, 0, 0, 0, version)
    major, stability, minor = match.groups()
    return (0, -_STABILITY[stability], -int(major), -int(minor or 0), "")
