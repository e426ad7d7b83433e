"""Expressions that select devices are compiled when they are written."""

from typing import Any

import pytest

from kubepy.api import resources
from kubepy.apiserver.registry.strategies.devices import (
    DeviceClassStrategy,
    ResourceClaimStrategy,
    ResourceClaimTemplateStrategy,
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
