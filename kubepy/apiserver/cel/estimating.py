"""What an expression can cost at most, judged from the sizes that its variables can have: a rule that can cost too
much is refused when it is written, not when it runs.

Where a size cannot be told it counts as nothing: the estimate is then too low, and the limit at run time remains.
Source: cel-go checker/cost.go, apiserver pkg/cel/library/cost.go (EstimateCallCost).
"""

from collections.abc import Callable, Mapping
from typing import Final

from kubepy.apiserver.cel.escaping import unescape
from kubepy.apiserver.cel.frame import LIST_COST, MAP_COST
from kubepy.apiserver.cel.registry import REGEX, TRAVERSAL
from kubepy.apiserver.cel.shapes import Shape
from kubepy.apiserver.cel.syntax import (
    Call,
    Comprehension,
    Constant,
    Ident,
    ListLiteral,
    MapLiteral,
    Node,
    Select,
    Tree,
)

_UNKNOWN: Final = Shape()
_LOOKED_THROUGH: Final = frozenset(("url", "lowerAscii", "upperAscii", "substring", "trim", "quantity", "isQuantity",
    "ip", "isIP", "cidr", "isCIDR"))  # fmt: skip
_COPIED: Final = frozenset(("replace", "split", "join"))
_OVER_LISTS: Final = frozenset(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"))
_CHECK: Final = 350_000


class Estimator:
    """Of one tree. `variables` are the shapes of what it reads."""

    def __init__(self, tree: Tree, variables: Mapping[str, Shape]) -> None:
        self._tree = tree
        self._shapes: dict[str, Shape] = dict(variables)

    def cost(self) -> float:
        """The most that one evaluation costs."""
        return self._visit(self._tree.root)[0]

    def _visit(self, node: Node) -> tuple[float, Shape]:
        """The cost of a node, and the shape of what it makes."""
        match node:
            case Constant(value=value):
                return 0, Shape(len(value)) if isinstance(value, str | bytes) else _UNKNOWN
            case Ident(name=name):
                return 1, self._shapes.get(name, _UNKNOWN)
            case Select(operand=operand, field=name, is_test=is_test):
                cost, shape = self._visit(operand)
                found = shape.fields.get(unescape(name)) or shape.element or _UNKNOWN
                return (cost, _UNKNOWN) if is_test else (cost + 1, found)
            case ListLiteral(elements=elements):
                inner = [self._visit(each) for each in elements]
                element = max((shape for _, shape in inner), key=lambda shape: shape.most, default=_UNKNOWN)
                return LIST_COST + sum(cost for cost, _ in inner), Shape(len(elements), element=element)
            case MapLiteral(entries=entries):
                parts = [part for entry in entries for part in (entry.key, entry.value) if isinstance(part, Node)]
                return MAP_COST + sum(self._visit(part)[0] for part in parts), Shape(len(entries))
            case Comprehension():
                return self._fold(node)
            case Call():
                return self._call(node)
        raise AssertionError(node)

    def _fold(self, node: Comprehension) -> tuple[float, Shape]:
        cost, within = self._visit(node.range)
        begun, initial = self._visit(node.initial)
        cost += begun
        names = (node.variable, node.second, node.accumulator)
        outer = {name: self._shapes.get(name) for name in names if name}
        is_map = self._kind(node.range) == "map"
        key, element = Shape(), within.element or _UNKNOWN
        self._shapes[node.variable] = key if is_map or node.second else element
        if node.second:
            self._shapes[node.second] = element
        loop, (step, made) = self._visit(node.condition)[0], self._visit(node.step)
        for name, shape in outer.items():
            self._shapes.pop(name, None)
            if shape is not None:
                self._shapes[name] = shape
        is_binding = isinstance(node.range, ListLiteral) and not node.range.elements
        self._shapes[node.accumulator] = initial if is_binding else made
        after, result = self._visit(node.result)
        cost += after + within.most * (loop + step)
        self._shapes.pop(node.accumulator)
        return cost, result if is_binding else Shape(within.most, element=made.element)

    def _kind(self, node: Node) -> str:
        found = self._tree.types.get(node.id)
        return found.name if found is not None else "dyn"

    def _call(self, node: Call) -> tuple[float, Shape]:
        operands = ([node.target] if node.target is not None else []) + node.arguments
        found = [self._visit(each) for each in operands]
        costs, shapes = [cost for cost, _ in found], [shape for _, shape in found]
        name = node.function
        if name in ("_&&_", "_||_", "@not_strictly_false", "__not_strictly_false__"):
            return sum(costs), _UNKNOWN
        if name == "_?_:_":
            return costs[0] + max(costs[1:]), max(shapes[1:], key=lambda shape: shape.most)
        own, made = self._own(name, node, operands, shapes)
        return sum(costs) + own, made

    def _own(self, name: str, node: Call, operands: list[Node], shapes: list[Shape]) -> tuple[float, Shape]:
        """The cost of a call without its operands."""
        first = shapes[0] if shapes else _UNKNOWN
        if name in ("_[_]", "_?._", "_[?_]"):
            key = operands[1]
            field = first.fields.get(unescape(key.value)) if isinstance(key, Constant) and name == "_?._" else None
            return 1, field or first.element or _UNKNOWN
        if name in ("value", "orValue", "optional.of", "of"):
            return 1, shapes[-1] if name in ("optional.of", "of") else first
        if name == "_+_":
            return self._sum(node, shapes)
        if name == "@in":  # keys of maps are found at once
            return (max(1, shapes[1].most) if self._kind(operands[1]) == "list" else 1), _UNKNOWN
        if name in ("matches", "find", "findAll") and len(shapes) > 1:
            cost = (first.most + 1) * TRAVERSAL * max(shapes[1].most * REGEX, 1)
            return cost, Shape(first.most, element=Shape(first.most))
        if name == "contains" and len(shapes) > 1:
            return first.most * TRAVERSAL * max(shapes[1].most * TRAVERSAL, 1), _UNKNOWN
        if name in ("first", "last"):
            return 1, first.element or _UNKNOWN
        if name == "flatten":
            inner = first.element or _UNKNOWN
            return first.most + LIST_COST + 1, Shape(first.most, element=inner.element or inner)
        simple = _COSTS.get(name)
        return (simple(shapes), Shape(first.most, element=first.element)) if simple else (1, _UNKNOWN)

    def _sum(self, node: Call, shapes: list[Shape]) -> tuple[float, Shape]:
        both = Shape(sum(shape.most for shape in shapes), element=shapes[0].element or shapes[1].element)
        return (1 if self._kind(node) == "list" else max(1, both.most * TRAVERSAL)), both


def _compared(shapes: list[Shape]) -> float:
    return max(1, min(shape.most for shape in shapes) * TRAVERSAL)


def _over_list(shapes: list[Shape]) -> float:
    first = shapes[0]
    each = first.element
    return first.most * (1 + each.most * TRAVERSAL) if each is not None else first.most * TRAVERSAL


def _copied(shapes: list[Shape]) -> float:
    return shapes[0].most + LIST_COST + 1


def _sorted(shapes: list[Shape]) -> float:
    return shapes[-1].most ** 2 * 2 + LIST_COST + 1


_COSTS: Final[Mapping[str, Callable[[list[Shape]], float]]] = {
    **{name: (lambda shapes: max(1, shapes[0].most * TRAVERSAL)) for name in _LOOKED_THROUGH},
    **{name: (lambda shapes: max(1, shapes[0].most * 2 * TRAVERSAL)) for name in _COPIED},
    **dict.fromkeys(_OVER_LISTS, _over_list),
    **dict.fromkeys(("reverse", "slice"), _copied),
    **dict.fromkeys(("distinct", "sort", "@sortByAssociatedKeys"), _sorted),
    **dict.fromkeys(("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"), _compared),
    "startsWith": lambda shapes: max(1, shapes[-1].most * TRAVERSAL),
    "endsWith": lambda shapes: max(1, shapes[-1].most * TRAVERSAL),
    "check": lambda shapes: _CHECK,
}
