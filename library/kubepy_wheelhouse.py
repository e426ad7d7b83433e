#!/usr/bin/python
"""Build the release that target machines install: kubepy and all it needs as wheels, in two archives.

Runs on the controller. What kubepy needs is kept under a hash of the lock file, kubepy's own wheel under a hash of
its sources, so a second run finds both there, and a change of code fetches nothing and copies little. The version of the wheel
carries the hash of the sources (0.1.0+src.1a2b3c4d): it changes when, and only when, they do.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: kubepy_wheelhouse
short_description: Build the archives of wheels that machines install kubepy from
options:
  source: {description: Folder of kubepy's pyproject.toml., type: path, required: true}
  requirements: {description: Lock file of what kubepy needs at run time., type: path, required: true}
  python_version: {description: Python of the machines that will install it., type: str, default: "3.11"}
  architecture: {description: Their machine type as C(uname -m) tells it., type: str, default: x86_64}
  cache: {description: Folder of wheels and archives., type: path, default: /var/cache/kubepy}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
author: [kubepy]
"""

EXAMPLES = r"""
- name: Build the release once, here
  kubepy_wheelhouse:
    source: "{{ playbook_dir }}/.."
    requirements: "{{ playbook_dir }}/../requirements/runtime.lock"
  delegate_to: localhost
  run_once: true

- name: Build it for machines with a newer Python
  kubepy_wheelhouse:
    source: /srv/kubepy
    requirements: /srv/kubepy/requirements/runtime.lock
    python_version: "3.12"
"""

RETURN = r"""
version: {description: Version of kubepy in it., type: str, returned: always, sample: 0.1.0+src.1a2b3c4d}
release: {description: Hash of all that is in it., type: str, returned: always, sample: 9f8e7d6c5b4a}
archives:
  description: Paths of the archives, what kubepy needs first.
  type: list
  returned: always
  sample: [/var/cache/kubepy/releases/needed-0a1b2c3d4e5f.tar, /var/cache/kubepy/releases/kubepy-9f8e7d6c5b4a.tar]
wheels: {description: Folder with the same wheels., type: str, returned: always, sample: /var/cache/kubepy/releases/kubepy-9f8e7d6c5b4a}
"""

LEFT_OUT = ("__pycache__", ".mypy_cache", ".egg-info")


def sources(folder: str) -> Iterator[str]:
    """Paths of all files that make the wheel, in a fixed order, relative to the folder."""
    yield from (name for name in ("LICENSE", "pyproject.toml") if os.path.exists(os.path.join(folder, name)))
    for parent, folders, files in os.walk(os.path.join(folder, "kubepy")):
        folders[:] = sorted(name for name in folders if not name.endswith(LEFT_OUT))
        yield from (os.path.relpath(os.path.join(parent, name), folder) for name in sorted(files))


def read(path: str) -> bytes:
    """A file's bytes."""
    with open(path, "rb") as stream:
        return stream.read()


def hash_of(parts: list[tuple[str, bytes]]) -> str:
    """A short hash of named contents."""
    digest = hashlib.sha256()
    for name, data in parts:
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()[:12]


def stamped(pyproject: str, source_hash: str) -> tuple[str, str]:
    """The project file with the hash in its version, and that version; the readme is not needed on a machine."""
    base = re.search(r'^version = "([^"]+)"', pyproject, re.MULTILINE)
    if base is None:
        raise ValueError('pyproject.toml has no line: version = "..."')
    version = f"{base.group(1)}+src.{source_hash[:8]}"
    text = pyproject.replace(base.group(0), f'version = "{version}"', 1)
    return re.sub(r"^readme = .*\n", "", text, flags=re.MULTILINE), version


def platforms(architecture: str) -> list[str]:
    """pip's flags for the wheels that a glibc machine from 2018 on can use."""
    tags = [f"manylinux_2_{minor}_{architecture}" for minor in (28, 27, 26, 24, 17, 12, 5)]
    tags += [f"manylinux2014_{architecture}", f"manylinux2010_{architecture}", f"manylinux1_{architecture}"]
    return [f"--platform={tag}" for tag in tags]


