"""downwardAPI volumes: facts of the pod itself as files, kept up to date with its labels and annotations."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

from kubepy.kubelet.volumes import atomic
from kubepy.kubelet.volumes.base import Context, fs_group
from kubepy.kubelet.volumes.payload import DEFAULT_MODE, downward_files

Object = dict[str, Any]


class DownwardApiVolume:
    """See Plugin."""

    key, folder = "downwardAPI", "downward-api"

    async def mount(self, pod: Object, volume: Object, context: Context) -> Path:
        source = volume["downwardAPI"]
        mode = source.get("defaultMode")
        files = downward_files(pod, source, context.facts(pod), mode=DEFAULT_MODE if mode is None else int(mode))
        path = context.path(pod, self.folder, volume["name"])
        await asyncio.to_thread(atomic.write, path, files, group=fs_group(pod))
        return path

    def unmount(self, path: Path) -> None:
        shutil.rmtree(path, ignore_errors=True)
