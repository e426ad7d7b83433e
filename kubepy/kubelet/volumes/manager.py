"""The volumes of pods: made ready together, brought up to date, taken away when the pod is gone.

Invariants: containers start only after every volume that they use is ready; a folder is removed only after the pod's
containers have ended. What no plugin serves is refused with a fault that names it.
"""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kubepy.api import errors
from kubepy.client.transport import Unreachable
from kubepy.kubelet.volumes import linux
from kubepy.kubelet.volumes.base import Context, Plugin, VolumeFault
from kubepy.kubelet.volumes.claim import ClaimVolume, EphemeralVolume
from kubepy.kubelet.volumes.config_map import ConfigMapVolume
from kubepy.kubelet.volumes.downward_api import DownwardApiVolume
from kubepy.kubelet.volumes.empty_dir import EmptyDirVolume
from kubepy.kubelet.volumes.host_path import HostPathVolume
from kubepy.kubelet.volumes.projected import ProjectedVolume
from kubepy.kubelet.volumes.secret import SecretVolume
from kubepy.lib import log

Object = dict[str, Any]

PLUGINS: tuple[Plugin, ...] = (
    EmptyDirVolume(),
    HostPathVolume(),
    ConfigMapVolume(),
    SecretVolume(),
    DownwardApiVolume(),
    ProjectedVolume(),
    ClaimVolume(),
    EphemeralVolume(),
)
_log = log.get(__name__)


class VolumeManager:
    """The volumes on this node."""

    def __init__(self, context: Context, plugins: Sequence[Plugin] = PLUGINS) -> None:
        self._context = context
        self._plugins = {plugin.key: plugin for plugin in plugins}

    async def mount(self, pod: Object) -> dict[str, Path]:
        """Host paths by volume name, all of them ready. Raises VolumeFault for the first that is not."""
        volumes: list[Object] = pod["spec"].get("volumes") or []
        self._pod_dir(pod["metadata"]["uid"]).mkdir(parents=True, exist_ok=True)
        done = await asyncio.gather(*(self._mount(pod, v) for v in volumes), return_exceptions=True)
        for outcome in done:
            if isinstance(outcome, BaseException):
                raise outcome
        return {v["name"]: p for v, p in zip(volumes, done, strict=True) if isinstance(p, Path)}

    async def _mount(self, pod: Object, volume: Object) -> Path:
        name = volume["name"]
        plugin = next((self._plugins[key] for key in volume if key in self._plugins), None)
        try:
            if plugin is None:
                kinds = ", ".join(k for k in volume if k != "name")
                raise VolumeFault(f"no volume plugin matched: {kinds} is not supported by this kubelet")
            return await plugin.mount(pod, volume, self._context)
        except (VolumeFault, errors.ApiError, Unreachable, OSError) as error:
            raise VolumeFault(f'MountVolume.SetUp failed for volume "{name}" : {error}') from error

    def is_live(self, pod: Object) -> bool:
        """Whether any volume's content can change while the pod runs."""
        kinds = ("configMap", "secret", "downwardAPI", "projected")
        return any(kind in volume for volume in pod["spec"].get("volumes") or [] for kind in kinds)

    async def unmount(self, pod_uid: str) -> None:
        """Takes away everything of that pod. Raises VolumeFault."""
        await asyncio.to_thread(self._unmount, pod_uid)

    def _unmount(self, pod_uid: str) -> None:
        folders: Mapping[str, Plugin] = {f"kubernetes.io~{p.folder}": p for p in self._plugins.values() if p.folder}
        top = self._pod_dir(pod_uid)
        for kind in sorted((top / "volumes").iterdir()) if (top / "volumes").is_dir() else ():
            for path in sorted(kind.iterdir()):
                plugin = folders.get(kind.name)
                if plugin is not None:
                    plugin.unmount(path)
                else:
                    _log.warning("unknown volume left alone", path=str(path))
        if any(linux.is_mount(path) for path in top.rglob("*") if path.is_dir() and not path.is_symlink()):
            raise VolumeFault(f"something is still mounted below {top}")
        shutil.rmtree(top, ignore_errors=True)

    def known_pods(self) -> list[str]:
        """Uids of pods that have a folder."""
        pods = self._context.root / "pods"
        return [p.name for p in pods.iterdir() if p.is_dir()] if pods.is_dir() else []

    def _pod_dir(self, pod_uid: str) -> Path:
        return self._context.root / "pods" / pod_uid
