"""Write a set of files so that a reader sees all of the old or all of the new, never a mixture.

Layout: files live in a dated folder, `..data` is a link to it that is replaced in one rename, and each visible name is
a link through `..data`. Invariant: a visible name that exists before and after a write can be opened at every moment.
Source: pkg/volume/util/atomic_writer.go.
"""

import os
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

from kubepy.kubelet.volumes.base import Files

_DATA, _NEW_DATA = "..data", "..data_tmp"


def write(target: Path, files: Files, *, group: int | None = None) -> bool:
    """Makes `target` hold exactly `files` (relative paths); False when it already did. Blocks."""
    target.mkdir(parents=True, exist_ok=True)
    target.chmod(0o777 if group is None else 0o2777)
    data = target / _DATA
    if _is_current(data, files):
        return False
    old = os.readlink(data) if data.is_symlink() else None
    folder = target / f"..{datetime.now(UTC):%Y_%m_%d_%H_%M_%S}.{secrets.randbelow(10**9)}"
    _fill(folder, files, group)
    link = target / _NEW_DATA
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name)
    link.rename(data)
    visible = {path.split("/", 1)[0] for path in files}
    for name in visible:
        if not (target / name).is_symlink():
            (target / name).symlink_to(f"{_DATA}/{name}")
    for entry in target.iterdir():
        if not entry.name.startswith("..") and entry.name not in visible:
            entry.unlink()
    if old is not None:
        shutil.rmtree(target / old, ignore_errors=True)
    return True


def _is_current(data: Path, files: Files) -> bool:
    if not data.is_dir():
        return False
    found = {str(p.relative_to(data)) for p in data.rglob("*") if p.is_file()}
    if found != set(files):
        return False
    return all((data / path).read_bytes() == file.data for path, file in files.items())


def _fill(folder: Path, files: Files, group: int | None) -> None:
    folder.mkdir()
    folder.chmod(0o755)
    for path, file in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.data)
        mode = file.mode if group is None else file.mode | 0o040
        place.chmod(mode)
        if file.uid is not None or group is not None:
            os.chown(place, -1 if file.uid is None else file.uid, -1 if group is None else group)
    if group is not None:
        for entry in (folder, *(p for p in folder.rglob("*") if p.is_dir())):
            os.chown(entry, -1, group)
