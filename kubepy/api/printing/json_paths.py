"""The JSONPath of kubectl and of printer columns: compiled once, then asked for values of an object.

Fields, quoted fields, indexes, slices, unions, wildcards, recursive descent, and filters that compare a path of an item
with a literal. A step that finds nothing gives no values.
Source: client-go util/jsonpath.
"""

import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

Step = Callable[[Iterator[Any]], Iterator[Any]]

_TOKEN = re.compile(
    r"""\.\.                                  # recursive descent
      | \.?\[(?P<bracket>(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\?\((?:[^()]|\([^()]*\))*\)|[^\]'"])*)\]
      | \.(?P<field>(?:[^.\[\]\\]|\\.)+)
      | (?P<bare>(?:[^.\[\]\\]|\\.)+)""",
    re.VERBOSE,
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_FILTER = re.compile(r"\?\(\s*@(?P<path>[^=!<>\s]*)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<value>.+?))?\s*\)")


class BadPath(ValueError):
    """A path that cannot be compiled."""


def _values(found: Any) -> Iterator[Any]:
    if isinstance(found, dict):
        yield from found.values()
    elif isinstance(found, list):
        yield from found


def _field(name: str) -> Step:
    def step(found: Iterator[Any]) -> Iterator[Any]:
        for value in found:
            if isinstance(value, dict) and value.get(name) is not None:
                yield value[name]

    return step


def _wildcard(found: Iterator[Any]) -> Iterator[Any]:
    for value in found:
        yield from _values(value)


def _descend(found: Iterator[Any]) -> Iterator[Any]:
    for value in found:
        yield value
        yield from _descend(_values(value))


def _slice(chosen: slice | int) -> Step:
    def step(found: Iterator[Any]) -> Iterator[Any]:
        for value in found:
            if not isinstance(value, list):
                continue
            if isinstance(chosen, slice):
                yield from value[chosen]
            elif -len(value) <= chosen < len(value):
                yield value[chosen]

    return step


def _union(steps: list[Step]) -> Step:
    def step(found: Iterator[Any]) -> Iterator[Any]:
        for value in found:
            for part in steps:
                yield from part(iter([value]))

    return step


def _literal(text: str) -> Any:
    if text[:1] in "'\"" and text[-1:] == text[:1]:
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text) if "." in text else int(text)
    except ValueError as fault:
        raise BadPath(f"unrecognized identifier {text}") from fault


def _filter(text: str) -> Step:
    parsed = _FILTER.fullmatch(text)
    if parsed is None:
        raise BadPath(f"invalid filter {text}")
    path = compile_path(parsed["path"] or ".")
    compare = _COMPARE.get(parsed["op"] or "")
    literal = _literal(parsed["value"]) if compare else None

    def keeps(item: Any) -> bool:
        values = path(item)
        if compare is None:
            return bool(values)
        try:
            return bool(values) and compare(values[0], literal)
        except TypeError:
            return False

    def step(found: Iterator[Any]) -> Iterator[Any]:
        for value in found:
            yield from (item for item in _values(value) if keeps(item))

    return step


def _bracket(text: str) -> Step:
    text = text.strip()
    if text == "*":
        return _wildcard
    if text.startswith("?("):
        return _filter(text)
    parts = [part.strip() for part in re.findall(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^,]+", text)]
    if not parts:
        raise BadPath("empty brackets")
    return _union([_bracket_part(part) for part in parts])


def _bracket_part(part: str) -> Step:
    if part[:1] in "'\"":
        return _field(_unescape(part[1:-1]))
    if ":" in part:
        try:
            return _slice(slice(*(int(bound) if bound else None for bound in part.split(":"))))
        except ValueError as fault:
            raise BadPath(f"invalid array index {part}") from fault
    if re.fullmatch(r"-?\d+", part):
        return _slice(int(part))
    return _field(part)


def _unescape(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)


def compile_path(path: str) -> Callable[[Any], list[Any]]:
    """The function from an object to the values at a path such as `.status.conditions[?(@.type=="Ready")].status`.

    Braces around the path are allowed. Raises BadPath.
    """
    text = path.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1].strip()
    steps: list[Step] = []
    position = 1 if text.startswith("$") else 0
    while position < len(text) and text[position:] != ".":
        token = _TOKEN.match(text, position)
        if token is None:
            raise BadPath(f"cannot read {text[position:]!r} in {path!r}")
        position = token.end()
        name = token["field"] or token["bare"]
        if token["bracket"] is not None:
            steps.append(_bracket(token["bracket"]))
        elif name is None:
            steps.append(_descend)
        else:
            steps.append(_wildcard if name == "*" else _field(_unescape(name)))

    def evaluate(obj: Any) -> list[Any]:
        found: Iterator[Any] = iter([obj])
        for step in steps:
            found = step(found)
        return list(found)

    return evaluate
