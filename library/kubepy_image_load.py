#!/usr/bin/python
"""Have an image in this machine's Docker as an archive of M(kubepy_image) holds it: loaded once, known by its id."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kubepy_venv import require

DOCUMENTATION = r"""
module: kubepy_image_load
short_description: Load an image archive into Docker
options:
  name: {description: Reference of the image., type: str, required: true}
  archive: {description: Path of the archive on this machine., type: path}
  id: {description: Image id that the archive loads as., type: str, default: ""}
  state: {description: Whether Docker has it., type: str, choices: [present, absent], default: present}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
author: [kubepy]
"""

EXAMPLES = r"""
- name: Load the pause image
  kubepy_image_load:
    name: registry.k8s.io/pause:3.10
    archive: "/var/cache/kubepy/{{ pause.archive | basename }}"
    id: "{{ pause.id }}"

- name: Remove it
  kubepy_image_load:
    name: registry.k8s.io/pause:3.10
    state: absent
"""

RETURN = r"""
id: {description: Id of the image., type: str, returned: success, sample: "sha256:0a1b..."}
"""


def found_id(client: Any, name: str) -> str:
    """Id of the image that the name means now; empty if there is none."""
    import docker

    try:
        return str(client.images.get(name).id)
    except docker.errors.ImageNotFound:
        return ""


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "archive": {"type": "path"},
            "id": {"type": "str", "default": ""},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["archive"])],
        supports_check_mode=True,
    )
    require(module, {"docker": 5})
    import docker

    params, present = module.params, module.params["state"] == "present"
    try:
        client = docker.from_env(timeout=300)
        before = found_id(client, params["name"])
        changed = before != params["id"] if present else bool(before)
        if changed and not module.check_mode and present:
            with open(params["archive"], "rb") as stream:
                client.images.load(stream)
        elif changed and not module.check_mode:
            client.images.remove(params["name"], force=True)
    except docker.errors.DockerException as fault:
        if module.check_mode:
            module.exit_json(changed=True, id=params["id"])
        module.fail_json(msg=f"Docker on this machine refused {params['name']}: {fault}")
    module.exit_json(changed=changed, id=params["id"])


if __name__ == "__main__":
    main()
