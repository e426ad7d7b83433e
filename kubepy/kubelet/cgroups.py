"""A cgroup for each pod, below one for its quality of service: what its containers may use together.

Where the machine does not let us make cgroups (or Docker's driver is systemd's, which takes slices instead), pods have
none of their own, and only their containers are limited.
Source: pkg/kubelet/cm/pod_container_manager_linux.go.
"""

from pathlib import Path
from typing import Any

from kubepy.kubelet.podspec import qos_class
from kubepy.kubelet.qos import cgroup_parent, pod_limits
from kubepy.kubelet.runtime.base import Limits
from kubepy.lib import log

Object = dict[str, Any]

_V1 = ("cpu", "memory", "pids")
_log = log.get(__name__)


class PodCgroups:
    """The cgroups below `root`, a name such as /kubepods."""

    def __init__(
        self, root: str, *, driver: str = "cgroupfs", pids: int = 0, top: Path = Path("/sys/fs/cgroup")
    ) -> None:
        self._root = root
        self._pids = pids
        self._top = top
        self._unified = (top / "cgroup.controllers").exists()
        self._systemd = driver == "systemd"
        self.works = not self._systemd and self._try()

    def _try(self) -> bool:
        try:
            for folder in self._folders(self._root):
                folder.mkdir(parents=True, exist_ok=True)
                self._delegate(folder)
        except OSError as error:
            _log.warning("pods have no cgroups of their own", why=str(error))
            return False
        return True

    def _folders(self, name: str) -> list[Path]:
        if self._unified:
            return [self._top / name.lstrip("/")]
        return [self._top / controller / name.lstrip("/") for controller in _V1 if (self._top / controller).is_dir()]

    def _delegate(self, folder: Path) -> None:
        if self._unified:
            (folder / "cgroup.subtree_control").write_text("+cpu +memory +pids")

    def make(self, pod: Object) -> str:
        """Makes the pod's cgroup; its name for the runtime, or empty when pods have none of their own."""
        if not self.works:
            return ""
        name = cgroup_parent(pod, self._root)
        try:
            if (qos := qos_class(pod)) != "Guaranteed":
                for folder in self._folders(f"{self._root}/{qos.lower()}"):
                    folder.mkdir(parents=True, exist_ok=True)
                    self._delegate(folder)
            for folder in self._folders(name):
                folder.mkdir(parents=True, exist_ok=True)
                self._delegate(folder)
                self._limit(folder, pod_limits(pod))
        except OSError as error:
            _log.warning("cgroup not made", pod=pod["metadata"]["name"], why=str(error))
            return ""
        return name

    def _limit(self, folder: Path, limits: Limits) -> None:
        quota = limits.cpu_quota or -1
        if self._unified:
            weight = 1 + (limits.cpu_shares - 2) * 9999 // 262142
            values = {
                "cpu.weight": str(max(weight, 1)),
                "cpu.max": f"{limits.cpu_quota or 'max'} {limits.cpu_period}",
                "memory.max": str(limits.memory or "max"),
                "pids.max": str(self._pids or "max"),
            }
        else:
            values = {
                "cpu.shares": str(limits.cpu_shares),
                "cpu.cfs_quota_us": str(quota),
                "memory.limit_in_bytes": str(limits.memory or -1),
                "pids.max": str(self._pids or "max"),
            }
        for file, value in values.items():
            if (folder / file).exists():
                (folder / file).write_text(value)

    def remove(self, pod: Object) -> None:
        """Removes the pod's cgroup, once its containers are gone."""
        if not self.works:
            return
        for folder in self._folders(cgroup_parent(pod, self._root)):
            self._remove_tree(folder)

    def _remove_tree(self, folder: Path) -> None:
        try:
            for child in [p for p in folder.iterdir() if p.is_dir()]:
                self._remove_tree(child)
            folder.rmdir()
        except OSError as error:
            _log.debug("cgroup stays", path=str(folder), why=str(error))
