"""The collection kubernetes.core as the PyPI package `ansible` ships it, without the hundred others of that package."""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

VERSION = "12.3.0"
"""The release of `ansible` that goes with the ansible-core of requirements/all.lock."""
_WANTED = "ansible_collections/kubernetes/core/"


def collections_path() -> Path:
    """A folder for ANSIBLE_COLLECTIONS_PATH; fetched once a machine, into its cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "kubepy-tests" / f"ansible-{VERSION}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as part:
            _fetch(Path(part), Path(part) / "whole")
            if not folder.exists():  # another run may have been quicker
                (Path(part) / "whole").rename(folder)
    return folder


def _fetch(part: Path, target: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(part)]
    subprocess.run([*command, f"ansible=={VERSION}"], check=True)
    (wheel,) = part.glob("ansible-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(target, [name for name in packed.namelist() if name.startswith(_WANTED)])
