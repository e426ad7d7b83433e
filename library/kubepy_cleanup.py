#!/usr/bin/python
"""Remove what a node's components leave in the kernel and in Docker: pods, rules, links, routes, mounts.

Runs after the components have stopped. Only what bears their names is touched: containers with the kubelet's label,
packet-filter tables and links by name, mounts below the kubelet's folder, addresses of the CNI plug-ins.
"""

from __future__ import annotations

import json
import os
import re
import shutil

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: kubepy_cleanup
short_description: Remove pods, packet-filter rules, links, routes and mounts of a node
options:
  bridge: {description: Bridge of the pods., type: str, default: cni0}
  links: {description: Further links of the components., type: list, elements: str, default: [kubepy.vxlan]}
  tables: {description: Name prefixes of nftables tables., type: list, elements: str, default: [kube-proxy, kubepy]}
  pod_cidr: {description: Range of pods; rules of the forward chain that name it are removed., type: str, default: 10.244.0.0/16}
  folder: {description: Folder below which the kubelet mounts volumes., type: path, default: /var/lib/kubelet}
  label: {description: Label of the kubelet's containers., type: str, default: io.kubernetes.pod.name}
  route_protocol: {description: Protocol number of the routes to other nodes., type: str, default: "157"}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [kubepy]
"""

EXAMPLES = r"""
- name: Clean a node
  kubepy_cleanup:

- name: Clean a node whose pods' bridge has another name
  kubepy_cleanup:
    bridge: br-pods
"""

RETURN = r"""
removed: {description: What was removed., type: list, returned: always, sample: [container 0a1b, table ip kube-proxy, link cni0]}
"""

Step = tuple[str, list[str]]
"""What is removed in a person's words, and the command that does it."""


def mounts_below(table: str, folder: str) -> list[str]:
    """Mount points below a folder out of /proc/self/mounts, the deepest first."""
    points = [line.split()[1].replace("\\040", " ") for line in table.splitlines() if line]
    return sorted((point for point in points if point.startswith(f"{folder}/")), key=len, reverse=True)


def tables_of(listing: str, prefixes: list[str]) -> list[tuple[str, str]]:
    """(family, name) of the tables with one of these prefixes out of `nft list tables`."""
    words = [line.split() for line in listing.splitlines()]
    return [(w[1], w[2]) for w in words if len(w) == 3 and w[0] == "table" and w[2].startswith(tuple(prefixes))]


def chains_of(rules: str) -> tuple[list[str], list[str]]:
    """Of `iptables -t nat -S`: the rules that jump to CNI's chains (to be deleted), and those chains."""
    chains = re.findall(r"^-N (CNI-\S+)", rules, re.MULTILINE)
    jumps = [line for line in rules.splitlines() if line.startswith("-A") and re.search(r"-j CNI-", line)]
    return jumps, chains


def links_of(listing: str, names: list[str]) -> list[str]:
    """Names that exist, out of `ip -json link`."""
    found = {entry.get("ifname") for entry in json.loads(listing or "[]")}
    return [name for name in names if name in found]


class Cleaner:
    """Finds out what there is, with the tools that are there."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module

    def ask(self, *command: str) -> str:
        """What a command says; empty if it is not there or fails."""
        if shutil.which(command[0]) is None:
            return ""
        code, out, _ = self.module.run_command(list(command))
        return out if code == 0 else ""

    def steps(self) -> list[Step]:
        """Everything that is to be removed, in order."""
        return [*self.containers(), *self.mounts(), *self.rules(), *self.network()]

    def containers(self) -> list[Step]:
        """Containers of pods; they hold the mounts and links."""
        found = self.ask("docker", "ps", "--all", "--quiet", "--filter", f"label={self.module.params['label']}").split()
        return [(f"{len(found)} containers", ["docker", "rm", "--force", "--volumes", *found])] if found else []

    def mounts(self) -> list[Step]:
        """Volumes of pods."""
        with open("/proc/self/mounts", encoding="utf-8") as stream:
            points = mounts_below(stream.read(), self.module.params["folder"])
        return [(f"mount {point}", ["umount", "--lazy", point]) for point in points]

    def rules(self) -> list[Step]:
        """Tables of kube-proxy and the network, chains of the portmap plug-in."""
        tables = tables_of(self.ask("nft", "list", "tables"), self.module.params["tables"])
        steps = [(f"table {family} {name}", ["nft", "delete", "table", family, name]) for family, name in tables]
        jumps, chains = chains_of(self.ask("iptables", "-t", "nat", "-S"))
        forward = [
            r for r in self.ask("iptables", "-S", "FORWARD").splitlines() if f" {self.module.params['pod_cidr']} " in r
        ]
        steps += [(f"rule {rule}", ["iptables", "-D", *rule.split()[1:]]) for rule in forward]
        nat = ["iptables", "-t", "nat"]
        steps += [(f"rule {rule}", [*nat, "-D", *rule.replace('"', "").split()[1:]]) for rule in jumps]
        steps += [(f"chain {chain}", [*nat, "-F", chain]) for chain in chains]
        return steps + [(f"chain {chain}", [*nat, "-X", chain]) for chain in chains]

    def network(self) -> list[Step]:
        """Routes to other nodes, the bridge, tunnels."""
        params = self.module.params
        routes = self.ask("ip", "route", "show", "proto", params["route_protocol"]).splitlines()
        steps = [
            (f"route {r}", ["ip", "route", "del", *r.split()[:1], "proto", params["route_protocol"]]) for r in routes
        ]
        names = [params["bridge"], *params["links"]]
        existing = links_of(self.ask("ip", "-json", "link", "show"), names)
        return steps + [(f"link {name}", ["ip", "link", "delete", name]) for name in existing]


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "bridge": {"type": "str", "default": "cni0"},
            "links": {"type": "list", "elements": "str", "default": ["kubepy.vxlan"]},
            "tables": {"type": "list", "elements": "str", "default": ["kube-proxy", "kubepy"]},
            "pod_cidr": {"type": "str", "default": "10.244.0.0/16"},
            "folder": {"type": "path", "default": "/var/lib/kubelet"},
            "label": {"type": "str", "default": "io.kubernetes.pod.name"},
            "route_protocol": {"type": "str", "default": "157"},
        },
        supports_check_mode=True,
    )
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    steps = Cleaner(module).steps()
    failed = []
    for what, command in [] if module.check_mode else steps:
        code, _, error = module.run_command(command)
        if code:
            failed.append(f"{what}: {error.strip()}")
    if failed:
        module.fail_json(msg="Not everything could be removed; run reset again: " + "; ".join(failed))
    removed = [what for what, _ in steps]
    module.exit_json(changed=bool(steps), removed=removed, diff={"before": "\n".join(removed), "after": ""})


if __name__ == "__main__":
    main()
