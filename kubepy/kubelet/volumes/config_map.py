"""configMap volumes: the entries of a ConfigMap as files, kept up to date."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

from kubepy.kubelet.volumes import atomic
from kubepy.kubelet.volumes.base import Context, fs_group
from kubepy.kubelet.volumes.payload import DEFAULT_MODE, object_files

Object = dict[str, Any]


class ConfigMapVolume:
    """See Plugin."""

    key, folder = "configMap", "configmap"

    async def mount(self, pod: Object, volume: Object, context: Context) -> Path:
        source = volume["configMap"]
        meta = pod["metadata"]
        found = await context.fetch(meta["uid"], ("configmaps", meta["namespace"], source["name"]))
        mode = source.get("defaultMode")
        files = object_files(
            found, "configmap", source, name=source["name"], mode=DEFAULT_MODE if mode is None else int(mode)
        )
        path = context.path(pod, self.folder, volume["name"])
        await asyncio.to_thread(atomic.write, path, files, group=fs_group(pod))
        return path

    def unmount(self, path: Path) -> None:
        shutil.rmtree(path, ignore_errors=True)
