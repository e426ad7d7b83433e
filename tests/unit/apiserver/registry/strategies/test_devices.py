"""Expressions that select devices are compiled when they are written."""

import asyncio
from typing import Any

import pytest

from kubepy.api import resources
from kubepy.apiserver.registry.strategies.devices import (
    DeviceClassStrategy,
    ResourceClaimStrategy,
    ResourceClaimTemplateStrategy,
    ResourceSliceStrategy,
    selector_fault,
)

TEN = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
DEAR = "".join(f"{TEN}.all({name}, " for name in "xyzuvw") + "x == x" + ")" * 6


@pytest.mark.parametrize(
    "expression",
    [
        "true",
        "device.driver == 'gpu.example.com' && !device.allowMultipleAllocations",
        'device.attributes["gpu.example.com"].model',
        'device.attributes["gpu.example.com"].model.lowerAscii().matches("^a.*")',
        'device.capacity["gpu.example.com"].memory.isGreaterThan(quantity("10Gi"))',
        'device.capacity["gpu.example.com"].memory.compareTo(quantity("10Gi")) >= 0',
        'cel.bind(gpu, device.attributes["gpu.example.com"], gpu.ready && gpu.cores > 4)',
        'device.attributes["gpu.example.com"].version.isGreaterThan(semver("1.0.0"))',
        '"x" in device.attributes["gpu.example.com"].services',
    ],
)
def test_selector_is_let_pass(expression: str) -> None:
    assert selector_fault(expression, "p") is None


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "noSuchVar",
            "Invalid value: \"noSuchVar\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'noSuchVar' "
            "(in container '')\n | noSuchVar\n | ^",
        ),
        ("device.driver", 'Invalid value: "device.driver": must evaluate to bool or the unknown type, not string'),
        ("[[1]]", 'Invalid value: "[[1]]": must evaluate to bool or the unknown type, not list(list(int))'),
        (
            "device.model",
            "Invalid value: \"device.model\": compilation failed: ERROR: <input>:1:7: undefined field 'model'\n"
            " | device.model\n | ......^",
        ),
        (DEAR, "Forbidden: too complex, exceeds cost limit"),
    ],
)
def test_selector_is_refused_in_upstreams_words(expression: str, message: str) -> None:
    fault = selector_fault(expression, "p")
    assert fault is not None
    assert fault.message == message


def test_selectors_are_found_wherever_they_are() -> None:
    def bad(number: int) -> dict[str, Any]:
        return {"selectors": [{"cel": {"expression": "true"}}, {"cel": {"expression": f"no{number}"}}]}

    spec = {"devices": {"requests": [{"name": "a", "exactly": bad(1)}, {"name": "b", "firstAvailable": [{}, bad(2)]}]}}
    group = "resource.k8s.io"
    claim = ResourceClaimStrategy(resources.named("resourceclaims", group)).faults({"spec": spec})
    template = ResourceClaimTemplateStrategy(resources.named("resourceclaimtemplates", group))
    device_class = DeviceClassStrategy(resources.named("deviceclasses", group)).faults({"spec": bad(3)})
    first, second = "exactly.selectors[1].cel.expression", "firstAvailable[1].selectors[1].cel.expression"
    assert [fault.field for fault in claim] == [
        f"spec.devices.requests[0].{first}",
        f"spec.devices.requests[1].{second}",
    ]
    assert [fault.field for fault in template.faults({"spec": {"spec": spec}})] == [
        f"spec.spec.devices.requests[0].{first}",
        f"spec.spec.devices.requests[1].{second}",
    ]
    assert [fault.field for fault in device_class] == ["spec.selectors[1].cel.expression"]


class Namespaces:
    """A lookup that knows two namespaces: devices that are in use may be asked for in one."""

    def __init__(self) -> None:
        self.waited = 0

    def get(self, resource: Any, name: str, namespace: str | None = None) -> Any:
        labels = {"resource.kubernetes.io/admin-access": "true"} if name == "open" else {}
        return {"metadata": {"name": name, "labels": labels}}

    async def fresh(self, resource: Any) -> None:
        self.waited += 1


