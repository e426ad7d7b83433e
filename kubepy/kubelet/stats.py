"""What containers, pods and the node use, read from cgroups and /proc.

Each reading is made when it is asked for, for all containers at once in one thread; CPU rates come from the reading
before. Both cgroup versions. Bytes, nanoseconds.
Source: pkg/kubelet/stats/cri_stats_provider.go; kubelet/pkg/apis/stats/v1alpha1.
"""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kubepy.kubelet import machine
from kubepy.kubelet.pod_worker import PodWorker
from kubepy.lib.clock import rfc3339

Object = dict[str, Any]

_TOP, _PROC = Path("/sys/fs/cgroup"), Path("/proc")


@dataclass(frozen=True, slots=True)
class Usage:
    """One reading of a cgroup."""

    cpu_ns: int = 0
    memory: int = 0
    working_set: int = 0
    rss: int = 0
    page_faults: int = 0
    major_page_faults: int = 0
    processes: int = 0


@dataclass(frozen=True, slots=True)
class Network:
    """One interface's counters."""

    name: str
    rx_bytes: int
    rx_errors: int
    tx_bytes: int
    tx_errors: int


def cgroup_paths(pid: int) -> dict[str, Path]:
    """The folders of a process's cgroups by controller; `` is the unified one. Empty when it is gone."""
    found: dict[str, Path] = {}
    with suppress(OSError):
        for line in (_PROC / str(pid) / "cgroup").read_text().splitlines():
            number, controllers, path = line.split(":", 2)
            if number == "0" and not controllers:
                found[""] = _TOP / path.lstrip("/")
            for name in controllers.split(","):
                if name:
                    found[name] = _TOP / name / path.lstrip("/")
    return found


def read_usage(folders: dict[str, Path]) -> Usage:
    """What the cgroup used so far, and has now."""
    if "memory" in folders:
        return _read_v1(folders)
    if "" in folders:
        return _read_v2(folders[""])
    return Usage()


def _read_v1(folders: dict[str, Path]) -> Usage:
    stat = _pairs(folders["memory"] / "memory.stat")
    memory = _number(folders["memory"] / "memory.usage_in_bytes")
    return Usage(
        cpu_ns=_number(folders.get("cpuacct", Path()) / "cpuacct.usage"),
        memory=memory,
        working_set=max(memory - stat.get("total_inactive_file", 0), 0),
        rss=stat.get("total_rss", 0),
        page_faults=stat.get("total_pgfault", 0),
        major_page_faults=stat.get("total_pgmajfault", 0),
        processes=_number(folders.get("pids", Path()) / "pids.current"),
    )


def _read_v2(folder: Path) -> Usage:
    stat = _pairs(folder / "memory.stat")
    memory = _number(folder / "memory.current")
    return Usage(
        cpu_ns=_pairs(folder / "cpu.stat").get("usage_usec", 0) * 1000,
        memory=memory,
        working_set=max(memory - stat.get("inactive_file", 0), 0),
        rss=stat.get("anon", 0),
        page_faults=stat.get("pgfault", 0),
        major_page_faults=stat.get("pgmajfault", 0),
        processes=_number(folder / "pids.current"),
    )


def _number(path: Path) -> int:
    with suppress(OSError, ValueError):
        return int(path.read_text())
    return 0


def _pairs(path: Path) -> dict[str, int]:
    with suppress(OSError, ValueError):
        return {name: int(value) for name, value in (line.split() for line in path.read_text().splitlines())}
    return {}


def read_network(pid: int) -> list[Network]:
    """The interfaces of a process's network namespace, without loopback."""
    found = []
    with suppress(OSError):
        for line in (_PROC / str(pid) / "net/dev").read_text().splitlines()[2:]:
            name, _, rest = line.partition(":")
            fields = [int(f) for f in rest.split()]
            if name.strip() != "lo":
                found.append(Network(name.strip(), fields[0], fields[2], fields[8], fields[10]))
    return sorted(found, key=lambda n: n.name != "eth0")


