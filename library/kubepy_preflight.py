#!/usr/bin/python
"""Look at a machine and the inventory before anything is changed, and say all that is wrong at once.

Every fault is a sentence that says what to mend. Nothing is written.
"""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

DOCUMENTATION = r"""
module: kubepy_preflight
short_description: Check a machine and the inventory before anything is changed
options:
  groups: {description: Groups of the inventory with their hosts., type: dict, required: true}
  networks: {description: "C(pods), C(services) (CIDRs), C(dns) and C(machine) (addresses).", type: dict, required: true}
  system: {description: "C(distribution), C(version), C(python) and C(architecture) of the machine.", type: dict, required: true}
  supported: {description: Lowest supported version by distribution., type: dict, required: true}
  options: {description: "Options of the roles' argument specifications, by variable.", type: dict, default: {}}
  variables: {description: What the inventory sets of them., type: dict, default: {}}
  ports:
    description: TCP ports that this machine's components will listen on.
    type: list
    elements: dict
    default: []
    suboptions:
      port: {description: The port., type: int, required: true}
      process: {description: Command that may hold it already., type: str, required: true}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
author: [kubepy]
"""

EXAMPLES = r"""
- name: Check this machine
  kubepy_preflight:
    groups: "{{ groups }}"
    networks: {pods: 10.244.0.0/16, services: 10.96.0.0/12, dns: 10.96.0.10, machine: 192.168.0.11}
    system: {distribution: Debian, version: "12", python: "3.11", architecture: x86_64}
    supported: {Debian: "12"}
    ports: [{port: 6443, process: kube-apiserver}]

- name: Check the inventory only
  kubepy_preflight:
    groups: "{{ groups }}"
    networks: {pods: 10.244.0.0/16, services: 10.96.0.0/12, dns: 10.96.0.10, machine: 192.168.0.11}
    system: {distribution: Debian, version: "12", python: "3.11", architecture: x86_64}
    supported: {Debian: "12"}
"""

RETURN = r"""
msg: {description: All that is wrong and how to mend it., type: str, returned: failure, sample: "Nothing was changed. Mend this first: ..."}
"""

LISTEN = "0A"


def group_faults(groups: dict[str, list[str]]) -> list[str]:
    """Missing or impossible groups."""
    faults = []
    for name in ("kube_control_plane", "etcd", "kube_node"):
        if not groups.get(name):
            faults.append(
                f"the inventory has no host in the group {name}: add one (inventory/local/hosts.yml shows the three groups)"
            )
    if groups.get("etcd") and len(groups["etcd"]) % 2 == 0:
        faults.append(
            f"the group etcd has {len(groups['etcd'])} hosts: an even number survives no more failures than one less; use 1, 3 or 5"
        )
    return faults


def network_faults(networks: dict[str, str]) -> list[str]:
    """Networks that are malformed, overlap, or do not hold what they must."""
    faults, parsed = [], {}
    for name, variable in (("pods", "cluster_pod_cidr"), ("services", "cluster_service_cidr")):
        try:
            parsed[name] = ipaddress.ip_network(networks[name])
        except ValueError as fault:
            faults.append(f"{variable} is wrong: {fault}")
    for name, variable in (("dns", "cluster_dns_address"), ("machine", "machine_address")):
        try:
            parsed[name] = ipaddress.ip_address(networks[name])
        except ValueError as fault:
            faults.append(f"{variable} is wrong: {fault}")
    if faults:
        return faults
    if parsed["pods"].overlaps(parsed["services"]):
        faults.append(
            f"cluster_pod_cidr {parsed['pods']} and cluster_service_cidr {parsed['services']} overlap: choose networks apart"
        )
    if parsed["dns"] not in parsed["services"]:
        faults.append(f"cluster_dns_address {parsed['dns']} is not in cluster_service_cidr {parsed['services']}")
    if parsed["pods"].prefixlen > 24:
        faults.append(f"cluster_pod_cidr {parsed['pods']} is smaller than the /24 that one node gets")
    if any(parsed["machine"] in parsed[name] for name in ("pods", "services")):
        faults.append(
            f"the machine's address {parsed['machine']} lies in a network of the cluster: change that network"
        )
    return faults


def bare(option: dict[str, Any]) -> dict[str, Any]:
    """An option as the validator takes it: without prose, and without its default, which is for the role to give."""
    kept = {key: value for key, value in option.items() if key in {"type", "elements", "choices"}}
    return (
        {**kept, "options": {name: bare(sub) for name, sub in option["options"].items()}}
        if "options" in option
        else kept
    )


