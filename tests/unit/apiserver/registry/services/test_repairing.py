"""Which repairs are planned where Services and what was taken for them do not agree."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kubepy.apiserver.registry.services.addresses import AddressRange, render_address
from kubepy.apiserver.registry.services.ports import Bitmap, read_bitmap, render_bitmap
from kubepy.apiserver.registry.services.repairing import plan_address_repairs, plan_port_repair
from kubepy.lib.clock import rfc3339
from kubepy.storage.base import Entry

NOW = datetime(2030, 1, 1, tzinfo=UTC)
RANGE = AddressRange("10.0.0.0/24")


def service(name: str, *addresses: str, ports: tuple[int, ...] = ()) -> Any:
    spec = {"type": "NodePort", "clusterIPs": list(addresses), "ports": [{"nodePort": port} for port in ports]}
    return {"kind": "Service", "metadata": {"namespace": "ns", "name": name}, "spec": spec}


def address(text: str, parent: str, *, age_s: int = 3600, labels: Any = None, **reference: str) -> Any:
    made = render_address(text, "ns", parent)
    made["metadata"]["creationTimestamp"] = rfc3339(NOW - timedelta(seconds=age_s))
    made["spec"]["parentRef"] |= reference
    if labels is not None:
        made["metadata"]["labels"] = labels
    return made


def steps(services: list[Any], addresses: list[Any]) -> list[tuple[str, str, str]]:
    planned = plan_address_repairs(services, addresses, [RANGE], NOW)
    return [(step.action, step.address, step.reason) for step in planned]


@pytest.mark.parametrize(
    ("services", "addresses", "expected"),
    [
        ([service("a", "10.0.0.5")], [address("10.0.0.5", "a")], []),
        ([service("a", "None")], [], []),
        ([service("a", "10.0.0.5")], [], [("create", "10.0.0.5", "ClusterIPNotAllocated")]),
        ([service("a", "10.9.0.5")], [], [("tell", "10.9.0.5", "ClusterIPOutOfRange")]),
        ([service("a", "10.0.0.5")], [address("10.0.0.5", "gone")],
         [("recreate", "10.0.0.5", "ClusterIPNotAllocated")]),
        ([service("a", "10.0.0.5")], [address("10.0.0.5", "a", resource="gateways")],
         [("recreate", "10.0.0.5", "ClusterIPNotAllocated")]),
        ([service("a", "10.0.0.5")], [address("10.0.0.5", "a", labels={})],
         [("recreate", "10.0.0.5", "ClusterIPNotAllocated")]),
        ([service("a", "10.0.0.5"), service("b", "10.0.0.5")], [address("10.0.0.5", "a")],
         [("tell", "10.0.0.5", "ClusterIPAlreadyAllocated")]),
        ([], [address("10.0.0.5", "a", age_s=59)], []),
        ([], [address("10.0.0.5", "a", age_s=61)], [("delete", "10.0.0.5", "IPAddressNotAllocated")]),
        ([service("a", "10.0.0.6")], [address("10.0.0.6", "a"), address("10.0.0.5", "a")],
         [("delete", "10.0.0.5", "IPAddressWrongReference")]),
        ([], [address("10.0.0.5", "x", resource="gateways")], [("delete", "10.0.0.5", "IPAddressNotAllocated")]),
        ([], [address("10.0.0.5", "x", labels={"ipaddress.kubernetes.io/managed-by": "someone"})], []),
    ],
)  # fmt: skip
def test_addresses_are_brought_into_line(services: Any, addresses: Any, expected: Any) -> None:
    assert steps(services, addresses) == expected


def bitmap(*ports: int) -> Bitmap:
    return Bitmap("30000-30010", sum(1 << (port - 30000) for port in ports), 7)


def test_a_bitmap_is_kept_as_upstream_keeps_it() -> None:
    stored = render_bitmap("30000-32767", 1 << 0 | 1 << 9)
    assert stored == (
        b'{"kind":"RangeAllocation","apiVersion":"v1","metadata":{"creationTimestamp":null},"range":"30000-32767",'
        b'"data":"AgE="}'
    )
    assert list(read_bitmap(Entry("", stored, 3)).ports()) == [30000, 30009]


def test_a_port_without_a_service_is_freed_after_three_rounds() -> None:
    leaks: dict[int, int] = {}
    for _ in range(2):
        plan = plan_port_repair([service("a", ports=(30001,))], bitmap(30001, 30002), 30000, 30010, leaks)
        assert plan.ports == {30001, 30002}
        leaks = plan.leaks
    assert plan_port_repair([service("a", ports=(30001,))], bitmap(30001, 30002), 30000, 30010, leaks).ports == {30001}


@pytest.mark.parametrize(
    ("services", "reasons", "ports"),
    [
        ([service("a", ports=(30001,))], ["PortNotAllocated"], {30001}),
        ([service("a", ports=(30001,)), service("b", ports=(30001,))],
         ["PortNotAllocated", "PortAlreadyAllocated"], {30001}),
        ([service("a", ports=(40000,))], ["PortOutOfRange"], set()),
    ],
)  # fmt: skip
def test_ports_are_brought_into_line(services: Any, reasons: list[str], ports: set[int]) -> None:
    plan = plan_port_repair(services, bitmap(), 30000, 30010, {})
    assert [reason for _, reason, _ in plan.events] == reasons
    assert plan.ports == ports
