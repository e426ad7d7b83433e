"""Dynamic resource allocation: the expressions that select devices must compile, and may not cost too much; devices
that are in use are only for namespaces that are labeled for it.

`kubepy.api.validation.devices` has judged everything else of them before.
Source: pkg/apis/resource/validation/validation.go (validateCELSelector), dynamic-resource-allocation/cel/compile.go,
pkg/registry/resource/resourceclaim/strategy.go and pkg/registry/resource/utils.go (AuthorizedForAdmin).
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Final

from kubepy.api import resources
from kubepy.api.disabled_devices import drop_from_claim, drop_from_claim_status, drop_from_slice
from kubepy.api.errors import FieldError, forbidden, invalid
from kubepy.api.meta import Object
from kubepy.apiserver.cel.environment import Environment, Program
from kubepy.apiserver.cel.errors import CompileError
from kubepy.apiserver.cel.estimating import Estimator
from kubepy.apiserver.cel.kinds import MapOf
from kubepy.apiserver.cel.kinds import Object as ObjectKind
from kubepy.apiserver.cel.shapes import Shape
from kubepy.apiserver.cel.syntax import shown_type
from kubepy.apiserver.lookup import Lookup
from kubepy.apiserver.registry.context import Context
from kubepy.apiserver.registry.strategies import core
from kubepy.apiserver.registry.strategy import Strategy
from kubepy.lib.clock import rfc3339
from kubepy.storage.cache import ResourceCache

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
_ADMIN_LABEL: Final = "resource.kubernetes.io/admin-access"
_NAMESPACES: Final = resources.named("namespaces")
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


class _AsksForDevices(Strategy):
    """What may ask for devices that are in use: only in namespaces that are labeled for it."""

    _namespaces: Lookup | None = None

    def attach(self, lookup: Lookup, cache: ResourceCache) -> None:
        self._namespaces = lookup

    async def begin_write(self, obj: Object, old: Object | None, ctx: Context) -> None:
        if old is None and self.admin_path(obj, None) is not None and self._namespaces is not None:
            await self._namespaces.fresh(_NAMESPACES)

    def unauthorized(self, new: Object, old: Object | None) -> list[FieldError]:
        path = self.admin_path(new, old)
        if path is None or self._namespaces is None:
            return []
        namespace = self._namespaces.get(_NAMESPACES, new["metadata"].get("namespace") or "") or {}
        if ((namespace.get("metadata") or {}).get("labels") or {}).get(_ADMIN_LABEL) == "true":
            return []
        why = f"admin access to devices requires the `{_ADMIN_LABEL}: true` label on the containing namespace"
        return [forbidden(path, why)]

    def admin_path(self, new: Object, old: Object | None) -> str | None:
        """Where a new object asks for such devices, or a new status has them, for the first time."""
        raise NotImplementedError


def _spec(obj: Object) -> Object:
    return obj.get("spec") or {}


def _admin_request(spec: Mapping[str, Any]) -> str | None:
    for index, request in enumerate((spec.get("devices") or {}).get("requests") or ()):
        if (request.get("exactly") or {}).get("adminAccess"):
            return f"spec.devices.requests[{index}].adminAccess"
    return None


def _admin_result(status: Mapping[str, Any]) -> str | None:
    devices = (status.get("allocation") or {}).get("devices") or {}
    for index, result in enumerate(devices.get("results") or ()):
        if result.get("adminAccess"):
            return f"status.allocation.devices.results[{index}].adminAccess"
    return None


class ResourceClaimStrategy(_AsksForDevices, core.ResourceClaimStrategy):
    """Claims."""

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        drop_from_claim(_spec(obj), None)
        super().prepare_for_create(obj, ctx)

    def prepare_for_update(self, new: Object, old: Object, ctx: Context) -> None:
        drop_from_claim(_spec(new), _spec(old))
        super().prepare_for_update(new, old, ctx)

    def prepare_for_status_update(self, new: Object, old: Object, ctx: Context) -> None:
        drop_from_claim_status(new.get("status") or {}, old.get("status"))
        super().prepare_for_status_update(new, old, ctx)

    def admin_path(self, new: Object, old: Object | None) -> str | None:
        if old is None:
            return _admin_request(new.get("spec") or {})
        return None if _admin_result(old.get("status") or {}) else _admin_result(new.get("status") or {})

    def faults(self, obj: Object) -> list[FieldError]:
        return _faults(_of_claim(obj.get("spec") or {}, "spec"))


class ResourceClaimTemplateStrategy(_AsksForDevices, core.ReturnsDeletedStrategy):
    """What claims are made of."""

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        drop_from_claim(_spec(obj).get("spec") or {}, None)
        super().prepare_for_create(obj, ctx)

    def prepare_for_update(self, new: Object, old: Object, ctx: Context) -> None:
        drop_from_claim(_spec(new).get("spec") or {}, _spec(old).get("spec"))
        super().prepare_for_update(new, old, ctx)

    def admin_path(self, new: Object, old: Object | None) -> str | None:
        return _admin_request((new.get("spec") or {}).get("spec") or {})

    def faults(self, obj: Object) -> list[FieldError]:
        return _faults(_of_claim((obj.get("spec") or {}).get("spec") or {}, "spec.spec"))


class ResourceSliceStrategy(core.GenerationStrategy):
    """Slices of devices, which kubelets and drivers select by theirs."""

    returns_deleted = True
    selectable: ClassVar = {"spec.nodeName": ("spec", "nodeName"), "spec.driver": ("spec", "driver")}

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        drop_from_slice(_spec(obj), None)
        super().prepare_for_create(obj, ctx)
        _date_taints(obj, ctx)

    def prepare_for_update(self, new: Object, old: Object, ctx: Context) -> None:
        drop_from_slice(_spec(new), _spec(old))
        _date_taints(new, ctx)
        super().prepare_for_update(new, old, ctx)


class DeviceTaintRuleStrategy(core.CountedConditionalStrategy):
    """Taints of devices: a new effect holds from now on, unless its writer says since when."""

    status_keeps_metadata = True

    def prepare_for_create(self, obj: Object, ctx: Context) -> None:
        super().prepare_for_create(obj, ctx)
        _date([_taint(obj)], ctx)

    def prepare_for_update(self, new: Object, old: Object, ctx: Context) -> None:
        taint, before = _taint(new), _taint(old)
        if taint.get("effect") != before.get("effect") and taint.get("timeAdded") == before.get("timeAdded"):
            taint.pop("timeAdded", None)
        _date([taint], ctx)
        super().prepare_for_update(new, old, ctx)


def _taint(obj: Object) -> Object:
    taint: Object = (obj.get("spec") or {}).get("taint") or {}
    return taint


def _date_taints(obj: Object, ctx: Context) -> None:
    for device in (obj.get("spec") or {}).get("devices") or ():
        _date(device.get("taints") or (), ctx)


def _date(taints: Sequence[Object], ctx: Context) -> None:
    """Taints hold from now on where they do not say since when."""
    for taint in taints:
        if taint.get("effect") and not taint.get("timeAdded"):
            taint["timeAdded"] = rfc3339(ctx.now)
