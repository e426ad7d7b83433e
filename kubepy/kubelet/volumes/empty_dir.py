"""emptyDir volumes: a folder (or a tmpfs) that lives as long as its pod."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

from kubepy.api import quantity
from kubepy.kubelet.volumes import linux
from kubepy.kubelet.volumes.base import Context, VolumeFault, apply_group, fs_group

Object = dict[str, Any]


class EmptyDirVolume:
    """See Plugin."""

    key, folder = "emptyDir", "empty-dir"

    async def mount(self, pod: Object, volume: Object, context: Context) -> Path:
        source = volume["emptyDir"] or {}
        path = context.path(pod, self.folder, volume["name"])
        await asyncio.to_thread(self._make, path, source, fs_group(pod))
        return path

    def _make(self, path: Path, source: Object, group: int | None) -> None:
        existed = path.is_dir()
        path.mkdir(parents=True, exist_ok=True)
        medium = source.get("medium") or ""
        if medium == "Memory":
            size = quantity.value(source["sizeLimit"]) if source.get("sizeLimit") else 0
            linux.mount_tmpfs(path, size_bytes=size)
        elif medium:
            raise VolumeFault(f'storage medium "{medium}" is not supported by this kubelet')
        if not existed:
            path.chmod(0o777)
            apply_group(path, group)

    def unmount(self, path: Path) -> None:
        linux.unmount(path)
        shutil.rmtree(path, ignore_errors=True)
