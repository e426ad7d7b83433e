"""Services as nftables: chains and map elements, and the script that turns one state into the next.

A packet finds its Service by one lookup in a verdict map keyed by address, protocol and port, whatever the number of
Services; an endpoint by one lookup in a map keyed by a random number. A change touches the chains and elements of its
own Service only. Pure: text in, text out. Source: nft(8), and upstream's nftables mode (KEP-3866) for what to match.
"""

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kubepy.proxy.services import Address, ServicePort

TABLE = "ip kube-proxy"
MASQUERADE_MARK = 0x4000

SERVICES, NODE_PORTS = "service-ips", "service-nodeports"
NO_ENDPOINTS, NO_ENDPOINT_NODE_PORTS = "no-endpoint-services", "no-endpoint-nodeports"
CLUSTER_IPS, HAIRPIN = "cluster-ips", "hairpin-connections"

ElementKey = tuple[str, str]
"""(map or set, key in nft's spelling)."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """What one Service adds: chains with their rules, sets for affinity, and elements of the shared maps.

    An element's value is a verdict, or empty in a set.
    """

    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)
    elements: Mapping[ElementKey, str] = field(default_factory=dict)


EMPTY = Fragment()


def render_base(pod_cidr: str) -> str:
    """The script that makes the table anew, empty of Services; `pod_cidr` is the cluster's pod range, or empty.

    What no Service took is rejected *after* addresses were translated: on output that is later than -100.
    """
    mark = f"meta mark & {MASQUERADE_MARK:#x} != 0 meta mark set meta mark xor {MASQUERADE_MARK:#x}"
    return f"""\
add table {TABLE}
delete table {TABLE}
table {TABLE} {{
  comment "rules for kube-proxy"
  map {SERVICES} {{
    type ipv4_addr . inet_proto . inet_service : verdict
  }}
  map {NODE_PORTS} {{
    type inet_proto . inet_service : verdict
  }}
  map {NO_ENDPOINTS} {{
    type ipv4_addr . inet_proto . inet_service : verdict
  }}
  map {NO_ENDPOINT_NODE_PORTS} {{
    type inet_proto . inet_service : verdict
  }}
  set {CLUSTER_IPS} {{
    type ipv4_addr
  }}
  set {HAIRPIN} {{
    type ipv4_addr . ipv4_addr
  }}
  chain mark-for-masquerade {{
    meta mark set meta mark or {MASQUERADE_MARK:#x}
  }}
  chain reject-service {{
    reject
  }}
  chain services {{
    ip daddr . meta l4proto . th dport vmap @{SERVICES}
    fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @{NODE_PORTS}
  }}
  chain no-endpoints {{
    ip daddr . meta l4proto . th dport vmap @{NO_ENDPOINTS}
    fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @{NO_ENDPOINT_NODE_PORTS}
    ip daddr @{CLUSTER_IPS} meta l4proto {{ tcp, udp, sctp }} reject
  }}
  chain nat-prerouting {{
    type nat hook prerouting priority dstnat; policy accept;
    jump services
  }}
  chain nat-output {{
    type nat hook output priority -100; policy accept;
    jump services
  }}
  chain nat-postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    {mark} masquerade fully-random
    ip saddr . ip daddr @{HAIRPIN} masquerade fully-random
  }}
  chain filter-input {{
    type filter hook input priority -110; policy accept;
    ct state new jump no-endpoints
  }}
  chain filter-forward {{
    type filter hook forward priority -110; policy accept;
    ct state new jump no-endpoints
  }}
  chain filter-output {{
    type filter hook output priority -90; policy accept;
    ct state new jump no-endpoints
  }}
}}
"""


def render_service(ports: Iterable[ServicePort], pod_cidr: str) -> Fragment:
    """What a Service's ports add to the table."""
    chains: dict[str, tuple[str, ...]] = {}
    sets: dict[str, str] = {}
    elements: dict[ElementKey, str] = {}
    for port in ports:
        elements[(CLUSTER_IPS, port.cluster_ip)] = ""
        for ip, _ in port.anywhere:
            elements[(HAIRPIN, f"{ip} . {ip}")] = ""
        _render_internal(port, pod_cidr, chains, sets, elements)
        if port.external_addresses or port.node_port:
            _render_external(port, pod_cidr, chains, sets, elements)
    return Fragment(chains, sets, elements)


def chain_name(kind: str, port: ServicePort, *more: object) -> str:
    """A name that tells a person whose chain it is, and stays within what the kernel takes."""
    whole = "/".join(map(str, (port.namespace, port.name, port.protocol, port.port_name, *more)))
    digest = hashlib.blake2s(whole.encode(), digest_size=5).hexdigest()
    return f"{kind}-{digest}-{whole[:80]}"


def _render_internal(
    port: ServicePort,
    pod_cidr: str,
    chains: dict[str, tuple[str, ...]],
    sets: dict[str, str],
    elements: dict[ElementKey, str],
) -> None:
    key = f"{port.cluster_ip} . {port.protocol} . {port.port}"
    if not port.internal:
        # endpoints that are only elsewhere are none to a Service that keeps to the node: upstream drops, not rejects
        elements[(NO_ENDPOINTS, key)] = "drop" if port.anywhere else "goto reject-service"
        return
    name = chain_name("service", port)
    entry = (f"ip daddr {port.cluster_ip} ip saddr != {pod_cidr} jump mark-for-masquerade",) if pod_cidr else ()
    chains[name] = (*entry, *_balance("service", port, port.internal, chains, sets))
    elements[(SERVICES, key)] = f"goto {name}"


