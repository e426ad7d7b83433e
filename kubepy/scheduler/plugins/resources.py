"""Rules about room: resources, host ports.

Source: pkg/scheduler/framework/plugins/{noderesources,nodeports}.
"""

from collections.abc import Sequence

import numpy as np

from kubepy.scheduler.framework import MOST, Filtered
from kubepy.scheduler.interning import Bools, Floats
from kubepy.scheduler.podinfo import PodInfo
from kubepy.scheduler.snapshot import Snapshot

_ANY = "0.0.0.0"  # the address of a host port that is open on all


class NodeResourcesFit:
    """A node must have free what the pod asks for; the emptier one is better (LeastAllocated)."""

    name = "NodeResourcesFit"

    def filter(self, snapshot: Snapshot, pod: PodInfo) -> Filtered | None:
        pods_column = snapshot.column("pods")
        room = snapshot.allocatable[:, pods_column] if pods_column is not None else np.zeros(snapshot.rows, np.int64)
        short: list[tuple[str, Bools]] = [("Too many pods", snapshot.pod_count + 1 > room)]
        for resource, amount in pod.requests.items():
            column = snapshot.column(resource)
            if column is None:
                lacking = np.ones(snapshot.rows, bool)
            else:
                lacking = amount > snapshot.allocatable[:, column] - snapshot.requested[:, column]
            short.append((f"Insufficient {resource}", lacking))

        def reason(row: int) -> Sequence[str]:
            return [text for text, lacking in short if lacking[row]]

        return Filtered(~np.logical_or.reduce([lacking for _, lacking in short]), reason=reason)

    def score(self, snapshot: Snapshot, pod: PodInfo, possible: Bools) -> Floats | None:
        used, total = _compared(snapshot, pod)
        with np.errstate(divide="ignore", invalid="ignore"):
            free = np.where((total > 0) & (used <= total), (total - used) * MOST / total, 0.0)
        weights = (total > 0).sum(axis=1)
        return np.floor(free.sum(axis=1) / np.maximum(weights, 1))


class NodeResourcesBalancedAllocation:
    """A node whose CPU and memory are used in like measure is better: nothing is left over that nobody can use."""

    name = "NodeResourcesBalancedAllocation"

    def score(self, snapshot: Snapshot, pod: PodInfo, possible: Bools) -> Floats | None:
        if not pod.requests:
            return None  # a best-effort pod changes no balance
        used, total = _compared(snapshot, pod)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(total > 0, np.minimum(used / total, 1.0), 0.0)
        return np.floor((1.0 - np.abs(share[:, 0] - share[:, 1]) / 2) * MOST)


def _compared(snapshot: Snapshot, pod: PodInfo) -> tuple[Floats, Floats]:
    """[node, 2] CPU and memory: used with the pod on it, and allocatable."""
    used = snapshot.counted + np.array(pod.counted)
    return used.astype(float), snapshot.allocatable[:, [snapshot.cpu, snapshot.memory]].astype(float)


class NodePorts:
    """A host port is held by one pod of a node."""

    name = "NodePorts"

    def filter(self, snapshot: Snapshot, pod: PodInfo) -> Filtered | None:
        if not pod.host_ports:
            return None
        busy = np.zeros(snapshot.rows, bool)
        for address, protocol, port in pod.host_ports:
            for held, counts in snapshot.ports_in_use(protocol, port).items():
                if held == address or _ANY in (held, address):
                    busy |= counts > 0
        return Filtered(~busy, "node(s) didn't have free ports for the requested pod ports")
