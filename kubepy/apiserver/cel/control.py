"""Calls that do not look at all of their operands: the logical operators, the choice, what folds are made of.

Each form takes what makes a step of a node, and the call.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from kubepy.apiserver.cel.errors import EvaluationError, no_such_overload
from kubepy.apiserver.cel.frame import MAP_COST, Frame, Step
from kubepy.apiserver.cel.syntax import Call, Node
from kubepy.apiserver.cel.values import Optional

Make = Callable[[Node], Step]


def _and(make: Make, node: Call) -> Step:
    return _logic(make, node, absorbing=False)


def _or(make: Make, node: Call) -> Step:
    return _logic(make, node, absorbing=True)


def _logic(make: Make, node: Call, *, absorbing: Any) -> Step:
    """`&&` and `||`: either side may decide alone, even if the other one fails."""
    left_step, right_step = (make(each) for each in node.arguments)

    decided: bool = absorbing

    def decide(frame: Frame) -> bool:
        fault: EvaluationError | None = None
        frame.cost += 1
        try:
            left = left_step(frame)
            if left is absorbing:
                return decided
            if type(left) is not bool:
                fault = no_such_overload()
        except EvaluationError as raised:
            fault = raised
        right = right_step(frame)
        if right is absorbing:
            return decided
        if fault is not None:
            raise fault
        if type(right) is not bool:
            raise no_such_overload()
        return not decided

    return decide


def _choice(make: Make, node: Call) -> Step:
    test, yes, no = (make(each) for each in node.arguments)

    def choose(frame: Frame) -> Any:
        verdict = test(frame)
        frame.cost += 1
        if type(verdict) is not bool:
            raise no_such_overload()
        return yes(frame) if verdict else no(frame)

    return choose


def _not_strictly_false(make: Make, node: Call) -> Step:
    """Whether a fold goes on: it does so long as its answer is not False, whatever fails."""
    operand = make(node.arguments[0])

    def test(frame: Frame) -> bool:
        try:
            verdict = operand(frame)
        except EvaluationError:
            return True
        return verdict is not False

    return test


def _map_insert(make: Make, node: Call) -> Step:
    """`cel.@mapInsert(map, key, value)` and `(map, map)`: how folds that make maps grow them, in place."""
    steps = [make(each) for each in node.arguments]

    def insert(frame: Frame) -> Any:
        found, *rest = (step(frame) for step in steps)
        frame.charge(MAP_COST)
        pairs = rest[0].items() if len(rest) == 1 else [(rest[0], rest[1])]
        for key, value in pairs:
            if key in found:
                raise EvaluationError(f"insert failed: key {key} already exists")
            found[key] = value
        return found

    return insert


def _optional_or(make: Make, node: Call) -> Step:
    """`a.or(b)` and `a.orValue(b)`: b is looked at only when a has no value."""
    assert node.target is not None
    first, second, is_value = make(node.target), make(node.arguments[0]), node.function == "orValue"

    def choose(frame: Frame) -> Any:
        found = first(frame)
        frame.cost += 1
        if not isinstance(found, Optional):
            raise no_such_overload()
        if not found.present:
            return second(frame)
        return found.content if is_value else found

    return choose


FORMS: Final[Mapping[str, Callable[[Make, Call], Step]]] = {
    "_&&_": _and,
    "_||_": _or,
    "_?_:_": _choice,
    "@not_strictly_false": _not_strictly_false,
    "__not_strictly_false__": _not_strictly_false,
    "cel.@mapInsert": _map_insert,
    "or": _optional_or,
    "orValue": _optional_or,
}