def pip(module: AnsibleModule, *arguments: str) -> None:
    """Run this Python's pip; what it said is the failure message."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        module.fail_json(
            msg=f"pip {arguments[0]} failed: {said}\nThe controller needs PyPI, or a pip configuration that names a mirror."
        )


def fetch(module: AnsibleModule, folder: str) -> None:
    """Download what kubepy needs, pinned; the folder appears only when it is complete."""
    params = module.params
    partial = f"{folder}.{os.getpid()}.part"
    where = ["--only-binary=:all:", f"--python-version={params['python_version']}", *platforms(params["architecture"])]
    pip(module, "download", "--no-deps", *where, "--dest", partial, "--requirement", params["requirements"])
    os.rename(partial, folder)


def build(module: AnsibleModule, folder: str, source_hash: str) -> None:
    """Build kubepy's wheel from a copy of its sources: nothing is written into the repository."""
    source = module.params["source"]
    with tempfile.TemporaryDirectory() as copy:
        for name in sources(source):
            target = os.path.join(copy, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(os.path.join(source, name), target)
        text, _ = stamped(read(os.path.join(source, "pyproject.toml")).decode(), source_hash)
        with open(os.path.join(copy, "pyproject.toml"), "w", encoding="utf-8") as stream:
            stream.write(text)
        pip(module, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, copy)


def assemble(archive: str, folder: str, names: list[str]) -> None:
    """Put files of a folder into an archive, which appears only when it is complete."""
    partial = f"{archive}.{os.getpid()}.part"
    with tarfile.open(partial, "w") as tar:
        for name in sorted(names):
            tar.add(os.path.join(folder, name), arcname=name)
    os.replace(partial, archive)


def make(module: AnsibleModule, archives: list[str], lock_hash: str, source_hash: str, about: dict[str, Any]) -> None:
    """Everything that is missing, then the archives."""
    cache, (needed_archive, archive) = module.params["cache"], archives
    needed = os.path.join(cache, "wheels", lock_hash)
    os.makedirs(os.path.dirname(needed), exist_ok=True)
    os.makedirs(os.path.dirname(archive), exist_ok=True)
    if not os.path.isdir(needed):
        fetch(module, needed)
    wheels = archive.removesuffix(".tar")
    shutil.rmtree(wheels, ignore_errors=True)
    shutil.copytree(needed, wheels, copy_function=os.link)
    build(module, wheels, source_hash)
    with open(os.path.join(wheels, "release.json"), "w", encoding="utf-8") as stream:
        json.dump(about, stream)
    if not os.path.exists(needed_archive):
        assemble(needed_archive, needed, os.listdir(needed))
    assemble(archive, wheels, [*(set(os.listdir(wheels)) - set(os.listdir(needed)))])
    prune(os.path.dirname(archive), keep=4)


def prune(folder: str, keep: int) -> None:
    """Remove all but the newest releases: each change of the sources makes one."""
    archives = [
        os.path.join(folder, name)
        for name in os.listdir(folder)
        if name.startswith("kubepy-") and name.endswith(".tar")
    ]
    for archive in sorted(archives, key=os.path.getmtime)[:-keep]:
        os.unlink(archive)
        shutil.rmtree(archive.removesuffix(".tar"), ignore_errors=True)


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path", "required": True},
            "requirements": {"type": "path", "required": True},
            "python_version": {"type": "str", "default": "3.11"},
            "architecture": {"type": "str", "default": "x86_64"},
            "cache": {"type": "path", "default": "/var/cache/kubepy"},
        },
        supports_check_mode=True,
    )
    params = module.params
    lock = read(params["requirements"])
    target = f"{params['python_version']} {params['architecture']}".encode()
    lock_hash = hash_of([("lock", lock), ("target", target)])
    source_hash = hash_of([(name, read(os.path.join(params["source"], name))) for name in sources(params["source"])])
    _, version = stamped(read(os.path.join(params["source"], "pyproject.toml")).decode(), source_hash)
    release = hash_of([("needed", lock_hash.encode()), ("own", source_hash.encode())])
    archive = os.path.join(params["cache"], "releases", f"kubepy-{release}.tar")
    archives = [os.path.join(params["cache"], "releases", f"needed-{lock_hash}.tar"), archive]
    result = {"version": version, "release": release, "archives": archives, "wheels": archive.removesuffix(".tar")}
    exists = all(os.path.exists(path) for path in archives)
    if not exists and not module.check_mode:
        make(module, archives, lock_hash, source_hash, {"release": release, "version": version})
    module.exit_json(changed=not exists, **result)


if __name__ == "__main__":
    main()
