"""Where functions of CEL are kept: each says in one line what the checker must know, and is plain Python beneath.

    @function("string.charAt(int) string", cost=traversal)
    def char_at(text: str, index: int) -> str: ...

A declaration is `[RECEIVER.]NAME(TYPES) RESULT`; one capital letter is a type parameter. Values of types that CEL does
not know are objects of a class with a `CEL_TYPE`, made known by `opaque`. At run time the first overload whose types
fit is called; where none fits there is `no such overload`.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from kubepy.apiserver.cel.values import Duration, Optional, Timestamp, TypeValue, UInt

Cost = Callable[[tuple[Any, ...], Any], int]
F = TypeVar("F", bound=Callable[..., Any])
TRAVERSAL: Final = 0.1
"""What one character of a string costs that is looked at."""
REGEX: Final = 0.25
"""What one character of a regular expression costs."""


_ASKING: Final = 20


@dataclass(frozen=True, slots=True)
class Declaration:
    """One overload, as the checker is told of it."""

    name: str
    receiver: str | None
    parameters: tuple[str, ...]
    result: str

    @property
    def id(self) -> str:
        """A name of this overload alone."""
        types = (*([self.receiver] if self.receiver else []), *self.parameters)
        return re.sub(r"\W+", "_", f"{self.name}_{'_'.join(types)}_{'member' if self.receiver else 'global'}")


@dataclass(frozen=True, slots=True)
class Overload:
    """One overload, as it is called."""

    types: tuple[Any, ...]
    call: Callable[..., Any]
    cost: Cost | None
    is_idle: bool = False
    """Whether its cost is not time of ours."""
    is_steep: bool = False
    """Whether it costs so much more than there are arguments that it is charged before it is called, not after."""


_CLASSES: dict[str, Any] = {
    "bool": bool,
    "int": int,
    "uint": UInt,
    "double": float,
    "string": str,
    "bytes": bytes,
    "list": list,
    "map": Mapping,
    "dyn": object,
    "type": TypeValue,
    "google.protobuf.Timestamp": Timestamp,
    "google.protobuf.Duration": Duration,
    "optional_type": Optional,
}
_EXACT: Final = frozenset((bool, int, UInt, float, str, bytes))
OVERLOADS: Final[dict[str, list[Overload]]] = {}
DECLARATIONS: Final[list[Declaration]] = []
OPAQUE: Final[list[str]] = []


def opaque(kind: type) -> type:
    """Makes a class of values known by its CEL_TYPE."""
    name: str = kind.CEL_TYPE  # type: ignore[attr-defined]
    _CLASSES[name] = kind
    OPAQUE.append(name)
    return kind


def function(
    *texts: str, cost: Cost | None = None, standard: bool = False, is_idle: bool = False, is_steep: bool = False
) -> Callable[[F], F]:
    """Registers a function under its declarations; the checker knows of `standard` ones by itself.

    See Overload for the rest. A steep one's cost is told without a result.
    """

    def register(call: F) -> F:
        for text in texts:
            found = parse(text)
            if not standard:
                DECLARATIONS.append(found)
            types = (*([found.receiver] if found.receiver else []), *found.parameters)
            overload = Overload(tuple(map(_class, types)), call, cost, is_idle, is_steep)
            OVERLOADS.setdefault(found.name, []).append(overload)
        return call

    return register


_DECLARATION = re.compile(r"(?:(?P<receiver>.+)\.)?(?P<name>@?\w+)\((?P<parameters>.*)\) (?P<result>.+)")


def parse(text: str) -> Declaration:
    """A declaration. A name in a namespace is written `ns:name`, since its dot does not follow a value."""
    found = _DECLARATION.fullmatch(text.replace(":", "__in__"))
    assert found is not None, text
    name = found["name"].replace("__in__", ".")
    return Declaration(name, found["receiver"], tuple(split(found["parameters"])), found["result"])


def split(text: str) -> list[str]:
    """Types separated by commas, at the top level of angle brackets."""
    parts, depth, start = [], 0, 0
    for at, character in enumerate(text):
        depth += (character == "<") - (character == ">")
        if character == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()] if text.strip() else []


def _class(name: str) -> Any:
    base = name.partition("<")[0]
    return object if len(base) == 1 else _CLASSES[base]


def fits(value: Any, kind: Any) -> bool:
    """Whether a value is of a class as CEL means it: a bool is no int, a uint is no int."""
    return type(value) is kind if kind in _EXACT else isinstance(value, kind)


def size(value: Any) -> int:
    """What a value counts as where cost depends on it."""
    return len(value) if isinstance(value, str | bytes | list | Mapping) else 1


def traversal(arguments: tuple[Any, ...], result: Any) -> int:
    """Looking at every character of the first argument once."""
    return math.ceil(size(arguments[0]) * TRAVERSAL)


def twice(arguments: tuple[Any, ...], result: Any) -> int:
    """Looking at it, and making as much anew."""
    return math.ceil(size(arguments[0]) * 2 * TRAVERSAL)


def elements(arguments: tuple[Any, ...], result: Any) -> int:
    """Looking at every element of the first argument, and at every character of those that have some."""
    found = arguments[0]
    if not isinstance(found, list):
        return math.ceil(size(found) * TRAVERSAL)
    return len(found) + math.ceil(sum(size(each) for each in found if isinstance(each, str | bytes)) * TRAVERSAL)


def made(arguments: tuple[Any, ...], result: Any) -> int:
    """Making the result."""
    return math.ceil(size(result) * 2 * TRAVERSAL)


def searched(arguments: tuple[Any, ...], result: Any) -> int:
    """Running a regular expression over a string; to call the one who does it costs us something, too."""
    return _ASKING + math.ceil((1 + size(arguments[0])) * TRAVERSAL) * math.ceil(size(arguments[1]) * REGEX)