class StatsReader:
    """Reads the node's usage; keeps the last CPU reading of each container for its rate."""

    def __init__(self, node_name: str, root: Path) -> None:
        self._node_name = node_name
        self._root = root
        self._before: dict[str, tuple[float, int]] = {}
        self._started = datetime.now(UTC)

    def _rate(self, key: str, cpu_ns: int) -> int:
        """Nanocores since the reading before; 0 at the first."""
        now = time.monotonic()
        then, before = self._before.get(key, (now, cpu_ns))
        if now - then >= 1 or key not in self._before:
            self._before[key] = (now, cpu_ns)
        return int(max(cpu_ns - before, 0) / (now - then)) if now > then else 0

    def summary(self, workers: Iterable[PodWorker]) -> Object:
        """The answer of /stats/summary. Blocks."""
        workers = list(workers)
        known = {"node", *(c.id for w in workers for c in w.observed.running())}
        self._before = {k: v for k, v in self._before.items() if k in known}
        return {"node": self._node(), "pods": [self._pod(worker) for worker in workers if not worker.is_ending]}

    def _node(self) -> Object:
        root = {c: _TOP / c for c in ("cpuacct", "memory", "pids")} if (_TOP / "memory").is_dir() else {"": _TOP}
        usage = read_usage(root)
        total, available = machine.memory_bytes(), machine.available_memory_bytes()
        now = rfc3339(datetime.now(UTC))
        cpu_ns = _node_cpu_ns()
        return {
            "nodeName": self._node_name,
            "startTime": rfc3339(self._started),
            "cpu": {"time": now, "usageNanoCores": self._rate("node", cpu_ns), "usageCoreNanoSeconds": cpu_ns},
            "memory": {
                "time": now,
                "availableBytes": available,
                "usageBytes": max(usage.memory, total - available),
                "workingSetBytes": total - available,
                "rssBytes": usage.rss,
                "pageFaults": usage.page_faults,
                "majorPageFaults": usage.major_page_faults,
            },
            "network": _render_network(read_network(1), now),
            "fs": _render_fs(self._root, now),
            "runtime": {"imageFs": _render_fs(self._root, now)},
            "rlimit": {"time": now, "maxpid": _number(_PROC / "sys/kernel/pid_max"), "curproc": _processes()},
        }

    def _pod(self, worker: PodWorker) -> Object:
        meta = worker.pod["metadata"]
        now = rfc3339(datetime.now(UTC))
        containers = []
        cpu_ns = nano_cores = working_set = memory = processes = 0
        for status in worker.observed.running():
            usage = read_usage(cgroup_paths(status.pid))
            rate = self._rate(status.id, usage.cpu_ns)
            cpu_ns, nano_cores, working_set = cpu_ns + usage.cpu_ns, nano_cores + rate, working_set + usage.working_set
            memory, processes = memory + usage.memory, processes + usage.processes
            containers.append({
                "name": status.name,
                "startTime": rfc3339(status.started_at) if status.started_at else None,
                "cpu": {"time": now, "usageNanoCores": rate, "usageCoreNanoSeconds": usage.cpu_ns},
                "memory": {
                    "time": now, "usageBytes": usage.memory, "workingSetBytes": usage.working_set,
                    "rssBytes": usage.rss, "pageFaults": usage.page_faults, "majorPageFaults": usage.major_page_faults,
                },
                "rootfs": {"time": now},
                "logs": {"time": now, "usedBytes": _size(status.log_path)},
            })  # fmt: skip
        sandbox = worker.observed.sandbox
        network = read_network(sandbox.pid) if sandbox and sandbox.pid and not sandbox.host_network else []
        return {
            "podRef": {"name": meta["name"], "namespace": meta["namespace"], "uid": worker.uid},
            "startTime": (worker.pod.get("status") or {}).get("startTime"),
            "containers": containers,
            "cpu": {"time": now, "usageNanoCores": nano_cores, "usageCoreNanoSeconds": cpu_ns},
            "memory": {"time": now, "usageBytes": memory, "workingSetBytes": working_set},
            **({"network": _render_network(network, now)} if network else {}),
            "process_stats": {"process_count": processes},
        }


def _render_network(interfaces: list[Network], now: str) -> Object:
    shown = [
        {"name": n.name, "rxBytes": n.rx_bytes, "rxErrors": n.rx_errors, "txBytes": n.tx_bytes, "txErrors": n.tx_errors}
        for n in interfaces
    ]
    return {"time": now, **(shown[0] if shown else {"name": ""}), "interfaces": shown}


def _render_fs(path: Path, now: str) -> Object:
    disk = os.statvfs(path)
    return {
        "time": now,
        "availableBytes": disk.f_bavail * disk.f_frsize,
        "capacityBytes": disk.f_blocks * disk.f_frsize,
        "usedBytes": (disk.f_blocks - disk.f_bfree) * disk.f_frsize,
        "inodesFree": disk.f_ffree,
        "inodes": disk.f_files,
        "inodesUsed": disk.f_files - disk.f_ffree,
    }


def _node_cpu_ns() -> int:
    """CPU time that the machine has spent not idle."""
    fields = [int(f) for f in (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
    busy = sum(fields) - fields[3] - fields[4]
    return busy * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def _processes() -> int:
    return int((_PROC / "loadavg").read_text().split()[3].split("/")[1])


def _size(path: str) -> int:
    with suppress(OSError):
        return os.stat(path).st_size
    return 0
