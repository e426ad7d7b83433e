"""The kubectls of this machine: tests use every version that is there."""

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from shutil import which


@cache
def find_kubectls() -> tuple[Path, ...]:
    """Every kubectl on this machine, each version once, in the order of versions.

    One that is a link into a folder with others stands for all of them.
    """
    folders = [Path(folder) for folder in os.environ["PATH"].split(os.pathsep)]
    found = which("kubectl")
    if found:
        folders.append(Path(found).resolve().parent)
    binaries = {path.resolve() for folder in folders if folder.is_dir() for path in folder.glob("kubectl*")}
    versions: dict[tuple[int, int], Path] = {}
    for path in sorted(binaries):
        said = subprocess.run([path, "version", "--client", "-o", "json"], capture_output=True, text=True, check=False)
        if said.returncode == 0:
            versions[_release(json.loads(said.stdout)["clientVersion"]["gitVersion"])] = path
    return tuple(path for _, path in sorted(versions.items()))


def _release(version: str) -> tuple[int, int]:
    """(1, 33) of `v1.33.1-dispatcher`."""
    major, minor = version.lstrip("v").split(".")[:2]
    return int(major), int(minor)
