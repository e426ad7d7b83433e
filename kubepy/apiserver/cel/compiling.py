"""Makes closures of a checked tree: each node becomes a function of a frame, so that nothing is interpreted twice.

Every step is charged to the frame as upstream charges it (one for a variable, a field, a call; more where a function
looks at strings or lists), and a frame that has spent its limit raises CostExceeded: no expression runs for long.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kubepy.apiserver.cel import operators
from kubepy.apiserver.cel.control import FORMS
from kubepy.apiserver.cel.errors import EvaluationError, no_such_overload
from kubepy.apiserver.cel.escaping import unescape
from kubepy.apiserver.cel.frame import LIST_COST, MAP_COST, OBJECT_COST, Frame, Step
from kubepy.apiserver.cel.making import Made
from kubepy.apiserver.cel.registry import OVERLOADS, Overload, fits
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
from kubepy.apiserver.cel.values import Optional, TypeValue

_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class _Fault:
    """What a fold holds in place of an answer after a step that failed; to read it is to fail."""

    error: EvaluationError


class Compiler:
    """Of one tree. `variables` are the names that frames will have values for."""

    def __init__(self, tree: Tree, variables: Mapping[str, Any]) -> None:
        self._types = tree.types
        self._names = set(variables)
        self._accumulators: set[str] = set()
        self._root = tree.root
        self.used: set[str] = set()
        """The variables that the expression reads."""

    def compile(self) -> Step:
        """The closure of the whole."""
        return self._node(self._root)

    def _node(self, node: Node) -> Step:
        match node:
            case Constant(value=value):
                return lambda frame: value
            case Ident(name=name):
                return self._ident(name)
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListLiteral():
                return self._list(node)
            case MapLiteral():
                return self._map(node)
            case Comprehension():
                return self._comprehension(node)
        raise AssertionError(node)

    def _ident(self, name: str) -> Step:
        name = name.removeprefix(".")
        if name not in self._names:
            kind = TypeValue(name)
            return lambda frame: kind

        self.used.add(name)

        def variable(frame: Frame) -> Any:
            frame.cost += 1
            try:
                return frame.values[name]
            except KeyError:
                raise EvaluationError(f"no such attribute(s): {name}") from None

        def accumulated(frame: Frame) -> Any:
            value = frame.values[name]
            if type(value) is _Fault:
                raise value.error
            return value

        return accumulated if name in self._accumulators else variable

    def _path(self, node: Node | None) -> str | None:
        """`a.b.c` when the node is that and not a value: the name of a type, or of a function's namespace."""
        if isinstance(node, Ident):
            return None if node.name in self._names else node.name
        if isinstance(node, Select) and not node.is_test:
            outer = self._path(node.operand)
            return f"{outer}.{node.field}" if outer is not None else None
        return None

    def _field(self, operand: Node, name: str) -> str:
        """The name under which a field is found: those of objects are escaped in expressions, those of maps never."""
        kind = self._types.get(operand.id)
        while kind is not None and kind.name == "optional_type" and kind.parameters:
            kind = kind.parameters[0]
        return unescape(name) if kind is not None and kind.is_message else name

    def _select(self, node: Select) -> Step:
        if (path := self._path(node)) is not None:
            kind = TypeValue(path)
            return lambda frame: kind
        operand, name = self._node(node.operand), self._field(node.operand, node.field)
        if node.is_test:
            return lambda frame: operators.has(operand(frame), name)

        def select(frame: Frame) -> Any:
            holder = operand(frame)
            frame.cost += 1
            if type(holder) is dict:
                try:
                    return holder[name]
                except KeyError:
                    raise EvaluationError(f"no such key: {name}") from None
            return operators.member(holder, name)

        return select

    def _call(self, node: Call) -> Step:
        name = node.function
        if (form := FORMS.get(name)) is not None:
            return form(self._node, node)
        if name == "_?._":
            return self._optional_select(node)
        arguments = list(node.arguments)
        if node.target is not None:
            path = self._path(node.target)
            if path is not None and f"{path}.{name}" in OVERLOADS:
                name = f"{path}.{name}"
            else:
                arguments.insert(0, node.target)
        steps = [self._node(each) for each in arguments]
        if (operator := operators.OPERATORS.get(name)) is not None:
            return _operator(operator, steps)
        found = [each for each in OVERLOADS.get(name, ()) if len(each.types) == len(steps)]
        return _function(found, steps)

    def _optional_select(self, node: Call) -> Step:
        operand, key = node.arguments
        assert isinstance(key, Constant)
        holder, name = self._node(operand), self._field(operand, key.value)

        def select(frame: Frame) -> Any:
            frame.cost += 1
            return operators.optional_index(holder(frame), name)

        return select

    def _list(self, node: ListLiteral) -> Step:
        steps = [self._node(each) for each in node.elements]
        optional = node.optional

        def build(frame: Frame) -> list[Any]:
            frame.charge(LIST_COST)
            if not optional:
                return [step(frame) for step in steps]
            found = []
            for at, step in enumerate(steps):
                value = step(frame)
                if at not in optional:
                    found.append(value)
                elif value.present:
                    found.append(value.content)
            return found

        return build

    def _map(self, node: MapLiteral) -> Step:
        pairs = []
        for entry in node.entries:
            key = entry.key
            key_step = _constant(unescape(key)) if isinstance(key, str) else self._node(key)
            pairs.append((key_step, self._node(entry.value), entry.is_optional))
        name = node.name

        def build(frame: Frame) -> dict[Any, Any]:
            frame.charge(OBJECT_COST if name else MAP_COST)
            found: dict[Any, Any] = Made(name) if name else {}
            for key_step, value_step, is_optional in pairs:
                key, value = key_step(frame), value_step(frame)
                if key in found and not name:
                    raise EvaluationError(f"Failed with repeated key: {key}")
                if not is_optional:
                    found[key] = value
                elif value.present:
                    found[key] = value.content
            return found

        return build

    def _comprehension(self, node: Comprehension) -> Step:
        within, initial = self._node(node.range), self._node(node.initial)
        added = {node.variable, node.accumulator, *([node.second] if node.second else [])} - self._names
        self._names |= added
        self._accumulators.add(node.accumulator)
        condition, step, result = self._node(node.condition), self._step(node), self._node(node.result)
        self._names -= added
        first, second, accumulator = node.variable, node.second, node.accumulator

        is_logic = isinstance(node.step, Call) and node.step.function in ("_&&_", "_||_")

        def fold(frame: Frame) -> Any:
            values = frame.values
            outer = [(name, values.get(name, _ABSENT)) for name in (first, second, accumulator) if name]
            try:
                pairs = _pairs(within(frame), second)
                values[accumulator] = initial(frame)
                for key, element in pairs:
                    values[first] = key
                    if second:
                        values[second] = element
                    frame.charge(1)
                    if not condition(frame):
                        break
                    values[accumulator] = _outcome(step, frame) if is_logic else step(frame)
                return result(frame)
            finally:
                _restore(values, outer)

        return fold

    def _step(self, node: Comprehension) -> Step:
        """The step of a fold. Where it adds to the list that the fold itself began, it adds in place."""
        if isinstance(node.initial, ListLiteral) and not node.initial.elements:
            return self._growing(node.step, node.accumulator)
        return self._node(node.step)

    def _growing(self, node: Node, accumulator: str) -> Step:
        match node:
            case Call(function="_?_:_", arguments=[test, yes, Ident(name=name)]) if name == accumulator:
                test_step, grow = self._node(test), self._growing(yes, accumulator)

                def chosen(frame: Frame) -> Any:
                    verdict = test_step(frame)
                    if type(verdict) is not bool:
                        raise no_such_overload()
                    return grow(frame) if verdict else frame.values[accumulator]

                return chosen
            case Call(function="_+_", arguments=[Ident(name=name), ListLiteral(elements=[element], optional=optional)]):
                if name == accumulator and not optional:
                    return _appending(self._node(element), accumulator)
        return self._node(node)


