#!/usr/bin/python
"""Install a release of kubepy from its archives of wheels: a virtual environment, and links to its commands.

No network is used. What is installed is told by release.json, written last: a run that broke off is repeated.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: kubepy_release
short_description: Install kubepy from the archives that kubepy_wheelhouse made
options:
  archives: {description: The archives on this machine. Needed unless C(state=absent)., type: list, elements: path}
  release: {description: Hash of the release. Needed unless C(state=absent)., type: str}
  path: {description: Folder of the virtual environment., type: path, default: /opt/kubepy}
  python: {description: Python that it is made with., type: path, default: /usr/bin/python3}
  links: {description: Folder that gets links to the commands., type: path, default: /usr/local/bin}
  commands: {description: Commands to link., type: list, elements: str, default: []}
  state: {description: Whether it is installed., type: str, choices: [present, absent], default: present}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [kubepy]
"""

EXAMPLES = r"""
- name: Install the release
  kubepy_release:
    archives: [/var/cache/kubepy/needed-0a1b2c3d4e5f.tar, /var/cache/kubepy/kubepy-9f8e7d6c5b4a.tar]
    release: 9f8e7d6c5b4a
    commands: [kubepy, kubelet]

- name: Remove it
  kubepy_release:
    state: absent
    commands: [kubepy, kubelet]
"""

RETURN = r"""
before: {description: Release that was installed, or empty., type: str, returned: always, sample: ""}
"""


def installed(path: str) -> str:
    """The release in a virtual environment; empty if there is none or it is not whole."""
    try:
        with open(os.path.join(path, "release.json"), encoding="utf-8") as stream:
            about: dict[str, Any] = json.load(stream)
    except (FileNotFoundError, ValueError):
        return ""
    return str(about.get("release", ""))


def plan_links(
    commands: list[str], folder: str, path: str, found: dict[str, str | None], *, present: bool
) -> dict[str, str | None]:
    """Links to make (name -> target) or remove (name -> None); a file that is not our link is left alone."""
    wanted = {os.path.join(folder, name): os.path.join(path, "bin", name) for name in commands}
    if present:
        return {link: target for link, target in wanted.items() if found.get(link) != target}
    return {link: None for link, target in wanted.items() if found.get(link) == target}


def run(module: AnsibleModule, command: list[str]) -> None:
    """Run a command; its last words are the failure message."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        module.fail_json(msg=f"{' '.join(command[:4])} failed: {said}")


def install(module: AnsibleModule) -> None:
    """Bring the virtual environment to the release."""
    path, python = module.params["path"], os.path.join(module.params["path"], "bin", "python")
    marker = os.path.join(path, "release.json")
    if os.path.exists(marker):
        os.unlink(marker)
    if (
        subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode
        if os.path.exists(python)
        else True
    ):
        shutil.rmtree(path, ignore_errors=True)
        run(module, [module.params["python"], "-m", "venv", path])
    with tempfile.TemporaryDirectory() as folder:
        for archive in module.params["archives"]:
            with tarfile.open(archive) as tar:
                tar.extractall(folder)  # an archive of our own: plain files only
        wheels = sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".whl"))
        options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-compile"]
        run(module, [python, "-m", "pip", "install", *options, *wheels])
        subprocess.run([python, "-m", "compileall", "-q", "-j", "0", path], capture_output=True, check=False)
        shutil.copyfile(os.path.join(folder, "release.json"), marker)


def link(target: str | None, path: str) -> None:
    """Make, replace or remove (target None) a link."""
    if os.path.lexists(path):
        os.unlink(path)
    if target is not None:
        os.symlink(target, path)


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "archives": {"type": "list", "elements": "path"},
            "release": {"type": "str"},
            "path": {"type": "path", "default": "/opt/kubepy"},
            "python": {"type": "path", "default": "/usr/bin/python3"},
            "links": {"type": "path", "default": "/usr/local/bin"},
            "commands": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ("archives", "release"))],
        supports_check_mode=True,
    )
    params, present = module.params, module.params["state"] == "present"
    before, after = installed(params["path"]), params["release"] if present else ""
    paths = [os.path.join(params["links"], name) for name in params["commands"]]
    found = {path: os.readlink(path) if os.path.islink(path) else None for path in paths}
    links = plan_links(params["commands"], params["links"], params["path"], found, present=present)
    stale = before != after or (not present and os.path.exists(params["path"]))
    if not module.check_mode:
        if stale and present:
            install(module)
        elif stale:
            shutil.rmtree(params["path"])
        for path, target in links.items():
            link(target, path)
    diff = {"before": f"release {before}\n", "after": f"release {after}\n"}
    module.exit_json(changed=stale or bool(links), before=before, diff=diff)


if __name__ == "__main__":
    main()
