"""Semantic versions: semver, isSemver, major, minor, patch, compareTo and the like.

Source: apiserver pkg/cel/library/semverlib.go.
"""

import re
from dataclasses import dataclass
from functools import total_ordering

from kubepy.apiserver.cel.errors import EvaluationError
from kubepy.apiserver.cel.registry import function, opaque, traversal
from kubepy.apiserver.cel.values import UINT_MAX

_NUMBER = r"(0|[1-9]\d*)"
_PART = r"(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_PART}(?:\.{_PART})*))?(?:\+[0-9A-Za-z.-]+)?", re.ASCII)
_LEADING_ZEROS = re.compile(r"^0+(?=\d)")


@opaque
@total_ordering
@dataclass(frozen=True, slots=True)
class Semver:
    """A version; what stands behind a `+` does not count."""

    CEL_TYPE = "kubernetes.Semver"
    numbers: tuple[int, int, int]
    before: tuple[str, ...]

    def _key(self) -> tuple[object, ...]:
        """A version without a pre-release comes after those with one; numbers come before words."""
        parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.before)
        return (self.numbers, not self.before, parts)

    def __lt__(self, other: "Semver") -> bool:
        return self._key() < other._key()


def _read(text: str, *, normalize: bool) -> Semver:
    if normalize:
        text = _normal(text)
    found = _VERSION.fullmatch(text)
    if found is None:
        raise EvaluationError(_fault(text))
    for number in (found[1], found[2], found[3]):
        if len(number) > 20 or int(number) > UINT_MAX:
            raise EvaluationError(f'strconv.ParseUint: parsing "{number}": value out of range')
    numbers = (int(found[1]), int(found[2]), int(found[3]))
    return Semver(numbers, tuple(found[4].split(".")) if found[4] else ())


def _fault(text: str) -> str:
    if not text:
        return "Version string empty"
    parts = text.split(".", 2)
    if len(parts) != 3:
        return "No Major.Minor.Patch elements found"
    for name, part in zip(("major", "minor", "patch"), parts, strict=True):
        number = re.split(r"[-+]", part, maxsplit=1)[0] if name == "patch" else part
        if not (number.isascii() and number.isdigit()):
            return f'Invalid character(s) found in {name} number "{number}"'
        if len(number) > 1 and number[0] == "0":
            return f'{name.capitalize()} number must not contain leading zeroes "{number}"'
    return f'Invalid character(s) found in prerelease "{parts[2]}"'


def _normal(text: str) -> str:
    """Without a `v` and leading zeros, and with all three numbers."""
    parts = [_LEADING_ZEROS.sub("", part) for part in text.removeprefix("v").split(".", 2)]
    if len(parts) < 3 and re.search(r"[-+]", parts[-1]):
        raise EvaluationError("short version cannot contain PreRelease/Build meta data")
    return ".".join([*parts, "0", "0"][: max(3, len(parts))])


@function("semver(string) kubernetes.Semver", cost=traversal)
def parse(text: str) -> Semver:
    return _read(text, normalize=False)


@function("semver(string, bool) kubernetes.Semver", cost=traversal)
def parse_normalized(text: str, normalize: bool) -> Semver:
    return _read(text, normalize=normalize)


@function("isSemver(string) bool", cost=traversal)
def is_semver(text: str) -> bool:
    return _VERSION.fullmatch(text) is not None


@function("isSemver(string, bool) bool", cost=traversal)
def is_semver_normalized(text: str, normalize: bool) -> bool:
    try:
        _read(text, normalize=normalize)
    except EvaluationError:
        return False
    return True


@function("kubernetes.Semver.isGreaterThan(kubernetes.Semver) bool")
def is_greater_than(version: Semver, other: Semver) -> bool:
    return version > other


@function("kubernetes.Semver.isLessThan(kubernetes.Semver) bool")
def is_less_than(version: Semver, other: Semver) -> bool:
    return version < other


@function("kubernetes.Semver.compareTo(kubernetes.Semver) int")
def compare_to(version: Semver, other: Semver) -> int:
    return (version > other) - (version < other)


@function("kubernetes.Semver.major() int")
def major(version: Semver) -> int:
    return version.numbers[0]


@function("kubernetes.Semver.minor() int")
def minor(version: Semver) -> int:
    return version.numbers[1]


@function("kubernetes.Semver.patch() int")
def patch(version: Semver) -> int:
    return version.numbers[2]
