"""secret volumes: the entries of a Secret as files on a tmpfs, so that they never reach a disk."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

from kubepy.kubelet.volumes import atomic, linux
from kubepy.kubelet.volumes.base import Context, Files, fs_group
from kubepy.kubelet.volumes.payload import DEFAULT_MODE, object_files

Object = dict[str, Any]


class SecretVolume:
    """See Plugin."""

    key, folder = "secret", "secret"

    async def mount(self, pod: Object, volume: Object, context: Context) -> Path:
        source = volume["secret"]
        meta = pod["metadata"]
        name = source["secretName"]
        found = await context.fetch(meta["uid"], ("secrets", meta["namespace"], name))
        mode = source.get("defaultMode")
        files = object_files(found, "secret", source, name=name, mode=DEFAULT_MODE if mode is None else int(mode))
        path = context.path(pod, self.folder, volume["name"])
        await asyncio.to_thread(write_in_memory, path, files, fs_group(pod))
        return path

    def unmount(self, path: Path) -> None:
        linux.unmount(path)
        shutil.rmtree(path, ignore_errors=True)


def write_in_memory(path: Path, files: Files, group: int | None) -> None:
    """Writes the files on a tmpfs mounted at `path`. Blocks."""
    linux.mount_tmpfs(path, size_bytes=0)
    atomic.write(path, files, group=group)
