"""The bind mounts of one container: its volumeMounts with subpaths, then the files that every pod gets.

Invariant: a subpath never leaves its volume, whatever links lie in it.
Source: pkg/kubelet/kubelet_pods.go makeMounts; pkg/volume/util/subpath.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubepy.kubelet.expansion import expand
from kubepy.kubelet.runtime.base import Mount
from kubepy.kubelet.volumes.base import VolumeFault

Object = dict[str, Any]

_PROPAGATION = {"None": "private", "HostToContainer": "rslave", "Bidirectional": "rshared"}


def container_mounts(container: Object, volumes: Mapping[str, Path], env: Mapping[str, str]) -> list[Mount]:
    """What the container's volumeMounts say. Makes missing subpaths. Raises VolumeFault. Blocks briefly."""
    made = []
    if container.get("volumeDevices"):
        raise VolumeFault("volumeDevices are not supported by this kubelet")
    for mount in container.get("volumeMounts") or []:
        base = volumes.get(mount["name"])
        if base is None:
            raise VolumeFault(f'volume "{mount["name"]}" is not mounted')
        if mount.get("recursiveReadOnly") == "Enabled":
            raise VolumeFault("recursiveReadOnly mounts are not supported by this runtime")
        sub = mount.get("subPath") or expand(mount.get("subPathExpr") or "", env)
        made.append(
            Mount(
                host_path=str(subpath(base, sub) if sub else base),
                container_path=_absolute(mount["mountPath"]),
                read_only=bool(mount.get("readOnly")),
                propagation=_PROPAGATION[mount.get("mountPropagation") or "None"],
            )
        )
    return made


def _absolute(path: str) -> str:
    return path if path.startswith("/") else "/" + path


def subpath(volume: Path, relative: str) -> Path:
    """A path below a volume; a folder is made there if nothing is. Raises VolumeFault when it leads out."""
    if os.path.isabs(relative) or ".." in Path(relative).parts:
        raise VolumeFault(f"subPath {relative} must stay within the volume")
    top = Path(os.path.realpath(volume))
    place = Path(os.path.realpath(top / relative))
    if place != top and top not in place.parents:
        raise VolumeFault(f"subPath {relative} leads out of the volume")
    if not place.exists():
        try:
            place.mkdir(parents=True, mode=0o750)
            mode = top.stat().st_mode & 0o7777
            step = place
            while step != top:
                step.chmod(mode)
                os.chown(step, -1, top.stat().st_gid)
                step = step.parent
        except OSError as error:
            raise VolumeFault(f"cannot make subPath {relative}: {error.strerror}") from error
    return place