def _appending(element: Step, accumulator: str) -> Step:
    def append(frame: Frame) -> Any:
        found = frame.values[accumulator]
        value = element(frame)
        frame.charge(LIST_COST + 1)
        found.append(value)
        return found

    return append


def _outcome(step: Step, frame: Frame) -> Any:
    """A step of `all` or `exists`: that it fails is kept, since a later element may decide."""
    try:
        return step(frame)
    except EvaluationError as fault:
        return _Fault(fault)


def _restore(values: dict[str, Any], outer: list[tuple[str, Any]]) -> None:
    for name, value in outer:
        if value is _ABSENT:
            values.pop(name, None)
        else:
            values[name] = value


def _pairs(holder: Any, second: str) -> Iterator[tuple[Any, Any]]:
    """What a fold runs over: elements or keys; with a second variable, indices or keys and what is there."""
    if isinstance(holder, list):
        return iter(list(enumerate(holder))) if second else ((each, None) for each in tuple(holder))
    if isinstance(holder, Mapping):
        return iter(list(holder.items())) if second else ((key, None) for key in tuple(holder))
    if isinstance(holder, Optional):
        return iter([(holder.content, None)] if holder.present else [])
    raise no_such_overload()


def _constant(value: Any) -> Step:
    return lambda frame: value


def _operator(operator: tuple[Callable[..., Any], Any], steps: list[Step]) -> Step:
    call, cost = operator
    if len(steps) == 1:
        operand = steps[0]

        def unary(frame: Frame) -> Any:
            frame.cost += 1
            return call(operand(frame))

        return unary
    left_step, right_step = steps

    def binary(frame: Frame) -> Any:
        left, right = left_step(frame), right_step(frame)
        if cost is None or type(left) is int:
            frame.cost += 1
            return call(left, right)
        found = call(left, right)
        frame.charge(cost((left, right), found))
        return found

    return binary


def _function(overloads: list[Overload], steps: list[Step]) -> Step:
    def call(frame: Frame) -> Any:
        values = tuple(step(frame) for step in steps)
        for overload in overloads:
            if all(map(fits, values, overload.types)):
                if overload.is_steep:
                    assert overload.cost is not None
                    frame.charge(overload.cost(values, None))
                    return overload.call(*values)
                found = overload.call(*values)
                cost = overload.cost(values, found) if overload.cost is not None else 1
                if overload.is_idle:
                    frame.charge_idly(cost)
                else:
                    frame.charge(cost)
                return found
        raise no_such_overload()

    return call