def _render_external(
    port: ServicePort,
    pod_cidr: str,
    chains: dict[str, tuple[str, ...]],
    sets: dict[str, str],
    elements: dict[ElementKey, str],
) -> None:
    addresses = [(SERVICES, NO_ENDPOINTS, f"{ip} . {port.protocol} . {port.port}") for ip in port.external_addresses]
    if port.node_port:
        addresses.append((NODE_PORTS, NO_ENDPOINT_NODE_PORTS, f"{port.protocol} . {port.node_port}"))
    if not port.anywhere:
        for _, none, key in addresses:
            elements[(none, key)] = "goto reject-service"
        return
    name = chain_name("external", port)
    chains[name] = (*_firewall(port), *_external_rules(port, pod_cidr, chains, sets))
    for served, _, key in addresses:
        elements[(served, key)] = f"goto {name}"


def _external_rules(
    port: ServicePort, pod_cidr: str, chains: dict[str, tuple[str, ...]], sets: dict[str, str]
) -> Sequence[str]:
    if port.internal == port.anywhere:
        cluster_wide = chain_name("service", port)
    else:
        cluster_wide = chain_name("anywhere", port)
        chains[cluster_wide] = tuple(_balance("anywhere", port, port.anywhere, chains, sets))
    if not port.keeps_source:
        return ("jump mark-for-masquerade", f"goto {cluster_wide}")
    # the cluster's own pods and nodes are served from anywhere, as if they had used the cluster address
    rules = [f"ip saddr {pod_cidr} goto {cluster_wide}"] if pod_cidr else []
    rules.append("fib saddr type local jump mark-for-masquerade")
    rules.append(f"fib saddr type local goto {cluster_wide}")
    return (*rules, *(_balance("external", port, port.external, chains, sets) if port.external else ["drop"]))


def _firewall(port: ServicePort) -> Sequence[str]:
    """Load-balancer traffic from elsewhere than the allowed networks ends here."""
    if not port.source_ranges or not port.load_balancer_ips:
        return ()
    allowed = ", ".join(str(n) for n in ipaddress.collapse_addresses(_networks(port.source_ranges)))
    balancers = ", ".join(port.load_balancer_ips)
    return (f"ip daddr {{ {balancers} }} ip saddr != {{ {allowed} }} drop",) if allowed else ()


def _networks(ranges: Iterable[str]) -> list[ipaddress.IPv4Network]:
    return [ipaddress.IPv4Network(text, strict=False) for text in ranges if ":" not in text]


def _balance(
    kind: str,
    port: ServicePort,
    endpoints: Sequence[Address],
    chains: dict[str, tuple[str, ...]],
    sets: dict[str, str],
) -> Sequence[str]:
    """Rules that send a connection to one of the endpoints; with affinity, to the client's last."""
    if port.affinity_s:
        return _balance_sticky(kind, port, endpoints, chains, sets)
    choices = ", ".join(f"{i} : {ip} . {number}" for i, (ip, number) in enumerate(endpoints))
    return (f"meta l4proto {port.protocol} dnat ip to numgen random mod {len(endpoints)} map {{ {choices} }}",)


def _balance_sticky(
    kind: str,
    port: ServicePort,
    endpoints: Sequence[Address],
    chains: dict[str, tuple[str, ...]],
    sets: dict[str, str],
) -> Sequence[str]:
    rules, targets = [], []
    for ip, number in endpoints:
        name = chain_name(f"{kind}-endpoint", port, ip, number)
        clients = chain_name(f"{kind}-affinity", port, ip, number)
        sets[clients] = f"{{ type ipv4_addr; flags dynamic,timeout; timeout {port.affinity_s}s; }}"
        chains[name] = (f"update @{clients} {{ ip saddr }} meta l4proto {port.protocol} dnat to {ip}:{number}",)
        rules.append(f"ip saddr @{clients} goto {name}")
        targets.append(name)
    choices = ", ".join(f"{i} : goto {name}" for i, name in enumerate(targets))
    return (*rules, f"numgen random mod {len(targets)} vmap {{ {choices} }}")


def render_change(old: Fragment, new: Fragment) -> str:
    """The script from `old` to `new`: nothing that stays the same is touched.

    Names are made before they are used, and let go of before they are removed; nft applies all of it or nothing.
    """
    lines: list[str] = []
    changed = [name for name, rules in new.chains.items() if old.chains.get(name) != rules]
    gone = [name for name in old.chains if name not in new.chains]
    lines += [f"add set {TABLE} {name} {text}" for name, text in new.sets.items() if old.sets.get(name) != text]
    lines += [f"add chain {TABLE} {name}" for name in changed]
    lines += [f"flush chain {TABLE} {name}" for name in changed if name in old.chains]
    lines += [f"add rule {TABLE} {name} {rule}" for name in changed for rule in new.chains[name]]
    for (where, key), value in old.elements.items():
        if new.elements.get((where, key)) != value:
            lines.append(f"delete element {TABLE} {where} {{ {key} }}")
    for (where, key), value in new.elements.items():
        if old.elements.get((where, key)) != value:
            lines.append(f"add element {TABLE} {where} {{ {key}{' : ' + value if value else ''} }}")
    lines += [f"flush chain {TABLE} {name}" for name in gone]
    lines += [f"delete chain {TABLE} {name}" for name in gone]
    lines += [f"delete set {TABLE} {name}" for name in old.sets if name not in new.sets]
    return "".join(line + "\n" for line in lines)
