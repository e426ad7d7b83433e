"""Everything that is wrong is told before anything is changed."""

from typing import Any

import pytest
from kubepy_preflight import group_faults, listening, network_faults, port_faults, system_faults, variable_faults

NETWORKS = {"pods": "10.244.0.0/16", "services": "10.96.0.0/12", "dns": "10.96.0.10", "machine": "192.168.1.2"}
GROUPS = {"etcd": ["a"], "kube_control_plane": ["a"], "kube_node": ["b"]}
SYSTEM = {"distribution": "Debian", "version": "12.5", "python": "3.11.2", "architecture": "x86_64"}


def test_a_good_inventory_has_no_fault() -> None:
    assert group_faults(GROUPS) + network_faults(NETWORKS) + system_faults(SYSTEM, {"Debian": "12"}) == []


@pytest.mark.parametrize("group", ["etcd", "kube_control_plane", "kube_node"])
def test_a_missing_group_is_named(group: str) -> None:
    [fault] = group_faults({**GROUPS, group: []})
    assert f"group {group}" in fault


def test_two_etcd_members_are_refused() -> None:
    assert "even number" in group_faults({**GROUPS, "etcd": ["a", "b"]})[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pods": "10.97.0.0/16"}, "overlap"),
        ({"dns": "10.1.0.10"}, "not in cluster_service_cidr"),
        ({"pods": "10.244.0.1/16"}, "cluster_pod_cidr is wrong"),
        ({"pods": "10.244.0.0/25"}, "smaller than the /24"),
        ({"machine": "10.244.3.3"}, "lies in a network of the cluster"),
        ({"dns": "ten"}, "cluster_dns_address is wrong"),
    ],
)
def test_networks_that_cannot_work_are_told(change: dict[str, str], said: str) -> None:
    assert any(said in fault for fault in network_faults({**NETWORKS, **change}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": "11"}, "not supported"),
        ({"distribution": "Gentoo"}, "not supported"),
        ({"python": "3.9.1"}, "3.11"),
        ({"architecture": "s390x"}, "no wheels"),
    ],
)
def test_unsupported_systems_are_told(change: dict[str, str], said: str) -> None:
    assert said in system_faults({**SYSTEM, **change}, {"Debian": "12"})[0]


def test_a_wrong_variable_is_told_with_its_meaning() -> None:
    options: dict[str, Any] = {
        "kubelet_max_pods": {"type": "int", "description": "Pods that the node takes.", "default": 110},
        "kubelet_pause_source": {"type": "str", "choices": ["build", "pull"]},
    }
    faults = variable_faults(options, {"kubelet_max_pods": "many", "kubelet_pause_source": "guess"})
    assert len(faults) == 2
    assert "kubelet_max_pods" in faults[0]
    assert "Pods that the node takes." in faults[0]


def test_ports_of_our_own_components_are_free() -> None:
    wanted = [{"port": 6443, "process": "kube-apiserver"}, {"port": 2379, "process": "etcd"}]
    assert port_faults(wanted, {6443: (9, "/opt/kubepy/bin/python /usr/local/bin/kube-apiserver --x")}) == []
    assert "nginx (pid 9)" in port_faults(wanted, {2379: (9, "nginx")})[0]


def test_listeners_are_read_from_proc() -> None:
    table = "head\n 0: 0100007F:192B 00000000:0000 0A 0:0 00:0 0 0 0 4711 1\n 1: 0:0050 0:0 01 0:0 00:0 0 0 0 5 1\n"
    assert listening(table) == {0x192B: "4711"}
