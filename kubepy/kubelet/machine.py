"""Facts of this machine, read from /proc, /sys and the operating system's own files.

Every function reads and returns; nothing is kept. Memory and storage in bytes.
Source: cAdvisor's machine info; pkg/kubelet/eviction (signals).
"""

import os
import platform
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from kubepy.api import quantity

_PROC = Path("/proc")


def memory_bytes() -> int:
    return _meminfo()["MemTotal"] * 1024


def available_memory_bytes() -> int:
    return _meminfo()["MemAvailable"] * 1024


def _meminfo() -> dict[str, int]:
    lines = (_PROC / "meminfo").read_text().splitlines()
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}


def capacity(root: Path, max_pods: int) -> dict[str, str]:
    """What the node has."""
    disk = os.statvfs(root)
    return {
        "cpu": str(os.cpu_count() or 1),
        "ephemeral-storage": f"{disk.f_blocks * disk.f_frsize // 1024}Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": f"{memory_bytes() // 1024}Ki",
        "pods": str(max_pods),
    }


def allocatable(
    total: Mapping[str, str], reserved: list[Mapping[str, str]], eviction_hard: Mapping[str, str]
) -> dict[str, str]:
    """What of it pods may have: what is reserved, and what evictions keep free, is taken off."""
    made = dict(total)
    for part in reserved:
        for name, amount in part.items():
            if name in made:
                made[name] = quantity.subtract(made[name], amount)
    for name, signal in (("memory", "memory.available"), ("ephemeral-storage", "nodefs.available")):
        if signal in eviction_hard:
            held = threshold_bytes(eviction_hard[signal], quantity.value(total[name]))
            left = quantity.value(made[name]) - held
            made[name] = f"{left // 1024}Ki" if name == "memory" else str(left)
    return made


def threshold_bytes(threshold: str, total: int) -> int:
    """A threshold such as 10% or 100Mi in units of `total`."""
    if threshold.endswith("%"):
        return int(total * float(threshold[:-1]) / 100)
    return quantity.value(threshold)


def info(runtime: str, version: str) -> dict[str, str]:
    """The Node's nodeInfo."""
    release = _os_release()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "machineID": _read("/etc/machine-id") or _read("/var/lib/dbus/machine-id"),
        "systemUUID": _read("/sys/class/dmi/id/product_uuid") or _read("/etc/machine-id"),
        "bootID": _read("/proc/sys/kernel/random/boot_id"),
        "kernelVersion": platform.release(),
        "osImage": release.get("PRETTY_NAME", "Linux"),
        "containerRuntimeVersion": runtime,
        "kubeletVersion": version,
        "kubeProxyVersion": version,
        "operatingSystem": "linux",
        "architecture": machine,
    }


def _read(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text().strip()
    return ""


def _os_release() -> dict[str, str]:
    pairs = (line.partition("=") for line in _read("/etc/os-release").splitlines())
    return {name: value.strip('"') for name, _, value in pairs}


def pressure(root: Path, eviction_hard: Mapping[str, str]) -> dict[str, bool]:
    """Which resources are below their eviction thresholds."""
    disk = os.statvfs(root)
    free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    memory = threshold_bytes(eviction_hard.get("memory.available", "0"), memory_bytes())
    space = threshold_bytes(eviction_hard.get("nodefs.available", "0"), total)
    inodes = threshold_bytes(eviction_hard.get("nodefs.inodesFree", "0"), disk.f_files)
    used, most = _pids()
    return {
        "MemoryPressure": available_memory_bytes() < memory,
        "DiskPressure": free < space or (disk.f_files > 0 and disk.f_favail < inodes),
        "PIDPressure": used > most * 0.95,
    }


def _pids() -> tuple[int, int]:
    tasks = int((_PROC / "loadavg").read_text().split()[3].split("/")[1])
    return tasks, int((_PROC / "sys/kernel/pid_max").read_text())


def default_addresses() -> tuple[str, ...]:
    """The address that the default route leaves by; the host name's, or loopback, without one."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent: connecting a datagram socket only picks the route
        return (str(probe.getsockname()[0]),)
    with suppress(OSError):
        return (socket.gethostbyname(socket.gethostname()),)
    return ("127.0.0.1",)
