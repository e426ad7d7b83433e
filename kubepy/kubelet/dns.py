"""A pod's resolv.conf, /etc/hosts and host name.

Pure: the node's own files come in as text.
Source: pkg/kubelet/network/dns/dns.go; pkg/kubelet/kubelet_pods.go (hostsEntriesFromHostAliases).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

MAX_NAMESERVERS = 3
MAX_SEARCHES = 32
MAX_SEARCH_CHARS = 2048
_CLUSTER_OPTIONS = ("ndots:5",)
_HOSTS_HEAD = "# Kubernetes-managed hosts file.\n"
_HOST_NETWORK_HEAD = "# Kubernetes-managed hosts file (host network).\n"
_LOCAL = (
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::0\tip6-localnet\n"
    "fe00::0\tip6-mcastprefix\n"
    "fe00::1\tip6-allnodes\n"
    "fe00::2\tip6-allrouters\n"
)


@dataclass(frozen=True, slots=True)
class Resolver:
    """The three kinds of lines of a resolv.conf."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def render(self) -> str:
        lines = []
        if self.searches:
            lines.append("search " + " ".join(self.searches))
        lines += [f"nameserver {server}" for server in self.nameservers]
        if self.options:
            lines.append("options " + " ".join(self.options))
        return "\n".join(lines) + "\n"


def parse_resolv_conf(text: str) -> Resolver:
    """What a resolv.conf says; the last search line counts, comments do not."""
    nameservers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        fields = line.split("#")[0].split(";")[0].split()
        if not fields:
            continue
        if fields[0] == "nameserver" and len(fields) > 1:
            nameservers.append(fields[1])
        elif fields[0] in ("search", "domain"):
            searches = [s if s == "." else s.removesuffix(".") for s in fields[1:]]
        elif fields[0] == "options":
            options = fields[1:]
    return Resolver(tuple(nameservers), tuple(searches), tuple(options))


def resolver(pod: Object, host: Resolver, cluster_dns: Sequence[str], domain: str) -> tuple[Resolver, list[str]]:
    """What the pod's resolv.conf says, and warnings about what had to be left out."""
    warnings: list[str] = []
    policy = pod["spec"].get("dnsPolicy") or "ClusterFirst"
    if policy == "ClusterFirst" and pod["spec"].get("hostNetwork"):
        policy = "Default"
    clustered = policy in ("ClusterFirst", "ClusterFirstWithHostNet")
    if clustered and not cluster_dns:
        warnings.append(
            'kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. '
            'Falling back to "Default" policy.'
        )
        clustered = False
    if clustered:
        namespace = pod["metadata"]["namespace"]
        own = (f"{namespace}.svc.{domain}", f"svc.{domain}", domain) if domain else ()
        made = Resolver(tuple(cluster_dns), _unique((*own, *host.searches)), _CLUSTER_OPTIONS)
    elif policy == "None":
        made = Resolver()
    else:
        made = host
    return _limited(_with_own(made, pod["spec"].get("dnsConfig") or {}), warnings), warnings


def _with_own(base: Resolver, config: Object) -> Resolver:
    options = dict(_option(text) for text in base.options)
    for entry in config.get("options") or []:
        options[entry["name"]] = entry.get("value")
    return Resolver(
        _unique((*base.nameservers, *(config.get("nameservers") or ()))),
        _unique((*base.searches, *(config.get("searches") or ()))),
        tuple(name if value is None else f"{name}:{value}" for name, value in options.items()),
    )


def _option(text: str) -> tuple[str, str | None]:
    name, colon, value = text.partition(":")
    return name, value if colon else None


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _limited(made: Resolver, warnings: list[str]) -> Resolver:
    nameservers, searches = made.nameservers, made.searches
    if len(nameservers) > MAX_NAMESERVERS:
        nameservers = nameservers[:MAX_NAMESERVERS]
        warnings.append(
            "Nameserver limits were exceeded, some nameservers have been omitted, "
            f"the applied nameserver line is: {' '.join(nameservers)}"
        )
    cut = searches[:MAX_SEARCHES]
    while len(" ".join(cut)) > MAX_SEARCH_CHARS:
        cut = cut[:-1]
    if cut != searches:
        warnings.append(
            "Search Line limits were exceeded, some search paths have been omitted, "
            f"the applied search line is: {' '.join(cut)}"
        )
    return Resolver(nameservers, cut, made.options)


def hostname_of(pod: Object, node_hostname: str, domain: str) -> tuple[str, str]:
    """(host name, full domain name or empty). A host-network pod has the node's."""
    spec = pod["spec"]
    if spec.get("hostnameOverride"):
        return str(spec["hostnameOverride"]), ""
    if spec.get("hostNetwork"):
        return node_hostname, ""
    name = spec.get("hostname") or pod["metadata"]["name"][:63].rstrip("-.")
    full = ""
    if spec.get("subdomain"):
        full = f"{name}.{spec['subdomain']}.{pod['metadata']['namespace']}.svc.{domain}"
    if spec.get("setHostnameAsFQDN") and full:
        return full, full
    return name, full


def render_hosts(pod: Object, ips: Sequence[str], names: tuple[str, str], host_hosts: str) -> str:
    """The pod's /etc/hosts: itself and its aliases; on the host's network, the host's file and the aliases."""
    hostname, full = names
    aliases = _aliases(pod["spec"].get("hostAliases") or [])
    if pod["spec"].get("hostNetwork"):
        return _HOST_NETWORK_HEAD + host_hosts + aliases
    own = "".join(f"{ip}\t{full}\t{hostname}\n" if full else f"{ip}\t{hostname}\n" for ip in ips)
    return _HOSTS_HEAD + _LOCAL + own + aliases


def _aliases(entries: Sequence[Mapping[str, Any]]) -> str:
    if not entries:
        return ""
    lines = "".join(f"{entry['ip']}\t" + "\t".join(entry.get("hostnames") or ()) + "\n" for entry in entries)
    return "\n# Entries added by HostAliases.\n" + lines
