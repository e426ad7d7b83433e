"""Types of the objects that expressions make: `Object{spec: Object.spec{replicas: 3}}` and `JSONPatch{op: "add"}`.

Nobody declares `Object.spec`: whatever an expression names after a field of the object is a type, with the fields that
it is given, of any type. The checker must be told of each, and cannot know a message and a field of the same name: so
it is given `Object_spec` to read, which is as long, and what it says of that is put back.
Source: apiserver pkg/cel/mutation.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from kubepy.apiserver.cel.checker import Checker
from kubepy.apiserver.cel.errors import CompileError
from kubepy.apiserver.cel.kinds import Kind, Object
from kubepy.apiserver.cel.literals import faults_of_literals
from kubepy.apiserver.cel.syntax import MapLiteral, Node
from kubepy.apiserver.cel.walking import children

ROOT: Final = "Object"
_NAMED = re.compile(r"\bObject(?:\s*\.\s*\w+)+(?=\s*\{)")
_DOT = re.compile(r"\s*\.\s*")
_TEXTS: Final[Mapping[str, Kind]] = {"op": "string", "path": "string", "from": "string", "value": "dyn"}
_PATCH = Object("JSONPatch", _TEXTS)


class Made(dict[Any, Any]):
    """An object that an expression made; `name` is that of its type."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


def result_type(expression: str, root: Node, variables: Mapping[str, Kind]) -> str:
    """The type of what the expression makes; `root` is what was parsed of it. Raises CompileError."""
    text = _NAMED.sub(lambda found: _DOT.sub("_", found[0]).ljust(len(found[0])), expression)
    made = _types(root)
    try:
        tree, found = Checker(variables, made=[_PATCH, *made]).check(text)
        if (faults := faults_of_literals(tree, text)) is not None:
            raise CompileError(faults)
    except CompileError as fault:
        raise CompileError(_restored(fault.message, text, expression, made)) from None
    return _restored(found, "", "", made)


def _types(root: Node) -> list[Object]:
    fields: dict[str, dict[str, Kind]] = {ROOT: {}}
    for literal in _literals(root):
        if literal.name.partition(".")[0] == ROOT:
            known = fields.setdefault(literal.name.replace(".", "_"), {})
            known.update({entry.key: "dyn" for entry in literal.entries if isinstance(entry.key, str)})
    return [Object(name, inner) for name, inner in fields.items()]


def _literals(node: Node) -> Iterator[MapLiteral]:
    if isinstance(node, MapLiteral) and node.name:
        yield node
    for child in children(node):
        yield from _literals(child)


def _restored(message: str, text: str, expression: str, made: Iterable[Object]) -> str:
    """A message about what the checker was given to read, as one about what was written."""
    for read, written in zip(text.split("\n"), expression.split("\n"), strict=False):
        message = message.replace(read, written) if read else message
    for kind in sorted(made, key=lambda each: -len(each.name)):
        message = re.sub(rf"\b{kind.name}\b", kind.name.replace("_", "."), message)
    return message


def name_fault(value: Any) -> str | None:
    """Which object in a value does not have the type of its place: `Object.spec` for what is in `spec`."""
    return _name_fault(value, value.name if isinstance(value, Made) else ROOT)


def _name_fault(value: Any, wanted: str) -> str | None:
    if isinstance(value, Made):
        if value.name != wanted:
            what = f'unexpected type name "{value.name}", expected "{wanted}"'
            return f"{what}, which matches field name path from root Object type"
        found = (_name_fault(inner, f"{wanted}.{field}") for field, inner in value.items())
    elif isinstance(value, list):
        found = (_name_fault(inner, wanted) for inner in value)
    else:
        return None
    return next((fault for fault in found if fault), None)
