"""What a volume plugin is, and what it is given.

A plugin makes a volume's host path ready (`mount`, which may be called again at any time and then only brings it up to
date) and takes it away (`unmount`). Its fault is a VolumeFault, which becomes the pod's FailedMount event.
"""

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kubepy.kubelet.downward import PodFacts

Object = dict[str, Any]


class VolumeFault(Exception):
    """A volume cannot be made ready (yet)."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a volume that the kubelet writes."""

    data: bytes
    mode: int = 0o644
    uid: int | None = None


Files = dict[str, File]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What plugins share. `fetch` answers (uid, (plural, namespace, name)); `token` a service-account token."""

    root: Path
    fetch: Callable[[str, tuple[str, str, str]], Awaitable[Object | None]]
    token: Callable[[Object, Mapping[str, Any]], Awaitable[str]]
    facts: Callable[[Object], PodFacts]

    def path(self, pod: Object, kind: str, name: str) -> Path:
        """Where a volume of that kind lives."""
        uid: str = pod["metadata"]["uid"]
        return self.root / "pods" / uid / "volumes" / f"kubernetes.io~{kind}" / name


class Plugin(Protocol):
    """One volume kind."""

    key: str
    """The field of the volume in the PodSpec."""
    folder: str
    """The name under volumes/; empty when nothing is made there."""

    async def mount(self, pod: Object, volume: Object, context: Context) -> Path:
        """The host path, ready. Raises VolumeFault."""

    def unmount(self, path: Path) -> None:
        """Removes what `mount` made; it may be gone already. Blocks."""


def fs_group(pod: Object) -> int | None:
    group = (pod["spec"].get("securityContext") or {}).get("fsGroup")
    return None if group is None else int(group)


def apply_group(path: Path, group: int | None, *, read_only: bool = False) -> None:
    """Gives a tree to the pod's group: group-writable, and new files inherit it. Blocks.

    Source: pkg/volume/volume_linux.go SetVolumeOwnership.
    """
    if group is None:
        return
    mask = 0o440 if read_only else 0o660
    for folder, _, files in os.walk(path):
        for name in (folder, *(os.path.join(folder, f) for f in files)):
            if os.path.islink(name):
                os.lchown(name, -1, group)
                continue
            os.chown(name, -1, group)
            mode = os.stat(name).st_mode | mask
            os.chmod(name, mode | 0o2110 if os.path.isdir(name) else mode)
