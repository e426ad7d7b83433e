"""Dynamic resource allocation: the expressions that select devices must compile, and may not cost too much.

`kubepy.api.validation.devices` has judged everything else of them before.
Source: pkg/apis/resource/validation/validation.go (validateCELSelector), dynamic-resource-allocation/cel/compile.go.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from kubepy.api.errors import FieldError, forbidden, invalid
from kubepy.api.meta import Object
from kubepy.apiserver.cel.environment import Environment, Program
from kubepy.apiserver.cel.errors import CompileError
from kubepy.apiserver.cel.estimating import Estimator
from kubepy.apiserver.cel.kinds import MapOf
from kubepy.apiserver.cel.kinds import Object as ObjectKind
from kubepy.apiserver.cel.shapes import Shape
from kubepy.apiserver.cel.syntax import shown_type
from kubepy.apiserver.registry.strategies import core

_COST_MOST: Final = 1_000_000
_MARGIN: Final = 2
"""The estimate is not upstream's to the last unit: what upstream would let pass must never be refused for that."""
_DEVICE = ObjectKind(
    "DRADevice",
    {
        "driver": "string",
        "allowMultipleAllocations": "bool",
        "attributes": MapOf(MapOf("dyn")),
        "capacity": MapOf(MapOf("kubernetes.Quantity")),
    },
)
_NAMED: Final = Shape(32, element=Shape(32, element=Shape(64)))
_SHAPE: Final = Shape(fields={"driver": Shape(63), "attributes": _NAMED, "capacity": _NAMED})
Selectors = Iterator[tuple[str, Sequence[Mapping[str, Any]]]]


@cache
def _environment() -> Environment:
    return Environment({"device": _DEVICE}, extensions=("bindings",))


def selector_fault(expression: str, path: str) -> FieldError | None:
    """What is wrong with one expression."""
    try:
        program = _environment().compile(expression)
    except CompileError as fault:
        return invalid(path, expression, f"compilation failed: {fault.message}")
    if program.result_type not in ("bool", "dyn"):
        why = f"must evaluate to bool or the unknown type, not {_result(program)}"
        return invalid(path, expression, why)
    if Estimator(program.tree, {"device": _SHAPE}).cost() > _COST_MOST * _MARGIN:
        return forbidden(path, "too complex, exceeds cost limit")
    return None


def _result(program: Program) -> str:
    return shown_type(program.tree.types[program.tree.root.id])


def _faults(selectors: Selectors) -> list[FieldError]:
    found = []
    for path, each in selectors:
        for index, selector in enumerate(each):
            expression = (selector.get("cel") or {}).get("expression") or ""
            fault = selector_fault(expression, f"{path}[{index}].cel.expression")
            if fault is not None:
                found.append(fault)
    return found


def _of_claim(spec: Mapping[str, Any], path: str) -> Selectors:
    for index, request in enumerate((spec.get("devices") or {}).get("requests") or ()):
        at = f"{path}.devices.requests[{index}]"
        yield f"{at}.exactly.selectors", (request.get("exactly") or {}).get("selectors") or ()
        for number, alternative in enumerate(request.get("firstAvailable") or ()):
            yield f"{at}.firstAvailable[{number}].selectors", alternative.get("selectors") or ()


class DeviceClassStrategy(core.CountedReturnsDeletedStrategy):
    """Classes of devices."""

    def faults(self, obj: Object) -> list[FieldError]:
        return _faults(iter([("spec.selectors", (obj.get("spec") or {}).get("selectors") or ())]))


class ResourceClaimStrategy(core.ResourceClaimStrategy):
    """Claims."""

    def faults(self, obj: Object) -> list[FieldError]:
        return _faults(_of_claim(obj.get("spec") or {}, "spec"))


class ResourceClaimTemplateStrategy(core.ReturnsDeletedStrategy):
    """What claims are made of."""

    def faults(self, obj: Object) -> list[FieldError]:
        return _faults(_of_claim((obj.get("spec") or {}).get("spec") or {}, "spec.spec"))
