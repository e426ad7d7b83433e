"""hostPath volumes: a path of the node, checked or made as its type says."""

import asyncio
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kubepy.kubelet.volumes.base import Context, VolumeFault

Object = dict[str, Any]

_CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "directory"),
    "File": (stat.S_ISREG, "file"),
    "FileOrCreate": (stat.S_ISREG, "file"),
    "Socket": (stat.S_ISSOCK, "socket"),
    "CharDevice": (stat.S_ISCHR, "character device"),
    "BlockDevice": (stat.S_ISBLK, "block device"),
}


def prepare(path: Path, kind: str) -> None:
    """Makes or checks a path of the node. Raises VolumeFault. Blocks."""
    try:
        if kind == "DirectoryOrCreate" and not path.exists():
            path.mkdir(parents=True, mode=0o755)
        elif kind == "FileOrCreate" and not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o644))
        elif not kind and not path.exists():
            path.mkdir(parents=True)  # as every runtime does for a bind mount without a source
        if kind:
            fits, word = _CHECKS[kind]
            if not fits(path.stat().st_mode):
                raise VolumeFault(f"hostPath type check failed: {path} is not a {word}")
    except FileNotFoundError as error:
        raise VolumeFault(f"hostPath type check failed: {path} is not a {_CHECKS[kind][1]}") from error
    except KeyError as error:
        raise VolumeFault(f"hostPath type {kind} is not supported") from error
    except OSError as error:
        raise VolumeFault(f"hostPath {path}: {error.strerror}") from error


class HostPathVolume:
    """See Plugin."""

    key, folder = "hostPath", ""

    async def mount(self, pod: Object, volume: Object, context: Context) -> Path:
        source = volume["hostPath"]
        path = Path(source["path"])
        await asyncio.to_thread(prepare, path, source.get("type") or "")
        return path

    def unmount(self, path: Path) -> None:
        """The node's own: stays."""
