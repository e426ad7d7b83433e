"""The kubectls of this machine: tests use every version that is there."""

import json
import os
import subprocess
import sysconfig
from functools import cache
from pathlib import Path


@cache
def find_kubectls() -> tuple[Path, ...]:
    """Every kubectl on this machine, each version once, in the order of versions.

    One that is a link into a folder with others stands for all of them. The virtual environment has one of the release
    that kubepy is like.
    """
    folders = {Path(folder) for folder in (*os.environ["PATH"].split(os.pathsep), sysconfig.get_path("scripts"))}
    folders |= {(folder / "kubectl").resolve().parent for folder in folders if (folder / "kubectl").is_file()}
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