def variable_faults(options: dict[str, Any], variables: dict[str, Any]) -> list[str]:
    """Variables of a wrong type, or with a value that the role does not know."""
    faults: list[str] = []
    for name, value in sorted(variables.items()):
        checked = ArgumentSpecValidator({name: bare(options[name])}).validate({name: value})
        about = " ".join(str(options[name].get("description", "")).split())
        faults += [f"{message} ({about})" for message in checked.error_messages]
    return faults


def numbers(version: str) -> list[int]:
    """A version as numbers, to be compared."""
    return [int(part) for part in re.findall(r"\d+", version)]


def system_faults(system: dict[str, str], supported: dict[str, str]) -> list[str]:
    """An operating system that the roles do not know."""
    faults = []
    known = ", ".join(f"{name} {version}" for name, version in sorted(supported.items()))
    lowest = supported.get(system["distribution"])
    if lowest is None or numbers(system["version"]) < numbers(lowest):
        faults.append(f"{system['distribution']} {system['version']} is not supported: use one of {known} or newer")
    if numbers(system["python"]) < [3, 11]:
        faults.append(
            f"Python is {system['python']}: kubepy needs 3.11 or newer; install it and set ansible_python_interpreter"
        )
    if system["architecture"] not in {"x86_64", "aarch64"}:
        faults.append(f"{system['architecture']} is not supported: there are no wheels for it")
    return faults


def listening(table: str) -> dict[int, str]:
    """Socket inode by listening port, out of /proc/net/tcp or tcp6."""
    found = {}
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == LISTEN:
            found[int(fields[1].rsplit(":", 1)[1], 16)] = fields[9]
    return found


def port_faults(wanted: list[dict[str, Any]], holders: dict[int, tuple[int, str]]) -> list[str]:
    """Ports that somebody else holds; `holders`: port -> (pid, command line)."""
    faults = []
    for entry in wanted:
        if entry["port"] in holders:
            pid, command = holders[entry["port"]]
            if entry["process"] not in command:
                who = f"{command[:60]} (pid {pid})" if pid else "another process"
                faults.append(
                    f"port {entry['port']}, which {entry['process']} needs, is taken by {who}: stop that first"
                )
    return faults


def holders_of(ports: set[int]) -> dict[int, tuple[int, str]]:
    """Who listens on these ports: port -> (pid, command line); pid 0 where it cannot be told."""
    sockets: dict[int, str] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if os.path.exists(table):
            with open(table, encoding="ascii") as stream:
                sockets |= listening(stream.read())
    found = dict.fromkeys(ports & sockets.keys(), (0, ""))
    inodes = {f"socket:[{sockets[port]}]": port for port in found}
    for pid in (name for name in os.listdir("/proc") if name.isdigit() and found):
        try:
            for handle in os.listdir(f"/proc/{pid}/fd"):
                port = inodes.get(os.readlink(f"/proc/{pid}/fd/{handle}"))
                if port is not None:
                    with open(f"/proc/{pid}/cmdline", "rb") as stream:
                        found[port] = (int(pid), stream.read().replace(b"\0", b" ").decode(errors="replace").strip())
        except OSError:
            continue  # the process is gone, or not ours to look at
    return found


def main() -> None:
    """Run as an Ansible module."""
    port = {"port": {"type": "int", "required": True}, "process": {"type": "str", "required": True}}
    module = AnsibleModule(
        argument_spec={
            "groups": {"type": "dict", "required": True},
            "networks": {"type": "dict", "required": True},
            "system": {"type": "dict", "required": True},
            "supported": {"type": "dict", "required": True},
            "options": {"type": "dict", "default": {}},
            "variables": {"type": "dict", "default": {}},
            "ports": {"type": "list", "elements": "dict", "default": [], "options": port},
        },
        supports_check_mode=True,
    )
    params = module.params
    faults = group_faults(params["groups"]) + network_faults(params["networks"])
    faults += variable_faults(params["options"], params["variables"])
    faults += system_faults(params["system"], params["supported"])
    faults += port_faults(params["ports"], holders_of({entry["port"] for entry in params["ports"]}))
    if faults:
        listed = "".join(f"\n  - {fault}" for fault in faults)
        module.fail_json(msg=f"Nothing was changed. Mend this first:{listed}")
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