REFUSED = "admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing "
ASKS = {"devices": {"requests": [{"name": "a"}, {"name": "b", "exactly": {"adminAccess": True}}]}}
GRANTED = {"allocation": {"devices": {"results": [{"request": "b", "adminAccess": True}]}}}


def strategies(namespaces: Any = None) -> tuple[ResourceClaimStrategy, ResourceClaimTemplateStrategy]:
    group, seen = "resource.k8s.io", namespaces or Namespaces()
    claim = ResourceClaimStrategy(resources.named("resourceclaims", group))
    template = ResourceClaimTemplateStrategy(resources.named("resourceclaimtemplates", group))
    for strategy in (claim, template):
        strategy.attach(seen, None)  # type: ignore[arg-type]
    return claim, template


@pytest.mark.parametrize(("namespace", "expected"), [
    ("shut", [f"spec.devices.requests[1].adminAccess: Forbidden: {REFUSED}namespace"]),
    ("open", []),
])  # fmt: skip
def test_devices_in_use_are_for_namespaces_that_are_labeled(namespace: str, expected: list[str]) -> None:
    claim, template = strategies()
    meta = {"namespace": namespace}
    assert [str(fault) for fault in claim.unauthorized({"metadata": meta, "spec": ASKS}, None)] == expected
    made = {"metadata": meta, "spec": {"spec": ASKS}}
    assert [str(fault) for fault in template.unauthorized(made, None)] == expected
    assert claim.unauthorized({"metadata": meta, "spec": {"devices": {"requests": [{"exactly": {}}]}}}, None) == []


def test_a_status_is_given_devices_in_use_in_labeled_namespaces_only_but_keeps_them() -> None:
    claim, _ = strategies()
    old, new = ({"metadata": {"namespace": "shut"}, "spec": ASKS, "status": status} for status in ({}, GRANTED))
    assert [str(fault) for fault in claim.unauthorized(new, old)] == [
        f"status.allocation.devices.results[0].adminAccess: Forbidden: {REFUSED}namespace"
    ]
    assert claim.unauthorized(new, new) == claim.unauthorized(old, old) == []


def test_the_label_is_looked_for_where_every_write_is_seen() -> None:
    seen = Namespaces()
    claim, _ = strategies(seen)
    ctx: Any = None
    for spec in (ASKS, {}):
        asyncio.run(claim.begin_write({"metadata": {"namespace": "open"}, "spec": spec}, None, ctx))
    assert seen.waited == 1


def test_fields_of_features_that_are_off_are_dropped_when_they_are_written() -> None:
    claim, template = strategies()
    resource_slice = ResourceSliceStrategy(resources.named("resourceslices", "resource.k8s.io"))
    ctx: Any = None
    derived = {"derivedAttributes": [{"name": "a.b/c", "expression": "true"}]}

    def asking() -> Any:
        return {"devices": {"requests": [{"name": "a", "exactly": dict(derived)}]}}

    for strategy, spec in (
        (claim, asking()),
        (template, {"spec": asking()}),
        (resource_slice, {"driver": "a.b", "skipNodeOperations": ["*"]}),
    ):
        obj: Any = {"metadata": {}, "spec": spec}
        strategy.prepare_for_create(obj, ctx)
        assert not {field for field in ("derivedAttributes", "skipNodeOperations") if field in str(obj)}
        strategy.prepare_for_update({"metadata": {}, "spec": {"devices": {}}}, obj, ctx)
    status: Any = {"allocation": {"devices": {"results": [{"skipNodeOperations": ["*"]}]}}}
    claim.prepare_for_status_update({"metadata": {}, "spec": {}, "status": status}, {"metadata": {}, "spec": {}}, ctx)
    assert status == {"allocation": {"devices": {"results": [{}]}}}
