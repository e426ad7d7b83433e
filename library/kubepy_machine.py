#!/usr/bin/python
"""Have a machine in Docker: a container that boots systemd, takes SSH and can run a Docker of its own.

For sandboxes and tests. What it may do is what Docker inside it needs, less CAP_SYS_RESOURCE, which some hosts lack.
A machine made from another image or for another key is made anew.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kubepy_venv import require

DOCUMENTATION = r"""
module: kubepy_machine
short_description: Keep a sandbox machine in Docker
options:
  name: {description: Name of the container and host name., type: str, required: true}
  image: {description: Image that boots systemd., type: str}
  network: {description: "Docker network, made if it is missing.", type: str, default: kubepy}
  subnet: {description: Addresses of that network when it is made., type: str, default: 172.30.99.0/24}
  authorized_key: {description: Public SSH key that root accepts., type: str, default: ""}
  labels: {description: Labels of the container., type: dict, default: {}}
  state: {description: C(absent) also removes the network when no machine is left in it., type: str, choices: [present, absent], default: present}
  timeout: {description: Seconds for systemd to come up; 0 does not wait for it., type: int, default: 60}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
author: [kubepy]
"""

EXAMPLES = r"""
- name: Have a machine
  kubepy_machine:
    name: node-1
    image: kubepy/machine:latest
    authorized_key: "{{ lookup('file', 'id_ed25519.pub') }}"

- name: Remove it
  kubepy_machine:
    name: node-1
    state: absent
"""

RETURN = r"""
address: {description: Its address., type: str, returned: when present, sample: 172.30.99.2}
"""

FINGERPRINT = "kubepy.machine"
HOST_OPTIONS: dict[str, Any] = {
    "cap_add": ["ALL"],
    "cap_drop": ["SYS_RESOURCE"],
    "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
    "device_cgroup_rules": ["a *:* rwm"],
    "tmpfs": {"/run": "", "/run/lock": "", "/tmp": "exec"},
    "binds": ["/sys/fs/cgroup:/sys/fs/cgroup:rw"],
}
RAW_HOST_OPTIONS: dict[str, Any] = {"CgroupnsMode": "host", "MaskedPaths": [], "ReadonlyPaths": []}
"""What the SDK has no name for; the empty lists are `--security-opt systempaths=unconfined`."""


def fingerprint(image_id: str, authorized_key: str, labels: dict[str, str]) -> str:
    """What a machine was made from, as a label on it."""
    return hashlib.sha256(repr((image_id, authorized_key, sorted(labels.items()), HOST_OPTIONS)).encode()).hexdigest()[
        :16
    ]


def key_archive(authorized_key: str) -> bytes:
    """A tar with root's authorized_keys."""
    text, buffer = f"{authorized_key.strip()}\n".encode(), io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("root/.ssh/authorized_keys")
        info.size, info.mode = len(text), 0o600
        tar.addfile(info, io.BytesIO(text))
    return buffer.getvalue()


def address_of(container: Any, network: str) -> str:
    """The machine's address in the network."""
    container.reload()
    return str(container.attrs["NetworkSettings"]["Networks"][network]["IPAddress"])


class Host:
    """The Docker that holds the machines."""

    def __init__(self, module: AnsibleModule) -> None:
        import docker

        self.docker, self.module, self.params = docker, module, module.params
        self.client = docker.from_env(timeout=120)

    def find(self) -> Any:
        """The machine's container; None if there is none."""
        try:
            return self.client.containers.get(self.params["name"])
        except self.docker.errors.NotFound:
            return None

    def ensure_network(self) -> None:
        """Make the network unless it is there."""
        if not self.client.networks.list(names=[f"^{self.params['network']}$"]):
            pool = self.docker.types.IPAMPool(subnet=self.params["subnet"])
            ipam = self.docker.types.IPAMConfig(pool_configs=[pool])
            self.client.networks.create(self.params["network"], driver="bridge", ipam=ipam)

    def make(self, mark: str) -> Any:
        """A new machine, booted."""
        self.ensure_network()
        name, network, api = self.params["name"], self.params["network"], self.client.api
        host = {**api.create_host_config(**HOST_OPTIONS), **RAW_HOST_OPTIONS}
        about = {"name": name, "hostname": name, "labels": {**self.params["labels"], FINGERPRINT: mark}}
        joined = api.create_networking_config({network: api.create_endpoint_config()})
        made = api.create_container(
            self.params["image"], volumes=["/var/lib/docker"], host_config=host, networking_config=joined, **about
        )
        container = self.client.containers.get(made["Id"])
        container.start()
        if self.params["authorized_key"]:
            container.put_archive("/", key_archive(self.params["authorized_key"]))
        return container

    def await_boot(self, container: Any) -> None:
        """Wait until systemd says that all units are up, or degraded, and SSH can be asked."""
        deadline = time.monotonic() + self.params["timeout"]
        while time.monotonic() < deadline:
            _, said = container.exec_run(["systemctl", "is-system-running"])
            if said.decode().strip() in {"running", "degraded"}:
                return
            time.sleep(0.2)
        self.module.fail_json(
            msg=f"{self.params['name']} did not boot in {self.params['timeout']} s: docker logs {self.params['name']}"
        )

    def remove(self, container: Any) -> None:
        """Remove the machine, its volumes, and the network after the last one."""
        container.remove(force=True, v=True)
        for network in self.client.networks.list(names=[f"^{self.params['network']}$"]):
            network.reload()
            if self.params["state"] == "absent" and not network.attrs.get("Containers"):
                network.remove()


def converge(host: Host, params: dict[str, Any], *, check: bool) -> dict[str, Any]:
    """Bring the machine where it should be; the module's result."""
    container = host.find()
    if params["state"] == "absent":
        if container and not check:
            host.remove(container)
        return {"changed": container is not None}
    mark = fingerprint(host.client.images.get(params["image"]).id, params["authorized_key"], params["labels"])
    fits = container is not None and container.labels.get(FINGERPRINT) == mark
    if fits and container.status == "running":
        return {"changed": False, "address": address_of(container, params["network"])}
    if check:
        return {"changed": True}
    if fits:
        container.start()
    else:
        if container:
            host.remove(container)
        container = host.make(mark)
    if params["timeout"]:
        host.await_boot(container)
    return {"changed": True, "address": address_of(container, params["network"])}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "image": {"type": "str"},
            "network": {"type": "str", "default": "kubepy"},
            "subnet": {"type": "str", "default": "172.30.99.0/24"},
            "authorized_key": {"type": "str", "default": "", "no_log": False},
            "labels": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "timeout": {"type": "int", "default": 60},
        },
        required_if=[("state", "present", ["image"])],
        supports_check_mode=True,
    )
    require(module, {"docker": 5})
    import docker

    try:
        module.exit_json(**converge(Host(module), module.params, check=module.check_mode))
    except docker.errors.DockerException as fault:
        module.fail_json(msg=f"Docker refused: {fault}. Is dockerd running? `make deps` starts it.")


if __name__ == "__main__":
    main()
