"""projected volumes: service-account tokens, ConfigMaps, Secrets and downward facts in one folder.

A token is asked for again when most of its life is over (tokens.py) and the file is replaced; a source that this
kubelet does not support fails the volume instead of being left out.
"""

import asyncio
import shutil
from pathlib import Path
from typing import Any

from kubepy.kubelet.volumes import linux
from kubepy.kubelet.volumes.base import Context, File, Files, VolumeFault, fs_group
from kubepy.kubelet.volumes.payload import DEFAULT_MODE, downward_files, object_files, token_owner
from kubepy.kubelet.volumes.secret import write_in_memory

Object = dict[str, Any]


class ProjectedVolume:
    """See Plugin."""

    key, folder = "projected", "projected"

    async def mount(self, pod: Object, volume: Object, context: Context) -> Path:
        source = volume["projected"]
        mode = source.get("defaultMode")
        files: Files = {}
        parts = [
            self._files(pod, part, context, DEFAULT_MODE if mode is None else int(mode)) for part in source["sources"]
        ]
        for found in await asyncio.gather(*parts):
            files.update(found)
        path = context.path(pod, self.folder, volume["name"])
        await asyncio.to_thread(write_in_memory, path, files, fs_group(pod))
        return path

    async def _files(self, pod: Object, part: Object, context: Context, mode: int) -> Files:
        uid, namespace = pod["metadata"]["uid"], pod["metadata"]["namespace"]
        for key, plural, kind in (("configMap", "configmaps", "configmap"), ("secret", "secrets", "secret")):
            if source := part.get(key):
                found = await context.fetch(uid, (plural, namespace, source["name"]))
                return object_files(found, kind, source, name=source["name"], mode=mode)
        if source := part.get("downwardAPI"):
            return downward_files(pod, source, context.facts(pod), mode=mode)
        if source := part.get("serviceAccountToken"):
            token = await context.token(pod, source)
            owner = token_owner(pod)
            token_mode = 0o600 if owner is not None or fs_group(pod) is not None else mode
            return {source["path"]: File(token.encode(), token_mode, owner)}
        raise VolumeFault(
            f"projected source {', '.join(sorted(part)) or 'without a kind'} is not supported by this kubelet"
        )

    def unmount(self, path: Path) -> None:
        linux.unmount(path)
        shutil.rmtree(path, ignore_errors=True)
