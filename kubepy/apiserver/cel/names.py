"""Names in trees that were not checked."""

from collections.abc import Collection, Iterator
from typing import Final

from kubepy.apiserver.cel.registry import OPAQUE, OVERLOADS
from kubepy.apiserver.cel.syntax import Call, Comprehension, Ident, ListLiteral, MapLiteral, Node, Select

_TYPES: Final = frozenset(
    ("bool", "bytes", "double", "duration", "dyn", "google", "int", "list", "map", "null_type", "optional_type",
     "string", "timestamp", "type", "uint")
)  # fmt: skip


def undeclared(root: Node, variables: Collection[str]) -> str | None:
    """The first name that is no variable, type or namespace; None when all are known."""
    known = {*variables, *_TYPES, *(name.partition(".")[0] for name in (*OVERLOADS, *OPAQUE) if "." in name)}
    return next(_unknown(root, frozenset(known)), None)


def _unknown(node: Node, known: frozenset[str]) -> Iterator[str]:
    if isinstance(node, Ident):
        if node.name.removeprefix(".") not in known:
            yield node.name
        return
    if isinstance(node, Comprehension):
        yield from _unknown(node.range, known)
        yield from _unknown(node.initial, known)
        inner = known | {node.variable, node.second, node.accumulator}
        for part in (node.condition, node.step, node.result):
            yield from _unknown(part, inner)
        return
    for child in children(node):
        yield from _unknown(child, known)


def children(node: Node) -> Iterator[Node]:
    """The nodes that a node is made of."""
    match node:
        case Comprehension():
            yield from (node.range, node.initial, node.condition, node.step, node.result)
        case Select(operand=operand):
            yield operand
        case Call(target=target, arguments=arguments):
            if target is not None:
                yield target
            yield from arguments
        case ListLiteral(elements=elements):
            yield from elements
        case MapLiteral(entries=entries):
            for entry in entries:
                if not isinstance(entry.key, str):
                    yield entry.key
                yield entry.value
