"""Mounting and unmounting by system call: tmpfs for what must not reach a disk.

Done twice is done once. Blocks (briefly).
"""

import ctypes
import os
from pathlib import Path

from kubepy.kubelet.volumes.base import VolumeFault

_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8
_libc = ctypes.CDLL(None, use_errno=True)


def is_mount(path: Path) -> bool:
    return os.path.ismount(path)


def mount_tmpfs(path: Path, *, size_bytes: int) -> None:
    """A tmpfs at `path` (made if missing); size 0 is the kernel's default. Raises VolumeFault."""
    path.mkdir(parents=True, exist_ok=True)
    if is_mount(path):
        return
    options = f"size={size_bytes}" if size_bytes else ""
    if _libc.mount(b"tmpfs", os.fsencode(path), b"tmpfs", 0, options.encode()) != 0:
        raise VolumeFault(f"cannot mount tmpfs at {path}: {os.strerror(ctypes.get_errno())}")


def unmount(path: Path) -> None:
    """Detaches whatever is mounted at `path`."""
    while is_mount(path):
        if _libc.umount2(os.fsencode(path), _MNT_DETACH | _UMOUNT_NOFOLLOW) != 0:
            raise VolumeFault(f"cannot unmount {path}: {os.strerror(ctypes.get_errno())}")
