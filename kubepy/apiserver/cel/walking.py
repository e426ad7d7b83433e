"""What trees are made of."""

from collections.abc import Iterator

from kubepy.apiserver.cel.syntax import Call, Comprehension, ListLiteral, MapLiteral, Node, Select


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
