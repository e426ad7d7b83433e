"""What can be told of literals before anything runs: times and patterns that are none, lists of mixed elements.

Source: cel-go cel/validator.go.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from kubepy.apiserver.cel.errors import EvaluationError
from kubepy.apiserver.cel.library.regexes import matches
from kubepy.apiserver.cel.library.times import parse_duration, parse_timestamp
from kubepy.apiserver.cel.syntax import Call, Constant, ListLiteral, MapLiteral, Node, Tree, shown_type
from kubepy.apiserver.cel.walking import children

_CHECKED: Final[Mapping[str, Callable[[str], object]]] = {
    "duration": parse_duration,
    "timestamp": parse_timestamp,
    "matches": lambda pattern: matches("", pattern),
}


def faults_of_literals(tree: Tree, expression: str) -> str | None:
    """Everything that is wrong, in upstream's form; None when nothing is."""
    found = [_shown(expression, tree.positions.get(place, 0), why) for place, why in _faults(tree, tree.root)]
    return "\n".join(found) or None


def _faults(tree: Tree, node: Node) -> Iterator[tuple[int, str]]:
    if isinstance(node, Call):
        if node.function == "format":
            return  # it takes elements of all types
        last = node.arguments[-1] if node.arguments else None
        check = _CHECKED.get(node.function)
        if check is not None and isinstance(last, Constant) and isinstance(last.value, str):
            try:
                check(last.value)
            except EvaluationError:
                yield last.id, f"invalid {node.function} argument"
    elif isinstance(node, ListLiteral):
        yield from _mixed(tree, [each for at, each in enumerate(node.elements) if at not in node.optional])
    elif isinstance(node, MapLiteral):
        plain = [entry for entry in node.entries if not entry.is_optional and isinstance(entry.key, Node)]
        yield from _mixed(tree, [entry.key for entry in plain if isinstance(entry.key, Node)])
        yield from _mixed(tree, [entry.value for entry in plain])
    for child in children(node):
        yield from _faults(tree, child)


def _mixed(tree: Tree, elements: list[Node]) -> Iterator[tuple[int, str]]:
    wanted: str | None = None
    for element in elements:
        kind = tree.types.get(element.id)
        if kind is None:
            continue
        name = shown_type(kind)
        if wanted is not None and name != wanted and "dyn" not in name + wanted:
            yield element.id, f"expected type '{wanted}' but found '{name}'"
            return
        wanted = wanted or name


def _shown(expression: str, position: int, why: str) -> str:
    """A fault beneath the line that it is in."""
    before = expression[:position]
    line, column = before.count("\n"), position - (before.rfind("\n") + 1)
    text = expression.split("\n")[line]
    return f"ERROR: <input>:{line + 1}:{column + 1}: {why}\n | {text}\n | {'.' * column}^"
